"""Budgets: how accurate a net is that may have so many bytes, beside other ways to get there in the same time.

Run by hand: ``python -m tests.benchmarks.budget``; a net's name, a number of seeds and shares of the size may follow,
such as ``residual 5 1/4 1/10 1/20``. Each line is one seed and one share: tunekit's search with one call; int8 alone;
random recipes of channels, fine-tuning and int8 for as long as that search took; and, where they are installed,
NNCF's quantization, which is all of its pipeline that makes a file smaller, Torch-Pruning with the uniform ratio that
just fits and ModelOpt's FastNAS with the parameters that just fit, both trained for as many epochs at two learning
rates, of which the better one is kept, and quantized. Chosen on the validation split; on the test split the
difference to the original is paired. One thread.
"""

from __future__ import annotations

import copy
import io
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

import tunekit as tk
from tests.benchmarks.compression_nets import NETS, trained
from tests.benchmarks.compression_peers import fine_tuned, openvino
from tunekit.compress.exporter import export
from tunekit.compress.network import runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.quantization import int8
from tunekit.compress.task import last

SHARES = ("1/4", "1/10", "1/20")
DROP = 0.01
EPOCHS = 24
RATES = (3e-3, 1e-2)


@dataclass(frozen=True)
class Outcome:
    """What one way came to: bytes as a share of the original, scores, and whether it kept the budget."""

    way: str
    share: float
    validation: float
    change: float
    kept: bool
    seconds: float

    def __str__(self) -> str:
        words = "kept" if self.kept else "not kept"
        return (
            f"{self.way}: {1 / self.share:.1f}x smaller, validation {100 * self.validation:.2f} %, test "
            f"{100 * self.change:+.2f}, {words}, {self.seconds:.0f} s"
        )


def of_runner(
    way: str, run: Callable[[Any], torch.Tensor], bytes_: int, whole: bytes, task: tk.Task, share: float, began: float
) -> Outcome:
    """Score a net of so many bytes beside the original's file; ``began`` is when its making did."""
    seconds, runs = time.perf_counter() - began, (open_runner(whole), run)
    before, after = (last(task.answers(one)) for one in runs)
    tested = [last(task.answers(one, "test")) for one in runs]
    validation, size = task.value(after), bytes_ / len(whole)
    kept = size <= share and validation >= task.value(before) - DROP - 1e-9
    return Outcome(way, size, validation, task.change(*tested).value, kept, seconds)


def of_file(way: str, file: bytes, whole: bytes, task: tk.Task, share: float, began: float) -> Outcome:
    """Score a file beside the original's."""
    return of_runner(way, open_runner(file), len(file), whole, task, share, began)


def ours(model: torch.nn.Module, task: tk.Task, seed: int, share: float) -> tuple[Outcome, tk.Compression]:
    """One call."""
    lab = tk.Compression(model, task, seed=seed)
    began = time.perf_counter()
    said = repr(lab.run(budget=tk.Budget(size=share, drop=DROP)))
    limits = share * lab.trials[0].metrics["size"]
    small = [trial for trial in lab.trials if trial.state == "complete" and trial.metrics["size"] <= limits]
    best = max(small, key=lambda trial: trial.metrics["accuracy"], default=lab.trials[0])
    number = lab.best_number if "keeps" in said else best.number
    files = [lab._shop.made[one].file for one in (number or 0, 0)]
    found = of_file("tunekit", *files, task, share, began)
    assert found.kept == said.startswith("Row"), said
    return found, lab


def at_random(model: torch.nn.Module, task: tk.Task, seed: int, share: float, seconds: float) -> Outcome:
    """Random recipes for as long; the best that is small enough, or else the smallest."""
    lab, draw = tk.Compression(model, task, seed=seed), random.Random(seed)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        amount = round(draw.uniform(0.3, 0.98), 3)
        of = draw.choice(("parameters", "macs"))
        rate = draw.choice((1e-3, *RATES))
        pruned = tk.Prune(amount, "channels", of=of, epochs=draw.randint(1, 6), learning_rate=rate)  # type: ignore[arg-type]
        lab.run([pruned, tk.FineTune(draw.randint(4, 24), learning_rate=rate), tk.Quantize("static")])
    complete = [trial for trial in lab.trials if trial.state == "complete"]
    small = [trial for trial in complete if trial.metrics["size"] <= share * complete[0].metrics["size"]]
    best = (
        max(small, key=lambda trial: trial.metrics["accuracy"])
        if small
        else min(complete, key=lambda trial: trial.metrics["size"])
    )
    file, whole = lab._shop.made[best.number].file, lab._shop.made[0].file
    return of_file(f"random, {len(complete) // 3} recipes", file, whole, task, share, began)


def tuned_on(slim: torch.nn.Module, task: tk.Task, seed: int) -> torch.nn.Module:
    """Train a peer's net at each rate; return the one that scores best on the validation split."""
    nets = [fine_tuned(copy.deepcopy(slim), task, EPOCHS, seed, rate) for rate in RATES]
    return max(nets, key=lambda net: task.value(last(task.answers(runner(net)))))


