"""The run's end of the lines to its workers: who takes a trial, what it reports, and that it is lost.

What comes from a worker is bytes and JSON, of a bounded size and checked: it is never unpickled. What goes to a worker
is the objective and its settings. Both ends prove that they know the key of the run before either says anything.
"""

from __future__ import annotations

import hashlib
import os
import queue
import secrets
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, Listener, answer_challenge, deliver_challenge
from typing import Any

from tunekit.core import seeds
from tunekit.search.executors import shipping
from tunekit.search.executors.crew import Assignment, Ended, Lost, Message, Reported
from tunekit.search.executors.links import prepare, shut
from tunekit.search.executors.messages import read_message, read_object
from tunekit.search.objective import Objective

# No report and no traceback is longer; a worker cuts its own.
LONGEST_MESSAGE = 1 << 22
REFUSED = b"refused"
GO, END = b"go", b"end"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a worker needs to call home for one trial.

    Parameters
    ----------
    address
        Host and port of the run.
    key
        What both ends prove to know.
    number
        The number of the trial.
    token
        Good for one worker: whoever comes second with it is refused, so that no executor runs a trial again silently.
    threads
        How many threads torch and BLAS have in the worker's process; None: as many as they have.
    has_torch
        Whether the run's process has read torch: then the worker does, before the trial, whose seed reaches only the
        generators that are there.
    """

    address: tuple[str, int]
    key: bytes
    number: int
    token: str
    threads: int | None = 1
    has_torch: bool = False


@dataclass(slots=True)
class _Desk:
    """Where one trial is talked of."""

    assignment: Assignment
    token: str
    process: int | None = None
    is_taken: bool = False
    is_over: bool = False
    answers: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    link: Connection[Any, Any] | None = None


_DIED = "the worker died, or its connection broke"


class Hub:
    """The lines of one run.

    Parameters
    ----------
    objective
        What the workers run.
    host
        The address to listen at: this machine's own, unless workers are on others.
    threads
        As in `Ticket`.
    sows_here
        Whether a worker in this very process seeds the global generators: it does where it is the only one.
    """

    def __init__(
        self,
        objective: Objective,
        host: str = "127.0.0.1",
        *,
        threads: int | None = 1,
        sows_here: bool = False,
    ) -> None:
        self.objective = objective
        self.messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.threads = threads
        self.sows_here = sows_here
        self._host = host
        self._key = secrets.token_bytes(32)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._desks: dict[int, _Desk] = {}
        self._listener: Listener | None = None
        _hubs[self._key] = self

    # The run's side

    @cached_property
    def packed(self) -> bytes:
        """The objective as bytes; an error where it cannot leave this process."""
        return shipping.pack(self.objective)

    def ticket(self, assignment: Assignment) -> Ticket:
        """Open a desk for a trial that a worker will call home for."""
        token = self._open(assignment)
        with self._lock:
            if self._listener is None:
                self._listener = Listener((self._host, 0), backlog=128)
                threading.Thread(target=self._accept, args=(self._listener,), daemon=True, name="tunekit-hub").start()
            host, port = self._listener.address
        return Ticket((host, port), self._key, assignment.number, token, self.threads, "torch" in sys.modules)

    def here(self, assignment: Assignment) -> LineHere:
        """Open a desk for a trial of a worker in this process."""
        self._open(assignment)
        line = self.line_here(assignment.number, None)
        assert line is not None
        return line

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on, or have it end."""
        desk = self._desks.get(number)
        if desk is not None:
            desk.answers.put(go)

    def drop(self, number: int) -> None:
        """Hear no more of a trial; a worker that still has it ends it at its next report."""
        with self._lock:
            desk = self._desks.pop(number, None)
        if desk is None:
            return
        desk.is_over = True
        desk.answers.put(False)
        if desk.link is not None:
            shut(desk.link)

    def lose(self, number: int, why: str | None = None) -> None:
        """Say that a trial is lost, unless it is over: whether it had begun is known here."""
        desk = self._desks.get(number)
        if desk is not None:
            self._finish(desk, Lost(number, why or _DIED, began=desk.is_taken))
            if desk.link is not None:
                shut(desk.link)

    def worker_of(self, number: int) -> int | None:
        """The process that has a trial, on whatever machine; None while nobody has."""
        desk = self._desks.get(number)
        return None if desk is None else desk.process

    def is_open(self, number: int) -> bool:
        """Whether more is to be heard of a trial."""
        return number in self._desks

    def close(self) -> None:
        """End all lines."""
        for number in tuple(self._desks):
            self.drop(number)
        _hubs.pop(self._key, None)
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            # closing alone does not wake who waits in accept
            with suppress(OSError), socket.create_connection(listener.address, timeout=1):
                pass
            listener.close()

    def _open(self, assignment: Assignment) -> str:
        token = secrets.token_hex(16)
        with self._lock:
            self._desks[assignment.number] = _Desk(assignment, token)
        return token

    def _finish(self, desk: _Desk, message: Message) -> None:
        """The last message of a trial, once."""
        with self._lock:
            if desk.is_over:
                return
            desk.is_over = True
            self._desks.pop(desk.assignment.number, None)
        self.messages.put(message)

    # The worker's side, in this process

    def line_here(self, number: int, token: str | None) -> LineHere | None:
        """A worker in this process takes a trial; None: it is not to be had any more."""
        desk = self._take(number, token, os.getpid())
        return None if desk is None else LineHere(self, desk)

    def _take(self, number: int, token: str | None, process: int) -> _Desk | None:
        with self._lock:
            desk = self._desks.get(number)
            if desk is None or desk.is_taken or (token is not None and not secrets.compare_digest(desk.token, token)):
                return None
            desk.is_taken = True
            desk.process = process
            return desk

    # The worker's side, over the wire

    def _accept(self, listener: Listener) -> None:
        while self._listener is listener:
            try:
                link = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True, name="tunekit-line").start()

    def _serve(self, link: Connection[Any, Any]) -> None:
        desk: _Desk | None = None
        try:
            prepare(link)
            deliver_challenge(link, self._key)
            answer_challenge(link, self._key)
            desk = self._greet(link)
            while desk is not None:
                message = read_message(desk.assignment.number, link.recv_bytes(LONGEST_MESSAGE))
                if isinstance(message, Ended):
                    self._finish(desk, message)
                    return
                if desk.is_over:
                    return
                self.messages.put(message)
                link.send_bytes(GO if desk.answers.get() else END)
        except (EOFError, OSError, AuthenticationError, ValueError) as error:
            if desk is not None and not desk.is_over:
                number = desk.assignment.number
                # a message that is none comes from no worker of ours
                why = f"the worker said what no worker says: {error}" if isinstance(error, ValueError) else None
                self._finish(desk, Lost(number, why or _DIED))
        finally:
            link.close()

    def _greet(self, link: Connection[Any, Any]) -> _Desk | None:
        """Hand a trial to the worker that comes for it."""
        hello = read_object(link.recv_bytes(LONGEST_MESSAGE))
        number, token, process, known = (hello.get(name) for name in ("number", "token", "process", "known"))
        if not (isinstance(number, int) and isinstance(token, str) and isinstance(process, int)):
            raise ValueError("a worker says who it is")
        desk = self._take(number, token, process)
        if desk is None:
            link.send_bytes(REFUSED)
            return None
        desk.link = link
        digest = hashlib.sha256(self.packed).hexdigest()
        link.send_bytes(digest.encode())
        if not (isinstance(known, list) and digest in known):
            link.send_bytes(self.packed)
        link.send_bytes(shipping.pack_assignment(desk.assignment))
        return desk


