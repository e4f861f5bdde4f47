from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from tests.compress.nets import only, tiny
from tunekit.compress.data import Split
from tunekit.compress.measure import measure
from tunekit.compress.task import Task, last

X, Y = torch.arange(1300.0)[:, None], torch.arange(1300) % 3


class Pairs(Dataset[Any]):
    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if index >= len(X):
            raise IndexError
        return X[index], int(Y[index])

    def __len__(self) -> int:
        return len(X)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter(Pairs())


SOURCES = {
    "tensors": (X, Y),
    "tensor dataset": TensorDataset(X, Y),
    "dataset": Pairs(),
    "stream": Stream(),
    "loader": DataLoader(Pairs(), batch_size=700),
    "loader of a stream": DataLoader(Stream(), batch_size=9),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_kind_of_split_gives_all_its_examples(source: Any) -> None:
    split = Split(source, "train", batch_size=64)
    chunks = list(split.chunks())
    assert max(len(x) for x, _ in chunks) <= 500
    assert torch.equal(torch.cat([only(x) for x, _ in chunks]), X)
    assert torch.equal(torch.cat([y for _, y in chunks]), Y)
    assert torch.equal(only(split.head(600)), X[:600])
    trained = torch.cat([only(x) for x, _ in split.shuffled(torch.Generator().manual_seed(0))])
    assert torch.equal(trained.sort(0).values, X)
    if split.steps is not None:
        assert split.steps == len(list(split.shuffled(torch.Generator().manual_seed(0))))


@pytest.mark.parametrize("name", ["tensors", "dataset"])
def test_batches_are_shuffled_by_the_generator_alone(name: str) -> None:
    split = Split(SOURCES[name], "train", batch_size=64)
    before = torch.get_rng_state()
    one, other, third = (
        torch.cat([only(x) for x, _ in split.shuffled(torch.Generator().manual_seed(seed))]) for seed in (0, 0, 1)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"train": (X, Y[:5])}, ValueError, ["same number of examples", "train has 1,300 inputs and 5 targets"]),
        ({"train": (X[:0], Y[:0])}, ValueError, ["at least one example", "train is empty"]),
        ({"validation": DataLoader(TensorDataset(X[:0], Y[:0]))}, ValueError, ["validation is empty"]),
        ({"test": TensorDataset(X[:0], Y[:0])}, ValueError, ["test is empty"]),
        ({"train": (np.zeros(3), np.zeros(3))}, TypeError, ["train holds ndarray", "torch.as_tensor"]),
        ({"train": (X, Y, Y)}, TypeError, ["(x, y)", "Tensor, Tensor, Tensor", "a tuple or a dict"]),
        ({"train": X}, TypeError, ["a Dataset, a DataLoader or a pair", "train is a Tensor"]),
        ({"train": TensorDataset(X)}, TypeError, ["a pair (x, y)", "list of Tensor"]),
        ({"validation": None}, TypeError, ["validation is a NoneType"]),
        ({"metric": "f1"}, ValueError, ["unknown metric 'f1'", "'accuracy'"]),
        ({"metric": 3}, TypeError, ["a function of (outputs, targets)", "got 3"]),
        ({"loss": "mse"}, TypeError, ["the loss is a function", "'mse'"]),
        ({"fit": 3}, TypeError, ["generator function", "got 3"]),
        ({"batch_size": 0}, ValueError, ["at least one example", "batch_size=0"]),
    ],
)
def test_a_wrong_task_is_an_error_at_once(settings: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    good: dict[str, Any] = {"train": (X, Y), "validation": (X, Y), "loss": cross_entropy}
    with pytest.raises(kind) as error:
        Task(**(good | settings))
    assert [word for word in words if word not in str(error.value)] == []


def test_a_metric_of_ones_own_has_an_interval() -> None:
    def closeness(outputs: Tensor, targets: Tensor) -> float:
        return -float(mse_loss(outputs[:, 0], targets.float()))

    x = torch.linspace(-1, 1, 80)[:, None]
    task = Task((x, x[:, 0]), (x, x[:, 0]), loss=mse_loss, metric=closeness)
    assert task.metric_name == "closeness"
    found = measure(nn.Linear(1, 1), task, latency=False)
    assert found.metrics["closeness_low"] <= found.metrics["closeness"] <= found.metrics["closeness_high"]


def test_a_metric_that_is_not_finite_is_an_error() -> None:
    task = tiny(metric=lambda outputs, targets: float("nan"))
    with pytest.raises(ValueError, match="a metric is a finite number: score gave nan"):
        task.score(last(task.answers(only)))


def test_outputs_that_are_no_tensor_are_an_error() -> None:
    answers: Any = lambda x: (x, x)  # noqa: E731
    with pytest.raises(TypeError, match="returns one tensor for a batch: this one returned a tuple"):
        last(tiny().answers(answers))
    with pytest.raises(ValueError, match=r"one output for each example: 64 went in, shape \(3,\) came out"):
        last(tiny().answers(lambda x: torch.zeros(3)))


def test_without_a_test_split_there_is_no_report() -> None:
    with pytest.raises(ValueError, match=r"give Task\(\.\.\., test=\.\.\.\)"):
        last(tiny(test=None).answers(only, "test"))
