"""Workers that are threads of this process: nothing travels, and nothing can be killed."""

from __future__ import annotations

import queue
import sys
import threading
from dataclasses import dataclass

from tunekit.search.executors import check_count, executors
from tunekit.search.executors.crew import Assignment, Message, Reported
from tunekit.search.executors.hub import Hub, LineHere
from tunekit.search.executors.worker import work
from tunekit.search.objective import Objective

# A thread that was told to end is waited for at most this long when the run lets go of it.
_SECONDS_TO_END = 1.0


@executors.register("threads")
@dataclass(frozen=True, slots=True)
class Threads:
    """Trials in threads of this process: for functions that wait, or that use what cannot leave it.

    Python runs one thread at a time, so nets do not train faster in several of them. Several trials draw from the same
    global random generators, so a seed does not make each trial the same; with one worker it does. A trial that hangs
    cannot be killed: it is left alone, and its thread ends with the process.

    Parameters
    ----------
    workers
        How many trials run at a time; None: what ``run(workers=)`` says, or one.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> Study(lambda x: x, {"x": [1, 2, 3]}, sampler="grid").run(3, executor=Threads(2))
    3 trials, all complete. Best score 3.00 at trial 2: x=3.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        check_count(self.workers, "workers")

    def open(self, objective: Objective, workers: int | None) -> ThreadCrew:
        """The workers of one run."""
        return ThreadCrew(objective, workers or self.workers or 1)


class ThreadCrew:
    """A thread for each trial.

    Parameters
    ----------
    objective
        What to run.
    workers
        How many at a time, 1 or more.
    """

    def __init__(self, objective: Objective, workers: int) -> None:
        self.capacity = workers
        self.is_seeding = workers == 1
        self._hub = Hub(objective, sows_here=self.is_seeding)
        self._threads: dict[int, threading.Thread] = {}
        torch = sys.modules.get("torch")
        self._torch_threads = None if torch is None else 1 if workers > 1 else int(torch.get_num_threads())

    def assign(self, assignment: Assignment) -> None:
        """Start a thread for it."""
        line = self._hub.here(assignment)
        thread = threading.Thread(target=self._work, args=(line,), daemon=True, name="tunekit-worker")
        self._threads[assignment.number] = thread
        thread.start()

    def _work(self, line: LineHere) -> None:
        if self._torch_threads is not None:  # torch keeps the number for each thread separately
            sys.modules["torch"].set_num_threads(self._torch_threads)
        work(line)

    def receive(self, timeout: float) -> Message | None:
        """The next message of any worker."""
        try:
            message = self._hub.messages.get(timeout=timeout)
        except queue.Empty:
            return None
        if not isinstance(message, Reported):
            self._threads.pop(message.number, None)
        return message

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on, or have it end."""
        self._hub.answer(number, go)

    def abandon(self, number: int) -> None:
        """Hear no more of it: its thread ends at its next report, if it makes one."""
        self._hub.drop(number)
        self._threads.pop(number, None)

    def close(self) -> None:
        """Let go of the threads: those that report end."""
        self._hub.close()
        for thread in self._threads.values():
            thread.join(_SECONDS_TO_END)
        self._threads.clear()
