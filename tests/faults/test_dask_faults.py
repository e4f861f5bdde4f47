"""A real cluster, a scheduler and workers in processes of their own: what is killed, and what is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

import tunekit as tk
from tests.faults.waiting import is_alive, until

SPACE = {"x": (0.0, 1.0)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Cluster:
    """A scheduler and two workers on loopback, as a person would start them in three terminals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()
        self.start_workers()

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        host, port = self.address.removeprefix("tcp://").split(":")
        return self._start("scheduler", "--host", host, "--port", port, "--no-dashboard")

    def start_workers(self) -> None:
        for _ in range(2):
            self._start("worker", self.address, "--nthreads", "1", "--no-dashboard")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
        with (self.folder / f"{arguments[0]}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True)
        self.processes.append(process)
        return process

    def close(self) -> None:
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                process.kill()
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    opened = Cluster(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.address, timeout=60) as connected:
        connected.wait_for_workers(2, timeout=60)
        yield connected


def study(objective: Any, space: Any = None) -> tk.Study:
    return tk.Study(objective, space or SPACE, sampler="random", seed=0)


def both_run(run: tk.Study) -> bool:
    """Whether each of the two workers has a trial that it reports on: the second may begin long after the first."""
    return sum(trial.state == "running" and bool(trial.reports) for trial in run.history) == 2


def test_a_killed_worker_is_one_failed_trial_and_comes_back(client: Client) -> None:
    def objective(kind: str) -> Iterator[float]:
        yield 1.0
        if kind == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        yield 2.0

    new = study(objective, {"kind": ["fine", "deadly"]})
    for kind in ("fine", "deadly", "fine", "fine", "deadly", "fine", "fine", "fine"):
        new.enqueue({"kind": kind})
    new.run(8, executor=client)
    for trial in new.trials:
        assert trial.state == ("failed" if trial.params["kind"] == "deadly" else "complete")
        assert trial.error is None or "worker died" in trial.error
    until(lambda: len(client.nthreads()) == 2)


def test_a_worker_that_does_not_listen_is_restarted_after_a_stop(client: Client, tmp_path: Path) -> None:
    def objective(x: float) -> float:
        (tmp_path / f"at-work-{os.getpid()}").touch()
        while True:
            time.sleep(0.05)
        return x

    new = study(objective)
    new.start(4, executor=client)
    until(lambda: len(list(tmp_path.glob("at-work-*"))) == 2)
    workers = [int(path.name.rpartition("-")[2]) for path in tmp_path.glob("at-work-*")]
    began = time.monotonic()
    new.stop()
    assert new.wait().words.startswith("2 trials: 2 stopped.")
    assert time.monotonic() - began < 20
    until(lambda: not any(map(is_alive, workers)))
    until(lambda: len(client.nthreads()) == 2)
    assert study(lambda x: x).run(2, executor=client).words.startswith("2 trials, all complete")


def test_the_scheduler_is_lost_and_comes_back(client: Client, cluster: Cluster) -> None:
    def objective(x: float) -> Iterator[float]:
        for step in range(10):
            time.sleep(0.1)
            yield x * step

    new = study(objective)
    new.start(8, executor=client)
    until(lambda: both_run(new))
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    # those that run talk with the study itself, and end
    until(lambda: len(new.history.complete) >= 2)
    assert not new.is_over
    cluster.start_scheduler()
    cluster.start_workers()  # dask's own do not come back to a new scheduler: whoever starts them starts new ones
    until(lambda: new.is_over)
    assert new.wait().words.startswith("8 trials, all complete")
    assert [len(trial.reports) for trial in new.trials] == [10] * 8


def test_without_its_scheduler_a_stop_still_works(client: Client, cluster: Cluster) -> None:
    def objective(x: float) -> Iterator[float]:
        for step in range(5):
            time.sleep(0.1)
            yield x * step

    new = study(objective)
    new.start(8, executor=client)
    until(lambda: both_run(new))
    cluster.scheduler.kill()
    cluster.scheduler.wait()
    until(lambda: len(new.history.complete) >= 2)
    began = time.monotonic()
    new.stop()
    new.wait()
    assert time.monotonic() - began < 20
    assert len(new.history.complete) >= 2
