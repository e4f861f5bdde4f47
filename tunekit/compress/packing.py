"""How a net's bundle gets small enough: zeros and shared values, found by packing nets that nobody has trained.

Training moves the zeros and the values, and hardly the bytes: so what fits is known before the first epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.pruning.prune import Prune
from tunekit.compress.shapes import Shape
from tunekit.compress.sharing import Share
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.stage import Context, Stage

# Of how many bits shared values are; fewer bits need fewer zeros. Han et al. ("Deep Compression", ICLR 2016) share
# with 5 and fewer.
_BITS = (4, 3)
# Shares of zeros, of which the least that is enough is taken.
_ZEROS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99)
# Shares of the parameters that go with their channels first, where the budget limits the bundle alone.
_CUTS = (0.4, 0.7)
# Aimed a little below the limit: training moves the bytes a little.
_AIM = 0.95
# How many nets are packed and not trained yet.
_MOST = 4


@dataclass(frozen=True, slots=True)
class Packing:
    """What packs and measures a stage.

    Parameters
    ----------
    stage, context
        The original.
    limits
        What the net may cost; the bundle is limited.
    bytes_of
        Called with a stage and the steps that made it; returns the bytes of its bundle.
    """

    stage: Stage
    context: Context
    limits: Limits
    bytes_of: Callable[[Stage, Sequence[Step]], int]

    def find(self, shapes: Sequence[Shape]) -> Generator[Event, None, tuple[list[Shape], list[Shape]]]:
        """Return shapes whose bundle is small enough, those with the fewest zeros first, and those that come near.

        Parameters
        ----------
        shapes
            What keeps the other limits; none: channels are removed where the net has some.
        """
        bases = list(shapes) or [Shape((), {}, "float"), *self._cuts()]
        fitting: list[tuple[float, Shape]] = []
        others: list[Shape] = []
        for base in bases:
            stage = yield from self._done(self.stage, base.steps)
            if stage is None:
                continue
            for bits in _BITS:
                zeros, shape = yield from self._least(stage, base, bits)
                if self.limits.costs_hold(shape.figures):
                    fitting.append((zeros, shape))
                else:
                    others.append(shape)
        fitting.sort(key=lambda pair: pair[0])
        return [shape for _, shape in fitting[:_MOST]], others

    def _cuts(self) -> list[Shape]:
        return [Shape((Prune(amount, "channels"),), {}, "float") for amount in _CUTS]

    def _done(self, stage: Stage, steps: Sequence[Step]) -> Generator[Event, None, Stage | None]:
        """Do steps without any training; None where one cannot be done to this net."""
        for step in steps:
            try:
                stage = yield from step.apply(stage, self.context)
            except ValueError:  # a step says by this that the net has nothing of what it removes
                return None
        return stage

    def _least(self, stage: Stage, base: Shape, bits: int) -> Generator[Event, None, tuple[float, Shape]]:
        """The least share of zeros that is enough with values of so many bits; the most there is where none is."""
        limit = _AIM * self.limits.most["bundle"]
        low, high = 0, len(_ZEROS) - 1
        best = yield from self._packed(stage, base, _ZEROS[high], bits)
        if best.figures["bundle"] > limit:
            return _ZEROS[high], best
        while low < high:
            middle = (low + high) // 2
            shape = yield from self._packed(stage, base, _ZEROS[middle], bits)
            if shape.figures["bundle"] <= limit:
                high, best = middle, shape
            else:
                low = middle + 1
        return _ZEROS[high], best

    def _packed(self, stage: Stage, base: Shape, zeros: float, bits: int) -> Generator[Event, None, Shape]:
        steps: list[Step] = [Prune(zeros)] if zeros else []
        steps.append(Share(bits, bias_bits=bits))
        every = (*base.steps, *steps)
        yield Progressed(f"Which bundles are small enough? Packing {text.listed(every)}")
        packed = yield from self._done(stage, steps)
        assert packed is not None, "weights can be shared in any net that has some"
        return Shape(every, {**base.figures, "bundle": self.bytes_of(packed, every)}, base.form)
