"""A job can be paused, resumed, stopped, waited for and interrupted; nothing already done is lost."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tunekit.core.events import Event, Progressed, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.job import Job, Result, Status, StopRequested, Work


class Counting(Job):
    """Counts to a number, a step every two milliseconds."""

    def __init__(self, steps: int = 10_000, fails_at: int | None = None) -> None:
        super().__init__(Goal(Aim("count")))
        self.steps = steps
        self.fails_at = fails_at

    def start(self, timeout: float | None = None) -> Counting:
        self._launch(self._count(), timeout)
        return self

    def _count(self) -> Work:
        yield TrialStarted(0, {})
        try:
            for step in range(self.steps):
                if step == self.fails_at:
                    raise ZeroDivisionError("at the step that was asked for")
                time.sleep(0.002)
                yield TrialReported(0, {"count": step})
        except StopRequested:
            yield TrialEnded(0, "stopped", {}, 0.0)
            raise
        yield TrialEnded(0, "complete", {"count": self.steps}, 0.0)

    @property
    def heading(self) -> str:
        return "Counting"

    def status(self) -> Status:
        return Status(self.state, f"{self.count} counted", 0.0)

    def _outcome(self) -> str:
        return f"counted to {self.count}"

    @property
    def count(self) -> int:
        return len(self.history[0].reports) if len(self.history) else 0


@pytest.fixture
def python_interrupts() -> Iterator[None]:
    """Python's own answer to an interrupt: a shell's background job is started with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "it took too long"
        time.sleep(0.001)


def test_it_runs_to_its_end_and_says_what_it_came_to() -> None:
    job = Counting(5)
    assert job.state == "idle"
    result = job.start().wait()
    assert repr(result) == "counted to 5"
    assert (job.state, job.history[0].state) == ("over", "complete")


def test_paused_it_stands_still_and_goes_on_from_there() -> None:
    job = Counting(300).start()
    until(lambda: job.count > 3)
    job.pause()
    until(lambda: job.state == "paused")
    before = job.count
    time.sleep(0.1)
    assert job.count == before
    job.resume()
    job.wait()
    assert job.count == 300


def test_stop_keeps_what_is_done_and_ends_the_trial() -> None:
    job = Counting().start()
    until(lambda: job.count > 3)
    job.stop()
    job.wait()
    assert job.history[0].state == "stopped"
    assert 3 < job.count < 10_000


def test_stop_ends_a_paused_job() -> None:
    job = Counting().start()
    job.pause()
    until(lambda: job.state == "paused")
    job.stop()
    job.wait()
    assert job.state == "over"


def test_a_timeout_ends_it_like_stop() -> None:
    job = Counting().start(timeout=0.05)
    job.wait()
    assert job.history[0].state == "stopped"
    assert job.count < 10_000


def test_pauses_do_not_count_towards_the_timeout() -> None:
    job = Counting(50).start(timeout=5)
    job.pause()
    until(lambda: job.state == "paused")
    rested, count = job._clock(), job.count
    time.sleep(0.3)
    job.resume()
    until(lambda: job.count > count)
    assert job._clock() - rested < 0.25
    job.wait()


def test_what_ended_it_is_raised_to_whoever_waits() -> None:
    job = Counting(fails_at=3).start()
    with pytest.raises(ZeroDivisionError, match="asked for"):
        job.wait()
    assert job.count == 3


def test_it_does_one_thing_at_a_time() -> None:
    job = Counting().start()
    with pytest.raises(RuntimeError, match="one thing at a time"):
        job.start()
    job.stop()
    job.wait()


def test_an_interrupt_of_wait_stops_it_and_is_raised(python_interrupts: None) -> None:
    job = Counting().start()
    until(lambda: job.count > 3)
    timer = threading.Timer(0.05, signal.raise_signal, [signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        job.wait()
    assert job.is_over
    assert job.history[0].state == "stopped"


def test_it_can_be_awaited_beside_other_work() -> None:
    async def both() -> tuple[Result, int]:
        job, ticks = Counting(100).start(), 0
        waiting = asyncio.ensure_future(_wait(job))
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0.01)
        return waiting.result(), ticks

    async def _wait(job: Counting) -> Result:
        return await job

    result, ticks = asyncio.run(both())
    assert result.words == "counted to 100"
    assert ticks > 3


def test_a_cancelled_await_stops_it() -> None:
    job = Counting()

    async def cancelled() -> None:
        async def wait() -> None:
            await job.start()

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert job.history[0].state == "stopped"


def test_progress_leaves_no_trace_and_listeners_hear_of_everything() -> None:
    class Telling(Counting):
        def _count(self) -> Work:
            events: list[Event] = [
                TrialStarted(0, {}),
                Progressed("half", 0.5),
                TrialEnded(0, "complete", {"count": 1}, 0.0),
            ]
            yield from events

    job, heard = Telling(), []
    unsubscribe = job.subscribe(lambda: heard.append(job.state))
    job.start().wait()
    assert len(heard) >= 4
    assert job.history[0].reports == ()
    unsubscribe()
    before = len(heard)
    job.start().wait()
    assert len(heard) == before


def test_no_thread_is_left() -> None:
    for _ in range(5):
        Counting(2).start().wait()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("tunekit")])


def test_the_worker_keeps_the_callers_number_of_torch_threads() -> None:
    torch = pytest.importorskip("torch")
    seen: list[int] = []

    class Looking(Counting):
        def _count(self) -> Work:
            seen.append(torch.get_num_threads())
            yield TrialStarted(0, {})

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        Looking().start().wait()
    finally:
        torch.set_num_threads(before)
    assert seen == [1]


ENDING = """
import sys, time
import tunekit as tk

def objective(x):
    try:
        while True:
            time.sleep(0.01)
            yield x
    finally:
        print("the trial has ended")

study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random")
study.start(3)
while not study.trials or not study.trials[0].reports:
    time.sleep(0.01)
"""


def test_a_process_that_ends_stops_what_runs() -> None:
    run = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout) == (0, "the trial has ended\n"), run.stderr
