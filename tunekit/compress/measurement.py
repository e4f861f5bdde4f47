"""The figures of one model, alone or beside another one, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tunekit.compress.latency import Latency
from tunekit.compress.ratios import factor, speed
from tunekit.compress.score import Score, difference_in_words
from tunekit.core import text
from tunekit.core.job import Result

BATCHES = (1, 32)
# A runtime by the name that its figures have, and as its users call it.
RUNTIMES = {"eager": "PyTorch", "compiled": "torch.compile", "onnxruntime": "onnxruntime"}
Cell = tuple[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class Measurement:
    """The figures of one model.

    Parameters
    ----------
    file_bytes
        The size of the ONNX file that `export` writes.
    parameters, nonzeros
        How many there are, and how many of them are not zero; an int8 file is counted before it was quantized.
    macs
        Multiply-accumulate operations for one example.
    memory
        The most bytes that the values between layers take at one time, for one example.
    metric, score
        The metric's name, and its value on the validation split with its 95 % interval.
    bundle_bytes
        The size of the bundle that `save` writes; None where none was packed.
    latencies
        By runtime (``"eager"``: PyTorch, ``"compiled"``: ``torch.compile``, ``"onnxruntime"``) and batch size: seconds
        for one batch on this machine's CPU.
    baseline, change
        The model that it was measured beside, timed in turn with it in one run, and this one's score minus its on the
        same examples, with the paired 95 % interval; None where it was measured alone.

    Examples
    --------
    >>> Measurement(83_612, 20_586, 20_586, 1_030_000, 9_216, "accuracy", Score(0.957, 0.942, 0.968, 1000), 71_204)
    ONNX file 83.6 kB, bundle 71.2 kB, 20.6 k parameters (100.0 % not zero), 1.03 M MACs, 9.22 kB between layers, accuracy 0.957 [0.942, 0.968]
    """  # noqa: E501

    file_bytes: int
    parameters: int
    nonzeros: int
    macs: int
    memory: int
    metric: str
    score: Score
    bundle_bytes: int | None = None
    latencies: Mapping[Cell, Latency] = field(default_factory=dict)
    baseline: Measurement | None = None
    change: Score | None = None

    def __repr__(self) -> str:
        """Facts only; the latencies are the machine's: `explain` tells them."""
        bundle = "" if self.bundle_bytes is None else f"bundle {text.size(self.bundle_bytes)}, "
        alone = (
            f"ONNX file {text.size(self.file_bytes)}, {bundle}{text.counted(self.parameters)} parameters "
            f"({text.share(self.nonzeros / max(1, self.parameters))} not zero), {text.counted(self.macs)} MACs, "
            f"{text.size(self.memory)} between layers, {self.metric} {self.score}"
        )
        return alone if self.baseline is None else f"{alone}\n{self._beside(self.baseline)}"

    @property
    def metrics(self) -> dict[str, float]:
        """All figures by name, in bytes and seconds, as a trial holds them."""
        facts: dict[str, float] = {
            "size": self.file_bytes,
            "parameters": self.parameters,
            "nonzeros": self.nonzeros,
            "macs": self.macs,
            self.metric: self.score.value,
            f"{self.metric}_low": self.score.low,
            f"{self.metric}_high": self.score.high,
        }
        if self.change is not None:
            name = f"{self.metric}_change"
            facts |= {name: self.change.value, f"{name}_low": self.change.low, f"{name}_high": self.change.high}
        facts["memory"] = self.memory
        if self.bundle_bytes is not None:
            facts["bundle"] = self.bundle_bytes
        return facts | latency_metrics(self.latencies)

    def explain(self) -> Result:
        """Say the figures in words, the fastest runtime with its times among them."""
        return Result("\n".join([*repr(self).split("\n"), *self._times()]))

    def _beside(self, other: Measurement) -> str:
        parts = [f"ONNX file {factor(other.file_bytes, self.file_bytes)}"]
        if self.bundle_bytes is not None and other.bundle_bytes is not None:
            parts.append(f"bundle {factor(other.bundle_bytes, self.bundle_bytes)}")
        parts.append(f"MACs {factor(other.macs, self.macs, 'fewer', 'more')}")
        parts.append(f"memory between layers {factor(other.memory, self.memory)}")
        if self.change is not None:
            parts.append(f"on the same examples {difference_in_words(self.metric, self.change)}")
        return f"Beside the baseline: {', '.join(parts)}."

    def _times(self) -> Iterator[str]:
        for size in BATCHES:
            own = {runtime: time for (runtime, batch), time in self.latencies.items() if batch == size}
            if not own:
                continue
            fastest = min(own, key=lambda runtime: own[runtime].median)
            said = f"With {text.plural(size, 'example')}: fastest in {RUNTIMES[fastest]}, {own[fastest]}"
            before = None if self.baseline is None else self.baseline.latencies.get(("onnxruntime", size))
            if before is not None:
                than = speed(before.median, own[fastest].median)
                said += f"; {than} {'as' if than == 'as fast' else 'than'} the baseline in onnxruntime, {before}"
            yield f"{said}."
        if self.latencies:
            yield "Latencies are medians and quartiles for one batch on this CPU, timed in turn, in one run."


def latency_metrics(times: Mapping[Cell, Latency]) -> dict[str, float]:
    """Flatten latencies to seconds by name: ``latency_eager_1``, and ``_low`` and ``_high`` for the quartiles."""
    flat: dict[str, float] = {}
    for (runtime, size), time in times.items():
        name = f"latency_{runtime}_{size}"
        flat |= {name: time.median, f"{name}_low": time.low, f"{name}_high": time.high}
    return flat
