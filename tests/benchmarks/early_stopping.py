"""What early stopping saves, and what it costs, beside optuna's pruners: best score against epochs.

Run by hand: ``python -m tests.benchmarks.early_stopping``. Three real nets are trained on 300 random settings each,
once (about four minutes; the curves are kept in ``.benchmarks``). Then each seed draws an order of the settings, the
same for all methods, and each method replays the curves through a real study, tunekit's or optuna's: forty settings,
and as many settings as the epochs of twenty whole trials are enough for. ``--search`` compares samplers with and
without early stopping instead: there the nets are trained on what the sampler proposes.

In the tables, "epochs" is the share of what forty whole trials take; "regret" how much worse the best complete trial is
than the best of the forty; "missed" how many of the forty are better. "Same epochs" compares with the best of all 300.
The last table adds on how many lines no loss can be told: the 95 % interval of the regret reaches zero.

- only some: ``--lines digits-accuracy --methods none asha optuna-median --seeds 10``

optuna's pruners are not asked after the last epoch, where a person's loop would ask: it could only harm them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import tunekit as tk
from tests.benchmarks.early_stopping_curves import EPOCHS, TASKS
from tests.benchmarks.search_statistics import Array, resampled
from tunekit.core.goal import Aim
from tunekit.search.early_stopping.asha import ASHA

TRIALS = 40
BUDGET = 20 * EPOCHS
# A search learns: so many trials of it, and the epochs that they would take in whole.
SEARCH_TRIALS = 30

LINES = {f"{task}-{metric}": (task, metric) for task in TASKS for metric in ("accuracy", "loss")}
OURS: dict[str, Any] = {
    "none": None,
    "median": "median",
    "asha": "asha",
    "asha-1": ASHA(survivors=1),
    "asha-4": ASHA(reduction=4),
    "hyperband": "hyperband",
    "patience": "patience",
}
PEERS: dict[str, Callable[[Any], Any]] = {
    "optuna-median": lambda pruners: pruners.MedianPruner(),
    "optuna-halving": lambda pruners: pruners.SuccessiveHalvingPruner(),
    "optuna-halving-2": lambda pruners: pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=2),
    "optuna-hyperband": lambda pruners: pruners.HyperbandPruner(),
    "optuna-hyperband-2": lambda pruners: pruners.HyperbandPruner(reduction_factor=2),
}


@dataclass(frozen=True)
class Outcome:
    """What a study came to: the epochs that it took, and its best score, signed so that more is better."""

    epochs: int
    best: float


@cache
def curves(line: str) -> Array:
    """The curves of a table, shape (settings, epochs), in the metric's own unit."""
    task, metric = LINES[line]
    return np.array([curve[metric] for _, curve in TASKS[task].table()])


def aim(line: str) -> Aim:
    """Which way its metric is better."""
    metric = LINES[line][1]
    return Aim(metric, maximize=metric == "accuracy")


def replay_ours(method: str, line: str, rows: Sequence[int], budget: int | None) -> Outcome:
    """Replay these rows through a tunekit study."""
    table, spent = curves(line), 0
    metric = aim(line)

    def objective(row: int) -> Iterator[float]:
        nonlocal spent
        for value in table[row]:
            if spent == budget:
                study.stop()
            else:
                spent += 1
            yield float(value)

    wanted = {"maximize": metric.metric} if metric.maximize else {"minimize": metric.metric}
    space = {"row": tk.Int(0, len(table) - 1)}
    study = tk.Study(objective, space, sampler="random", early_stopping=OURS[method], seed=0, **wanted)
    for row in rows:
        study.enqueue({"row": int(row)})
    study.run(len(rows))
    assert study.history.best is not None
    return Outcome(spent, metric.gain(study.history.best.metrics[metric.metric]))


