"""Early stopping under samplers that learn, beside optuna's pruners: the best score of forty trials, and their epochs.

Run by hand: ``python -m tests.benchmarks.early_stopping_searches``. Nets are trained once on every place of a grid of
1152 settings, on digits, spoken digits and sentences (two to six minutes each; the curves are kept in
``.benchmarks``). Each search proposes settings of the grid, and learns of the halted trials what it learns of them in
a real study.

"Score" is the accuracy after the last epoch of the best complete trial; "epochs" the share of what forty whole trials
take; "against none" the score less that of the same sampler without early stopping, over the same seeds, and "same"
where no loss can be told. ± and intervals are 95 % bootstrap intervals of the mean.

The defaults were chosen on the digits; the other two grids were not looked at before.

- only some: ``--grids speech --searches "bayes asha" "optuna.tpe median" --seeds 10``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

import tunekit as tk
from tests.benchmarks.early_stopping_curves import EPOCHS, GRIDS
from tests.benchmarks.search_statistics import Array, resampled
from tunekit.search.early_stopping.hyperband import Hyperband
from tunekit.search.parameters import Choice

TRIALS = 40

RULES: dict[str, Any] = {
    "none": None,
    "asha": "asha",
    "hyperband": "hyperband",
    "hyperband-2": Hyperband(brackets=2),
    "median": "median",
    "patience": "patience",
}
PRUNERS: dict[str, Callable[[Any], Any]] = {
    "none": lambda pruners: pruners.NopPruner(),
    "median": lambda pruners: pruners.MedianPruner(),
    "halving": lambda pruners: pruners.SuccessiveHalvingPruner(),
    "hyperband": lambda pruners: pruners.HyperbandPruner(),
}
SAMPLERS = ("random", "bayes", "optuna:tpe")
# optuna's own loop, by the sampler's name after the dot
PEERS = {"optuna.random": "RandomSampler", "optuna.tpe": "TPESampler"}
SEARCHES = [f"{sampler} {rule}" for sampler in SAMPLERS for rule in RULES]
SEARCHES += [f"{peer} {pruner}" for peer in PEERS for pruner in PRUNERS]


@cache
def curves(grid: str) -> dict[tuple[Any, ...], list[float]]:
    """The accuracy after each epoch at each place of the grid."""
    return {tuple(params.values()): curve["accuracy"] for params, curve in GRIDS[grid].table()}


def curve_of(grid: str, params: Mapping[str, Any]) -> list[float]:
    """The curve of these settings."""
    return curves(grid)[tuple(params[name] for name in GRIDS[grid].space)]


def search_ours(grid: str, sampler: str, rule: str, seed: int) -> tuple[int, float]:
    """The epochs of a study's trials, and the best accuracy."""

    def objective(**params: Any) -> Iterator[float]:
        yield from curve_of(grid, params)

    study = tk.Study(objective, GRIDS[grid].space, sampler=sampler, early_stopping=RULES[rule], seed=seed)
    study.run(TRIALS)
    return sum(len(trial.reports) for trial in study.trials), study.best.metrics["score"]


def search_optuna(grid: str, peer: str, pruner: str, seed: int) -> tuple[int, float]:
    """The same of an optuna study. It is not asked after the last epoch, which could only harm it."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spent = 0

    def suggested(trial: Any, name: str, parameter: Any) -> Any:
        if isinstance(parameter, Choice):
            return trial.suggest_categorical(name, parameter.values)
        return trial.suggest_int(name, parameter.low, parameter.high)

    def objective(trial: Any) -> float:
        nonlocal spent
        space = GRIDS[grid].space
        curve = curve_of(grid, {name: suggested(trial, name, space[name]) for name in space})
        for step, value in enumerate(curve, start=1):
            spent += 1
            trial.report(value, step)
            if step < len(curve) and trial.should_prune():
                raise optuna.TrialPruned
        return curve[-1]

    sampler = getattr(optuna.samplers, PEERS[peer])(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=PRUNERS[pruner](optuna.pruners))
    study.optimize(objective, n_trials=TRIALS)
    return spent, study.best_value


def search(grid: str, name: str, seed: int) -> tuple[float, float]:
    """The share of the epochs that a search took, and its score."""
    sampler, rule = name.split(" ")
    epochs, score = (search_optuna if sampler in PEERS else search_ours)(grid, sampler, rule, seed)
    return epochs / (TRIALS * EPOCHS), score


def print_searches(grid: str, names: Sequence[str], seeds: int) -> None:
    """The table of a grid."""
    finals = np.sort([curve[-1] for curve in curves(grid).values()])[::-1]
    print(f"\n{grid}: the best of {len(finals)} places {finals[0]:.4f}, the tenth {finals[9]:.4f}\n")
    print("| search | epochs | score | against none | |\n|---|---|---|---|---|")
    whole: dict[str, Array] = {}
    for name in names:
        sampler, rule = name.split(" ")
        shares, scores = np.array([search(grid, name, seed) for seed in range(seeds)]).T
        if rule == "none":
            whole[sampler] = scores
        row = f"| {name} | {_mean(shares, 2)} | {_mean(scores, 4)} |"
        if rule != "none" and sampler in whole:
            lost = scores - whole[sampler]
            low, high = resampled(lost)
            row += f" {lost.mean():+.4f} ({low:+.4f} to {high:+.4f}) | {'same' if high >= 0 else 'worse'} |"
        else:
            row += " | |"
        print(row, flush=True)


def _mean(values: Array, digits: int) -> str:
    low, high = resampled(values)
    return f"{values.mean():.{digits}f} ± {(high - low) / 2:.{digits}f}"


def main(arguments: Mapping[str, Any]) -> None:
    """Print what was asked for."""
    import torch

    torch.set_num_threads(1)
    for grid in arguments["grids"]:
        print_searches(grid, arguments["searches"], arguments["seeds"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", nargs="+", choices=GRIDS, default=list(GRIDS))
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=SEARCHES)
    parser.add_argument("--seeds", type=int, default=30)
    main(vars(parser.parse_args()))
