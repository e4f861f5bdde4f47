"""The shapes of a net that keep a budget, found before any training.

What a net costs, its shape decides and not its weights: so the shapes that keep a budget are known before the first
epoch, and all training goes to them.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tunekit.compress.factorise import Factorise
from tunekit.compress.fitting import Cut, Finder, Fitted, left, worth_training
from tunekit.compress.layers import weights_by_layer
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.sensitivity import Sensitivity, sensitivity_of
from tunekit.compress.shapes import Shape

if TYPE_CHECKING:
    from tunekit.compress.limits import Limits
    from tunekit.compress.stage import Context, Stage
    from tunekit.core.events import Event

# Whole blocks save more time than their share of the operations says, channels less: each mixture is tried.
_BLOCKS = (0.0, 0.35, 0.55, 0.75)
# Parts of each linear layer and convolution that a factorisation takes away, where nothing else can be removed.
_RANKS = (0.5, 0.7, 0.85)
# A net with more room than this below its limits has lost more than it must.
_SLACK = 0.85
# Timed a minute later, a latency as a share of the original's has been a tenth more or less: looked for is what has
# that much room, and what is nearer to the limit is taken where nothing else is found.
_ROOM = 0.9
# What was within a limit when it was cut, and misses it side by side with others, was timed on a busy machine: so often
# it is cut further, unless it misses by more than that.
_FURTHER, _HOPELESS = 2, 1.5
# Of each layer's channels, what is set to zero to see which layer is the most fragile.
_PROBED = 0.5
# Processors like round widths: with a tenth of its operations a depthwise net took as long in float as the original,
# where its widths were those that it needs, and a third of that, where they were multiples of 16. But those cost up to
# 4 points of the score at a twentieth: what a layer has too much, others must make up for.
_ROUND, _AS_NEEDED = Prune(_PROBED, "channels"), Prune(_PROBED, "channels", round_to=1)


@dataclass(slots=True)
class Search:
    """Looks for the shapes of a net.

    Parameters
    ----------
    stage, context
        The original.
    limits
        What the shapes may cost.
    original
        The original's figures; its latency in onnxruntime is among them where that is limited.
    file
        The original's float ONNX file, which is timed beside each shape.
    deadline
        The time of the context's clock after which no further way is tried.
    one_is_enough
        Whether other ways to choose channels are left out where one shape keeps the limits.
    measured
        All nets that were measured so far.
    """

    stage: Stage
    context: Context
    limits: Limits
    original: Mapping[str, float]
    file: bytes
    deadline: float
    one_is_enough: bool = False
    measured: list[Fitted] = field(default_factory=list)
    sensitivity: Sensitivity | None = None

    def find(self) -> Generator[Event, None, tuple[list[Shape], list[Shape]]]:
        """Return the shapes that keep the limits, the least cut first, and all others that were measured."""
        start = Cut((), self.stage, *left(self.stage, self.context))
        wanted = self.limits.tighter("latency", _ROOM)
        finder = self._finder(wanted, start)
        found = yield from self._by_blocks(finder, wanted, start)
        fit = _within(wanted, found)
        if fit and all(one.begun is start for one in fit) and not self._is_late and not self.one_is_enough:
            found += yield from self._otherwise(finder, wanted, fit[0])
        elif not fit and not self._is_late:
            found += yield from self._by_ranks(finder, wanted, start)
        if "latency" in self.limits.most and found:
            found = yield from self._confirmed(found, start)
        kept = wanted if _within(wanted, found) else self.limits
        fitting = worth_training(_within(kept, found))
        timed = [one.shape.steps for one in found]
        every = found + [one for one in self.measured if one.shape.steps and one.shape.steps not in timed]
        others = [one.shape for one in every if not kept.costs_hold(one.shape.figures)]
        return _unlike([one.shape for one in fitting]), others

    @property
    def _is_late(self) -> bool:
        return self.context.clock() > self.deadline

    @property
    def _likes(self) -> tuple[Prune, ...]:
        """How channels are chosen, but for their amount; the most promising way first."""
        if "latency" in self.limits.most:
            return (_ROUND,)
        return (_AS_NEEDED,) if self.one_is_enough else (_AS_NEEDED, _ROUND)

    def _finder(self, limits: Limits, start: Cut) -> Finder:
        return Finder(self.context, limits, self.original, self.file, start, self.measured)

    def _confirmed(self, found: list[Fitted], start: Cut) -> Generator[Event, None, list[Fitted]]:
        """Time nets side by side: what will not keep the limit is not worth training. Cut further where none does."""
        for attempt in range(1 + _FURTHER):
            if len(found) > 1:
                found = yield from self._finder(self.limits, start).timed(found)
            nearest = min(found, key=lambda fitted: self.limits.worst(fitted.shape.figures))
            missed = self.limits.worst(nearest.shape.figures)
            if not 1 < missed <= _HOPELESS or attempt == _FURTHER or self._is_late:
                break
            tighter = self._finder(self.limits.tighter("latency", _ROOM / missed), start)
            fitted = yield from tighter.fit(nearest.begun, _ROUND, to_the_end=True)
            if fitted is None:
                break
            found = [*found, fitted]
        return found

    def _by_blocks(self, finder: Finder, wanted: Limits, start: Cut) -> Generator[Event, None, list[Fitted]]:
        """Remove fewer or more blocks, and channels for the rest."""
        found: list[Fitted] = []
        begun = start
        for share in _BLOCKS:
            if self._is_late:
                break
            if share:
                # from the start each time, as it will be trained: for a larger share other blocks may go
                shorter = yield from finder.cut(start, Prune(share, "blocks", of="macs"))
                if shorter is None:
                    break  # it has no blocks
                if shorter.macs == begun.macs:
                    continue  # the same blocks as before
                begun = shorter
            fits: list[Fitted] = []
            for like in self._likes:
                fitted = yield from finder.fit(begun, like)
                fits += [fitted] if fitted is not None else []
                if fitted is None or fitted.shape.steps == begun.steps:
                    break  # there are no channels, or none that must go
            is_blocks_alone = any(fitted.shape.steps == begun.steps for fitted in fits)
            if is_blocks_alone and _within(wanted, found) and wanted.worst(fits[0].shape.figures) < _SLACK:
                break  # the blocks alone are more than has to go
            found += fits
        if "latency" in wanted.most and found and not _within(wanted, found) and not self._is_late:
            nearest = min(found, key=lambda fitted: wanted.worst(fitted.shape.figures))
            fitted = yield from finder.fit(nearest.begun, _ROUND, to_the_end=True)
            found += [fitted] if fitted is not None else []
        return found

    def _otherwise(self, finder: Finder, wanted: Limits, first: Fitted) -> Generator[Event, None, list[Fitted]]:
        """Where no blocks can go, remove other channels: what the loss needs least, or not the most fragile.

        Where time is not limited, also the same share of each layer.
        """
        usual, narrowed = self._likes[0], _narrowed(self.stage, first.cut.stage)
        likes: list[Prune] = [replace(usual, criterion="taylor")] if narrowed else []
        if narrowed and usual is _AS_NEEDED:
            likes.append(replace(usual, scope="layer"))
        if len(narrowed) > 1:
            sensing = sensitivity_of(self.stage.network, self.context.task, [_PROBED], "channels")
            self.sensitivity = yield from sensing
            losses = {layer.name: -layer.changes[0].value for layer in self.sensitivity.layers}
            fragile = max(narrowed, key=lambda name: losses.get(name, 0.0))
            likes.append(replace(usual, exclude=(fragile,)))
        found: list[Fitted] = []
        for like in likes:
            if self._is_late:
                break
            fitted = yield from finder.fit(first.begun, like)
            if fitted is not None and _within(wanted, [fitted]):
                found.append(fitted)
        return found

    def _by_ranks(self, finder: Finder, wanted: Limits, start: Cut) -> Generator[Event, None, list[Fitted]]:
        """Factorise, until that is enough."""
        found: list[Fitted] = []
        for amount in _RANKS:
            thinner = yield from finder.cut(start, Factorise(amount))
            if thinner is not None:
                found.append((yield from finder.measured(thinner, start)))
            if _within(wanted, found):
                break
        return found


def _within(limits: Limits, found: Sequence[Fitted]) -> list[Fitted]:
    return [one for one in found if limits.costs_hold(one.shape.figures)]


def _narrowed(before: Stage, after: Stage) -> list[str]:
    """The names of the layers that write fewer channels than before."""
    was, now = weights_by_layer(before.network), weights_by_layer(after.network)
    return [name for name, weights in was.items() if name in now and len(now[name][0]) < len(weights[0])]


def _unlike(shapes: Sequence[Shape]) -> list[Shape]:
    """Leave out what is the same net twice."""
    kept: dict[tuple[float, float], Shape] = {}
    for shape in shapes:
        kept.setdefault((shape.figures["macs"], shape.figures["size"]), shape)
    return list(kept.values())
