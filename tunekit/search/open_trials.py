"""Trials that a person's own loop runs: which are open, and what it tells of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from tunekit.core import text
from tunekit.core.events import TrialEnded
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.failures import traceback_of
from tunekit.search.objective import NonFiniteScore, read_metrics


class OpenTrials:
    """The trials that were asked for and not told of yet."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def __contains__(self, number: object) -> bool:
        """Whether the trial of that number is open."""
        return number in self._since

    def add(self, number: int) -> None:
        """A trial was handed out."""
        self._since[number] = time.perf_counter()

    def close(self, number: int) -> float:
        """A trial was told of; the seconds that it was open."""
        return time.perf_counter() - self._since.pop(number)

    def check(self, trial: Trial, history: History) -> None:
        """Raise if that trial cannot be told of.

        Raises
        ------
        ValueError
            If the study has no such trial, it has ended, or the study runs it itself.
        """
        number = trial.number
        known = history[number] if 0 <= number < len(history) else None
        if known is None or known.params != trial.params or known.seed != trial.seed:
            raise ValueError(
                f"a study is told of a trial that it was asked for: it has no {trial!r}; "
                "for a point that was measured elsewhere, give its settings: tell(trial.params, ...)"
            )
        if known.state != "running":
            raise ValueError(
                f"a study is told of a trial once: trial {number} is {known.state}; "
                "for another measurement of it, give its settings: tell(trial.params, ...)"
            )
        if number not in self:
            raise ValueError(f"the study itself runs trial {number}: tell it of those that ask() gave")


def read_answer(number: int, metrics: Any, error: Any, wanted: Sequence[str]) -> TrialEnded:
    """The end of a trial, as it was told; it has no seconds yet.

    Parameters
    ----------
    number
        The number of the trial.
    metrics
        A number or a dict of numbers; NaN and infinite ones make a failure. None together with an error.
    error
        Words or an exception, for a trial that failed; None for one that did not.
    wanted
        The metrics that a complete trial has.

    Raises
    ------
    TypeError
        If both or none of the two are given, or either is of another kind.

    Examples
    --------
    >>> read_answer(3, float("nan"), None, ["score"]).state
    'failed'
    """
    if (metrics is None) == (error is None):
        raise TypeError(
            f"tell() takes what the trial came to, or error= where it failed: got {text.value(metrics)} "
            f"and error={text.value(error)}; give one of them"
        )
    if error is not None:
        return TrialEnded(number, "failed", {}, 0.0, _words(error))
    try:
        return TrialEnded(number, "complete", read_metrics(metrics, wanted, "tell()"), 0.0)
    except NonFiniteScore as reason:
        return TrialEnded(number, "failed", {}, 0.0, f"{type(reason).__name__}: {reason}")


def _words(error: Any) -> str:
    if isinstance(error, BaseException):
        return traceback_of(error)
    if not isinstance(error, str) or not error.strip():
        raise TypeError(f"error= says what went wrong, in words or as an exception: got {error!r}")
    return error