def torch_pruning(model: torch.nn.Module, task: tk.Task, seed: int, share: float) -> Outcome | None:
    """The smallest uniform ratio that fits, then as many epochs, then static int8; None where it is not there."""
    try:
        import torch_pruning as tp
    except ImportError:
        return None
    x, began = task.validation.head(32), time.perf_counter()
    whole = export(model, x)
    heads = [module for module in model.modules() if isinstance(module, torch.nn.Linear)][-1:]
    names = {name for name, module in model.named_modules() if module in heads}
    for ratio in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        slim = copy.deepcopy(model).train()
        try:
            tp.pruner.MagnitudePruner(
                slim,
                x[:1],  # type: ignore[index]
                importance=tp.importance.MagnitudeImportance(p=2),
                pruning_ratio=ratio,
                ignored_layers=[module for name, module in slim.named_modules() if name in names],
            ).step()
            runner(slim)(x)
        except Exception as error:
            print(f"    Torch-Pruning by {ratio:.0%}: {type(error).__name__}: {error}"[:150])
            return None
        parameters = sum(one.numel() for one in slim.parameters())
        if parameters > share * len(whole):
            continue
        if len(int8.static(export(slim.eval(), x), task.train.head(64)).file) > share * len(whole):
            continue
        tuned = tuned_on(slim, task, seed)
        file = int8.static(export(tuned, x), task.train.head(256)).file
        return of_file(f"Torch-Pruning {ratio:.0%}", file, whole, task, share, began)
    return None


def modelopt(model: torch.nn.Module, task: tk.Task, seed: int, share: float) -> Outcome | None:
    """FastNAS to the most parameters that fit, then as many epochs, then static int8; None where it cannot.

    It needs ``torchprofile==0.0.4``.
    """
    try:
        import modelopt.torch.prune as mtp
    except ImportError:
        return None
    x, began = task.validation.head(32), time.perf_counter()
    whole = export(model, x)
    settings = {
        "data_loader": [task.train.head(256)],
        "collect_func": lambda batch: batch,
        "score_func": lambda net: task.value(last(task.answers(runner(net)))),
        "verbose": False,
    }
    for part in (4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5):
        left = f"{100 * min(0.99, part * share):.2f}%"
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                slim, _ = mtp.prune(copy.deepcopy(model), "fastnas", {"params": left}, x[:1], settings)  # type: ignore[index]
            if len(int8.static(export(slim.eval(), x), task.train.head(64)).file) > share * len(whole):
                continue
        except Exception as error:
            print(f"    ModelOpt to {left} of the parameters: {type(error).__name__}: {error}"[:150])
            return None
        tuned = tuned_on(slim, task, seed)
        file = int8.static(export(tuned, x), task.train.head(256)).file
        return of_file(f"ModelOpt {left}", file, whole, task, share, began)
    return None


def nncf(model: torch.nn.Module, task: tk.Task, seed: int, share: float) -> Outcome | None:
    """Its quantization after training, run by OpenVINO; None where it cannot.

    Its pruning keeps zeros in full, in a file of the same bytes.
    """
    whole, began = export(model, task.validation.head(32)), time.perf_counter()
    try:
        made = openvino(model, task, seed)
        return of_runner("NNCF", made.run, made.size, whole, task, share, began)
    except ImportError:
        return None
    except Exception as error:
        print(f"    NNCF: {type(error).__name__}: {error}"[:150])
        return None


def lines(name: str, seed: int, share: float) -> list[Outcome]:
    """All ways, for one net of one seed."""
    model, task = trained(name, seed)
    found, lab = ours(model, task, seed, share)
    whole = lab._shop.made[0].file
    began = time.perf_counter()
    alone = int8.static(whole, task.train.head(256)).file
    outcomes = [found, of_file("int8 alone", alone, whole, task, share, began)]
    outcomes.append(at_random(model, task, seed, share, found.seconds))
    for peer in (nncf, torch_pruning, modelopt):
        made = peer(model, task, seed, share)
        if made is not None:
            outcomes.append(made)
    expected = task.value(last(task.answers(runner(model))))
    print(f"{name}, seed {seed}, {Fraction(share).limit_denominator(100)}: original {100 * expected:.2f} %", flush=True)
    for one in outcomes:
        print(f"    {one}", flush=True)
    return outcomes


def main(arguments: Sequence[str]) -> None:
    """Print the lines, then the means over the seeds."""
    torch.set_num_threads(1)
    names = [arguments[0]] if arguments else list(NETS)
    seeds = int(arguments[1]) if len(arguments) > 1 else 5
    shares = [float(Fraction(one)) for one in arguments[2:] or SHARES]
    for name in names:
        for share in shares:
            ways: dict[str, list[Outcome]] = {}
            for seed in range(seeds):
                for one in lines(name, seed, share):
                    ways.setdefault(one.way.split()[0].strip(","), []).append(one)
            for way, found in ways.items():
                kept = sum(one.kept for one in found)
                mean = statistics.mean(one.validation for one in found)
                tested = statistics.mean(one.change for one in found)
                print(
                    f"== {name} {share:.3f} {way}: kept {kept} of {len(found)}, validation {100 * mean:.2f} %, "
                    f"test {100 * tested:+.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
