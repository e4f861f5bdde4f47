"""Budgets: how accurate a net is that may cost so much, beside other ways to get there in the same time.

Run by hand: ``python -m tests.benchmarks.budget``; a net's name, a number of seeds, what is limited (``size``, ``macs``
or ``latency``) and shares of it may follow, such as ``residual 5 size 1/4 1/10 1/20``. Each line is one seed and one
share: tunekit's search with one call; int8 alone; random recipes of channels, fine-tuning and int8 for as long as that
search took; and, where they are installed, NNCF's quantization, which is all of its pipeline that makes a file smaller,
Torch-Pruning with the uniform ratio that just fits and ModelOpt's FastNAS with the parameters or operations that just
fit, both trained for as many epochs at two learning rates, of which the better one is kept, and quantized. Chosen on
the validation split; on the test split the difference to the original is paired. One thread. Latencies are those of one
example, each timed in turn with the original's in onnxruntime after it was made.
"""

from __future__ import annotations

import copy
import io
import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch

import tunekit as tk
from tests.benchmarks.compression_nets import NETS, trained
from tests.benchmarks.compression_peers import fine_tuned, openvino
from tunekit.compress import latency
from tunekit.compress.exporter import export
from tunekit.compress.inputs import repeated
from tunekit.compress.limits import METRICS
from tunekit.compress.macs import macs as operations_of
from tunekit.compress.network import runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.quantization import int8
from tunekit.compress.task import last

SHARES = ("1/4", "1/10", "1/20")
DROP = 0.01
EPOCHS = 24
RATES = (3e-3, 1e-2)
# What may be limited; latencies are as near as this to what they were a minute ago.
Kind = Literal["size", "macs", "latency"]
KINDS: tuple[Kind, ...] = ("size", "macs", "latency")
NOISE = {"size": 1.0, "macs": 1.0, "latency": 1.1}
# Of peers, what is untrained is to have this much room.
ROOM = {"size": 1.0, "macs": 1.0, "latency": 0.95}


@dataclass(frozen=True)
class Net:
    """What runs: bytes of its file, operations, what answers, and what runs one batch again and again."""

    size: int
    macs: int
    run: Callable[[Any], torch.Tensor]
    call_on: Callable[[Any], Callable[[], Any]]


@dataclass(frozen=True)
class Limit:
    """What may be at most which share of the original's."""

    kind: Kind
    share: float
    whole: Net
    example: Any

    def costs(self, net: Net) -> float:
        """What a net costs, as a share of the original."""
        if self.kind != "latency":
            return float(getattr(net, self.kind) / getattr(self.whole, self.kind))
        calls = {key: one.call_on(self.example) for key, one in (("net", net), ("whole", self.whole))}
        times = latency.finish(latency.compare(calls, 0.3))
        return times["net"].median / times["whole"].median

    def fits(self, net: Net) -> bool:
        """Whether a net that is to be trained yet costs little enough."""
        return self.costs(net) <= ROOM[self.kind] * self.share


@dataclass(frozen=True)
class Outcome:
    """What one way came to: its cost as a share of the original, scores, and whether it kept the budget."""

    way: str
    share: float
    validation: float
    change: float
    kept: bool
    seconds: float

    def __str__(self) -> str:
        words = "kept" if self.kept else "not kept"
        return (
            f"{self.way}: {1 / self.share:.1f}x less, validation {100 * self.validation:.2f} %, test "
            f"{100 * self.change:+.2f}, {words}, {self.seconds:.0f} s"
        )


def of_net(way: str, net: Net, task: tk.Task, limit: Limit, began: float) -> Outcome:
    """Score a net beside the original; ``began`` is when its making did."""
    seconds, runs = time.perf_counter() - began, (limit.whole.run, net.run)
    before, after = (last(task.answers(one)) for one in runs)
    tested = [last(task.answers(one, "test")) for one in runs]
    validation, cost = task.value(after), limit.costs(net)
    kept = cost <= NOISE[limit.kind] * limit.share and validation >= task.value(before) - DROP - 1e-9
    return Outcome(way, cost, validation, task.change(*tested).value, kept, seconds)


