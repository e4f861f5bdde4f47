"""Workers that are processes of this machine: each with generators and threads of its own, killed where need be."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from typing import TYPE_CHECKING

from tunekit.search.executors import check_count, executors
from tunekit.search.executors.crew import GUARD, Assignment, Ended, Lost, Message
from tunekit.search.executors.hub import Hub, Ticket
from tunekit.search.executors.worker import work_off
from tunekit.search.objective import Objective

# A process that has nothing to do ends by itself when it is let go of; one that does not within this time is killed.
_SECONDS_TO_END = 1.0
# What cannot be heard on a line is looked for so often.
_SECONDS_BETWEEN_LOOKS = 0.1
# A trial goes on for at most this long when its run is gone.
_SECONDS_ALONE = 2.0

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    Link = Connection[Ticket, Ticket]


@executors.register("processes")
@dataclass(frozen=True, slots=True)
class Processes:
    """Trials in processes of this machine, each of which runs one at a time.

    The function, with all that it uses of a notebook, is sent to each process once; what it changes there stays there.
    A process that dies takes one trial along and is replaced. In a script, what is run stands under
    ``if __name__ == "__main__":``: each process reads the script, and does all that stands outside of it.

    Parameters
    ----------
    workers
        How many trials run at a time; None: what ``run(workers=)`` says, or one.
    threads
        How many threads torch and BLAS have in each process, 1 or more.

    Raises
    ------
    ValueError
        If a number is not a whole one from 1.

    References
    ----------
    The processes come from Python's fork server, with torch already in it where this process has it: then a new one
    takes 15 ms and 16 MB of its own; without a fork server they are spawned. Each has one thread by default, as two
    workers with two threads each on two cores were measured to take nearly five times as long.
    """

    workers: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        check_count(self.workers, "workers")
        check_count(self.threads, "threads")

    def open(self, objective: Objective, workers: int | None) -> ProcessCrew:
        """The workers of one run."""
        return ProcessCrew(objective, workers or self.workers or 1, self.threads)


@dataclass(slots=True)
class _Slot:
    """One process, and the number of the trial that it has."""

    process: ForkServerProcess | SpawnProcess
    link: Link
    number: int | None = None

    def kill(self) -> None:
        """End it and whatever it has started, at once."""
        if self.process.pid is not None and hasattr(os, "killpg"):
            # the worker leads a group of its own; if it has not come so far yet there is none
            with suppress(OSError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()


class ProcessCrew:
    """A process for each worker, made when it is first needed, and again when it has died.

    Parameters
    ----------
    objective
        What to run.
    workers
        How many at a time, 1 or more.
    threads
        How many threads torch and BLAS have in each.

    Raises
    ------
    TypeError
        If the objective cannot leave this process.
    RuntimeError
        If this process is a worker itself, which reads the script.
    """

    is_seeding = True

    def __init__(self, objective: Objective, workers: int, threads: int) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise RuntimeError(
                f"a worker process reads the script that made it, and must not start the run anew: {GUARD}"
            )
        self.capacity = workers
        self._hub = Hub(objective, threads=threads)
        _ = self._hub.packed  # an objective that cannot travel is an error before anything begins
        self._context = _context()
        self._slots: list[_Slot] = []
        self._looked = time.monotonic()
        _crews.add(self)

    def assign(self, assignment: Assignment) -> None:
        """Give it to a process that has nothing to do; a new one where there is none."""
        ticket = self._hub.ticket(assignment)
        slot = self._idle() or self._new()
        slot.number = assignment.number
        try:
            slot.link.send(ticket)
        except OSError:
            self._remove(slot)
            self._hub.lose(assignment.number)

    def receive(self, timeout: float) -> Message | None:
        """The next message of any worker."""
        if time.monotonic() - self._looked > _SECONDS_BETWEEN_LOOKS:
            self._look_for_dead()
        try:
            message = self._hub.messages.get(timeout=timeout)
        except queue.Empty:
            return None
        slot = self._slot_of(message.number)
        if slot is not None and isinstance(message, Lost):
            slot.kill()
            slot.process.join(_SECONDS_TO_END)
            message = replace(message, why=_how_it_died(slot.process))
            self._remove(slot)
        elif slot is not None and isinstance(message, Ended):
            slot.number = None
        return message

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on, or have it end."""
        self._hub.answer(number, go)

    def abandon(self, number: int) -> None:
        """Kill its process, and all that it has started."""
        self._hub.drop(number)
        slot = self._slot_of(number)
        if slot is not None:
            slot.kill()
            self._remove(slot)

    def close(self) -> None:
        """End all processes: those that have nothing to do by themselves."""
        self._hub.close()
        for slot in self._slots:
            slot.link.close()
        for slot in tuple(self._slots):
            if slot.number is None:
                slot.process.join(_SECONDS_TO_END)
            if slot.process.is_alive():
                slot.kill()
            self._remove(slot)

    def kill(self) -> None:
        """End all processes at once."""
        for slot in self._slots:
            slot.kill()

    def _slot_of(self, number: int) -> _Slot | None:
        return next((slot for slot in self._slots if slot.number == number), None)

    def _idle(self) -> _Slot | None:
        while (slot := next((slot for slot in self._slots if slot.number is None), None)) is not None:
            if slot.process.is_alive():
                return slot
            self._remove(slot)
        return None

    def _new(self) -> _Slot:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs,), name="tunekit-worker", daemon=False)
        process.start()
        theirs.close()
        slot = _Slot(process, ours)
        self._slots.append(slot)
        return slot

    def _remove(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        slot.link.close()
        slot.process.join(_SECONDS_TO_END)
        if not slot.process.is_alive():
            slot.process.close()

    def _look_for_dead(self) -> None:
        """Say that a trial is lost whose process died before it called home, or whose children hold its line."""
        self._looked = time.monotonic()
        for slot in self._slots:
            if slot.number is not None and not slot.process.is_alive():
                self._hub.lose(slot.number)


def _how_it_died(process: ForkServerProcess | SpawnProcess) -> str:
    code = process.exitcode
    if code is None:
        return "the worker died, or its connection broke"
    if code >= 0:
        return f"the worker died, its process ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    memory = ", as the system does where memory runs out" if name == "SIGKILL" else ""
    return f"the worker died, killed by {name}{memory}"


def _context() -> ForkServerContext | SpawnContext:
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # only read when the server starts: which is once a process
    context.set_forkserver_preload([__name__, *(["torch"] if "torch" in sys.modules else [])])
    return context


def _serve(link: Link) -> None:
    """What a worker process does: one trial after the other, until the run lets go of it or is no more."""
    with suppress(OSError, AttributeError):
        os.setsid()  # an interrupt of the terminal is the run's affair; and what the objective starts ends with it
    tickets: queue.SimpleQueue[Ticket | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(link, tickets), daemon=True, name="tunekit-listen").start()
    while (ticket := tickets.get()) is not None:
        work_off(ticket)


def _listen(link: Link, tickets: queue.SimpleQueue[Ticket | None]) -> None:
    """Take tickets; when nobody is at the other end any more, have the process end, whatever it does."""
    with suppress(EOFError, OSError):
        while True:
            tickets.put(link.recv())
    tickets.put(None)
    time.sleep(_SECONDS_ALONE)
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


_crews: weakref.WeakSet[ProcessCrew] = weakref.WeakSet()


@atexit.register
def _kill_all() -> None:
    """Leave no process behind: registered after what multiprocessing does at exit, which would wait; called before."""
    for crew in tuple(_crews):
        crew.kill()
