"""Shapes: how a net can be cut so that it costs no more than it may, found by measuring nets that nobody has trained.

What a net costs, its shape decides and not its weights: so the shapes that keep a budget are known before the first
epoch, and all training goes to them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tunekit.compress import latency as latencies
from tunekit.compress.exporter import sketch
from tunekit.compress.factorise import Factorise
from tunekit.compress.inputs import repeated
from tunekit.compress.limits import METRICS
from tunekit.compress.macs import macs
from tunekit.compress.network import copied, counts
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.onnx_memory import memory_bytes
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization import int8
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.stage import Context, Stage

# Whole blocks save more time than their share of the operations says, channels less: each mixture is tried.
_BLOCKS = (0.0, 0.35, 0.55, 0.75)
# Aimed a little below each limit: what is removed comes in whole channels, and no clock is exact.
_AIM = {"size": 0.97, "macs": 0.98, "memory": 0.97, "latency": 0.9}
# How often a shape is corrected after it was measured.
_CORRECTIONS = 4
_MOST = 0.995
_FURTHER = 0.9
# A shape with more room than this below all its limits is made wider, up to that share of them.
_SLACK, _FULL = 0.85, 0.95
_SECONDS = 0.08
_CALIBRATION = 64

# What channels are removed by: as in Prune(of=...).
Of = Literal["parameters", "macs"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A way to cut a net.

    Parameters
    ----------
    steps
        What is removed, without any training.
    figures
        What it costs as the best of its forms: ``size``, ``macs``, ``memory``, ``latency_onnxruntime_1``.
    form
        That form: ``"float"``, or a mode of `Quantize`.
    """

    steps: tuple[Step, ...]
    figures: Mapping[str, float]
    form: str


@dataclass(frozen=True, slots=True)
class _Cut:
    """A stage on the way, and what it has left."""

    steps: tuple[Step, ...]
    stage: Stage
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class _Measured:
    """A cut and what it costs."""

    cut: _Cut
    shape: Shape


def find(
    stage: Stage, context: Context, limits: Limits, original: Mapping[str, float], file: bytes, deadline: float
) -> Generator[Event, None, tuple[list[Shape], list[Shape]]]:
    """Return the shapes that keep the limits, the least cut first, and those that come near and do not.

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
    """
    start = begun = _Cut((), stage, *_left(stage, context))
    finder = _Finder(context, limits, original, file, start)
    fitting: list[Shape] = []
    others: list[Shape] = []
    for share in _BLOCKS:
        if context.clock() > deadline:
            break
        if share:
            # blocks go one after the other: what went for a smaller share went first for this one, too
            shorter = yield from finder.cut(begun, Prune(share, "blocks", of="macs"))
            if shorter is None:
                break  # it has no blocks
            if shorter.macs == begun.macs:
                continue  # the same blocks as before
            begun = replace(shorter, steps=shorter.steps[-1:])
        shape = yield from finder.fit(begun)
        if shape is None:
            continue
        if fitting and shape.steps == begun.steps and _worst(shape, limits) < _SLACK:
            break  # the blocks alone are more than has to go
        (fitting if limits.costs_hold(shape.figures) else others).append(shape)
    if not fitting and context.clock() <= deadline:
        for amount in (0.5, 0.7, 0.85):
            thinner = yield from finder.cut(start, Factorise(amount))
            if thinner is not None:
                shape = yield from finder.measured(thinner)
                (fitting if limits.costs_hold(shape.figures) else others).append(shape)
            if fitting:
                break
    return _unlike(fitting), others


def _unlike(shapes: Sequence[Shape]) -> list[Shape]:
    """Leave out what is the same net twice."""
    kept: dict[tuple[float, float], Shape] = {}
    for shape in shapes:
        kept.setdefault((shape.figures["macs"], shape.figures["size"]), shape)
    return list(kept.values())


