"""What it costs to run trials: overhead for a trial and a report beside a plain loop and the peers, workers, memory.

Run by hand: ``python -m tests.benchmarks.running``, or with the name of one table: ``overhead``, ``workers``,
``memory``. What is compared takes turns in one process, so that what else the machine does meets all alike; overheads
are CPU seconds of the whole process, medians of the rounds with the lowest and the highest. Peers that are not
installed are left out, and named.
"""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tunekit as tk

ROUNDS = 5
REPORTS = 20
SPACE = {"lr": (1e-4, 1e-1, "log"), "width": (16, 128), "dropout": (0.0, 0.8)}

Run = Callable[[int, int, Path], None]


def loop(trials: int, reports: int, folder: Path) -> None:
    """The same work without any tool: settings drawn, a generator run, the best kept."""
    rng = np.random.default_rng(0)
    best = -np.inf
    for _ in range(trials):
        *_, score = objective(reports)(float(rng.random()), int(rng.integers(16, 129)), float(rng.random()))
        best = max(best, score)


def objective(reports: int) -> Callable[[float, int, float], Iterator[float]]:
    """A function that learns nothing, and says so so many times."""

    def train(lr: float, width: int, dropout: float) -> Iterator[float]:
        for step in range(max(1, reports)):
            yield lr * (step + 1)

    return train


def tunekit_runner(journal: bool = False, **options: Any) -> Run:
    """tunekit's own run."""

    def run(trials: int, reports: int, folder: Path) -> None:
        where = {"journal": folder / "journal.jsonl"} if journal else {}
        study = tk.Study(objective(reports), SPACE, sampler="random", seed=0, **where)
        study.run(trials, **options)

    return run


def optuna_runner(storage: str) -> Run:
    """optuna's, with random settings and the storage of that name."""

    def run(trials: int, reports: int, folder: Path) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def train(trial: optuna.Trial) -> float:
            lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
            width, dropout = trial.suggest_int("width", 16, 128), trial.suggest_float("dropout", 0.0, 0.8)
            score = 0.0
            for step, score in enumerate(objective(reports)(lr, width, dropout)):
                if reports:
                    trial.report(score, step)
                    trial.should_prune()
            return score

        kept: Any = None
        if storage == "JournalStorage":
            from optuna.storages.journal import JournalFileBackend

            kept = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
        elif storage == "SQLite":
            kept = f"sqlite:///{folder / 'optuna.db'}"
        # a pruner that prunes nothing: the question is what it costs to ask it
        pruner = optuna.pruners.NopPruner()
        study = optuna.create_study(storage=kept, sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)
        study.optimize(train, n_trials=trials)

    return run


def ray_runner() -> Run:
    """Ray Tune's, with random settings, one trial at a time."""

    def run(trials: int, reports: int, folder: Path) -> None:
        from ray import tune

        def train(config: dict[str, Any]) -> None:
            for score in objective(reports)(**config):
                tune.report({"score": score})

        space = {
            "lr": tune.loguniform(1e-4, 1e-1),
            "width": tune.randint(16, 129),
            "dropout": tune.uniform(0.0, 0.8),
        }
        settings = tune.TuneConfig(metric="score", mode="max", num_samples=trials, max_concurrent_trials=1)
        tune.Tuner(train, param_space=space, tune_config=settings).fit()

    return run


# name: how it runs, and of how many trials the median is taken
RUNNERS: dict[str, tuple[Run, int]] = {
    "plain loop": (loop, 1000),
    "tunekit, in memory": (tunekit_runner(), 1000),
    "tunekit, journal": (tunekit_runner(journal=True), 300),
    "tunekit, threads": (tunekit_runner(executor="threads"), 300),
    "tunekit, 2 processes": (tunekit_runner(workers=2), 300),
    "optuna, in memory": (optuna_runner("memory"), 1000),
    "optuna, JournalStorage": (optuna_runner("JournalStorage"), 50),
    "optuna, SQLite": (optuna_runner("SQLite"), 20),
    "ray tune": (ray_runner(), 4),
}
_NEEDS = {"optuna": "optuna", "ray": "ray"}


def _is_there(name: str) -> bool:
    from importlib.util import find_spec

    package = _NEEDS.get(name.split()[0].rstrip(","))
    return package is None or find_spec(package) is not None


def _spent(run: Run, trials: int, reports: int) -> tuple[float, float]:
    """CPU and wall milliseconds for one trial, in a fresh folder."""
    with tempfile.TemporaryDirectory() as folder:
        gc.collect()
        began, wall = time.process_time(), time.perf_counter()
        run(trials, reports, Path(folder))
        return 1e3 * (time.process_time() - began) / trials, 1e3 * (time.perf_counter() - wall) / trials


