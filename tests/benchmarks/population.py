"""What population-based training brings: a net on real images, beside random search with as many epochs in all.

Run by hand: ``python -m tests.benchmarks.population``. A small net learns handwritten digits from 1,500 of them, with
dropout, by momentum; searched are learning rate, momentum, dropout and weight decay. Each method begins trials until it
has spent 168 epochs, so that one which ends trials early may spend up to 20 more. It chooses by the accuracy on 1,000
other digits; told is the error on 2,500 more of the net that it chose, from its checkpoint. The methods have the same
seeds, and so are the first eight settings of the population and of random search the same.

- only some: ``--methods population random --seeds 10``; ``--minutes 6`` ends before a seed that would take longer
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tunekit as tk
from tests.benchmarks.search_statistics import resampled

DATA = Path(__file__).parents[2] / "notebooks" / "data" / "mnist5k.npz"
EPOCHS, STEPS, MEMBERS = 21, 3, 8
BATCH = 50
WRONG = "validation_error"

SPACE = tk.Space(
    lr=tk.Float(1e-3, 1.0, log=True),
    momentum=tk.Float(0.0, 0.99),
    dropout=tk.Float(0.0, 0.8),
    weight_decay=tk.Float(1e-6, 1e-2, log=True),
)

# For each method its sampler, its early stopping and the epochs of a whole training.
METHODS: dict[str, tuple[Any, Any, int]] = {
    "population": (tk.Population(members=MEMBERS, steps=STEPS), None, EPOCHS),
    "random": ("random", None, EPOCHS),
    "random, short": ("random", None, MEMBERS),
    "random, asha": ("random", "asha", EPOCHS),
}


@cache
def digits() -> dict[str, tuple[Any, Any]]:
    """Inputs and targets of each part."""
    import torch

    stored = np.load(DATA)
    order = np.random.default_rng(0).permutation(len(stored["y"]))
    x = torch.tensor(stored["x"][order].reshape(len(order), -1) / 255.0, dtype=torch.float32)
    y = torch.tensor(stored["y"][order].astype(np.int64))
    x = (x - x[:1500].mean()) / x[:1500].std()
    return {"train": (x[:1500], y[:1500]), "validation": (x[1500:2500], y[1500:2500]), "test": (x[2500:], y[2500:])}


def net(dropout: float) -> Any:
    """784-64-10, with dropout on both sides of the hidden layer."""
    from torch import nn

    return nn.Sequential(nn.Dropout(dropout / 2), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 10))


def error(model: Any, part: str) -> float:
    """The share of the digits that it gets wrong, %."""
    import torch

    x, y = digits()[part]
    model.eval()
    with torch.no_grad():
        wrong = (model(x).argmax(1) != y).float().mean()
    model.train()
    return 100 * float(wrong)


def training(epochs: int, spent: list[int]) -> Any:
    """The objective that trains for so many epochs, and notes each of them."""

    def train(lr: float, momentum: float, dropout: float, weight_decay: float, trial: Any) -> Iterator[float]:
        import torch

        model = net(dropout)
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum, weight_decay=weight_decay)
        x, y = digits()["train"]
        for _ in range(trial.load(model, optimizer), epochs):
            for rows in torch.randperm(len(y)).split(BATCH):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
            trial.save(model, optimizer)
            spent.append(trial.number)
            yield error(model, "validation")

    return train


def measure(method: str, seed: int) -> tuple[float, float]:
    """The validation error of the net that a method chose, and its test error, %."""
    sampler, early_stopping, epochs = METHODS[method]
    spent: list[int] = []
    objective = training(epochs, spent)
    study = tk.Study(objective, SPACE, minimize=WRONG, sampler=sampler, early_stopping=early_stopping, seed=seed)
    while len(spent) < MEMBERS * EPOCHS:
        study.run(1)
    model = net(0.0)
    study.checkpoint(study.best).load(model)
    return study.best.metrics[WRONG], error(model, "test")


def main() -> None:
    """Print a table."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--minutes", type=float, default=6.0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, list[tuple[float, float]]] = {method: [] for method in asked.methods}
    seconds = dict.fromkeys(asked.methods, 0.0)
    began = time.perf_counter()
    for seed in range(asked.seeds):
        if seed and (time.perf_counter() - began) * (seed + 1) / seed > asked.minutes * 60:
            break
        for method in asked.methods:
            since = time.process_time()
            found[method].append(measure(method, seed))
            seconds[method] += time.process_time() - since
    print(f"{len(found[asked.methods[0]])} seeds; median (quartiles) of the errors in %, CPU seconds a study")
    print(f"{'method':<15} {'validation':>20} {'test':>20} {'CPU s':>7}")
    for method, pairs in found.items():
        columns = [np.percentile([pair[place] for pair in pairs], [50, 25, 75]) for place in (0, 1)]
        told = [f"{median:.2f} ({low:.2f}-{high:.2f})" for median, low, high in columns]
        print(f"{method:<15} {told[0]:>20} {told[1]:>20} {seconds[method] / len(pairs):7.1f}")
    first = asked.methods[0]
    for method in asked.methods[1:]:
        gains = np.array([theirs[1] - ours[1] for ours, theirs in zip(found[first], found[method], strict=True)])
        low, high = resampled(gains)
        print(
            f"{first} against {method}: test error lower by {gains.mean():.2f} points on average "
            f"(95 % {low:.2f} to {high:.2f}), better with {(gains > 0).sum()} of {len(gains)} seeds"
        )


if __name__ == "__main__":
    main()