def replay_optuna(method: str, line: str, rows: Sequence[int], budget: int | None) -> Outcome:
    """Replay these rows through an optuna study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    table, spent = curves(line), 0
    metric = aim(line)

    def objective(trial: Any) -> float:
        nonlocal spent
        curve = table[trial.suggest_int("row", 0, len(table) - 1)]
        for step, value in enumerate(curve, start=1):
            if spent == budget:
                study.stop()
                raise optuna.TrialPruned
            spent += 1
            trial.report(float(value), step)
            if step < len(curve) and trial.should_prune():
                raise optuna.TrialPruned
        return float(curve[-1])

    study = optuna.create_study(
        direction="maximize" if metric.maximize else "minimize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=PEERS[method](optuna.pruners),
    )
    for row in rows:
        study.enqueue_trial({"row": int(row)})
    study.optimize(objective, n_trials=len(rows))
    return Outcome(spent, metric.gain(study.best_value))


def replay(method: str, line: str, rows: Sequence[int], budget: int | None = None) -> Outcome:
    """Replay these rows until they, or so many epochs, are used up."""
    return (replay_ours if method in OURS else replay_optuna)(method, line, rows, budget)


def print_replays(lines: Sequence[str], methods: Sequence[str], seeds: int) -> None:
    """The table of all methods on each line, and over all lines."""
    head = f"{'':20}{'epochs':>8}{'regret':>10}{'95 % interval':>22}{'missed':>8}{'| same epochs':>16}{'missed':>8}"
    totals: dict[str, list[Array]] = {method: [] for method in methods}
    for line in lines:
        table = curves(line)
        final = np.sort([aim(line).gain(value) for value in table[:, -1]])[::-1]
        print(f"\n{line}: final scores of the best {abs(final[0]):.3f}, the tenth {abs(final[9]):.3f}\n{head}")
        for method in methods:
            figures = np.array([_measure(method, line, final, seed) for seed in range(seeds)])
            totals[method].append(figures)
            _print_row(method, figures)
    head = f"{'':20}{'epochs':>8}{'missed':>10}{'95 % interval':>22}{'no loss':>10}{'| same epochs: missed':>24}"
    print(f"\nall {len(lines)} lines\n{head}")
    for method, parts in totals.items():
        share, _, missed, _, later = np.concatenate(parts).mean(axis=0)
        low, high = resampled(np.concatenate(parts)[:, 2])
        without_loss = sum(resampled(part[:, 1])[0] <= 0 for part in parts)
        told = f"{low:.2f} to {high:.2f}"
        print(f"{method:20}{share:8.2f}{missed:10.2f}{told:>22}{without_loss:10}{later:24.2f}")


def _measure(method: str, line: str, final: Array, seed: int) -> tuple[float, float, float, float, float]:
    """Of one draw: the share of the epochs, regret, how many better ones were missed; with as many epochs the same two.

    The first three beside the best of the forty settings, the last two beside the best of the whole table.
    """
    table = curves(line)
    order = np.random.default_rng(seed).permutation(len(table))
    drawn = np.array([aim(line).gain(table[row, -1]) for row in order[:TRIALS]])
    few = replay(method, line, order[:TRIALS])
    many = replay(method, line, order, BUDGET)
    return (
        few.epochs / (TRIALS * EPOCHS),
        drawn.max() - few.best,
        np.sum(drawn > few.best),
        final[0] - many.best,
        np.sum(final > many.best),
    )


def _print_row(method: str, figures: Array) -> None:
    share, regret, missed, later, missed_later = figures.mean(axis=0)
    low, high = resampled(figures[:, 1])
    interval = f"{low:.4f} to {high:.4f}"
    print(
        f"{method:20}{share:8.2f}{regret:10.4f}{interval:>22}{missed:8.2f}{later:16.4f}{missed_later:8.2f}", flush=True
    )


def search(task: str, sampler: str, method: str, seed: int) -> tuple[float, float, float]:
    """A search with nets that are really trained, on the accuracy.

    Returns
    -------
    tuple of float
        The share of the epochs that the first trials took; the best accuracy among them; the best accuracy with as many
        epochs as they take in whole.
    """
    spent, after = 0, (0.0, 0.0)
    budget = SEARCH_TRIALS * EPOCHS

    def objective(trial: Any, **params: Any) -> Iterator[float]:
        nonlocal spent, after
        if trial.number == SEARCH_TRIALS:
            after = spent / budget, study.best.metrics["score"]
        for value in TASKS[task].curve(params)["accuracy"]:
            if spent == budget:
                study.stop()
            else:
                spent += 1
            yield value

    study = tk.Study(objective, TASKS[task].space, sampler=sampler, early_stopping=OURS[method], seed=seed)
    study.run(SEARCH_TRIALS + 1 if method == "none" else 10 * SEARCH_TRIALS)
    return *after, study.best.metrics["score"]


def print_searches(tasks: Sequence[str], samplers: Sequence[str], methods: Sequence[str], seeds: int) -> None:
    """The table of samplers with and without early stopping."""
    for task in tasks:
        print(
            f"\n{task}: accuracy of the best\n{'':30}{'epochs':>8}{f'of {SEARCH_TRIALS} trials':>26}{'same epochs':>26}"
        )
        for sampler in samplers:
            for method in methods:
                figures = np.array([search(task, sampler, method, seed) for seed in range(seeds)])
                best, later = (f"{column.mean():.4f} ± {_half(column):.4f}" for column in figures.T[1:])
                print(f"{sampler + ' ' + method:30}{figures[:, 0].mean():8.2f}{best:>26}{later:>26}", flush=True)


def _half(values: Array) -> float:
    low, high = resampled(values)
    return (high - low) / 2


def main(arguments: Mapping[str, Any]) -> None:
    """Print what was asked for."""
    import torch

    torch.set_num_threads(1)
    if arguments["search"]:
        print_searches(arguments["tasks"], arguments["samplers"], arguments["methods"] or ["none", "asha"], 8)
    else:
        print_replays(arguments["lines"], arguments["methods"] or [*OURS, *PEERS], arguments["seeds"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", nargs="+", choices=LINES, default=list(LINES))
    parser.add_argument("--methods", nargs="+", choices=[*OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--search", action="store_true")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["digits", "sentences"])
    parser.add_argument("--samplers", nargs="+", default=["bayes", "optuna:tpe"])
    main(vars(parser.parse_args()))
