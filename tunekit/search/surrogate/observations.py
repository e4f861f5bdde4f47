"""What a history says to a model: places of the unit cube, and a value of every aim and limit at each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.censored import expectation_of
from tunekit.search.space import Space

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Observations:
    """What is known, and what is on its way.

    Parameters
    ----------
    places
        Where trials have ended, shape (n, d), in the order of their numbers.
    gains
        The value of each aim there, shape (n, m), signed so that more is better. A failed trial has the worst value
        seen: told nothing, the search would come back; told the middle, it fails three times as often. A halted trial
        has what it is expected to have come to (`Expectation`).
    excesses
        How far outside of each limit, shape (n, c), 0 or less inside. A failed trial has the worst.
    feasible
        Which of them are complete and keep every limit, shape (n,).
    pending
        Where trials are running, shape (q, d).
    prior_places, prior_gains, prior_excesses
        The same of an earlier study.
    """

    places: Array
    gains: Array
    excesses: Array
    feasible: NDArray[np.bool_]
    pending: Array
    prior_places: Array
    prior_gains: Array
    prior_excesses: Array


class Places:
    """The places of settings in the unit cube; those that were asked for once are kept.

    Parameters
    ----------
    space
        Where they lie.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        # by the identity of the settings, which are kept beside so that it stays theirs
        self._known: dict[int, tuple[Mapping[str, Any], Array]] = {}

    def of(self, trials: Sequence[Trial]) -> Array:
        """The places of the trials' settings, shape (n, d)."""
        rows = np.empty((len(trials), len(self.space)))
        for row, trial in zip(rows, trials, strict=True):
            known = self._known.get(id(trial.params))
            if known is None:
                known = self._known[id(trial.params)] = (trial.params, self.space.to_unit(trial.params))
            row[:] = known[1]
        return rows


def observe(places: Places, history: History) -> Observations:
    """Read a history; at least one of its trials, or of its prior, must be complete."""
    goal = history.goal
    trials = list(history)
    read = [
        (trial, known)
        for trial, known in zip(trials, _as_if_complete(history, trials), strict=True)
        if known.state == "failed" or goal.gains(known) is not None
    ]
    told = [known for _, known in read]
    prior = [trial for trial in history.prior if goal.gains(trial) is not None]
    complete = [trial for trial in (*told, *prior) if trial.state == "complete"]
    # a trial may lack a limit's metric only in an earlier study
    prior = [trial for trial in prior if goal.excesses(trial) is not None]
    worst_gains = np.min(_rows((goal.gains(trial) or () for trial in complete), len(goal.aims)), axis=0)
    known = [excesses for excesses in map(goal.excesses, complete) if excesses is not None]
    worst_excesses = (
        np.max(_rows(known, len(goal.limits)), axis=0) if known and goal.limits else np.ones(len(goal.limits))
    )
    return Observations(
        places=places.of(told),
        gains=_rows((goal.gains(trial) or worst_gains for trial in told), len(goal.aims)),
        excesses=_rows((_excesses(goal, trial, worst_excesses) for trial in told), len(goal.limits)),
        feasible=np.array([goal.is_feasible(trial) for trial, _ in read], dtype=bool),
        pending=places.of([trial for trial in trials if trial.state == "running"]),
        prior_places=places.of(prior),
        prior_gains=_rows((goal.gains(trial) or () for trial in prior), len(goal.aims)),
        prior_excesses=_rows((goal.excesses(trial) or () for trial in prior), len(goal.limits)),
    )


def _as_if_complete(history: History, trials: Sequence[Trial]) -> list[Trial]:
    """The trials, the halted ones with what is expected of them as if they had come to it."""
    if not any(trial.state == "halted" for trial in trials):
        return list(trials)
    expectation = expectation_of(history)
    expected = ((trial, expectation.of(trial)) for trial in trials)
    return [
        trial if metrics is None else replace(trial, state="complete", metrics=metrics) for trial, metrics in expected
    ]


def _excesses(goal: Goal, trial: Trial, worst: Array) -> Iterable[float]:
    excesses = goal.excesses(trial)
    return worst if excesses is None else excesses


def _rows(rows: Iterable[Iterable[float]], width: int) -> Array:
    listed = [list(row) for row in rows]
    return np.array(listed, dtype=np.float64).reshape(len(listed), width)
