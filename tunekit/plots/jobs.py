"""Which jobs a picture is for."""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.core import text
from tunekit.core.job import Job
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
