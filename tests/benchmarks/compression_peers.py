"""The residual net as others make it small, each beside tunekit's own: file, time, and what it costs on the test split.

Run by hand: ``python -m tests.benchmarks.compression_peers``, a number of seeds may follow; with torch-pruning, nncf,
openvino and torchao installed. One that is not there is left out. All files of one seed are timed in turn in one run,
on one thread, against onnxruntime with the float file. Torch-Pruning has as many epochs as tunekit's recipe, for each
of its ratios; of those the smallest within a point of the validation score is taken, or else the most accurate.
"""

from __future__ import annotations

import copy
import io
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import tunekit as tk
from tests.benchmarks.compression import RATE, SEEDS, deployed_by
from tests.benchmarks.compression_nets import trained
from tunekit.compress import latency
from tunekit.compress.exporter import export
from tunekit.compress.inputs import repeated
from tunekit.compress.network import call_on, runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.quantization import int8
from tunekit.compress.task import last

NET = "residual"
EPOCHS = 56
RATIOS = (0.5, 0.65, 0.75)
DROP = 0.01
BATCHES = (1, 32)


@dataclass(frozen=True)
class Made:
    """What somebody made of a net: its bytes, what answers, and what runs one batch again and again."""

    label: str
    size: int
    run: Callable[[Any], Tensor]
    call_on: Callable[[Any], Callable[[], Any]]


def in_onnxruntime(label: str, file: bytes) -> Made:
    """A file."""
    run = open_runner(file)
    return Made(label, len(file), run, run.call_on)


def accuracy(made: Made, task: tk.Task) -> float:
    """On the validation split."""
    return task.value(last(task.answers(made.run)))


def fine_tuned(model: nn.Module, task: tk.Task, epochs: int, seed: int, rate: float = RATE) -> nn.Module:
    """Adam along a cosine, as tunekit trains."""
    optimizer = torch.optim.Adam(model.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (task.train.steps or 1))
    model.train()
    for epoch in range(epochs):
        for x, y in task.batches(torch.Generator().manual_seed(1000 * seed + epoch)):
            optimizer.zero_grad()
            task.loss(model(x), y).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def torch_pruning(model: nn.Module, task: tk.Task, seed: int) -> Made:
    """Uniform ratios in multiples of 8, then static int8."""
    import torch_pruning as tp

    base = accuracy(Made("", 0, runner(model), partial(call_on, model)), task)
    x: Any = task.validation.head(32)
    found = []
    for ratio in RATIOS:
        slim = copy.deepcopy(model).train()
        pruner = tp.pruner.MagnitudePruner(
            slim,
            x[:1],
            importance=tp.importance.MagnitudeImportance(p=2),
            pruning_ratio=ratio,
            ignored_layers=[module for name, module in slim.named_modules() if name == "head"],
            round_to=8,
        )
        pruner.step()
        tuned = fine_tuned(slim, task, EPOCHS, seed)
        made = in_onnxruntime(
            f"Torch-Pruning, uniform {ratio:.0%}, and int8", int8.static(export(tuned, x), task.train.head(256)).file
        )
        found.append((accuracy(made, task), made))
    good = [made for value, made in found if value >= base - DROP]
    return min(good, key=lambda made: made.size) if good else max(found, key=lambda pair: pair[0])[1]


def openvino(model: nn.Module, task: tk.Task, seed: int) -> Made:
    """NNCF's quantization after training, run by OpenVINO."""
    import nncf
    import openvino as ov

    x: Any = task.validation.head(32)
    given: Any = task.train.head(256)
    nncf.set_log_level(40)
    whole = ov.convert_model(io.BytesIO(export(model, x)))
    small = nncf.quantize(whole, nncf.Dataset([given[start : start + 1].numpy() for start in range(256)]))
    with tempfile.TemporaryDirectory() as folder:
        ov.save_model(small, Path(folder) / "net.xml")
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    run = ov.Core().compile_model(small, "CPU", {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"})
    request = run.create_infer_request()

    def once(batch: Any) -> Callable[[], Any]:
        array = batch.numpy()
        return lambda: request.infer([array], share_inputs=True)

    return Made("NNCF and OpenVINO, int8", size, lambda batch: torch.from_numpy(run([batch.numpy()])[0].copy()), once)


def torchao(model: nn.Module, task: tk.Task, seed: int) -> Made:
    """Int8 weights, which it has for linear layers only; run by PyTorch."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    small = copy.deepcopy(model)
    quantize_(small, Int8WeightOnlyConfig())
    file = io.BytesIO()
    torch.save(small.state_dict(), file)
    return Made("torchao, int8 weights", file.tell(), runner(small), partial(call_on, small))


PEERS: tuple[Callable[[nn.Module, tk.Task, int], Made], ...] = (torch_pruning, openvino, torchao)


def compared(seed: int) -> list[tuple[str, float, tuple[float, ...], float]]:
    """Of one seed: label, how many times smaller and faster with 1 and 32, and the change on the test split."""
    model, task = trained(NET, seed)
    x: Any = task.validation.head(max(BATCHES))
    whole = in_onnxruntime("float, onnxruntime", export(model, x))
    lab, number = deployed_by(NET, seed, DROP)
    with tempfile.TemporaryDirectory() as folder:
        lab[number].export(Path(folder) / "net.onnx")
        ours = in_onnxruntime("tunekit", (Path(folder) / "net.onnx").read_bytes())
    alone = in_onnxruntime("int8 alone, onnxruntime", int8.static(export(model, x), task.train.head(256)).file)
    made = [whole, alone, ours]
    for peer in PEERS:
        try:
            made.append(peer(model, task, seed))
        except ImportError as error:
            print(f"left out: {error}", flush=True)
    times = latency.finish(
        latency.compare(
            {(one.label, size): one.call_on(repeated(x, size)) for one in made for size in BATCHES}, seconds=1.0
        )
    )
    expected = last(task.answers(whole.run, "test"))
    return [
        (
            one.label,
            whole.size / one.size,
            tuple(times[whole.label, size].median / times[one.label, size].median for size in BATCHES),
            100 * task.change(expected, last(task.answers(one.run, "test"))).value,
        )
        for one in made
    ]


def main() -> None:
    """Print the lines of each seed, then what they have in common."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found: dict[str, list[tuple[float, ...]]] = {}
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS):
        for label, smaller, faster, change in compared(seed):
            print(
                f"seed {seed}: {label}: {smaller:.1f}x, {faster[0]:.2f}x / {faster[1]:.2f}x, {change:+.2f}", flush=True
            )
            name = label.partition(",")[0] if label.startswith("Torch") else label
            found.setdefault(name, []).append((smaller, *faster, change))
    print("\n| | smaller | faster, batch 1 | batch 32 | test, points: mean (each) |\n|---|---|---|---|---|")
    for name, rows in found.items():
        smaller, one, many, change = (list(column) for column in zip(*rows, strict=True))
        spread = [
            f"{statistics.median(part):.2f}x ({min(part):.2f} to {max(part):.2f})" for part in (smaller, one, many)
        ]
        each = ", ".join(f"{value:+.2f}" for value in change)
        print(f"| {name} | {' | '.join(spread)} | {statistics.mean(change):+.2f} ({each}) |")


if __name__ == "__main__":
    main()
