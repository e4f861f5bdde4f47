"""What all executors hold, by one suite that runs on each of this machine's; and what is particular to some."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import AuthenticationError, get_context
from multiprocessing.connection import Client
from typing import Any

import pytest

import tunekit as tk
from tunekit.search.executors import executors
from tunekit.search.executors.crew import Assignment, Lost
from tunekit.search.executors.hub import Hub
from tunekit.search.executors.messages import read_message
from tunekit.search.executors.processes import Processes
from tunekit.search.executors.threads import Threads
from tunekit.search.executors.worker import call_home
from tunekit.search.objective import Objective
from tunekit.search.space import Space
from tunekit.testing import ExecutorConformance

SPACE = {"x": (0.0, 1.0)}


class TestInline(ExecutorConformance):
    def options(self) -> Mapping[str, Any]:
        return {}


class TestOneThread(ExecutorConformance):
    def options(self) -> Mapping[str, Any]:
        return {"executor": "threads"}


class TestThreads(ExecutorConformance):
    workers = 2
    is_seeding = False

    def options(self) -> Mapping[str, Any]:
        return {"executor": "threads", "workers": 2}


class TestProcesses(ExecutorConformance):
    workers = 2

    def options(self) -> Mapping[str, Any]:
        return {"workers": 2}


class TestThreadPool(ExecutorConformance):
    workers = 2
    is_seeding = False

    @pytest.fixture(autouse=True)
    def _open(self) -> Iterator[None]:
        with ThreadPoolExecutor(2) as self.executor:
            yield

    def options(self) -> Mapping[str, Any]:
        return {"executor": self.executor}


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as executor:
        yield executor


class TestProcessPool(ExecutorConformance):
    workers = 2

    @pytest.fixture(autouse=True)
    def _open(self, pool: ProcessPoolExecutor) -> None:
        self.executor = pool

    def options(self) -> Mapping[str, Any]:
        return {"executor": self.executor}


# What an executor is


def study(objective: Any = lambda x: x) -> tk.Study:
    return tk.Study(objective, SPACE, sampler="random", seed=0)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"workers": 0}, "workers is a whole number from 1, or None: got 0"),
        ({"workers": True}, "workers is a whole number from 1"),
        ({"workers": 2.0}, "workers is a whole number from 1"),
        ({"trial_timeout": 0}, "trial_timeout is a number of seconds above 0"),
        ({"executor": "celery"}, "unknown executor 'celery': the known ones are 'processes', 'threads'"),
    ],
)
def test_a_wrong_number_or_name_says_the_rule(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        study().run(1, **options)


@pytest.mark.parametrize("thing", [object(), Threads, 4])
def test_what_is_no_executor_says_what_is(thing: Any) -> None:
    with pytest.raises(TypeError, match=r"'processes', 'threads'\), a concurrent.futures.Executor or a distributed"):
        study().run(1, executor=thing)


@pytest.mark.parametrize("make", [lambda: Threads(0), lambda: Processes(0), lambda: Processes(2, threads=0)])
def test_an_executor_of_nothing_is_an_error(make: Any) -> None:
    with pytest.raises(ValueError, match="is a whole number from 1"):
        make()


def test_the_names_are_executors_without_arguments() -> None:
    for name in executors:
        assert study().run(2, executor=executors[name]()).words == study().run(2, executor=name).words


def test_what_cannot_travel_is_an_error_before_the_first_trial() -> None:
    lock = threading.Lock()

    def objective(x: float) -> float:
        with lock:
            return x

    new = study(objective)
    with pytest.raises(TypeError, match=r"objective uses something that cannot .*lock.*executor='threads'"):
        new.run(2, workers=2)
    assert len(new.trials) == 0
    assert new.run(2, executor="threads").words.startswith("2 trials, all complete")


def test_one_worker_runs_here_and_several_in_processes_of_their_own() -> None:
    def objective(x: float) -> float:
        return float(os.getpid())

    def processes(**options: Any) -> set[float]:
        new = study(objective)
        new.run(6, **options)
        return {trial.metrics["score"] for trial in new.trials}

    here = float(os.getpid())
    assert processes() == processes(workers=1) == processes(executor="threads", workers=2) == {here}
    assert here not in processes(workers=2)
    assert here not in processes(trial_timeout=60)  # what may have to be killed
    assert len(processes(executor=Processes(1))) == 1


def threads_of_torch(x: float) -> dict[str, float]:
    import torch
    from threadpoolctl import threadpool_info

    blas = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    return {"score": x, "torch": torch.get_num_threads(), "blas": max(blas, default=1)}


@pytest.mark.parametrize("threads", [1, 2])
def test_each_process_has_as_many_threads_as_it_is_given(threads: int) -> None:
    new = study(threads_of_torch)
    new.run(2, executor=Processes(1, threads=threads))
    for trial in new.trials:
        assert trial.metrics["torch"] == threads
        assert trial.metrics["blas"] <= threads


class Silent(Executor):
    """An executor that says nothing of itself, and runs at once."""

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        thread = threading.Thread(target=lambda: future.set_result(function(*arguments, **options)), daemon=True)
        thread.start()
        return future


def test_an_executor_that_does_not_say_how_many_workers_it_has_needs_the_number() -> None:
    with pytest.raises(ValueError, match=r"does not say how many workers it has: say it with workers="):
        study().run(2, executor=Silent())
    assert study().run(3, executor=Silent(), workers=2).words.startswith("3 trials, all complete")


def test_an_executor_that_was_shut_down_is_an_error_that_says_so() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    new = study()
    with pytest.raises(RuntimeError, match=r"the executor takes no more trials .*shutdown"):
        new.run(2, executor=executor)
    assert new.run(2).words.startswith("2 trials, all complete")


def test_an_executor_is_the_callers_and_stays_open() -> None:
    with ThreadPoolExecutor(1) as executor:
        study().run(2, executor=executor)
        assert executor.submit(lambda: 5).result() == 5


# The line between a run and a worker


@pytest.fixture
def hub() -> Iterator[Hub]:
    opened = Hub(Objective(lambda x: x, Space(**SPACE), ("score",)), threads=None)  # the worker is this process
    yield opened
    opened.close()


def test_a_ticket_is_taken_once(hub: Hub) -> None:
    ticket = hub.ticket(Assignment(0, {"x": 0.5}))
    first = call_home(ticket)
    assert first is not None
    assert call_home(ticket) is None
    first.close()


def test_a_worker_that_leaves_without_a_word_is_lost(hub: Hub) -> None:
    line = call_home(hub.ticket(Assignment(3, {"x": 0.5})))
    assert line is not None
    line.close()
    lost = hub.messages.get(timeout=10)
    assert isinstance(lost, Lost)
    assert (lost.number, lost.began) == (3, True)
    assert "the worker died" in lost.why


def test_whoever_does_not_know_the_key_hears_nothing(hub: Hub) -> None:
    ticket = hub.ticket(Assignment(0, {"x": 0.5}))
    assert ticket.address[0] == "127.0.0.1"
    with pytest.raises(AuthenticationError):
        Client(ticket.address, authkey=b"guessed")
    with socket.create_connection(ticket.address) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
    line = call_home(ticket)  # and the run goes on
    assert line is not None
    line.close()


@pytest.mark.parametrize(
    "said",
    [
        b"\x80\x04N.",
        b"[" * 100_000,
        b"3",
        b"{}",
        b'{"metrics": 3}',
        b'{"metrics": {"score": "high"}}',
        b'{"metrics": {"score": NaN}}',
        b'{"metrics": {"score": 1e999}}',
        b'{"metrics": {"score": true}}',
        b'{"metrics": {"score": ' + b"9" * 400 + b"}}",
        b'{"metrics": {}, "state": "great", "seconds": 1}',
        b'{"metrics": {}, "state": "failed", "seconds": null}',
        b'{"metrics": {}, "state": "failed", "seconds": 1, "error": {}}',
    ],
)
def test_what_is_no_message_is_refused(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read_message(0, said)


def test_a_worker_that_says_nonsense_is_lost_and_says_why(hub: Hub) -> None:
    line = call_home(hub.ticket(Assignment(0, {"x": 0.5})))
    assert line is not None
    line._link.send_bytes(b'{"metrics": {"score": "<b>"}}')
    lost = hub.messages.get(timeout=10)
    assert isinstance(lost, Lost)
    assert "what no worker says: metrics are finite numbers by name" in lost.why
    line.close()


def test_the_traceback_of_a_worker_is_that_of_the_objective_alone() -> None:
    def objective(x: float) -> float:
        raise LookupError("nothing here")

    new = study(objective)
    with pytest.raises(RuntimeError, match="all failed"):
        new.run(9, workers=2)
    error = new.trials[0].error or ""
    assert "in objective" in error
    assert "tunekit/" not in error
