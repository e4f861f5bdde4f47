"""What a model costs and what it is worth, alone or beside another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tunekit.compress import bundle_file
from tunekit.compress import latency as latencies
from tunekit.compress.bundle_file import Bundle
from tunekit.compress.compiled import compile_for
from tunekit.compress.exporter import export
from tunekit.compress.inputs import ports, repeated
from tunekit.compress.macs import macs
from tunekit.compress.measurement import BATCHES, Cell, Measurement
from tunekit.compress.network import call_on, copied, counts, norm_epsilons, runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.onnx_memory import memory_bytes
from tunekit.compress.score import Score
from tunekit.compress.task import last
from tunekit.core import seeds

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.task import Answers, Task


def measure(
    model: Module, task: Task, *, baseline: Module | None = None, latency: bool = True, compiled: bool = False
) -> Measurement:
    """Measure a model as it is; it is copied first and never changed.

    Parameters
    ----------
    model
        Any network that returns one tensor (batch, ...).
    task
        Its data and metric; the validation split is used, the test split is not.
    baseline
        Another network for the same task, such as the one before it was compressed: both are timed in turn in one run,
        and their scores compared on the same examples.
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
    >>> task = Task(data, data, loss=torch.nn.functional.cross_entropy)
    >>> measure(model, task, latency=False).macs
    16
    >>> wide = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Linear(64, 4))
    >>> measure(model, task, baseline=wide, latency=False).baseline.macs
    512
    """
    with seeds.seeded(0):
        several = [_Measured(one, task) for one in (model, baseline) if one is not None]
        facts = [one.facts for one in several]
        if latency:
            calls = {
                (place, cell): call
                for place, one in enumerate(several)
                for cell, call in one.calls(compiled=compiled).items()
            }
            times = latencies.finish(latencies.compare(calls))
            facts = [
                replace(one, latencies={cell: time for (whose, cell), time in times.items() if whose == place})
                for place, one in enumerate(facts)
            ]
    if baseline is None:
        return facts[0]
    return replace(facts[0], baseline=facts[1], change=task.change(several[1].answers, several[0].answers))


class _Measured:
    """A copy of one model, its file and its answers.

    Parameters
    ----------
    model
        Any network.
    task
        Its data and metric.
    """

    def __init__(self, model: Module, task: Task) -> None:
        self.network = on_device(copied(model), task)
        self.sample = task.validation.head(max(BATCHES))
        self.file = export(self.network, self.sample)
        self.answers: Answers = last(task.answers(runner(self.network)))
        facts = facts_of(self.network, self.file, task, task.score(self.answers), self.sample)
        bundle = Bundle(
            [],
            facts.metrics,
            ports(self.sample),
            self.file,
            self.network.state_dict(),
            epsilons=norm_epsilons(self.network),
        )
        self.facts = replace(facts, bundle_bytes=len(bundle_file.pack(bundle)))

    def calls(self, *, compiled: bool) -> dict[Cell, Callable[[], Any]]:
        """What is timed."""
        calls = timed_calls(self.network, self.file, self.sample)
        return calls | compiled_calls(self.network, self.sample) if compiled else calls


def facts_of(network: Module, data: bytes, task: Task, score: Score, x: Inputs) -> Measurement:
    """Put together the figures that no clock takes part in, without a bundle."""
    total, nonzeros = counts(network)
    count = macs(copied(network).cpu(), x)
    return Measurement(len(data), total, nonzeros, count, memory_bytes(data), task.metric_name, score)


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


def _batches(x: Inputs) -> dict[int, Inputs]:
    return {size: repeated(x, size) for size in BATCHES}
