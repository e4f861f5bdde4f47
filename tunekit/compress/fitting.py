"""Cutting a net until it costs no more than it may, by measuring nets that nobody has trained."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tunekit.compress import latency as latencies
from tunekit.compress.exporter import sketch
from tunekit.compress.inputs import repeated
from tunekit.compress.limits import METRICS
from tunekit.compress.macs import macs
from tunekit.compress.network import copied, counts
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.onnx_memory import memory_bytes
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization import int8
from tunekit.compress.shapes import Shape
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.stage import Context, Stage

# Aimed a little below each limit: what is removed comes in whole channels, and no clock is exact.
_AIM = {"size": 0.97, "macs": 0.98, "memory": 0.97, "latency": 0.9}
# How often a shape is corrected after it was measured.
_CORRECTIONS = 4
# Of all parameters or operations, what is removed at most, one amount after the other.
_MOST = 0.999
_FURTHER = 0.9
# A shape with more room than this below all its limits is made wider, up to that share of them.
_SLACK, _FULL = 0.85, 0.95
# How long each form of a shape is timed; the best one again, where that is as near as this to the limit: other work on
# the machine has made a single short timing of one net half or double of what it is.
_SECONDS, _AGAIN = 0.08, 0.3
_NEAR = (0.7, 1.6)
_CALIBRATION = 64

# What channels are removed by: as in Prune(of=...).
Of = Literal["parameters", "macs"]


@dataclass(frozen=True, slots=True)
class Cut:
    """A stage on the way, and what it has left."""

    steps: tuple[Step, ...]
    stage: Stage
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """A cut, what it costs, the file that says so, and what its channels were cut from."""

    cut: Cut
    shape: Shape
    file: bytes
    begun: Cut


class Finder:
    """Cuts nets and measures them; what it has measured goes into a list, too."""

    def __init__(
        self,
        context: Context,
        limits: Limits,
        original: Mapping[str, float],
        file: bytes,
        start: Cut,
        seen: list[Fitted],
    ) -> None:
        self._context, self._limits, self._original, self._start = context, limits, original, start
        self._file, self._seen = file, seen
        self._calibration = context.task.train.head(_CALIBRATION)
        self._one = repeated(context.task.validation.head(1), 1)
        self._sample = context.task.validation.head(8)

    def cut(self, given: Cut, step: Step) -> Generator[Event, None, Cut | None]:
        """Do a step; None where it cannot be done to this net."""
        yield Progressed(f"Which nets are small enough? Trying {_said((*given.steps, step))}")
        try:
            stage = yield from step.apply(given.stage, self._context)
        except ValueError:  # a step says by this that the net has nothing of what it removes
            return None
        return Cut((*given.steps, step), stage, *left(stage, self._context))

    def fit(self, begun: Cut, like: Prune, *, to_the_end: bool = False) -> Generator[Event, None, Fitted | None]:
        """Remove channels until the net costs no more than it may; return the nearest, None where there is nothing.

        Parameters
        ----------
        begun
            A net that may have lost something already.
        like
            How channels are chosen: the amount is found here.
        to_the_end
            Whether it goes on where two timings say that no channels at all would still be too slow: no two timings on
            a busy machine are sure of that.
        """
        best, current = None, begun
        most: dict[Of, float] = {"parameters": float(begun.parameters), "macs": float(begun.macs)}
        measured: list[Fitted] = []
        for _ in range(1 + _CORRECTIONS):
            measured.append((yield from self.measured(current, begun)))
            shape = measured[-1].shape
            if best is None or self._limits.worst(shape.figures) < self._limits.worst(best.shape.figures):
                best = measured[-1]
            if self._limits.costs_hold(shape.figures):
                return (yield from self._relaxed(begun, like, measured))
            target_by = self._target(measured, most, to_the_end=to_the_end)
            if target_by is None:
                return best
            of, most[of] = target_by
            thinner = yield from self._thinner(begun, like, current, of, most)
            if thinner is None:
                return best
            current = thinner
        return best

    def _relaxed(self, begun: Cut, like: Prune, measured: Sequence[Fitted]) -> Generator[Event, None, Fitted]:
        """Cut a little less than what fits, where that is far below its limits: every channel is worth something."""
        fits = measured[-1]
        if len(measured) == 1 or self._limits.worst(fits.shape.figures) > _SLACK:
            return fits
        before = measured[-2]
        small, large = self._limits.worst(fits.shape.figures), self._limits.worst(before.shape.figures)
        share = (_FULL - small) / (large - small) if large > small else 0.0
        operations = fits.cut.macs + share * (before.cut.macs - fits.cut.macs)
        amount = _rounded(1 - operations / self._start.macs)
        if not 0 < amount <= _MOST:
            return fits
        wider = yield from self.cut(begun, replace(like, amount=amount, of="macs"))
        if wider is None or wider.macs <= fits.cut.macs:
            return fits
        found = yield from self.measured(wider, begun)
        return found if self._limits.costs_hold(found.shape.figures) else fits

    def _thinner(
        self, begun: Cut, like: Prune, current: Cut, of: Of, most: dict[Of, float]
    ) -> Generator[Event, None, Cut | None]:
        """Leave no more than so much of what was begun with; less, where that would be the current net again."""
        whole = self._start.parameters if of == "parameters" else self._start.macs
        can_go = False
        while (removed := 1 - most[of] / whole) > 0:
            amount = min(_MOST, _rounded(removed))
            thinner = yield from self.cut(begun, replace(like, amount=amount, of=of))
            if thinner is None or not _is_same(thinner, current):
                return thinner
            if removed > _MOST:
                return None
            if not can_go:
                least = yield from self.cut(begun, replace(like, amount=_MOST, of=of))
                if least is None or _is_same(least, current):
                    return None  # no channel can go any more
                can_go = True
            most[of] *= _FURTHER  # a whole channel is more than what was missed
        return None

    def _target(
        self, measured: Sequence[Fitted], most: Mapping[Of, float], *, to_the_end: bool
    ) -> tuple[Of, float] | None:
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
                if fewer <= 0 and not to_the_end:
                    return None
                # as if time were all operations, where the line knows no answer
                wanted["macs"].append(fewer if fewer > 0 else cut.macs * limit / figure)
            else:
                wanted["macs"].append(cut.macs * limit / figure)
        left_now = {"parameters": cut.parameters, "macs": cut.macs}
        shares = {of: min(targets) / left_now[of] for of, targets in wanted.items() if targets}
        of = min(shares, key=lambda one: shares[one])
        return of, min(min(wanted[of]), most[of])

    def measured(self, cut: Cut, begun: Cut) -> Generator[Event, None, Fitted]:
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
            times = yield from self._timed(forms, _SECONDS)
        shapes = {
            form: Shape(
                cut.steps,
                {"size": len(content), "macs": cut.macs, "memory": memory_bytes(content)}
                | ({METRICS["latency"]: times[form]} if times else {}),
                form,
            )
            for form, content in forms.items()
        }
        best = min(shapes.values(), key=lambda shape: self._limits.worst(shape.figures))
        found = Fitted(cut, best, forms[best.form], begun)
        if times and _NEAR[0] < self._limits.ratios(best.figures)["latency"] < _NEAR[1]:
            (found,) = yield from self.timed([found])
        self._seen.append(found)
        return found

    def timed(self, found: Sequence[Fitted]) -> Generator[Event, None, list[Fitted]]:
        """Time nets again, in turn and for longer."""
        times = yield from self._timed({str(at): one.file for at, one in enumerate(found)}, _AGAIN)
        return [
            replace(one, shape=replace(one.shape, figures={**one.shape.figures, METRICS["latency"]: times[str(at)]}))
            for at, one in enumerate(found)
        ]

    def _timed(self, forms: Mapping[str, bytes], seconds: float) -> Generator[Event, None, dict[str, float]]:
        """Seconds for one example, as they would be in the moment in which the original was timed.

        By the lower quartiles, which have the least of what other work on the machine took.
        """
        calls = {form: open_runner(data).call_on(self._one) for form, data in {**forms, "": self._file}.items()}
        words = "Timing nets that nobody has trained, beside the original"
        times = yield from latencies.told(latencies.compare(calls, seconds), words)
        scale = self._original[METRICS["latency"]] / times[""].low
        return {form: times[form].low * scale for form in forms}


def _is_same(one: Cut, other: Cut) -> bool:
    return (one.macs, one.parameters) == (other.macs, other.parameters)


def _line(measured: Sequence[Fitted], limit: float) -> float:
    """The operations at which the line through the last two shapes meets a latency; 0 or less where it never does."""
    (more, slow), (fewer, fast) = (
        (one.cut.macs, one.shape.figures[METRICS["latency"]]) for one in (measured[-2], measured[-1])
    )
    if more <= fewer or slow <= fast:
        return fewer * limit / fast  # noise: go on as if time were all operations
    return fewer - (fast - limit) * (more - fewer) / (slow - fast)


def _rounded(amount: float) -> float:
    """An amount as it is read easily: within 1 % of what is left."""
    return round(amount, 3 if amount < 0.95 else 4)


def left(stage: Stage, context: Context) -> tuple[int, int]:
    """The parameters and the operations of a stage."""
    network = copied(stage.network).cpu()
    return counts(network)[0], macs(network, context.task.validation.head(2))


def worth_training(found: Sequence[Fitted]) -> list[Fitted]:
    """Of nets that all keep the limits, leave out those with less than half of another's parameters and operations."""

    def is_dwarf(one: Cut) -> bool:
        return any(2 * one.parameters < other.cut.parameters and 2 * one.macs < other.cut.macs for other in found)

    return [one for one in found if not is_dwarf(one.cut)]


def _said(steps: Sequence[Step]) -> str:
    return text.listed(steps) if steps else "the original"
