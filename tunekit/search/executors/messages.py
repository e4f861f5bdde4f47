"""What a worker says: JSON, checked, since it comes from outside of the process."""

from __future__ import annotations

import json
import math
from typing import Any

from tunekit.search.executors.crew import Ended, Reported


def read_message(number: int, given: bytes) -> Reported | Ended:
    """A worker's message about its trial.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> read_message(3, b'{"metrics": {"score": 0.5}, "replayed": false}')
    Reported(number=3, metrics={'score': 0.5}, replayed=False)
    """
    said = read_object(given)
    metrics = said.get("metrics")
    if not isinstance(metrics, dict) or not all(_is_figure(value) for value in metrics.values()):
        raise ValueError("metrics are finite numbers by name")
    figures = {name: float(value) for name, value in metrics.items()}
    state, seconds, error = said.get("state"), said.get("seconds"), said.get("error")
    if state is None:
        return Reported(number, figures, bool(said.get("replayed")))
    if state not in ("complete", "failed", "ended") or seconds is None or not _is_figure(seconds):
        raise ValueError("a trial ends complete, failed or as it was told, after some seconds")
    if error is not None and not isinstance(error, str):
        raise ValueError("an error is text")
    return Ended(number, state, figures, float(seconds), error)


def read_object(given: bytes) -> dict[str, Any]:
    """A JSON object; a `ValueError` where it is none."""
    try:
        said = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise ValueError("a message is JSON") from error
    if not isinstance(said, dict):
        raise ValueError("a message is a JSON object")
    return said


def _is_figure(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