class _Finder:
    """Cuts nets and measures them."""

    def __init__(
        self, context: Context, limits: Limits, original: Mapping[str, float], file: bytes, start: _Cut
    ) -> None:
        self._context, self._limits, self._original, self._start = context, limits, original, start
        self._file = file
        self._calibration = context.task.train.head(_CALIBRATION)
        self._one = repeated(context.task.validation.head(1), 1)
        self._sample = context.task.validation.head(8)

    def cut(self, given: _Cut, step: Step) -> Generator[Event, None, _Cut | None]:
        """Do a step; None where it cannot be done to this net."""
        yield Progressed(f"Which nets are small enough? Trying {_said((*given.steps, step))}")
        try:
            stage = yield from step.apply(given.stage, self._context)
        except ValueError:  # a step says by this that the net has nothing of what it removes
            return None
        return _Cut((*given.steps, step), stage, *_left(stage, self._context))

    def fit(self, begun: _Cut) -> Generator[Event, None, Shape | None]:
        """Remove channels until the net costs no more than it may; return the nearest, None where there is nothing."""
        best, current = None, begun
        most: dict[Of, float] = {"parameters": float(begun.parameters), "macs": float(begun.macs)}
        measured: list[_Measured] = []
        for _ in range(1 + _CORRECTIONS):
            shape = yield from self.measured(current)
            measured.append(_Measured(current, shape))
            if best is None or _worst(shape, self._limits) < _worst(best, self._limits):
                best = shape
            if self._limits.costs_hold(shape.figures):
                return (yield from self._relaxed(begun, measured))
            target_by = self._target(measured, most)
            if target_by is None:
                return best
            of, most[of] = target_by
            thinner = yield from self._thinner(begun, current, of, most)
            if thinner is None:
                return best
            current = thinner
        return best

    def _relaxed(self, begun: _Cut, measured: Sequence[_Measured]) -> Generator[Event, None, Shape]:
        """Cut a little less than what fits, where that is far below its limits: every channel is worth something."""
        fits = measured[-1]
        if len(measured) == 1 or _worst(fits.shape, self._limits) > _SLACK:
            return fits.shape
        before = measured[-2]
        small, large = _worst(fits.shape, self._limits), _worst(before.shape, self._limits)
        share = (_FULL - small) / (large - small) if large > small else 0.0
        operations = fits.cut.macs + share * (before.cut.macs - fits.cut.macs)
        amount = round(1 - operations / self._start.macs, 3)
        if not 0 < amount <= _MOST:
            return fits.shape
        wider = yield from self.cut(begun, Prune(amount, "channels", of="macs"))
        if wider is None or wider.macs <= fits.cut.macs:
            return fits.shape
        shape = yield from self.measured(wider)
        return shape if self._limits.costs_hold(shape.figures) else fits.shape

    def _thinner(
        self, begun: _Cut, current: _Cut, of: Of, most: dict[Of, float]
    ) -> Generator[Event, None, _Cut | None]:
        """Leave no more than so much of what was begun with; less, where that would be the current net again."""
        whole = self._start.parameters if of == "parameters" else self._start.macs
        while 0 < 1 - most[of] / whole <= _MOST:
            thinner = yield from self.cut(begun, Prune(round(1 - most[of] / whole, 3), "channels", of=of))
            if thinner is None or (thinner.macs, thinner.parameters) != (current.macs, current.parameters):
                return thinner
            most[of] *= _FURTHER  # a whole channel is more than what was missed
        return None

    def _target(self, measured: Sequence[_Measured], most: Mapping[Of, float]) -> tuple[Of, float] | None:
        """What to remove channels by, and how much of it may be left, for the limit that is missed by most.

        None where the line through the last two shapes says that no channels at all would still be too slow.
        """
        cut, shape = measured[-1].cut, measured[-1].shape
        wanted: dict[Of, list[float]] = {"parameters": [], "macs": []}
        for name, ratio in self._limits.ratios(shape.figures).items():
            if ratio <= 1:
                continue
            limit, figure = self._limits.most[name] * _AIM[name], shape.figures[METRICS[name]]
            if name == "size":
                # what the file has beside its weights goes more slowly than they do
                weights = cut.parameters * (4 if shape.form == "float" else 1)
                rest = max(0.0, figure - weights)
                left = max(limit - rest, 0.3 * limit * weights / figure)
                wanted["parameters"].append(cut.parameters * left / weights)
            elif name == "memory":
                wanted["parameters"].append(cut.parameters * limit / figure)
            elif name == "latency" and len(measured) > 1:
                fewer = _line(measured, limit)
                if fewer is None:
                    return None
                wanted["macs"].append(fewer)
            else:
                wanted["macs"].append(cut.macs * limit / figure)
        left_now = {"parameters": cut.parameters, "macs": cut.macs}
        shares = {of: min(targets) / left_now[of] for of, targets in wanted.items() if targets}
        of = min(shares, key=lambda one: shares[one])
        return of, min(min(wanted[of]), most[of])

    def measured(self, cut: _Cut) -> Generator[Event, None, Shape]:
        """Measure a net in each of its forms; the best one keeps all limits, or misses them by the least."""
        yield Progressed(f"Which nets are small enough? Measuring {_said(cut.steps)}")
        data = sketch(cut.stage.network, self._sample)
        forms = {"float": data}
        makers: dict[str, Callable[[], int8.Int8]] = {
            "static": lambda: int8.static(data, self._calibration),
            "weights": lambda: int8.stored(data, "int8"),
            "dynamic": lambda: int8.dynamic(data, convolutions=False),
        }
        for mode, make in makers.items():
            yield Progressed(f"Which nets are small enough? Measuring {_said(cut.steps)}")
            try:
                made = make()
                int8.check_runs(made, self._calibration, mode)
            except Exception:  # onnxruntime's own classes derive from Exception alone
                continue
            if made.changed:
                forms[mode] = made.file
        times: Mapping[str, float] = {}
        if "latency" in self._limits.most:
            times = yield from self._timed(forms)
        shapes = [
            Shape(
                cut.steps,
                {"size": len(content), "macs": cut.macs, "memory": memory_bytes(content)}
                | ({METRICS["latency"]: times[form]} if times else {}),
                form,
            )
            for form, content in forms.items()
        ]
        return min(shapes, key=lambda shape: _worst(shape, self._limits))

    def _timed(self, forms: Mapping[str, bytes]) -> Generator[Event, None, dict[str, float]]:
        """Seconds for one example, as they would be in the moment in which the original was timed."""
        calls = {form: open_runner(data).call_on(self._one) for form, data in {**forms, "": self._file}.items()}
        words = "Timing nets that nobody has trained, beside the original"
        times = yield from latencies.told(latencies.compare(calls, _SECONDS), words)
        scale = self._original[METRICS["latency"]] / times[""].median
        return {form: times[form].median * scale for form in forms}


def _line(measured: Sequence[_Measured], limit: float) -> float | None:
    """The operations at which the line through the last two shapes meets a latency; None where it never does."""
    (more, slow), (fewer, fast) = (
        (one.cut.macs, one.shape.figures[METRICS["latency"]]) for one in (measured[-2], measured[-1])
    )
    if more <= fewer or slow <= fast:
        return fewer * limit / fast  # noise: go on as if time were all operations
    slope = (slow - fast) / (more - fewer)
    left = fewer - (fast - limit) / slope
    return left if left > 0 else None


def trained(shape: Shape, epochs: int) -> list[Step]:
    """The steps of a shape, each with its training."""
    return [
        replace(step, epochs=max(1, epochs // 2) if getattr(step, "granularity", "") == "blocks" else epochs)
        for step in shape.steps
        if isinstance(step, (Prune, Factorise))
    ]


def _left(stage: Stage, context: Context) -> tuple[int, int]:
    network = copied(stage.network).cpu()
    return counts(network)[0], macs(network, context.task.validation.head(2))


def _worst(shape: Shape, limits: Limits) -> float:
    return max(limits.ratios(shape.figures).values())


def _said(steps: Sequence[Step]) -> str:
    return text.listed(steps) if steps else "the original"
