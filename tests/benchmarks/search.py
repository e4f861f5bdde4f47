"""How good the search is, beside the tools that people have: regret after 50 trials, on functions and on real models.

Run by hand: ``python -m tests.benchmarks.search``. It makes the runs that are missing, seed by seed, keeps each in
``.benchmarks/search.jsonl``, and prints one table, then tunekit beside each peer over the seeds that both have.

- only some: ``--lines branin typed --methods tunekit optuna-gp --seeds 10``
- a variant beside the first: ``--methods mine=tunekit``; forget a method's runs: ``--fresh mine``
- methods in environments of their own: ``--methods hebo ax --python hebo=/path/to/python ax=/path/to/python``
- only print: ``--table``; only some methods in it: ``--beside tunekit optuna-gp optuna-tpe`` (mean ranks are comparable
  only among methods that have the same lines)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.benchmarks.search_cache import FOLDER
from tests.benchmarks.search_models import MODELS
from tests.benchmarks.search_peers import METHODS
from tests.benchmarks.search_problems import FUNCTIONS, Line
from tests.benchmarks.search_runs import Chosen, Run, Runs, alone, command, drive, print_failures, run_missing
from tests.benchmarks.search_statistics import Array, geometric, ranks, ratio
from tunekit.core.goal import Goal

LINES = {line.name: line for line in (*FUNCTIONS, *MODELS)}
RUNS = Runs(FOLDER / "search.jsonl")
# A typed parameter makes an ask of bayes_opt take seconds.
_SLOW = {"bayes_opt"}
_SLOW_SEEDS = 3
# An interval of fewer seeds than this is an accident.
_ENOUGH = 5

Regrets = dict[str, dict[str, dict[int, float]]]


def make(line: Line, method: Chosen, seed: int, trials: int) -> Run:
    """One run."""
    task = line.draw(seed)

    def evaluate(params: Mapping[str, Any], number: int) -> tuple[dict[str, float], dict[str, float]]:
        true = task.value(params)
        observed = task.observe(true, seed, number)
        return {"score": observed}, {"observed": observed, "true": true}

    figures, seconds, error = drive(method.begin(task.space, Goal(), seed), evaluate, trials, line.workers)
    return Run(line.name, method.label, seed, figures, seconds, error)


def wanted(line: Line, method: str, seed: int) -> bool:
    """Whether a method is run on a line: not where it cannot, and with few seeds where it takes minutes."""
    if line.workers > 1 and not METHODS[method].parallel:
        return False
    return method not in _SLOW or line.kind == "function" or seed < _SLOW_SEEDS


def regrets(trials: int) -> Regrets:
    """The regret of each run by line, method and seed, floored.

    It is the best score there is minus the true score of the trial whose observed score was the best. Where nobody
    knows the best score, the best true score of all runs of that line stands for it.
    """
    runs = [run for run in RUNS if run.error is None and len(run.figures) >= trials and run.line in LINES]
    best_seen: dict[str, float] = {}
    for run in runs:
        best = max(figure["true"] for figure in run.figures)
        best_seen[run.line] = max(best_seen.get(run.line, -np.inf), best)
    found: Regrets = {}
    for run in runs:
        line = LINES[run.line]
        optimum = line.draw(run.seed).optimum
        taken = max(run.figures[:trials], key=lambda figure: figure["observed"])["true"]
        regret = max(line.floor, (best_seen[run.line] if optimum is None else optimum) - taken)
        found.setdefault(run.line, {}).setdefault(run.method, {})[run.seed] = regret
    return {name: found[name] for name in LINES if name in found}


def _array(values: Mapping[int, float]) -> Array:
    return np.array(list(values.values()))


def print_table(found: Regrets, trials: int) -> None:
    """One block a line, then the mean ranks over the lines."""
    spent: dict[tuple[str, str], list[float]] = {}
    for run in RUNS:
        if run.error is None and run.figures:
            spent.setdefault((run.line, run.method), []).append(run.seconds / len(run.figures))
    row = "{:20} {:>5}  {:>9} {:>20}  {:>9}  {:>5}  {:>8}"
    everyone: dict[str, dict[str, float]] = {}
    print(f"Simple regret after {trials} trials; less is better; seconds are the method's own processor time\n")
    for name, methods in found.items():
        print(row.format(name, "seeds", "geo. mean", "95 % interval", "median", "rank", "s/trial"))
        ranked = ranks({method: _array(values) for method, values in methods.items()})
        everyone[name] = ranked
        for method in sorted(methods, key=lambda method: ranked[method]):
            values = _array(methods[method])
            mean, low, high = geometric(values)
            seconds = float(np.median(spent[name, method]))
            interval = f"{low:.2g} – {high:.2g}"
            median = f"{np.median(values):.2g}"
            cells = (f"{mean:.2g}", interval, median, f"{ranked[method]:.2f}", f"{seconds:.4f}")
            print(row.format("  " + method, len(values), *cells))
        print()
    _print_ranks(everyone, spent)


def _print_ranks(everyone: dict[str, dict[str, float]], spent: dict[tuple[str, str], list[float]]) -> None:
    """Mean ranks; where a method lacks lines (the number stands beside it), its rank is over those that it has."""
    kinds = ("function", "typed", "real")
    print(
        f"{'mean rank':20} {'lines':>5}  {'all':>6}"
        + "".join(f"  {kind:>8}" for kind in kinds)
        + "  s/trial: floats, typed"
    )
    methods = sorted({method for ranked in everyone.values() for method in ranked})
    mean = {method: np.mean([ranked[method] for ranked in everyone.values() if method in ranked]) for method in methods}
    for method in sorted(methods, key=lambda method: mean[method]):
        has = [name for name, ranked in everyone.items() if method in ranked]
        cells = [f"  {method:18} {len(has):5}  {mean[method]:6.2f}"]
        for kind in kinds:
            of_kind = [everyone[name][method] for name in has if LINES[name].kind == kind]
            cells.append(f"{np.mean(of_kind):8.2f}" if of_kind else f"{'–':>8}")
        for floats in (True, False):
            seconds = [s for name in has if (LINES[name].kind == "function") == floats for s in spent[name, method]]
            cells.append(f"{np.median(seconds):8.4f}" if seconds else f"{'–':>8}")
        print("  ".join(cells))
    print()


def print_pairs(found: Regrets, ours: str) -> None:
    """Our geometric mean by each peer's, over common seeds: below 1 ours is better; a mark where 1 is outside."""
    print(f"Regret of {ours} as a multiple of each peer's, over the seeds that both have; below 1 is better for {ours}")
    row = "{:20} {:14} {:>5}  {:>8} {:>20}  {}"
    print(row.format("line", "peer", "seeds", "multiple", "95 % interval", ""))
    for name, methods in found.items():
        for peer in methods:
            paired = ratio(methods.get(ours, {}), methods[peer]) if peer != ours else None
            if paired is None:
                continue
            mean, low, high, count = paired
            verdict = "peer is better" if low > 1 else f"{ours} is better" if high < 1 else ""
            verdict = verdict if count >= _ENOUGH else "too few seeds to say"
            print(row.format(name, peer, count, f"{mean:.3g}", f"{low:.2g} – {high:.2g}", verdict))


def main() -> None:
    """Read the command line, make what is missing, print."""
    inside = [name for name, entry in METHODS.items() if entry.outside is None and entry.scores]
    parser = command(__doc__, LINES, inside, trials=50)
    parser.add_argument("--beside", nargs="+", default=None, metavar="METHOD", help="whom to print; all")
    parser.add_argument("--ours", default="tunekit", help="whom the pairs are about")
    arguments = parser.parse_args()
    run_missing(RUNS, [LINES[name] for name in arguments.lines], arguments, make, wanted)
    found = {
        name: {method: some for method, some in methods.items() if not arguments.beside or method in arguments.beside}
        for name, methods in regrets(arguments.trials).items()
        if name in arguments.lines
    }
    print_table(found, arguments.trials)
    print_pairs(found, arguments.ours)
    print_failures(RUNS)


if __name__ == "__main__":
    alone("tests.benchmarks.search")
    main()
