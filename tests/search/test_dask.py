"""A dask cluster holds what all executors hold, and what is particular to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from distributed import Client, LocalCluster

import tunekit as tk
from tunekit.search.executors import dask
from tunekit.testing import ExecutorConformance

SPACE = {"x": (0.0, 1.0)}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as connected,
    ):
        yield connected


class TestDask(ExecutorConformance):
    workers = 2

    @pytest.fixture(autouse=True)
    def _open(self, client: Client) -> None:
        self.client = client

    def options(self) -> Mapping[str, Any]:
        return {"executor": self.client}


def study(objective: Any) -> tk.Study:
    return tk.Study(objective, SPACE, sampler="random", seed=0)


def test_trials_are_in_the_workers_processes_each_with_one_thread(client: Client) -> None:
    def objective(x: float) -> dict[str, float]:
        import torch

        return {"score": x, "process": os.getpid(), "threads": torch.get_num_threads()}

    new = study(objective)
    new.run(6, executor=client)
    assert {trial.metrics["process"] for trial in new.trials} <= set(client.run(os.getpid).values())
    assert {trial.metrics["threads"] for trial in new.trials} == {1}


def test_fewer_workers_than_there_are(client: Client) -> None:
    def objective(x: float) -> float:
        return float(os.getpid())

    new = study(objective)
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, sum(trial.state == "running" for trial in new.history))

    new.subscribe(look)
    new.run(6, executor=client, workers=1)
    assert most == 1


def test_nothing_is_left_with_the_cluster(client: Client) -> None:
    study(lambda x: x).run(4, executor=client)
    assert client.submit(lambda: 5, pure=False).result(timeout=30) == 5
    assert [key for key in client.futures if "work_off" in key] == []


def test_workers_in_threads_of_this_process_run_trials_too() -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as here,
    ):
        new = study(lambda x: float(os.getpid()))
        new.run(3, executor=here)
    assert {trial.metrics["score"] for trial in new.trials} == {float(os.getpid())}


def test_an_asynchronous_client_is_an_error() -> None:
    class Asynchronous(Client):
        asynchronous = True

        def __init__(self) -> None:
            pass

        def __del__(self) -> None:
            pass

        def __repr__(self) -> str:
            return "a client"

    with pytest.raises(TypeError, match="without asynchronous=True"):
        study(lambda x: x).run(2, executor=Asynchronous())


def test_a_cluster_without_workers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask, "_SECONDS_FOR_A_WORKER", 0.5)
    with LocalCluster(n_workers=0, dashboard_address=None) as cluster, Client(cluster) as empty:
        new = study(lambda x: x)
        with pytest.raises(RuntimeError, match=r"has no worker, and none came within .*cluster.scale"):
            new.run(2, executor=empty)
        assert len(new.trials) == 0
