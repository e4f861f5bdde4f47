"""Shapes: what is taken from a net so that it costs no more than it may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunekit.compress.factorise import Factorise
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.sharing import Share

if TYPE_CHECKING:
    from tunekit.compress.recipe import Step

# Epochs of each part of a training: what blocks leave is nearly whole, zeros come slowly.
_EPOCHS = {"blocks": 0.5, "channels": 1, "weights": 2}


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to cut a net.

    Parameters
    ----------
    steps
        What is removed, without any training.
    figures
        What it costs as the best of its forms: ``size``, ``macs``, ``memory``, ``latency_onnxruntime_1``; where the
        bundle is limited, ``bundle``.
    form
        That form: ``"float"``, or a mode of `Quantize`.
    """

    steps: tuple[Step, ...]
    figures: Mapping[str, float]
    form: str

    @property
    def is_packed(self) -> bool:
        """Whether it shares values, which make the bundle small."""
        return any(isinstance(step, Share) for step in self.steps)

    def trained(self, epochs: int, learning_rate: float) -> list[Step]:
        """Its steps, each with about so many epochs of training at that rate."""
        steps: list[Step] = []
        for step in self.steps:
            if isinstance(step, Prune):
                part = max(1, int(_EPOCHS[step.granularity] * epochs))
                steps.append(replace(step, epochs=part, learning_rate=learning_rate))
            elif isinstance(step, (Factorise, Share)):
                steps.append(replace(step, epochs=epochs, learning_rate=learning_rate))
        return steps
