"""One search over a net's hyperparameters and its compression, beside tuning first and compressing what came out.

Run by hand: ``python -m tests.benchmarks.one_search``; a number of seeds may follow. Small nets on spoken digits, each
trained and compressed once: their scores, bytes and seconds are kept, so that all ways choose among the same nets. All
may spend the same seconds of training; a net that a way has trained before costs it only its compression. It prints
the share of the largest hypervolume (accuracy on validation, bytes of the file) that is covered by then, as median
with quartiles over the seeds.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import optuna
import torch
from torch import Tensor, nn

import tunekit as tk
from tests.benchmarks.compression_nets import speech
from tests.benchmarks.search_cache import FOLDER, remembered
from tunekit.compress.pipeline import Pipeline
from tunekit.core.pareto import hypervolume
from tunekit.search.samplers.bayes import Bayes

SEEDS = 30
# Of the seconds that all nets together take.
SHARES = (0.05, 0.1, 0.2)
EPOCHS = 8
# Accuracy of what is of no use, and a file of about the size of the largest.
REFERENCE = (0.7, 60_000.0)
# As `tk.pipeline` has it: compressing has 4 of 12 epochs where channels go.
SHARE = 1 / 3
WIDTHS, KERNELS, RATES, AMOUNTS = range(5), (3, 7), (3e-3, 1e-2, 3e-2), range(5)

SPACE = {"width": tk.Int(0, len(WIDTHS) - 1), "kernel": tk.Choice(*KERNELS), "rate": tk.Choice(*RATES)}

Settings = Mapping[str, Any]
# Ways: each is asked for settings until the seconds are spent, and looks up what came of them.
Way = Callable[[int, float], Iterator[Settings]]


class Net(nn.Module):
    """Two convolutions over time."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv1d(13, width, kernel), nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(2)),
            *(nn.Conv1d(width, width, kernel), nn.BatchNorm1d(width), nn.ReLU(), nn.AdaptiveAvgPool1d(1)),
            *(nn.Flatten(), nn.Linear(width, 10)),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x.transpose(1, 2))
        return out


@dataclass(frozen=True)
class Tried:
    """What came of settings: on the validation split, in bytes, and in seconds."""

    accuracy: float
    size: float
    original: float
    compressing: float
    training: float


@cache
def task() -> tk.Task:
    """The spoken digits."""
    return speech()


def pipeline_of(width: int, kernel: int, rate: float, recipe: Sequence[Any]) -> Pipeline:
    """Of one net; trained nets are kept on disk."""
    return tk.pipeline(
        lambda width: Net(round(8 * 2 ** (0.75 * width)), kernel),
        task(),
        {"width": tk.Choice(width, -1)},
        recipe=recipe,
        epochs=EPOCHS,
        learning_rate=rate,
        cache=FOLDER / "one_search",
        keep=1000,
    )


def train(width: int, kernel: int, rate: float) -> float:
    """Train a net; return the seconds that it took."""
    began = time.process_time()
    pipeline_of(width, kernel, rate, []).model({"width": width})
    return time.process_time() - began


def compress(width: int, kernel: int, rate: float, amount: int) -> list[float]:
    """Compress a net that is trained."""
    recipe: list[Any] = [tk.Quantize("static")]
    if amount:
        recipe.insert(0, tk.Prune(amount * 0.2, "channels", epochs=4, learning_rate=5e-3))
    began = time.process_time()
    work = pipeline_of(width, kernel, rate, recipe)(width=width)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found = end.value
            return [found["accuracy"], found["size"], found["original_accuracy"], time.process_time() - began]


seconds_of = remembered("one search, training", train)
figures_of = remembered("one search, compressing", compress)


def tried(settings: Settings) -> Tried:
    """From the table, where it is there."""
    training = seconds_of({name: settings[name] for name in SPACE})
    return Tried(*figures_of(dict(settings)), training)


def everything() -> list[dict[str, Any]]:
    """All settings."""
    names = ("width", "kernel", "rate", "amount")
    return [dict(zip(names, one, strict=True)) for one in itertools.product(WIDTHS, KERNELS, RATES, AMOUNTS)]


