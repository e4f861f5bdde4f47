"""Workers of whatever kind behind an executor of `concurrent.futures`."""

from __future__ import annotations

import queue
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from functools import partial
from typing import Any

from tunekit.core import text
from tunekit.search.executors.crew import Assignment, Lost, Message
from tunekit.search.executors.hub import Hub
from tunekit.search.executors.worker import work_off
from tunekit.search.objective import Objective

# When a worker has died, this long is waited for the executor to say that it is broken.
_SECONDS_TO_KNOW = 1.0


class FuturesCrew:
    """The workers of an executor: never more trials with it than it has, so that it queues none.

    Parameters
    ----------
    objective
        What to run.
    executor
        Any ``concurrent.futures.Executor``; it is the caller's, and stays open.
    workers
        How many trials run at a time; None: as many as the executor says that it has.

    Raises
    ------
    ValueError
        If nobody says how many.
    TypeError
        If the objective cannot leave this process, and the executor is not one of threads.
    """

    def __init__(self, objective: Objective, executor: Executor, workers: int | None) -> None:
        offered = getattr(executor, "_max_workers", None)
        if workers is None and not (isinstance(offered, int) and offered >= 1):
            raise ValueError(
                f"{text.value(executor)} does not say how many workers it has: say it with workers=, as in "
                "run(40, executor=executor, workers=4)"
            )
        self.capacity = min(count for count in (workers, offered) if isinstance(count, int))
        in_threads = isinstance(executor, ThreadPoolExecutor)
        self.is_seeding = not in_threads or self.capacity == 1
        self._executor = executor
        self._hub = Hub(objective, sows_here=self.capacity == 1)
        if not in_threads:
            _ = self._hub.packed  # an objective that cannot travel is an error before anything begins
        self._futures: dict[int, Future[Any]] = {}
        self._broken: BaseException | None = None

    def assign(self, assignment: Assignment) -> None:
        """Submit it."""
        number = assignment.number
        ticket = self._hub.ticket(assignment)
        try:
            future = self._executor.submit(work_off, ticket)
        except RuntimeError as error:  # it is broken, or was shut down
            self._broken = error
            self._hub.lose(number)
            return
        self._futures[number] = future
        future.add_done_callback(partial(self._done, number))

    def receive(self, timeout: float) -> Message | None:
        """The next message of any worker.

        Raises
        ------
        RuntimeError
            Once, if the executor takes no more trials.
        """
        if self._broken is not None:
            error, self._broken = self._broken, None
            raise RuntimeError(
                f"the executor takes no more trials ({type(error).__name__}: {error}): run on with a new one, what is "
                "done is kept; with workers= a worker that dies is replaced"
            ) from error
        try:
            message = self._hub.messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if isinstance(message, Lost):
            self._look_at(self._futures.get(message.number))
        return message

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on, or have it end."""
        self._hub.answer(number, go)

    def abandon(self, number: int) -> None:
        """Hear no more of it; what runs cannot be killed from here, and ends at its next report."""
        self._hub.drop(number)
        future = self._futures.pop(number, None)
        if future is not None:
            future.cancel()

    def close(self) -> None:
        """Let go of the workers; the executor stays open."""
        self._hub.close()
        for future in self._futures.values():
            future.cancel()
        self._futures.clear()

    def _done(self, number: int, future: Future[Any]) -> None:
        """A trial that never began is lost; of one that did its own line says more. On a thread of the executor."""
        if self._hub.worker_of(number) is not None:
            return
        error = None if future.cancelled() else future.exception()
        self._hub.lose(number, None if error is None else f"the worker died: {type(error).__name__}: {error}")

    def _look_at(self, future: Future[Any] | None) -> None:
        """See whether the executor has broken with the worker: then it takes no trial any more."""
        if future is None:
            return
        wait_for([future], _SECONDS_TO_KNOW)
        if future.done() and not future.cancelled() and isinstance(future.exception(), BrokenExecutor):
            self._broken = future.exception()