def in_onnxruntime(file: bytes, operations: float) -> Net:
    """A file, and how many operations it does for an example."""
    run = open_runner(file)
    return Net(len(file), int(operations), run, run.call_on)


def int8_of(model: torch.nn.Module, task: tk.Task, examples: int) -> Net:
    """A PyTorch net in static int8, by so many training examples."""
    file = int8.static(export(model, task.validation.head(32)), task.train.head(examples)).file
    return in_onnxruntime(file, operations_of(model, task.validation.head(2)))


def ours(
    model: torch.nn.Module, task: tk.Task, seed: int, share: float, kind: Kind = "size"
) -> tuple[Outcome, tk.Compression, Limit]:
    """One call."""
    lab = tk.Compression(model, task, seed=seed)
    began = time.perf_counter()
    said = repr(lab.run(budget=tk.Budget(**{kind: share}, drop=DROP)))  # type: ignore[arg-type]
    limit = Limit(kind, share, row_of(lab, 0), repeated(task.validation.head(1), 1))
    best = nearest(lab, limit)
    found = of_net("tunekit", row_of(lab, lab.best_number or 0 if "keeps" in said else best), task, limit, began)
    assert kind == "latency" or found.kept == said.startswith("Row"), said
    return found, lab, limit


def row_of(lab: tk.Compression, number: int) -> Net:
    """The ONNX file of a row."""
    return in_onnxruntime(lab._shop.made[number].file, lab.trials[number].metrics["macs"])


def nearest(lab: tk.Compression, limit: Limit) -> int:
    """The row that scores best of those that cost little enough, or else the one that costs least."""
    metric = METRICS[limit.kind]
    rows = [trial for trial in lab.trials if trial.state == "complete" and metric in trial.metrics]
    most = limit.share * rows[0].metrics[metric]
    small = [trial for trial in rows if trial.metrics[metric] <= most]
    if small:
        return max(small, key=lambda trial: trial.metrics["accuracy"]).number
    return min(rows, key=lambda trial: trial.metrics[metric]).number


def at_random(model: torch.nn.Module, task: tk.Task, seed: int, limit: Limit, seconds: float) -> Outcome:
    """Random recipes for as long; the best that costs little enough, or else what costs least."""
    lab, draw = tk.Compression(model, task, seed=seed), random.Random(seed)
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        amount = round(draw.uniform(0.3, 0.98), 3)
        of = draw.choice(("parameters", "macs"))
        rate = draw.choice((1e-3, *RATES))
        pruned = tk.Prune(amount, "channels", of=of, epochs=draw.randint(1, 6), learning_rate=rate)  # type: ignore[arg-type]
        lab.run([pruned, tk.FineTune(draw.randint(4, 24), learning_rate=rate), tk.Quantize("static")])
    recipes = len([trial for trial in lab.trials if trial.state == "complete"]) // 3
    return of_net(f"random, {recipes} recipes", row_of(lab, nearest(lab, limit)), task, limit, began)


def tuned_on(slim: torch.nn.Module, task: tk.Task, seed: int) -> torch.nn.Module:
    """Train a peer's net at each rate; return the one that scores best on the validation split."""
    nets = [fine_tuned(copy.deepcopy(slim), task, EPOCHS, seed, rate) for rate in RATES]
    return max(nets, key=lambda net: task.value(last(task.answers(runner(net)))))


def torch_pruning(model: torch.nn.Module, task: tk.Task, seed: int, limit: Limit) -> Outcome | None:
    """The smallest uniform ratio that fits, then as many epochs, then static int8; None where it is not there."""
    try:
        import torch_pruning as tp
    except ImportError:
        return None
    x, began = task.validation.head(32), time.perf_counter()
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
        if limit.fits(int8_of(slim.eval(), task, 64)):
            tuned = tuned_on(slim, task, seed)
            return of_net(f"Torch-Pruning {ratio:.0%}", int8_of(tuned, task, 256), task, limit, began)
    return None


