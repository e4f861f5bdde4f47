"""How good the search is at several scores at once, and at one score under a limit, beside the tools that people have.

Run by hand: ``python -m tests.benchmarks.search_fronts``; the options are those of `search`, the runs are kept in
``.benchmarks/fronts.jsonl``. For fronts it prints the share of the largest hypervolume that is covered after 60 and 100
trials; under a limit the regret of the best feasible trial after 50, and which trial was the first feasible one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.search_cache import FOLDER, remembered
from tests.benchmarks.search_nets import NETS_SPACE, trained
from tests.benchmarks.search_peers import METHODS
from tests.benchmarks.search_problems import Array, Params, branin, placed
from tests.benchmarks.search_runs import Chosen, Run, Runs, alone, command, drive, print_failures, run_missing
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.pareto import hypervolume
from tunekit.search.parameters import Float
from tunekit.search.space import Space

RUNS = Runs(FOLDER / "fronts.jsonl")
SHARES_AT = (60, 100)
LIMITED_AT = 50


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Parameters
    ----------
    name
        Its name on the command line.
    goal
        What is gone for.
    draw
        The space and the metrics of settings, as one seed poses them.
    reference
        For fronts: the point that the hypervolume is measured from, in the metrics' own units.
    best
        For fronts the largest hypervolume, under a limit the best feasible score; None where nobody knows it: then that
        of all runs together stands for it.
    floor
        Regrets below this count as this, as in `search`.
    """

    name: str
    goal: Goal
    draw: Callable[[int], tuple[Space, Callable[[Params], dict[str, float]]]]
    reference: tuple[float, ...] | None = None
    best: float | None = None
    floor: float = 1e-10


