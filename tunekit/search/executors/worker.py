"""A worker's end of the line: it takes one trial, runs it, reports after each step and does as it is told."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from functools import cache, cached_property
from importlib import import_module
from multiprocessing.connection import Client, Connection
from typing import Any, Protocol

from tunekit.core import seeds
from tunekit.search.context import Context
from tunekit.search.executors import shipping
from tunekit.search.executors.crew import Assignment, Ended
from tunekit.search.executors.hub import GO, REFUSED, HungUp, Ticket, hub_here
from tunekit.search.executors.links import prepare
from tunekit.search.failures import traceback_of
from tunekit.search.objective import Objective

# Of a traceback that is longer the end is sent.
_LONGEST_ERROR = 1 << 16

# The objectives of the last few runs that this process has worked for, by their digest: each came over the wire once.
_objectives: dict[str, Objective] = {}
_KEPT = 4

# What numpy's and torch's libraries read when they are loaded.
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Line(Protocol):
    """A worker's connection to its run."""

    number: int

    @property
    def objective(self) -> Objective:
        """What to run."""

    @property
    def assignment(self) -> Assignment:
        """The trial."""

    @property
    def generators(self) -> AbstractContextManager[None]:
        """What makes the global generators this trial's own, where they can be."""

    def report(self, metrics: Mapping[str, float], replayed: bool) -> bool:
        """Report a step and wait: whether to go on. `HungUp` where nobody listens."""

    def end(self, ended: Ended) -> None:
        """Say what it came to."""

    def close(self) -> None:
        """Leave."""


def work_off(ticket: Ticket) -> None:
    """Run the trial of that ticket, wherever this is: what an executor is given to do.

    It returns when the trial has ended, or nobody listens to it any more. What the objective raises is reported, not
    raised.
    """
    hub = hub_here(ticket.key)
    line = call_home(ticket) if hub is None else hub.line_here(ticket.number, ticket.token)
    if line is not None:
        work(line)


def work(line: Line) -> None:
    """Run the trial of a line, and close it."""
    with closing(line), suppress(HungUp):
        line.end(_ended(line))


def _ended(line: Line) -> Ended:
    """Run the trial, and say how it ended."""
    clock = _Clock()
    try:
        metrics = _run(line, clock)
    except HungUp:
        raise
    except BaseException as error:  # a sys.exit among them: the worker is not the objective's to end
        told = traceback_of(error)
        if len(told) > _LONGEST_ERROR:
            told = f"...{told[-_LONGEST_ERROR:]}"
        return Ended(line.number, "failed", {}, clock.seconds, told)
    if metrics is None:
        return Ended(line.number, "ended", {}, clock.seconds)
    return Ended(line.number, "complete", metrics, clock.seconds)


def _run(line: Line, clock: _Clock) -> Mapping[str, float] | None:
    """The metrics that the objective came to; None where it was told to end."""
    assignment, objective = line.assignment, line.objective
    context = Context(assignment.number, assignment.seed, assignment.parent, assignment.home)
    metrics: Mapping[str, float] = {}
    with line.generators, closing(objective.steps(assignment.params, context)) as steps:
        for step in steps:
            metrics = step.metrics
            if step.kind == "final":
                break
            with clock.stopped():
                go = line.report(metrics, step.kind == "replayed")
            context.commit()
            if not go:
                return None
    context.commit()
    return metrics


class _Clock:
    """Seconds since it was made, without those for which it was stopped."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._began

    @contextmanager
    def stopped(self) -> Any:
        began = time.perf_counter()
        yield
        self._began += time.perf_counter() - began


class RemoteLine:
    """The line of a worker in another process, on this machine or not."""

    def __init__(self, link: Connection[bytes, bytes], number: int, digest: str, packed: bytes | None) -> None:
        self.number = number
        self._link = link
        self._digest = digest
        self._packed = packed
        self._packed_assignment = link.recv_bytes()

    @cached_property
    def objective(self) -> Objective:
        """What to run: read from the wire once a process."""
        if self._packed is not None:
            found = shipping.unpack(self._packed)
            assert isinstance(found, Objective)
            _objectives[self._digest] = found
            for digest in tuple(_objectives)[:-_KEPT]:
                del _objectives[digest]
        return _objectives[self._digest]

    @cached_property
    def assignment(self) -> Assignment:
        """The trial."""
        found = shipping.unpack(self._packed_assignment)
        assert isinstance(found, Assignment)
        return found

    @property
    def generators(self) -> AbstractContextManager[None]:
        """The process has nothing else to do: its generators are the trial's own."""
        seeds.sow(self.assignment.seed)
        return nullcontext()

    def report(self, metrics: Mapping[str, float], replayed: bool) -> bool:
        """Report a step and wait: whether to go on."""
        with _hanging_up():
            self._say({"metrics": dict(metrics), "replayed": replayed})
            return self._link.recv_bytes() == GO

    def end(self, ended: Ended) -> None:
        """Say what it came to."""
        with _hanging_up():
            self._say(
                {
                    "state": ended.state,
                    "metrics": dict(ended.metrics),
                    "seconds": ended.seconds,
                    "error": ended.error,
                }
            )

    def close(self) -> None:
        """Leave."""
        self._link.close()

    def _say(self, message: dict[str, Any]) -> None:
        self._link.send_bytes(json.dumps(message).encode())


@contextmanager
def _hanging_up() -> Any:
    try:
        yield
    except (EOFError, OSError) as error:
        raise HungUp from error


def call_home(ticket: Ticket) -> RemoteLine | None:
    """Take the trial of a ticket; None where it was taken before, or nobody is at home.

    The process has as many threads for torch and BLAS from then on as the ticket says.
    """
    if ticket.has_torch:
        with suppress(ImportError):
            import_module("torch")
    limit_threads(ticket.threads)
    try:
        link = Client(ticket.address, authkey=ticket.key)
    except (OSError, EOFError):
        return None
    try:
        prepare(link)
        hello = {"number": ticket.number, "token": ticket.token, "process": os.getpid(), "known": list(_objectives)}
        link.send_bytes(json.dumps(hello).encode())
        answer = link.recv_bytes()
        if answer != REFUSED:
            digest = answer.decode()
            packed = None if digest in _objectives else link.recv_bytes()
            return RemoteLine(link, ticket.number, digest, packed)
    except (OSError, EOFError):
        pass
    link.close()
    return None


def limit_threads(count: int | None) -> None:
    """Let torch and BLAS have that many threads in this process, also where they are loaded later; None: no limit."""
    if count is None:
        return
    if "torch" in sys.modules:  # torch keeps the number for each thread separately
        sys.modules["torch"].set_num_threads(count)
    _limit_libraries(count)


@cache
def _limit_libraries(count: int) -> None:
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(_VARIABLES, str(count)))
    threadpool_limits(count)


def stand_by() -> int:
    """Nothing but the number of this process: whoever calls it could be reached, and knows tunekit."""
    return os.getpid()
