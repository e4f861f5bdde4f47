"""Executors: where the trials of a run are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tunekit.core import text
from tunekit.core.registry import Registry
from tunekit.search.executors.crew import Crew
from tunekit.search.objective import Objective


@runtime_checkable
class OpensCrew(Protocol):
    """An executor of tunekit's own: says where, and opens the workers of one run there."""

    def open(self, objective: Objective, workers: int | None) -> Crew:
        """The workers of one run; ``workers`` is what ``run`` was told, or None."""


executors: Registry[Callable[[], OpensCrew]] = Registry("executor")


def open_crew(objective: Objective, workers: int | None, executor: Any, trial_timeout: float | None) -> Crew | None:
    """The workers of one run; None: the trials run where the run itself does, one after the other.

    Parameters
    ----------
    objective
        What to run.
    workers
        How many trials run at a time, or None.
    executor
        Where: a name, an object of this package, a ``concurrent.futures.Executor``, a ``distributed.Client``. None:
        here, or in processes where there are several workers or a trial may have to be killed.
    trial_timeout
        The seconds that a trial may take, or None.

    Raises
    ------
    ValueError
        If a number is out of its range, or nothing has that name.
    TypeError
        If it is no executor, or the objective cannot go there.
    """
    # the modules register themselves; they are read when the first of them is asked for
    from tunekit.search.executors import processes, threads  # noqa: F401

    check_count(workers, "workers")
    if trial_timeout is not None and not trial_timeout > 0:
        raise ValueError(f"trial_timeout is a number of seconds above 0, or None: got {trial_timeout!r}")
    if executor is None:
        if workers in (None, 1) and trial_timeout is None:
            return None
        executor = "processes"
    found = executors[executor]() if isinstance(executor, str) else executor
    if isinstance(found, OpensCrew) and not isinstance(found, type):
        return found.open(objective, workers)
    if _is_dask(found):
        from tunekit.search.executors.dask import open_dask

        return open_dask(objective, found, workers)
    from concurrent.futures import Executor

    if isinstance(found, Executor):
        from tunekit.search.executors.futures import FuturesCrew

        return FuturesCrew(objective, found, workers)
    raise TypeError(
        f"an executor is a name ({text.listed(executors)}), a concurrent.futures.Executor or a distributed.Client: "
        f"got {text.value(executor)}"
    )


def _is_dask(thing: object) -> bool:
    """Whether it is a dask client, without reading dask."""
    return any(
        kind.__module__.partition(".")[0] == "distributed" and kind.__name__ == "Client" for kind in type(thing).__mro__
    )


def check_count(given: int | None, name: str) -> None:
    """Raise unless it is a whole number from 1, or None.

    Raises
    ------
    ValueError
        With the name of the argument.
    """
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)) or given < 1:
        raise ValueError(f"{name} is a whole number from 1, or None: got {given!r}; as in run(40, workers=2)")