class HungUp(Exception):
    """Nobody listens to this worker any more."""


class LineHere:
    """The line of a worker in this process: nothing is packed."""

    def __init__(self, hub: Hub, desk: _Desk) -> None:
        self.number = desk.assignment.number
        self._hub = hub
        self._desk = desk

    @property
    def objective(self) -> Objective:
        """What to run: the run's own."""
        return self._hub.objective

    @property
    def assignment(self) -> Assignment:
        """The trial."""
        return self._desk.assignment

    @property
    def generators(self) -> AbstractContextManager[None]:
        """Sown where no other trial of the run draws from them; the caller's are given back."""
        return seeds.seeded(self.assignment.seed if self._hub.sows_here else None)

    def report(self, metrics: Mapping[str, float], replayed: bool) -> bool:
        """Report a step and wait: whether to go on."""
        if not self._desk.is_over:
            self._hub.messages.put(Reported(self.number, metrics, replayed))
            go = self._desk.answers.get()
        if self._desk.is_over:
            raise HungUp
        return go

    def end(self, ended: Ended) -> None:
        """Say what it came to."""
        self._hub._finish(self._desk, ended)

    def close(self) -> None:
        """A worker that leaves without a word is lost."""
        self._hub._finish(self._desk, Lost(self.number, _DIED))


def hub_here(key: bytes) -> Hub | None:
    """The hub with that key, where it is in this very process: not in one that was forked off."""
    hub = _hubs.get(key)
    return hub if hub is not None and hub._process == os.getpid() else None


_hubs: dict[bytes, Hub] = {}
