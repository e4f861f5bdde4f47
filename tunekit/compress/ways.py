"""The ways in which a net is trained on in a search: which is best, no rule says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.distill import Distill
from tunekit.compress.fine_tune import FineTune

if TYPE_CHECKING:
    from tunekit.compress.recipe import Step
    from tunekit.compress.shapes import Shape

# Learning rates of Adam. Which is best differs from net to net by ten times, and matters more than anything else that
# is tried: after the middle one comes the faster one, and the slower one where that was no better.
RATE, FASTER, SLOWER = 3e-3, 1e-2, 1e-3


@dataclass(frozen=True, slots=True)
class Way:
    """At a learning rate, from the targets alone or from the original's answers too.

    Examples
    --------
    >>> Way(0.003).steps(4)
    [FineTune(epochs=4, learning_rate=0.003)]
    """

    learning_rate: float
    is_taught: bool = False

    def steps(self, epochs: int) -> list[Step]:
        """What trains a net so for so many epochs."""
        if self.is_taught:
            return [Distill(epochs, control=False, learning_rate=self.learning_rate)]
        return [FineTune(epochs, learning_rate=self.learning_rate)]

    def from_scratch(self, epochs: int) -> list[Step]:
        """What trains the same structure from random weights, from the targets alone."""
        return [FineTune(epochs, fresh=True, learning_rate=self.learning_rate)]


@dataclass(frozen=True, slots=True)
class Entrant:
    """The row of a shape, and the way in which it is trained on."""

    row: int
    shape: Shape
    way: Way
