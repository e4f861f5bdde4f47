"""A job: something long, written as a generator of events, driven on a worker thread that can be paused and stopped."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tunekit.core import text, upstairs
from tunekit.core.events import Event, Progressed
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.surroundings import has_viewer
from tunekit.core.trial import Trial

Work = Generator[Event, None, None]
# How long a process that ends waits for the jobs that still run; Jupyter kills a kernel five seconds after it was told.
_SECONDS_AT_EXIT = 3.0
# How often a job that rests looks whether what it rests for is over.
_SECONDS_BETWEEN_LOOKS = 1.0

State = Literal["idle", "running", "pausing", "paused", "stopping", "over"]


class StopRequested(BaseException):
    """Thrown into a job's generator, between two events, when a person has pressed stop."""


class View(Protocol):
    """What shows a running job: a live panel in a notebook, a line of text in a terminal."""

    def tick(self) -> None:
        """Called by the waiting thread about ten times a second."""

    def finish(self) -> None:
        """Called by the waiting thread once the job is over: leave the final state where the view was."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is going on, in words.

    Parameters
    ----------
    state
        Where the job is between ``"idle"`` and ``"over"``.
    words
        One or two sentences for a person.
    fraction
        The share of the whole that is done, 0 to 1.
    """

    state: State
    words: str
    fraction: float


@dataclass(frozen=True, slots=True, repr=False)
class Result:
    """What a run came to, as text: it prints the same rounded figures wherever it is shown."""

    words: str

    def __repr__(self) -> str:
        """The words themselves."""
        return text.printable(self.words)


