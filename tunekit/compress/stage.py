"""Where a model is between two steps of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.task import Answers, Runner, Task
    from tunekit.core.events import Event


@dataclass(frozen=True, slots=True)
class Stage:
    """A model after some steps.

    Parameters
    ----------
    network
        The PyTorch network. Whoever changes it copies it first.
    masks
        For each pruned parameter, by its name, a bool tensor of its shape: False where the weight stays zero.
    clusters
        For each parameter with shared weights, by its name, an int16 tensor of its shape: equal numbers, equal weights.
    file
        The bytes of the ONNX file where the step that made the stage wrote it itself, as quantization does; None where
        the network says everything.
    notes
        Sentences about what the steps did.
    built_like
        Where the network was not made of the original, a network that is built as its user builds it.
    """

    network: Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    clusters: Mapping[str, Tensor] = field(default_factory=dict)
    file: bytes | None = None
    notes: tuple[str, ...] = ()
    built_like: Module | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a step gets beside the stage.

    Parameters
    ----------
    task
        The data, the loss and the metric.
    number
        The trial that the step is.
    seed
        What its randomness is seeded with.
    clock
        Seconds so far without pauses.
    file
        Called with a stage; returns the bytes of its ONNX file, written at most once.
    original
        The network that the recipe began with. Whoever changes it copies it first.
    answers
        Called with a function that runs batches; a generator that yields after each chunk of the validation split and
        returns what was answered.
    """

    task: Task
    number: int
    seed: int
    clock: Callable[[], float]
    file: Callable[[Stage], bytes]
    original: Module
    answers: Callable[[Runner], Generator[Event, None, Answers]]