def covered(found: Sequence[Tried]) -> float:
    """The hypervolume, in points of accuracy times bytes."""
    gains = np.array([[one.accuracy, -one.size] for one in found]).reshape(-1, 2)
    return hypervolume(gains, np.array([REFERENCE[0], -REFERENCE[1]]))


def one_search(seed: int, seconds: float) -> Iterator[Settings]:
    """A study over both, which knows what is of no use."""
    space = tk.Space({**SPACE, "amount": tk.Int(0, len(AMOUNTS) - 1)}).keeping(*SPACE, share=SHARE)
    sampler = Bayes(reference=dict(zip(("accuracy", "size"), REFERENCE, strict=True)))
    study = tk.Study(None, space, maximize="accuracy", minimize="size", sampler=sampler, seed=seed)
    while True:
        trial = study.ask()
        yield trial.params
        found = tried(trial.params)
        study.tell(trial, {"accuracy": found.accuracy, "size": found.size})


def tuned_first(seed: int, seconds: float) -> Iterator[Settings]:
    """Half of the time for the best net, the rest for its compression; then for that of the next best one."""
    study = tk.Study(None, SPACE, maximize="accuracy", seed=seed)
    spent = 0.0
    seen: dict[tuple[Any, ...], tuple[float, Settings]] = {}
    while spent < seconds / 2 and len(seen) < len(WIDTHS) * len(KERNELS) * len(RATES):
        trial = study.ask()
        found = tried({**trial.params, "amount": 0})
        yield {**trial.params, "amount": 0}
        key = tuple(trial.params.values())
        spent += found.compressing + (0.0 if key in seen else found.training)
        seen[key] = (found.original, trial.params)
        study.tell(trial, {"accuracy": found.original})
    for _, params in sorted(seen.values(), key=lambda pair: -pair[0]):
        for amount in AMOUNTS[1:]:
            yield {**params, "amount": amount}


def by_optuna(make: Callable[[int], optuna.samplers.BaseSampler]) -> Way:
    """The same space in optuna."""

    def way(seed: int, seconds: float) -> Iterator[Settings]:
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=make(seed))
        while True:
            trial = study.ask()
            params = {
                "width": trial.suggest_int("width", 0, len(WIDTHS) - 1),
                "kernel": trial.suggest_categorical("kernel", KERNELS),
                "rate": trial.suggest_categorical("rate", RATES),
                "amount": trial.suggest_int("amount", 0, len(AMOUNTS) - 1),
            }
            yield params
            found = tried(params)
            study.tell(trial, [found.accuracy, found.size])

    return way


def at_random(seed: int, seconds: float) -> Iterator[Settings]:
    """Without repetition."""
    every = everything()
    for place in np.random.default_rng(seed).permutation(len(every)):
        yield every[place]


WAYS: dict[str, Way] = {
    "one search": one_search,
    "tuned first": tuned_first,
    "NSGA-II": by_optuna(lambda seed: optuna.samplers.NSGAIISampler(seed=seed)),
    "TPE": by_optuna(lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "random": at_random,
}


def spend(way: Way, seed: int, seconds: float) -> float:
    """What a way covers in so many seconds of training and compressing."""
    trained: set[tuple[Any, ...]] = set()
    found: list[Tried] = []
    spent = 0.0
    for settings in way(seed, seconds):
        one = tried(settings)
        key = tuple(settings[name] for name in SPACE)
        spent += one.compressing + (0.0 if key in trained else one.training)
        if spent > seconds or len(found) > 2000:
            break
        trained.add(key)
        found.append(one)
    return covered(found)


def main(arguments: Sequence[str]) -> None:
    """Print a line for each way."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    seeds = int(arguments[0]) if arguments else SEEDS
    all_of_them = [tried(settings) for settings in everything()]
    whole = covered(all_of_them)
    seconds = sum(one.compressing + one.training / len(AMOUNTS) for one in all_of_them)
    print(f"{len(all_of_them)} nets, {seconds:.0f} s in all; reference {REFERENCE}")
    for share in SHARES:
        print(f"after {share * seconds:.0f} s of training:")
        for name, way in WAYS.items():
            shares = [spend(way, seed, share * seconds) / whole for seed in range(seeds)]
            low, middle, high = statistics.quantiles(shares, n=4)
            print(f"    {name}: {100 * middle:.1f} % [{100 * low:.1f}, {100 * high:.1f}]", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
