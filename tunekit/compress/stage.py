"""Where a model is between two steps of a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.task import Task


@dataclass(frozen=True, slots=True)
class Stage:
    """A model after some steps.

    Parameters
    ----------
    network
        The PyTorch network. Whoever changes it copies it first.
    masks
        For each pruned parameter, by its name, a bool tensor of its shape: False where the weight stays zero.
    file
        The bytes of the ONNX file where the step that made the stage wrote it itself, as quantization does; None where
        the network says everything.
    notes
        Sentences about what the steps did.
    """

    network: Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    file: bytes | None = None
    notes: tuple[str, ...] = ()


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
    """

    task: Task
    number: int
    seed: int
    clock: Callable[[], float]
    file: Callable[[Stage], bytes]