class Job(ABC):
    """Drives a generator of events on a worker thread.

    The thread looks at its flags between two events: to pause, to resume and to stop take as long as one step. Whoever
    subclasses it gives the sentences (`heading`, `status`, `_outcome`) and hands its work to `_launch`.

    Parameters
    ----------
    goal
        What makes one trial better than another.
    prior
        Complete trials of an earlier job that this one may learn from.
    """

    def __init__(self, goal: Goal, prior: tuple[Trial, ...] = ()) -> None:
        self.history = History(goal, prior)
        # held by whoever adds to the history: the worker, and a loop of a person's own on another thread
        self._writing = threading.RLock()
        self._progress: Progressed | None = None
        self._listeners: list[Callable[[], None]] = []
        self._running = threading.Event()
        self._running.set()
        self._stop = threading.Event()
        self._over = threading.Event()
        self._over.set()
        self._resting = False
        self._rested = 0.0
        self._time_is_up: str | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._view: View | None = None

    # What a person presses

    def pause(self) -> None:
        """Rest after the step that is going on; nothing is lost, `resume` goes on from there."""
        if not self._over.is_set() and not self._stop.is_set():
            self._running.clear()
            self._notify()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._running.set()
        self._notify()

    def stop(self) -> None:
        """End after the step that is going on; every finished trial is kept, the cut-off one is run again first."""
        if not self._over.is_set():
            self._stop.set()
            self._running.set()
            self._notify()

    def wait(self) -> Result:
        """Wait until the job is over and say what it came to.

        Interrupting it (■ in the notebook, Ctrl-C in a terminal) stops the job as `stop` does, waits for the step that
        is going on, and then raises `KeyboardInterrupt`.

        Raises
        ------
        Exception
            What ended the job, where it was not its own end.
        """
        try:
            while not self._over.wait(0.1):
                self._tick()
        except KeyboardInterrupt:
            self.stop()
            self._join()
            raise
        finally:
            self._finish()
        return self._result()

    def __await__(self) -> Generator[Any, None, Result]:
        """Wait without blocking the event loop: ``await study.start(30)``."""
        return self._wait_politely().__await__()

    async def _wait_politely(self) -> Result:
        try:
            while not self._over.is_set():
                await asyncio.sleep(0.1)
                self._tick()
        except asyncio.CancelledError:
            self.stop()
            self._join()
            raise
        finally:
            self._finish()
        return self._result()

    # What a view reads

    @property
    def state(self) -> State:
        """Where the job is."""
        if self._over.is_set():
            return "idle" if self._thread is None else "over"
        if self._stop.is_set():
            return "stopping"
        if not self._running.is_set():
            return "paused" if self._resting else "pausing"
        return "running"

    @property
    def is_over(self) -> bool:
        """Whether nothing is running: not begun, finished, or stopped."""
        return self._over.is_set()

    @property
    def view(self) -> View | None:
        """What shows the job since its last start, or None."""
        return self._view

    @property
    @abstractmethod
    def heading(self) -> str:
        """What this is, in words that are the same before, while and after it runs."""

    @abstractmethod
    def status(self) -> Status:
        """What is going on, in words."""

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Have a function called after every change; returns the function that ends it.

        The listener runs on the thread that made the change: it should only set a flag.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def explore(self) -> Any:
        """Open a panel in the current cell, to look around in and to act from: before, while and after it runs.

        Each call opens one more; all follow the job. Its ``close()`` leaves a picture in its place.

        Raises
        ------
        RuntimeError
            Outside of a notebook.
        """
        return upstairs.ask("explore")(self)

    def _ipython_display_(self) -> None:
        upstairs.ask("show")(self)

    # What a subclass uses

    def _launch(self, work: Work, timeout: float | None = None, *, show: bool = True) -> None:
        if timeout is not None and not timeout > 0:
            raise ValueError(f"a timeout is a number of seconds above 0, or None: got {timeout!r}")
        self._check_over()
        self._stop.clear()
        self._running.set()
        self._failure = None
        self._rested = 0.0
        self._time_is_up = None
        self._over.clear()
        _stop_at_exit(self)
        try:
            self._view = upstairs.ask("open_view")(self) if show and has_viewer() else None
        except BaseException:
            self._over.set()  # nothing has begun
            raise
        self._thread = threading.Thread(
            target=self._drive, args=(work, timeout, _torch_threads()), daemon=True, name="tunekit"
        )
        self._thread.start()

    def _check_over(self) -> None:
        if not self._over.is_set():
            raise RuntimeError(
                "a job does one thing at a time: this one is still running; wait() for it or stop() it first"
            )

    @abstractmethod
    def _outcome(self) -> str:
        """What the run came to, in words."""

    def _record(self, event: Event) -> None:
        """Fold an event into the history, on whatever thread it happened."""
        with self._writing:
            self.history.apply(event)
            self._keep(event)

    def _clock(self) -> float:
        """Seconds that the job has been running, pauses left out."""
        return time.perf_counter() - self._rested

    # The worker thread

    def _drive(self, work: Work, timeout: float | None, torch_threads: int | None) -> None:
        _set_torch_threads(torch_threads)
        try:
            for event in self._steps(work, timeout):
                if isinstance(event, Progressed):
                    self._progress = event
                else:
                    self._progress = None
                    self._record(event)
                self._notify()
        except StopRequested:
            pass
        except BaseException as error:  # whatever ended the work is told to whoever waits for it
            self._failure = error
        finally:
            self._progress = None
            self._settle()
            self._over.set()
            self._notify()

    def _steps(self, work: Work, timeout: float | None) -> Iterator[Event]:
        told = False
        deadline = None if timeout is None else self._clock() + timeout
        try:
            event = next(work)
            while True:
                yield event
                self._rest()
                if deadline is not None and self._clock() > deadline and not self._stop.is_set():
                    self._time_is_up = f"the {text.duration(timeout or 0.0)} of its timeout were over"
                    self._stop.set()
                if self._stop.is_set() and not told:
                    told = True
                    event = work.throw(StopRequested())
                else:
                    event = next(work)
        except StopIteration:
            return

    def _rest(self) -> None:
        if self._running.is_set():
            return
        began = time.perf_counter()
        self._resting = True
        self._notify()
        while not self._running.wait(_SECONDS_BETWEEN_LOOKS):
            self._rest_on()
        self._resting = False
        self._rested += time.perf_counter() - began

    def _settle(self) -> None:  # noqa: B027 - a hook: most jobs leave nothing open
        """Called when the work has ended, before anybody is told."""

    def _rest_on(self) -> None:  # noqa: B027 - a hook: most jobs rest until they are told
        """Called once in a while as it rests."""

    def _keep(self, event: Event) -> None:  # noqa: B027 - a hook: most jobs keep nothing of their own
        """Called with each event that belongs to the history, once it is in it."""

    # The waiting thread

    def _join(self, timeout: float | None = None) -> None:
        if self._thread is not None:
            self._thread.join(timeout)

    def _tick(self) -> None:
        if self._view is not None:
            self._view.tick()

    def _finish(self) -> None:
        if self._view is not None and self._over.is_set():
            self._view.finish()

    def _result(self) -> Result:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return Result(self._outcome())

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener()


_started: weakref.WeakSet[Job] = weakref.WeakSet()


def _stop_at_exit(job: Job) -> None:
    _started.add(job)
    # what was registered last is called first: before what kills the workers or waits for them
    atexit.unregister(_stop_all)
    atexit.register(_stop_all)


def _stop_all() -> None:
    """Stop what runs when the process ends, so that it ends as by a press of stop: its workers and files let go."""
    running = [job for job in _started if not job.is_over]
    deadline = time.perf_counter() + _SECONDS_AT_EXIT
    for job in running:
        job.stop()
    for job in running:
        job._join(max(0.0, deadline - time.perf_counter()))


def _torch_threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def _set_torch_threads(count: int | None) -> None:
    """Hold in the worker what the caller has set: torch keeps the number of threads for each thread separately."""
    if count is not None:
        sys.modules["torch"].set_num_threads(count)
