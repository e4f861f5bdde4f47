"""How small nets become: bundles at no loss, and files that are deployed, on six nets and real data.

Run by hand: ``python -m tests.benchmarks.compression bundles``, or ``deployed``; a net's name and a number of seeds may
follow. Chosen on the validation split, of which each candidate is one look; the test split is looked at once for each
seed, paired with the baseline. Sizes of bundles are against PyTorch's own file of the state dict, those of ONNX files
against the float ONNX file, times against onnxruntime with the float file, all timed in turn in one run. One thread.
"""

from __future__ import annotations

import io
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

import tunekit as tk
from tests.benchmarks.compression_nets import NETS, trained
from tunekit.compress import workshop
from tunekit.compress.recipe import Step
from tunekit.core.trial import Trial

SEEDS = 5
# Of Adam, in all recipes: three times the default of the steps. These nets have lost most of themselves.
RATE = 3e-3


def slim(amount: float, epochs: int, of: str = "parameters") -> Step:
    """Channels."""
    return tk.Prune(amount, "channels", of=of, epochs=epochs, learning_rate=RATE)  # type: ignore[arg-type]


def shallow(amount: float, epochs: int) -> Step:
    """Blocks, as a share of the MACs."""
    return tk.Prune(amount, "blocks", of="macs", epochs=epochs, learning_rate=RATE)


def zeros(epochs: int, *amounts: float) -> list[Step]:
    """Weights, a little more with each step."""
    return [tk.Prune(amount, epochs=epochs, learning_rate=RATE) for amount in amounts]


def tune(epochs: int) -> Step:
    """From the targets alone."""
    return tk.FineTune(epochs, learning_rate=RATE)


def learn(epochs: int) -> Step:
    """From the teachers, whom `taught` puts in."""
    return tk.Distill(epochs, control=False, learning_rate=RATE)


# Whom a net learns from: nets of that kind, so many, with other seeds.
TEACHERS = {"LeNet-300-100": ("LeNet-5", 2), "LeNet-5": ("residual", 2), "residual": ("residual", 3)}

# For bundles: trunks, of which each of the last three rows in turn is shared at each number of bits.
TRUNKS: dict[str, list[list[Step]]] = {
    "LeNet-300-100": [
        [slim(0.7, 10), slim(0.84, 12), *zeros(12, 0.8, 0.9), learn(12), *zeros(12, 0.93), learn(12)],
    ],
    "LeNet-5": [
        [slim(0.8, 8), slim(0.9, 12), learn(12), *zeros(12, 0.85, 0.92), learn(12), *zeros(12, 0.945), learn(12)],
    ],
    "residual": [[shallow(0.4, 6), slim(0.65, 12), *zeros(12, 0.82, 0.87, 0.91)]],
    "depthwise": [[slim(0.6, 8), *zeros(8, 0.5, 0.7, 0.8)]],
    "GRU": [[slim(0.5, 10), *zeros(10, 0.6, 0.8)]],
    "encoder": [[slim(0.4, 6), *zeros(6, 0.5, 0.7)]],
}
# Bits of the shared values; those that were chosen for the depthwise net are 3 to 5.
BITS = dict.fromkeys(TRUNKS, (2, 3, 4)) | {"depthwise": (3, 4, 5)}
# How many times smaller a bundle is to be. Among all that are, the one with the best validation score is taken: the
# smallest of many that just reach a score owes it to luck.
WANTED = {"LeNet-300-100": 250, "LeNet-5": 450, "residual": 60}

# For deployed files: recipes in the order of their size; the smallest that holds its point of validation is taken.
DEPLOYED: dict[str, list[list[Step]]] = {
    "residual": [[shallow(0.75, 12), learn(12), slim(0.92, 12, "macs"), learn(20), tk.Quantize()]],
    "depthwise": [[slim(amount, 8, "macs"), tune(4), tk.Quantize()] for amount in (0.4, 0.6)],
    "LeNet-5": [[slim(amount, 8, "macs"), tune(4), tk.Quantize()] for amount in (0.8, 0.9)],
    "LeNet-300-100": [[slim(amount, 8), tune(4), tk.Quantize("dynamic")] for amount in (0.8, 0.9)],
    "GRU": [[slim(amount, 10, "macs"), tune(6), tk.Quantize()] for amount in (0.3, 0.5)],
    "encoder": [[slim(amount, 6, "macs"), tune(4), tk.Quantize()] for amount in (0.2, 0.35)],
}


@dataclass(frozen=True)
class Found:
    """What came of one seed."""

    line: str
    ratio: float
    change: float


def teachers_of(name: str, seed: int) -> list[nn.Module]:
    """Trained on the same data; no seed's are another's, or the net itself."""
    kind, count = TEACHERS[name]
    return [trained(kind, 100 + count * seed + one)[0] for one in range(count)]


def taught(recipe: Sequence[Step], teachers: Sequence[nn.Module]) -> list[Step]:
    """The recipe with its teachers."""
    return [replace(step, teacher=teachers) if isinstance(step, tk.Distill) else step for step in recipe]


def shared(bits: int, is_taught: bool) -> list[Step]:
    """The end of a bundle's recipe: few values, which are trained."""
    bias_bits = max(2, bits - 1) if bits < 4 else 4
    if is_taught:
        return [tk.Share(bits, bias_bits=bias_bits), learn(8)]
    return [tk.Share(bits, epochs=8, bias_bits=bias_bits, learning_rate=RATE)]


