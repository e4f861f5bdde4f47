"""Workers of a dask cluster: on this machine or on many, found and watched over by its scheduler."""

from __future__ import annotations

import queue
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tunekit.core import text
from tunekit.search.executors.crew import Assignment, Lost, Message
from tunekit.search.executors.hub import Hub
from tunekit.search.executors.worker import stand_by, work_off
from tunekit.search.objective import Objective

# How long a cluster may take until its first worker is there: a queueing system needs its time.
_SECONDS_FOR_A_WORKER = 60.0
# How often the scheduler is asked who is there.
_SECONDS_BETWEEN_ROLL_CALLS = 0.5
# A worker that ignores the word to end is restarted by its nanny, for which nobody waits longer than this.
_SECONDS_TO_RESTART = 2.0


def open_dask(objective: Objective, client: Any, workers: int | None) -> DaskCrew:
    """The workers of a dask cluster, for one run.

    Each worker *process* has one trial at a time, however many threads it has: trials in one process would share its
    random generators. A trial is pinned to its worker, and talks with the run itself: dask may lose its scheduler
    meanwhile. What dask would run again after a worker's death is refused.

    Parameters
    ----------
    objective
        What to run.
    client
        A ``distributed.Client``; it is the caller's, and stays open.
    workers
        How many trials run at a time at most; None: as many as there are worker processes, also those that come later.

    Raises
    ------
    RuntimeError
        If there is no worker, or tunekit cannot be imported there.
    TypeError
        If the client is an asynchronous one, or the objective cannot travel.
    """
    if client.asynchronous:
        raise TypeError("a study waits for its workers on a thread: give a Client without asynchronous=True")
    try:
        client.wait_for_workers(1, timeout=_SECONDS_FOR_A_WORKER)
    except TimeoutError as error:
        raise RuntimeError(
            f"the dask cluster at {_scheduler(client)} has no worker, and none came within "
            f"{text.duration(_SECONDS_FOR_A_WORKER)}: start one, or cluster.scale(2)"
        ) from error
    present = list(client.nthreads())
    try:
        client.run(stand_by, workers=present[:1])
    except Exception as error:
        raise RuntimeError(
            f"a dask worker must be able to import tunekit, in the same version as here: {present[0]} says "
            f"{type(error).__name__}: {error}"
        ) from error
    return DaskCrew(objective, client, workers, present)


@dataclass(slots=True)
class _Flight:
    """A trial, the worker that it was given to, and dask's word on it."""

    assignment: Assignment
    address: str
    future: Any