def modelopt(model: torch.nn.Module, task: tk.Task, seed: int, limit: Limit) -> Outcome | None:
    """FastNAS to the most parameters or operations that fit, then as many epochs, then static int8.

    None where it cannot; it needs ``torchprofile==0.0.4``.
    """
    try:
        import modelopt.torch.prune as mtp
    except ImportError:
        return None
    x, began = task.validation.head(32), time.perf_counter()
    settings = {
        "data_loader": [task.train.head(256)],
        "collect_func": lambda batch: batch,
        "score_func": lambda net: task.value(last(task.answers(runner(net)))),
        "verbose": False,
    }
    of = "params" if limit.kind == "size" else "flops"
    for part in (4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.5):
        left = f"{100 * min(0.99, part * limit.share):.2f}%"
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                slim, _ = mtp.prune(copy.deepcopy(model), "fastnas", {of: left}, x[:1], settings)  # type: ignore[index]
            if not limit.fits(int8_of(slim.eval(), task, 64)):
                continue
        except Exception as error:
            print(f"    ModelOpt to {left} of the {of}: {type(error).__name__}: {error}"[:150])
            return None
        tuned = tuned_on(slim, task, seed)
        return of_net(f"ModelOpt {left}", int8_of(tuned, task, 256), task, limit, began)
    return None


def nncf(model: torch.nn.Module, task: tk.Task, seed: int, limit: Limit) -> Outcome | None:
    """Its quantization after training, run by OpenVINO; None where it cannot.

    Its pruning keeps zeros in full, in a file of the same bytes.
    """
    began = time.perf_counter()
    try:
        made = openvino(model, task, seed)
        return of_net("NNCF", Net(made.size, limit.whole.macs, made.run, made.call_on), task, limit, began)
    except ImportError:
        return None
    except Exception as error:
        print(f"    NNCF: {type(error).__name__}: {error}"[:150])
        return None


def lines(name: str, seed: int, share: float, kind: Kind = "size") -> list[Outcome]:
    """All ways, for one net of one seed."""
    model, task = trained(name, seed)
    found, _, limit = ours(model, task, seed, share, kind)
    began = time.perf_counter()
    alone = of_net("int8 alone", int8_of(model, task, 256), task, limit, began)
    outcomes = [found, alone, at_random(model, task, seed, limit, found.seconds)]
    for peer in (nncf, torch_pruning, modelopt):
        made = peer(model, task, seed, limit)
        if made is not None:
            outcomes.append(made)
    expected = task.value(last(task.answers(runner(model))))
    words = f"{Fraction(share).limit_denominator(100)} of the {kind}"
    print(f"{name}, seed {seed}, {words}: original {100 * expected:.2f} %", flush=True)
    for one in outcomes:
        print(f"    {one}", flush=True)
    return outcomes


def main(arguments: Sequence[str]) -> None:
    """Print the lines, then the means over the seeds."""
    torch.set_num_threads(1)
    names = [arguments[0]] if arguments else list(NETS)
    seeds = int(arguments[1]) if len(arguments) > 1 else 5
    kinds: Sequence[Kind] = [kind for kind in KINDS if kind in arguments[2:]] or KINDS
    shares = [float(Fraction(one)) for one in arguments[2:] if one not in KINDS] or [
        float(Fraction(one)) for one in SHARES
    ]
    for name, kind, share in itertools.product(names, kinds, shares):
        ways: dict[str, list[Outcome]] = {}
        for seed in range(seeds):
            for one in lines(name, seed, share, kind):
                ways.setdefault(one.way.split()[0].strip(","), []).append(one)
        for way, found in ways.items():
            kept = sum(one.kept for one in found)
            mean = statistics.mean(one.validation for one in found)
            tested = statistics.mean(one.change for one in found)
            print(
                f"== {name} {kind} {share:.3f} {way}: kept {kept} of {len(found)}, validation {100 * mean:.2f} %, "
                f"test {100 * tested:+.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
