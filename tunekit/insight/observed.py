"""What a history has seen of one metric: places of the unit cube, and values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.censored import expectation_of
from tunekit.search.space import Space

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The values of a metric, in the order of the trials.

    Parameters
    ----------
    metric
        Its name.
    maximize
        Whether more is better; of a metric that is no aim: whether its long tail is at its low end.
    numbers
        Of the trials, shape (n,).
    places, values
        Where, shape (n, d), and what, shape (n,), in the metric's own unit.
    complete
        How many of them are complete; the others were halted, and have what they are expected to have come to.
    """

    metric: str
    maximize: bool
    numbers: NDArray[np.int64]
    places: Array
    values: Array
    complete: int


def observed(history: History, space: Space, metric: str | None = None) -> Observed:
    """Read one metric of a history, the first aim where none is named.

    Raises
    ------
    ValueError
        If no trial has a metric of that name, while some have others.
    """
    goal = history.goal
    name = goal.metric if metric is None else metric
    trials = list(history)
    known = dict.fromkeys([*goal.metrics, *(metric for trial in trials for metric in trial.metrics)])
    if name not in known:
        raise ValueError(f"unknown metric {name!r}: the known ones are {text.listed(known)}")
    expectation = expectation_of(history) if any(trial.state == "halted" for trial in trials) else None
    read: list[tuple[int, Array, float]] = []
    complete = 0
    for trial in trials:
        value = trial.metrics.get(name) if trial.state == "complete" else None
        if trial.state == "halted" and expectation is not None and name in goal.metrics:
            value = (expectation.of(trial) or {}).get(name)
        place = None if value is None or not np.isfinite(value) else place_of(space, trial)
        if place is not None and value is not None:
            read.append((trial.number, place, float(value)))
            complete += trial.state == "complete"
    values = np.array([value for _, _, value in read])
    aims = {aim.metric: aim.maximize for aim in goal.aims}
    return Observed(
        name,
        aims.get(name, _is_long_below(values)),
        np.array([number for number, _, _ in read], dtype=np.int64),
        np.array([place for _, place, _ in read]).reshape(len(read), len(space)),
        values,
        complete,
    )


def place_of(space: Space, trial: Trial) -> Array | None:
    """The place of a trial's settings, shape (d,); None where they are not of this space.

    A study that is watched has learned its space from complete trials: a failed one may lie outside.
    """
    try:
        return space.to_unit(trial.params)
    except ValueError:
        return None


def _is_long_below(values: Array) -> bool:
    """Whether the values reach further below their median than above."""
    if not len(values):
        return True
    middle = np.median(values)
    return bool(middle - values.min() >= values.max() - middle)