class DaskCrew:
    """The worker processes of a cluster.

    Parameters
    ----------
    objective, client, workers
        As for `open_dask`.
    present
        The addresses of the workers that are there.
    """

    def __init__(self, objective: Objective, client: Any, workers: int | None, present: list[str]) -> None:
        self._client = client
        self._limit = workers
        self._present = present
        self.is_seeding = not any(address.startswith("inproc:") for address in present)
        self._hub = Hub(objective, _host(client, present), sows_here=self.capacity == 1)
        _ = self._hub.packed  # an objective that cannot travel is an error before anything begins
        self._flights: dict[int, _Flight] = {}
        self._waiting: deque[Assignment] = deque()
        # trials that dask gave up before they had begun: a lost scheduler is not theirs to answer for
        self._returned: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._roll = threading.Thread(target=self._call_the_roll, daemon=True, name="tunekit-roll")
        self._roll.start()

    @property
    def capacity(self) -> int:
        """As many as there are worker processes, up to the limit."""
        there = max(1, len(self._present))
        return there if self._limit is None else min(there, self._limit)

    def assign(self, assignment: Assignment) -> None:
        """Give it to a worker that has none; where there is none any more, or no scheduler, it waits for one."""
        self._waiting.append(assignment)
        self._place()

    def receive(self, timeout: float) -> Message | None:
        """The next message of any worker."""
        self._place()
        try:
            message = self._hub.messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if not self._hub.is_open(message.number):
            self._release(message.number, cancel=isinstance(message, Lost))
        return message

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on, or have it end."""
        self._hub.answer(number, go)

    def abandon(self, number: int) -> None:
        """Restart its worker, where it has a nanny; one without goes on until the trial's next report."""
        self._waiting = deque(each for each in self._waiting if each.number != number)
        began = self._hub.worker_of(number) is not None
        self._hub.drop(number)
        flight = self._release(number, cancel=True)
        if flight is not None and began and self.is_seeding:
            restart = threading.Thread(
                target=self._restart, args=(flight.address,), daemon=True, name="tunekit-restart"
            )
            restart.start()
            restart.join(_SECONDS_TO_RESTART)

    def close(self) -> None:
        """Let go of the workers; the client stays open."""
        self._closed.set()
        self._hub.close()
        self._waiting.clear()
        for number in tuple(self._flights):
            self._release(number, cancel=True)
        self._roll.join(_SECONDS_TO_RESTART)

    def _place(self) -> None:
        """Give what waits to workers that have nothing, while there is a scheduler to give it through."""
        for number, flight in tuple(self._flights.items()):
            if flight.address not in self._present and self._is_connected:
                self._returned.put(number)  # its worker has gone
        with suppress(queue.Empty):
            while True:
                self._take_back(self._returned.get_nowait())
        busy = {flight.address for flight in self._flights.values()}
        free = [address for address in self._present if address not in busy]
        while self._waiting and free and self._is_connected:
            assignment, address = self._waiting.popleft(), free.pop(0)
            ticket = self._hub.ticket(assignment)
            future = self._client.submit(
                work_off, ticket, workers=[address], allow_other_workers=False, pure=False, retries=0
            )
            self._flights[assignment.number] = _Flight(assignment, address, future)
            future.add_done_callback(partial(self._done, assignment.number))

    @property
    def _is_connected(self) -> bool:
        return bool(self._client.status == "running")

    def _done(self, number: int, future: Any) -> None:
        """What dask says of a trial: where that has begun, its own line says more, as dask may be what is lost."""
        if self._hub.worker_of(number) is not None:
            return
        if future.status in ("cancelled", "lost"):
            self._returned.put(number)
            return
        why = None
        if future.status == "error":
            with suppress(Exception):
                why = f"the worker died, or could not begin: {future.exception(timeout=1)}"
        self._hub.lose(number, why)

    def _take_back(self, number: int) -> None:
        """Have a trial that has not begun wait for another worker."""
        flight = self._flights.get(number)
        if flight is not None and self._hub.is_open(number) and self._hub.worker_of(number) is None:
            self._hub.drop(number)
            self._release(number, cancel=True)
            self._waiting.appendleft(flight.assignment)

    def _release(self, number: int, *, cancel: bool) -> _Flight | None:
        flight = self._flights.pop(number, None)
        if flight is not None and cancel and self._is_connected:
            with suppress(Exception):  # dask's own word on it is of no use any more
                self._client.cancel([flight.future], asynchronous=False, force=True)
        return flight

    def _restart(self, address: str) -> None:
        with suppress(Exception):  # it has no nanny, or is gone
            self._client.restart_workers([address], timeout=_SECONDS_TO_RESTART, raise_for_error=False)

    def _call_the_roll(self) -> None:
        while not self._closed.wait(_SECONDS_BETWEEN_ROLL_CALLS):
            if self._is_connected:
                with suppress(Exception):  # the scheduler has gone at this very moment
                    self._present = list(self._client.nthreads())


def _scheduler(client: Any) -> str:
    return str(getattr(client.scheduler, "address", "its scheduler"))


def _host(client: Any, workers: list[str]) -> str:
    """The address at which this process is heard by the workers: its own loopback where they all are there."""
    hosts = {urlsplit(address).hostname or "127.0.0.1" for address in workers}
    if all(host.startswith("127.") or host == "::1" for host in hosts):
        return "127.0.0.1"
    # no packet is sent: connecting tells by which of its addresses this machine reaches the scheduler
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((urlsplit(_scheduler(client)).hostname, 9))
        return str(probe.getsockname()[0])