def print_overhead() -> None:
    """One row for each tool: a trial that reports once, and each further report."""
    runners = {name: runner for name, runner in RUNNERS.items() if _is_there(name)}
    for name in RUNNERS.keys() - runners.keys():
        print(f"(left out: {name} is not installed)")
    once: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    often: dict[str, list[tuple[float, float]]] = {name: [] for name in runners}
    for turn in range(ROUNDS + 1):
        for name, (run, trials) in runners.items():
            if name == "ray tune" and turn > 1:
                continue
            first, many = _spent(run, trials, 0), _spent(run, max(4, trials // 4), REPORTS)
            if turn or name == "ray tune":  # the first turn reads modules
                once[name].append(first)
                often[name].append(tuple((b - a) / (REPORTS - 1) for a, b in zip(first, many, strict=True)))  # type: ignore[arg-type]
    print(f"{'':26}{'CPU ms a trial':>30}{'wall ms':>10}{'CPU ms a report':>30}{'wall ms':>10}")
    for name in runners:
        cells = []
        for figures in (once[name], often[name]):
            cpu, wall = ([figure[place] for figure in figures] for place in (0, 1))
            spread = f"{statistics.median(cpu):.4f} ({min(cpu):.4f} to {max(cpu):.4f})"
            cells.append(f"{spread:>30}{statistics.median(wall):>10.3f}")
        print(f"{name:26}{''.join(cells)}")


def print_workers() -> None:
    """How much sooner two workers are done than one, on nets that are really trained."""
    ratios: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        seconds = {}
        for name, options in {
            "one, here": {},
            "one process": {"executor": "processes", "workers": 1},
            "two processes": {"workers": 2},
            "two threads": {"executor": "threads", "workers": 2},
        }.items():
            study = tk.Study(trained, {"lr": (1e-3, 1e-2, "log"), "width": (64, 128)}, sampler="random", seed=turn)
            study.run(2, **options)  # type: ignore[arg-type]
            began = time.perf_counter()
            study.run(12, **options)  # type: ignore[arg-type]
            seconds[name] = time.perf_counter() - began
        for name, spent in seconds.items():
            ratios.setdefault(name, []).append(seconds["one, here"] / spent)
        print(f"round {turn}: " + ", ".join(f"{name} {spent:.1f} s" for name, spent in seconds.items()), flush=True)
    for name, each in ratios.items():
        print(f"{name:16} {statistics.median(each):.2f}x ({min(each):.2f} to {max(each):.2f})")


def trained(lr: float, width: int) -> Iterator[float]:
    """A net of two layers on 3,000 digits, three epochs, one thread; the accuracy on 1,000 others after each."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(1)
    digits = np.load(Path(__file__).parents[2] / "notebooks" / "data" / "mnist5k.npz")
    order = np.random.default_rng(0).permutation(5000)
    x = torch.tensor(digits["x"][order], dtype=torch.float32).flatten(1) / 255
    y = torch.tensor(digits["y"][order], dtype=torch.long)
    net = nn.Sequential(nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr)
    for _ in range(6):
        for rows in torch.randperm(3000).split(64):
            optimizer.zero_grad()
            cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.inference_mode():
            yield float((net(x[3000:4000]).argmax(1) == y[3000:4000]).float().mean())


def print_memory() -> None:
    """What each further trial leaves in the kernel, beside what its record takes."""
    for reports in (0, REPORTS):
        study = tk.Study(objective(reports), SPACE, sampler="random", seed=0)
        study.run(100)
        tracemalloc.start()
        grown = []
        for _ in range(3):
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            study.run(1000)
            gc.collect()
            grown.append((tracemalloc.get_traced_memory()[0] - before) / 1000)
        tracemalloc.stop()
        record = sum(_size(trial) for trial in study.trials[-1000:]) / 1000
        each = ", ".join(f"{count:.0f}" for count in grown)
        print(f"{max(1, reports):3} reports a trial: {each} bytes a trial; its record is {record:.0f}")


def _size(thing: object, seen: set[int] | None = None) -> int:
    """The bytes of a record and all that it alone holds."""
    seen = set() if seen is None else seen
    if id(thing) in seen or thing is None:
        return 0
    seen.add(id(thing))
    parts: list[object] = []
    if isinstance(thing, dict):
        parts = list(thing.values())
    elif isinstance(thing, (tuple, list)):
        parts = list(thing)
    elif hasattr(thing, "__slots__"):
        parts = [getattr(thing, name) for name in thing.__slots__]
    return sys.getsizeof(thing) + sum(_size(part, seen) for part in parts)


TABLES = {"overhead": print_overhead, "workers": print_workers, "memory": print_memory}

if __name__ == "__main__":
    for table in sys.argv[1:] or TABLES:
        print(f"\n## {table}\n")
        TABLES[table]()