def state_dict_bytes(model: nn.Module) -> int:
    """PyTorch's own file."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell()


def good_enough(lab: tk.Compression, least: float) -> list[Trial]:
    """The rows whose validation score is at least so good."""
    return [one for one in lab.trials if one.state == "complete" and one.metrics["accuracy"] >= least - 1e-9]


def bundle(name: str, seed: int, drop: float) -> Found:
    """The best bundle that is small enough, or else the smallest one whose score is at most so much below the baseline.

    Scores are those on the validation split.
    """
    began = time.perf_counter()
    model, task = trained(name, seed)
    is_taught = any(isinstance(step, tk.Distill) for trunk in TRUNKS[name] for step in trunk)
    teachers = teachers_of(name, seed) if is_taught else []
    lab = tk.Compression(model, task, seed=seed)
    for trunk in TRUNKS[name]:
        lab.run(taught(trunk, teachers))
        last = len(lab.trials) - 1
        for number in (last - 2, last - 1, last):
            for bits in BITS[name]:
                lab.run(taught(shared(bits, is_taught), teachers), after=number)
    base = lab.trials[0].metrics["accuracy"]
    good = good_enough(lab, base - drop)
    whole = state_dict_bytes(model)
    small = [trial for trial in good if whole / trial.metrics["bundle"] >= WANTED.get(name, math.inf)]
    best = (
        max(small, key=lambda trial: trial.metrics["accuracy"])
        if small
        else min(good, key=lambda trial: trial.metrics["bundle"])
    )
    report = lab[best.number].report
    ratio = whole / best.metrics["bundle"]
    return Found(
        f"{name}, seed {seed}: {whole} → {int(best.metrics['bundle'])} bytes, {ratio:.0f}x; validation "
        f"{100 * base:.2f} → {100 * best.metrics['accuracy']:.2f} %; test {100 * report.original.value:.2f} → "
        f"{100 * report.compressed.value:.2f} %, {100 * report.change.value:+.2f} "
        f"[{100 * report.change.low:+.2f}, {100 * report.change.high:+.2f}]; "
        f"{', '.join(map(repr, lab[best.number].recipe[-2:]))}; {len(lab.trials) - 1} candidates, "
        f"{time.perf_counter() - began:.0f} s",
        ratio,
        100 * report.change.value,
    )


def deployed_by(name: str, seed: int, drop: float) -> tuple[tk.Compression, int]:
    """The rows, and the number of the smallest file whose validation score is at most so much below the baseline's."""
    model, task = trained(name, seed)
    teachers = teachers_of(name, seed) if name in TEACHERS else []
    lab = tk.Compression(model, task, seed=seed)
    for recipe in DEPLOYED[name]:
        lab.run(taught(recipe, teachers))
    good = good_enough(lab, lab.trials[0].metrics["accuracy"] - drop)
    return lab, min(good, key=lambda trial: trial.metrics["size"]).number


def deployed(name: str, seed: int, drop: float) -> Found:
    """The smallest file whose validation score is at most so much below the baseline's."""
    began = time.perf_counter()
    lab, number = deployed_by(name, seed, drop)
    base, best = lab.trials[0].metrics, lab.trials[number]
    report = lab[number].report
    ratio = base["size"] / best.metrics["size"]
    times = [base[f"latency_onnxruntime_{n}"] / best.metrics[f"latency_onnxruntime_{n}"] for n in (1, 32)]
    return Found(
        f"{name}, seed {seed}: {base['size'] / 1000:.1f} → {best.metrics['size'] / 1000:.1f} kB, {ratio:.1f}x; MACs "
        f"{base['macs'] / best.metrics['macs']:.1f}x; {times[0]:.2f}x / {times[1]:.2f}x as fast with 1 / 32; "
        f"validation {100 * base['accuracy']:.2f} → {100 * best.metrics['accuracy']:.2f} %; test "
        f"{100 * report.original.value:.2f} → {100 * report.compressed.value:.2f} %, {100 * report.change.value:+.2f} "
        f"[{100 * report.change.low:+.2f}, {100 * report.change.high:+.2f}]; {lab[number].recipe}; "
        f"{time.perf_counter() - began:.0f} s",
        ratio,
        100 * report.change.value,
    )


def main(arguments: Sequence[str]) -> None:
    """Print the lines of a table, net by net."""
    torch.set_num_threads(1)
    table = arguments[0] if arguments else "bundles"
    if table == "bundles":
        workshop._SECONDS_IN_ALL = 0.3  # times are no matter there
    names = [arguments[1]] if len(arguments) > 1 else list(NETS)
    seeds = int(arguments[2]) if len(arguments) > 2 else SEEDS
    for name in names:
        found = []
        for seed in range(seeds):
            if table == "bundles":
                found.append(bundle(name, seed, 0.0 if name.startswith("LeNet") else 0.01))
            else:
                found.append(deployed(name, seed, 0.01))
            print(found[-1].line, flush=True)
        ratios = sorted(one.ratio for one in found)
        changes = [one.change for one in found]
        print(
            f"== {name}: {ratios[0]:.1f} to {ratios[-1]:.1f}x, median {statistics.median(ratios):.1f}x; "
            f"test {statistics.mean(changes):+.2f} points on average\n",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
