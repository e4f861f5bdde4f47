"""What a model costs and what it is worth: the figures of one row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tunekit.compress import latency as latencies
from tunekit.compress.compiled import compile_for
from tunekit.compress.exporter import export
from tunekit.compress.inputs import repeated
from tunekit.compress.latency import Latency
from tunekit.compress.macs import macs
from tunekit.compress.network import call_on, copied, counts, runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.score import Score
from tunekit.compress.task import last
from tunekit.core import seeds, text

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.task import Task

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
    metric, score
        The metric's name, and its value on the validation split with its 95 % interval.
    latencies
        By runtime (``"eager"``: PyTorch, ``"compiled"``: ``torch.compile``, ``"onnxruntime"``) and batch size: seconds
        for one batch on this machine's CPU.

    Examples
    --------
    >>> from tunekit.compress.measure import Measurement
    >>> Measurement(83_612, 20_586, 20_586, 1_030_000, "accuracy", Score(0.957, 0.942, 0.968, 1000))
    83.6 kB, 20.6 k parameters (100.0 % not zero), 1.03 M MACs, accuracy 0.957 [0.942, 0.968]
    """

    file_bytes: int
    parameters: int
    nonzeros: int
    macs: int
    metric: str
    score: Score
    latencies: Mapping[Cell, Latency] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Facts only; the latencies are the machine's."""
        return (
            f"{text.size(self.file_bytes)}, {text.counted(self.parameters)} parameters "
            f"({text.share(self.nonzeros / max(1, self.parameters))} not zero), {text.counted(self.macs)} MACs, "
            f"{self.metric} {self.score}"
        )

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
        return facts | latency_metrics(self.latencies)


def measure(model: Module, task: Task, *, latency: bool = True, compiled: bool = False) -> Measurement:
    """Measure a model as it is; it is copied first and never changed.

    Parameters
    ----------
    model
        Any network that returns one tensor (batch, ...).
    task
        Its data and metric; the validation split is used, the test split is not.
    latency
        Whether to time it, about 0.15 s for each runtime and batch size.
    compiled
        Whether to time it with ``torch.compile``, too, which first takes half a minute or so to compile.

    Raises
    ------
    CompileError
        If it is to be compiled, and that does not work for this model on this machine.
    ExportError
        If the model cannot be written as an ONNX file that does the same.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> model = torch.nn.Linear(4, 4, bias=False)
    >>> _ = torch.nn.init.eye_(model.weight)
    >>> measure(model, Task(data, data, loss=torch.nn.functional.cross_entropy), latency=False).macs
    16
    """
    with seeds.seeded(0):
        network = on_device(copied(model), task)
        x = task.validation.head(max(BATCHES))
        data = export(network, x)
        answers = last(task.answers(runner(network)))
        facts = facts_of(network, data, task, task.score(answers), x)
        if not latency:
            return facts
        calls = timed_calls(network, data, x)
        if compiled:
            calls |= compiled_calls(network, x)
        times = latencies.finish(latencies.compare(calls))
    return replace(facts, latencies=times)


def facts_of(network: Module, data: bytes, task: Task, score: Score, x: Inputs) -> Measurement:
    """Put together the figures that no clock takes part in."""
    total, nonzeros = counts(network)
    count = macs(copied(network).cpu(), x)
    return Measurement(len(data), total, nonzeros, count, task.metric_name, score)


def on_device(network: Module, task: Task) -> Module:
    """Move a network of our own to where the task wants it; without a wish it stays."""
    return network if task.device is None else network.to(task.device)


def timed_calls(network: Module | None, data: bytes, x: Inputs) -> dict[Cell, Callable[[], Any]]:
    """What is timed for one model: each runtime with each batch size, on the CPU; no network, no eager cells."""
    run = open_runner(data)
    calls: dict[Cell, Callable[[], Any]] = {
        ("onnxruntime", size): run.call_on(batch) for size, batch in _batches(x).items()
    }
    if network is None:
        return calls
    own = copied(network).cpu()
    return {("eager", size): call_on(own, batch) for size, batch in _batches(x).items()} | calls


def compiled_calls(network: Module, x: Inputs) -> dict[Cell, Callable[[], Any]]:
    """What is timed for a network that PyTorch compiles for this CPU.

    Raises
    ------
    CompileError
        If that does not work.
    """
    batches = _batches(x)
    faster = compile_for(copied(network).cpu(), list(batches.values()))
    return {("compiled", size): call_on(faster, batch) for size, batch in batches.items()}


def latency_metrics(times: Mapping[Cell, Latency]) -> dict[str, float]:
    """Flatten latencies to seconds by name: ``latency_eager_1``, and ``_low`` and ``_high`` for the quartiles."""
    flat: dict[str, float] = {}
    for (runtime, size), time in times.items():
        name = f"latency_{runtime}_{size}"
        flat |= {name: time.median, f"{name}_low": time.low, f"{name}_high": time.high}
    return flat


def _batches(x: Inputs) -> dict[int, Inputs]:
    return {size: repeated(x, size) for size in BATCHES}
