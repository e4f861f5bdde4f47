"""Which jobs a picture is for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.observed import Observed
from tunekit.insight.surrogate import LEAST
from tunekit.search.space import Space
from tunekit.search.study import Study


def study_of(job: Job, name: str) -> Study:
    """The job as a study.

    Raises
    ------
    ValueError
        If it is none: the plot of that name is for a study, whose trials are settings of a space.
    """
    if not isinstance(job, Study):
        raise ValueError(f"the plot {name!r} is for a study, whose trials are settings of a space: got {_named(job)}")
    return job


def _named(job: Job) -> str:
    kind = type(job).__name__
    return f"an {kind}" if kind[0] in "AEIOU" else f"a {kind}"


def check_names(space: Space, names: Sequence[str]) -> tuple[str, ...]:
    """These names, if they are parameters of the space.

    Raises
    ------
    ValueError
        If one is not: the error lists the known ones.
    """
    for name in names:
        if name not in space.names:
            raise ValueError(f"unknown parameter {name!r}: the known ones are {text.listed(space.names)}")
    return tuple(names)


def too_few(seen: Observed) -> str:
    """The title of a picture of what the trials show, while they are too few to show anything."""
    return f"Not known yet: {seen.complete} of the {LEAST} trials that it takes have a {seen.metric}"


def leading(history: History, seen: Observed) -> int:
    """Which of the values belongs to the best trial; of another metric than the first aim it is the best value."""
    leader = history.best
    if seen.metric == history.goal.metric and leader is not None and leader.number in seen.numbers:
        return int(np.flatnonzero(seen.numbers == leader.number)[0])
    return int(np.argmax(seen.values if seen.maximize else -seen.values))


def shown_places(history: History, space: Space, seen: Observed, name: str) -> NDArray[np.float64]:
    """Where the trials of these values lie along a parameter, shape (n,); NaN where it does not count in one."""
    counts = np.array([name in history[int(number)].params for number in seen.numbers], dtype=bool)
    return np.where(counts, seen.places[:, space.names.index(name)], np.nan)
