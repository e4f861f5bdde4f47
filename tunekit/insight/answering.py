"""All models answer the data in one pass, whatever order it comes in; and one input, while somebody looks on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress import inputs
from tunekit.compress.task import Answers, has_classes
from tunekit.core import text
from tunekit.insight.calibration import probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from tunekit.compress.data import Split
    from tunekit.compress.inputs import Inputs
    from tunekit.insight.contestants import Contestant

# Of the examples on which all agree so many are kept at hand: the first ones.
FIRST = 100


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What all models answered on the same examples.

    Parameters
    ----------
    answers
        Of each model, in their order.
    inputs
        Each a batch of one, by its place in the data: the first examples, and those on which the models differ.
    """

    answers: tuple[Answers, ...]
    inputs: dict[int, Inputs]

    @property
    def targets(self) -> Tensor:
        """What was true, shape (examples, ...)."""
        return self.answers[0].targets

    @property
    def has_classes(self) -> bool:
        """Whether each model gives a value for each of two classes or more."""
        return all(has_classes(one) and one.outputs.shape[1] > 1 for one in self.answers)


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What one model answers to one input.

    Parameters
    ----------
    name
        The model's.
    probabilities
        Shape (classes,), 0 to 1; empty where it failed.
    seconds
        How long this one call took.
    error
        Why there is no answer; empty where there is one.
    """

    name: str
    probabilities: NDArray[np.float64]
    seconds: float
    error: str = ""

    @property
    def answer(self) -> int | None:
        """The number of the most probable class."""
        return int(self.probabilities.argmax()) if self.probabilities.size else None


def answer_all(contestants: Sequence[Contestant], split: Split) -> Answered:
    """Let all models answer a split, at most 500 examples at a time.

    Raises
    ------
    ValueError
        If a model fails, or their numbers of classes differ.
    """
    import torch

    outputs: list[list[Tensor]] = [[] for _ in contestants]
    targets: list[Tensor] = []
    kept: dict[int, Inputs] = {}
    seen = 0
    for x, y in split.chunks():
        given = [contestant.answer(inputs.copy_of(x)) for contestant in contestants]
        _check_classes(contestants, [Answers(one, y.cpu()) for one in given])
        for index in _worth_keeping(given, seen):
            kept[seen + index] = inputs.copy_of(inputs.take(x, slice(index, index + 1)))
        for all_of_it, one in zip(outputs, given, strict=True):
            all_of_it.append(one)
        targets.append(y.cpu())
        seen += len(y)
    true = torch.cat(targets)
    return Answered(tuple(Answers(torch.cat(one), true) for one in outputs), kept)


def _check_classes(contestants: Sequence[Contestant], answers: Sequence[Answers]) -> None:
    if not all(map(has_classes, answers)):
        return
    classes = [one.outputs.shape[1] for one in answers]
    if len(set(classes)) > 1:
        said = ", ".join(f"{one.name!r} has {count}" for one, count in zip(contestants, classes, strict=True))
        raise ValueError(f"models that are compared know the same classes: {said}")


def _worth_keeping(given: Sequence[Tensor], seen: int) -> list[int]:
    count = len(given[0])
    chosen = set(range(max(0, min(count, FIRST - seen))))
    if all(one.dim() == 2 for one in given):
        answers = [one.argmax(1) for one in given]
        chosen |= {index for one in answers for index in (one != answers[0]).nonzero().flatten().tolist()}
    return sorted(chosen)


def ask_all(contestants: Sequence[Contestant], x: Inputs) -> tuple[Reply, ...]:
    """Let each model answer one input, a batch of one; one that fails says why."""
    return tuple(_ask(contestant, x) for contestant in contestants)


def _ask(contestant: Contestant, x: Inputs) -> Reply:
    began = time.perf_counter()
    try:
        output = contestant.answer(x)
    except ValueError as error:
        cause = error.__cause__ or error
        return Reply(contestant.name, np.zeros(0), 0.0, f"{type(cause).__name__}: {text.printable(str(cause))}")
    return Reply(contestant.name, probabilities(output)[0], time.perf_counter() - began)