def draw_zdt1(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """ZDT1 in six variables, axes swapped and mirrored at random. Zitzler, Deb and Thiele 2000."""
    order = np.random.default_rng([seed, 6]).permutation(6)
    space, place = placed(np.zeros(6), np.ones(6), seed, reach=0.0)

    def metrics(params: Params) -> dict[str, float]:
        x = place(params)[order]
        slack = 1 + 9 * float(np.mean(x[1:]))
        return {"f1": float(x[0]), "f2": slack * (1 - math.sqrt(max(0.0, float(x[0])) / slack))}

    return space, metrics


def draw_dtlz2(seed: int, objectives: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """DTLZ2 in six variables, the front moved away from the centre at random. Deb and others 2002."""
    rng = np.random.default_rng([seed, 7])
    order, centre = rng.permutation(6), rng.uniform(0.2, 0.8, 6 - objectives + 1)
    space = Space({f"x{number}": Float(0.0, 1.0) for number in range(6)})

    def metrics(params: Params) -> dict[str, float]:
        x = np.array([params[f"x{number}"] for number in order])
        angles = x[: objectives - 1] * math.pi / 2
        radius = 1 + float(np.sum((x[objectives - 1 :] - centre) ** 2))
        found = {}
        for number in range(objectives):
            value = radius * float(np.prod(np.cos(angles[: objectives - 1 - number])))
            found[f"f{number + 1}"] = value * (math.sin(angles[objectives - 1 - number]) if number else 1.0)
        return found

    return space, metrics


def draw_dtlz7(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """DTLZ7 in six variables, three objectives, a front of four pieces, axes swapped at random. Deb and others 2002."""
    order = np.random.default_rng([seed, 6]).permutation(6)
    space, place = placed(np.zeros(6), np.ones(6), seed, reach=0.0)

    def metrics(params: Params) -> dict[str, float]:
        x = place(params)[order]
        first, slack = [float(value) for value in x[:2]], 1 + 9 * float(np.mean(x[2:]))
        height = 3 - sum(value / (1 + slack) * (1 + math.sin(3 * math.pi * value)) for value in first)
        return {"f1": first[0], "f2": first[1], "f3": (1 + slack) * height}

    return space, metrics


def draw_vehicle(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """A car's front in a crash: its mass, the deceleration, and how far it is pushed in, of five thicknesses.

    Liao and others, "Multiobjective optimization for crash safety design of vehicles using stepwise regression model",
    Structural and Multidisciplinary Optimization 2008.
    """
    space, place = placed(np.full(5, 1.0), np.full(5, 3.0), seed, reach=0.0)

    def metrics(params: Params) -> dict[str, float]:
        a, b, c, d, e = (float(value) for value in place(params))
        mass = 1640.2823 + 2.3573285 * a + 2.3220035 * b + 4.5688768 * c + 7.7213633 * d + 4.4559504 * e
        jolt = 6.5856 + 1.15 * a - 1.0427 * b + 0.9738 * c + 0.8364 * d
        jolt += -0.3695 * a * d + 0.0861 * a * e + 0.3628 * b * d - 0.1106 * a**2 - 0.3437 * c**2 + 0.1764 * d**2
        push = -0.0551 + 0.0181 * a + 0.1024 * b + 0.0421 * c - 0.0073 * a * b + 0.024 * b * c
        push += -0.0118 * b * d - 0.0204 * c * d - 0.008 * c * e - 0.0241 * b**2 + 0.0109 * d**2
        return {"f1": mass, "f2": jolt, "f3": push}

    return space, metrics


def draw_net(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """A tiny net on digits: its accuracy, and the logarithm of its number of parameters to the base 10."""
    value = remembered("nets and sizes", trained)

    def metrics(params: Params) -> dict[str, float]:
        accuracy, count = value(params)
        return {"score": accuracy, "size": math.log10(count)}

    return NETS_SPACE, metrics


def draw_gardner(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """Gardner's second problem; one place in a hundred is feasible. Gardner and others, ICML 2014."""
    space, place = placed(np.zeros(2), np.full(2, 6.0), seed)

    def metrics(params: Params) -> dict[str, float]:
        x, y = place(params)
        return {"score": -(math.sin(x) + float(y)), "size": math.sin(x) * math.sin(y)}

    return space, metrics


def draw_disc(seed: int) -> tuple[Space, Callable[[Params], dict[str, float]]]:
    """Branin in a disc, two of its three optima outside. Gelbart, Snoek and Adams, UAI 2014."""
    space, place = placed(np.array([-5.0, 0.0]), np.array([10.0, 15.0]), seed)

    def metrics(params: Params) -> dict[str, float]:
        x = place(params)
        return {"score": branin(x), "size": float((x[0] - 2.5) ** 2 + (x[1] - 7.5) ** 2)}

    return space, metrics


def _less(*names: str) -> Goal:
    return Goal(*(Aim(name, maximize=False) for name in names))


def _under(size: float) -> Goal:
    return Goal(Aim("score"), limits=(Limit("size", high=size),))


# The largest net of the space has 13,130 parameters; an accuracy of a tenth is a guess.
_WORST_NET = (0.1, math.log10(13200))
# The areas between 1.1 and the fronts f2 = 1 - sqrt(f1) and |f| = 1.
_LINES = (
    Line("zdt1", _less("f1", "f2"), draw_zdt1, (1.1, 1.1), 0.21 + 2 / 3),
    Line("dtlz2", _less("f1", "f2"), partial(draw_dtlz2, objectives=2), (1.1,) * 2, 1.1**2 - math.pi / 4),
    Line("dtlz2-3", _less("f1", "f2", "f3"), partial(draw_dtlz2, objectives=3), (1.1,) * 3, 1.1**3 - math.pi / 6),
    Line("dtlz7-3", _less("f1", "f2", "f3"), draw_dtlz7, (1.1, 1.1, 6.6)),
    Line("vehicle", _less("f1", "f2", "f3"), draw_vehicle, (1700.0, 11.0, 0.3)),
    Line("net-and-size", Goal(Aim("score"), Aim("size", maximize=False)), draw_net, _WORST_NET),
    Line("gardner", _under(-0.95), draw_gardner, best=1 - math.asin(0.95)),
    Line("branin-in-disc", _under(50.0), draw_disc, best=-0.39788735772973816),
    Line("net-under-limit", _under(3.0), draw_net, floor=0.5 / 500),
)
LINES = {line.name: line for line in _LINES}


def make(line: Line, method: Chosen, seed: int, trials: int) -> Run:
    """One run."""
    space, metrics = line.draw(seed)

    def evaluate(params: Mapping[str, Any], number: int) -> tuple[dict[str, float], dict[str, float]]:
        found = metrics(params)
        return found, found

    figures, seconds, error = drive(method.begin(space, line.goal, seed), evaluate, trials, 1)
    return Run(line.name, method.label, seed, figures, seconds, error)


def wanted(line: Line, method: str, seed: int) -> bool:
    """Whether a method can be measured on a line."""
    return METHODS[method].fronts if line.reference is not None else METHODS[method].limits


def most(line: Line) -> int:
    """How many trials are looked at."""
    return max(SHARES_AT) if line.reference is not None else LIMITED_AT


def covered(line: Line, figures: list[dict[str, float]]) -> float:
    """The hypervolume of trials."""
    assert line.reference is not None
    gains = [[aim.gain(figure[aim.metric]) for aim in line.goal.aims] for figure in figures]
    reference = [aim.gain(value) for aim, value in zip(line.goal.aims, line.reference, strict=True)]
    return hypervolume(np.array(gains), np.array(reference))


def feasible(line: Line, figures: list[dict[str, float]]) -> list[int]:
    """The numbers of the trials that keep the limits."""
    return [
        number
        for number, figure in enumerate(figures)
        if all(limit.excess(figure[limit.metric]) <= 0 for limit in line.goal.limits)
    ]


def print_fronts(runs: dict[str, dict[str, list[Run]]]) -> None:
    """Shares of the largest hypervolume."""
    print(f"Share of the largest hypervolume after {' and '.join(map(str, SHARES_AT))} trials, median and quartiles\n")
    row = "{:16} {:14} {:>5}" + "  {:>6} {:>16}" * len(SHARES_AT) + "  {:>8}"
    print(row.format("line", "method", "seeds", *(cell for at in SHARES_AT for cell in (f"at {at}", "")), "s/trial"))
    for line in LINES.values():
        if line.reference is None or line.name not in runs:
            continue
        methods = runs[line.name]
        together = [figure for some in methods.values() for run in some for figure in run.figures]
        best = line.best if line.best is not None else covered(line, together)
        for method, some in methods.items():
            cells: list[str] = []
            for at in SHARES_AT:
                shares = [covered(line, run.figures[:at]) / best for run in some if len(run.figures) >= at]
                cells += _spread(np.array(shares), ".3f")
            print(row.format(line.name, method, len(some), *cells, _seconds(some)))


def print_limits(runs: dict[str, dict[str, list[Run]]]) -> None:
    """Regrets of the best feasible trial, and when the first was found."""
    print(f"\nRegret of the best feasible of {LIMITED_AT} trials, and the first feasible trial: median and quartiles\n")
    row = "{:16} {:14} {:>5}  {:>8} {:>20}  {:>6} {:>12}  {:>8}"
    print(row.format("line", "method", "seeds", "regret", "", "first", "none", "s/trial"))
    for line in LINES.values():
        if line.reference is not None or line.name not in runs:
            continue
        whole = {
            method: [run for run in some if len(run.figures) >= LIMITED_AT] for method, some in runs[line.name].items()
        }
        methods = {method: some for method, some in whole.items() if some}
        scores = {
            (method, run.seed): _best_feasible(line, run.figures[:LIMITED_AT])
            for method, some in methods.items()
            for run in some
        }
        best = line.best if line.best is not None else max(scores.values(), default=0.0)
        for method, some in methods.items():
            left = np.array([max(line.floor, best - scores[method, run.seed]) for run in some])
            firsts = [places[0] + 1 for run in some if (places := feasible(line, run.figures))]
            first = f"{np.median(firsts):.0f}" if firsts else "–"
            none = f"{len(some) - len(firsts)} of {len(some)}"
            print(row.format(line.name, method, len(some), *_spread(left, ".2g"), first, none, _seconds(some)))


def _best_feasible(line: Line, figures: list[dict[str, float]]) -> float:
    return max((figures[number]["score"] for number in feasible(line, figures)), default=-math.inf)


def _spread(values: Array, how: str) -> list[str]:
    """The median, and the quartiles; no number in between is made up, so infinite ones do no harm."""
    if not len(values):
        return ["–", ""]
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return [format(median, how), f"{low:{how}} – {high:{how}}"]


def _seconds(runs: list[Run]) -> str:
    return f"{np.median([run.seconds / len(run.figures) for run in runs]):.4f}"


def main() -> None:
    """Read the command line, make what is missing, print."""
    inside = [name for name, one in METHODS.items() if one.outside is None and (one.fronts or one.limits)]
    arguments = command(__doc__, LINES, inside, trials=max(SHARES_AT)).parse_args()
    run_missing(RUNS, [LINES[name] for name in arguments.lines], arguments, make, wanted, most)
    found: dict[str, dict[str, list[Run]]] = {}
    for run in RUNS:
        if run.error is None and run.line in arguments.lines:
            found.setdefault(run.line, {}).setdefault(run.method, []).append(run)
    print_fronts(found)
    print_limits(found)
    print_failures(RUNS)


if __name__ == "__main__":
    alone("tests.benchmarks.search_fronts")
    main()
