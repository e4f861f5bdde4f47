"""How good insight is: importance beside optuna's evaluators, predictions beside bayes_opt's own process.

Run by hand: ``python -m tests.benchmarks.insight``. It makes the runs that are missing, seed by seed, keeps each in
``.benchmarks/insight.jsonl``, and prints the tables.

- only some: ``--problems ishigami --trials 40 --drawn random bayes --seeds 10``; ``--nets 5`` that many seeds of nets
- only print: ``--table``

Each importance is held against what it estimates. Ours: the first-order and the total index of the function over the
space. optuna's fANOVA: the first-order index; it weighs numbers by their plain values, so it is given places on the
scale that is searched. PED-ANOVA: the first-order index of the indicator of the top tenth, as a share of the sum; it is
asked about the whole space, not about where the trials went. All are shares, so their mean absolute errors compare.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.insight_problems import PROBLEMS, Problem, truth
from tests.benchmarks.search_cache import FOLDER
from tests.benchmarks.search_statistics import resampled
from tunekit.insight.importance import importance
from tunekit.insight.surrogate import surrogate
from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space
from tunekit.search.study import Study

Array = NDArray[np.float64]
Row = dict[str, Any]
PATH = FOLDER / "insight.jsonl"


def drawn(problem: Problem, sampler: str, trials: int, seed: int) -> Study:
    """A study of so many trials: by Bayesian search, or at random."""
    study = Study(lambda **params: problem(params), problem.space, sampler=sampler, seed=seed)
    study.start(trials).wait()
    return study


def ours(study: Study) -> Row:
    """Our shares with their intervals, in the order of the space."""
    found = importance(study.history, study.space)
    parameters = [found[name] for name in study.space.names]
    return {
        kind: [[share.value, share.low, share.high] for share in shares]
        for kind, shares in (
            ("first", [one.first for one in parameters]),
            ("total", [one.total for one in parameters]),
        )
    }


def theirs(study: Study) -> Row:
    """The shares of optuna's evaluators for the same trials, in the order of the space."""
    import optuna

    space = study.space
    kinds: dict[str, Any] = {}
    for name in space.names:
        parameter = space[name]
        if isinstance(parameter, Choice):
            kinds[name] = optuna.distributions.CategoricalDistribution([repr(value) for value in parameter.values])
        else:
            kinds[name] = optuna.distributions.FloatDistribution(0.0, 1.0)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    copy = optuna.create_study(direction="maximize")
    for trial in study.history.complete:
        copy.add_trial(
            optuna.create_trial(params=_given(space, trial.params), distributions=kinds, value=trial.metrics["score"])
        )
    fanova = optuna.importance.FanovaImportanceEvaluator(seed=0).evaluate(copy)
    reach = optuna.importance.PedAnovaImportanceEvaluator(evaluate_on_local=False).evaluate(copy)
    whole = sum(reach.values()) or 1.0
    return {
        "fanova": [fanova[name] for name in space.names],
        "ped": [reach[name] / whole for name in space.names],
    }


def held_out(seed: int, trials: int, tests: int) -> Row:
    """How well trials of a real study that it has not seen are predicted, by ours and by bayes_opt's own process.

    The negative log likelihood is a normal's with the mean and the deviation that each gives, on the standardised
    metric; bayes_opt's process is given the same target. Both see the same random trials.
    """
    from bayes_opt import BayesianOptimization

    from tests.benchmarks.search_cache import remembered
    from tests.benchmarks.search_nets import NETS_SPACE, train_net

    evaluate = remembered("nets", train_net)
    rng = np.random.default_rng(seed)
    settings = [NETS_SPACE.sample(rng) for _ in range(trials + tests)]
    scores = np.array([evaluate(params) for params in settings])
    study = Study(None, NETS_SPACE, seed=seed)
    for params, score in zip(settings[:trials], scores[:trials], strict=True):
        study.tell(params, float(score))
    known, asked = settings[:trials], settings[trials:]
    center, scale = scores[:trials].mean(), scores[:trials].std()
    wanted = (scores[trials:] - center) / scale
    found = surrogate(study.history, NETS_SPACE).predict(asked)
    row = _grade("ours", wanted, (found.mean - center) / scale, found.deviation / scale)
    row["ours covers"] = float(np.mean((found.low <= scores[trials:]) & (scores[trials:] <= found.high)))

    optimizer = BayesianOptimization(None, _bounds(NETS_SPACE), random_state=seed, verbose=0)
    for params, target in zip(known, (scores[:trials] - center) / scale, strict=True):
        optimizer.register(_given(NETS_SPACE, params), float(target))
    mean, deviation = optimizer.predict([_given(NETS_SPACE, params) for params in asked], return_std=True)
    deviation = np.maximum(deviation, 1e-6)
    row |= _grade("bayes_opt", wanted, mean, deviation)
    row["bayes_opt covers"] = float(np.mean(np.abs(wanted - mean) <= 1.96 * deviation))
    return row


def _grade(name: str, wanted: Array, mean: Array, deviation: Array) -> Row:
    surprise = 0.5 * ((wanted - mean) / deviation) ** 2 + np.log(deviation) + 0.5 * np.log(2 * np.pi)
    return {f"{name} nll": float(surprise.mean()), f"{name} rmse": float(np.sqrt(np.mean((wanted - mean) ** 2)))}


def _bounds(space: Space) -> dict[str, Any]:
    """The space in bayes_opt's words: categories, and for numbers their places on the scale that is searched."""
    return {
        name: tuple(map(repr, parameter.values)) if isinstance(parameter, Choice) else (0.0, 1.0)
        for name, parameter in ((name, space[name]) for name in space.names)
    }


def _given(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in these words."""
    return {
        name: repr(params[name]) if isinstance(space[name], Choice) else space[name].to_unit(params[name])
        for name in space.names
    }


def slider(trials: int) -> float:
    """Milliseconds of one prediction at so many trials of ten parameters, the median of 20."""
    space = Space({f"x{number}": Float(0.0, 1.0) for number in range(10)})
    study = Study(None, space, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(trials):
        params = space.sample(rng)
        study.tell(params, params["x0"] * params["x1"] + 0.1 * rng.standard_normal())
    learned = surrogate(study.history, space)
    taken = []
    for _ in range(20):
        params = space.sample(rng)
        begun = time.perf_counter()
        learned.predict([params])
        taken.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(taken))


def runs() -> Iterator[Row]:
    """What was made before."""
    if PATH.exists():
        yield from (json.loads(line) for line in PATH.read_text().splitlines())


def make_missing(arguments: argparse.Namespace) -> None:
    """Make what is asked for and not there, seed by seed, so that a table of few seeds has all lines."""
    PATH.parent.mkdir(exist_ok=True)
    known = {tuple(row["key"]) for row in runs()}
    for seed in range(max(arguments.seeds, arguments.nets)):
        lines = [
            ("importance", problem, sampler, trials, seed)
            for problem in arguments.problems
            for sampler in arguments.drawn
            for trials in arguments.trials
            if seed < arguments.seeds
        ]
        lines += [("nets", "nets", "random", trials, seed) for trials in arguments.trials if seed < arguments.nets]
        for key in lines:
            if key in known:
                continue
            kind, name, sampler, trials, _ = key
            begun = time.process_time()
            if kind == "nets":
                row = held_out(seed, trials, 60)
            else:
                study = drawn(PROBLEMS[name], sampler, trials, seed)
                row = ours(study) | theirs(study)
            row |= {"key": key, "seconds": time.process_time() - begun}
            with PATH.open("a") as file:
                file.write(json.dumps(row) + "\n")


def print_importance() -> None:
    """Mean absolute errors over the parameters and seeds, and how often our intervals hold the truth."""
    groups: dict[tuple[str, str, int], list[Row]] = {}
    for row in runs():
        kind, name, sampler, trials, _ = row["key"]
        if kind == "importance":
            groups.setdefault((name, sampler, trials), []).append(row)
    head = "{:9} {:7} {:>6} {:>5}  {:>20}  {:>20}  {:>20}  {:>20}  {:>7} {:>7}"
    print("Mean absolute error of a parameter's share, with its 95 % interval over the seeds; less is better")
    print(
        head.format(
            "problem",
            "drawn",
            "trials",
            "seeds",
            "ours, first",
            "fANOVA, first",
            "ours, total",
            "PED-ANOVA",
            "covers",
            "covers",
        )
    )
    for (name, sampler, trials), rows in sorted(groups.items()):
        first, total, reach = truth(name)
        alone, everything = (np.array([row[kind] for row in rows]) for kind in ("first", "total"))
        errors = [
            np.abs(alone[:, :, 0] - first),
            np.abs(np.array([row["fanova"] for row in rows]) - first),
            np.abs(everything[:, :, 0] - total),
            np.abs(np.array([row["ped"] for row in rows]) - reach),
        ]
        cells = []
        for error in errors:
            low, high = resampled(error.mean(axis=1))
            cells.append(f"{error.mean():.4f} ({low:.4f}–{high:.4f})")
        covers = [
            f"{np.mean((found[:, :, 1] <= known) & (known <= found[:, :, 2])):.2f}"
            for found, known in ((alone, first), (everything, total))
        ]
        print(head.format(name, sampler, trials, len(rows), *cells, *covers))
    print("covers: the share of our 95 % intervals that hold the truth, first order and total\n")


def print_nets() -> None:
    """How well held-out trials of real nets are predicted."""
    groups: dict[int, list[Row]] = {}
    for row in runs():
        if row["key"][0] == "nets":
            groups.setdefault(row["key"][3], []).append(row)
    for trials, rows in sorted(groups.items()):
        print(f"nets, {trials} trials, {len(rows)} seeds, 60 held out: mean over the seeds")
        for who in ("ours", "bayes_opt"):
            figures = {what: np.mean([row[f"{who} {what}"] for row in rows]) for what in ("nll", "rmse", "covers")}
            print(f"  {who:10}", "  ".join(f"{what} {value:.3f}" for what, value in figures.items()))
        gaps = np.array([row["ours nll"] - row["bayes_opt nll"] for row in rows])
        low, high = resampled(gaps)
        print(f"  nll of ours minus theirs {gaps.mean():.3f} ({low:.3f} to {high:.3f})\n")


def main() -> None:
    """Read the command line, make what is missing, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS), choices=list(PROBLEMS))
    parser.add_argument("--drawn", nargs="+", default=["random", "bayes"], choices=["random", "bayes"])
    parser.add_argument("--trials", nargs="+", type=int, default=[40, 100])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--nets", type=int, default=10, help="how many seeds of real nets")
    parser.add_argument("--table", action="store_true", help="only print")
    arguments = parser.parse_args()
    if not arguments.table:
        make_missing(arguments)
    print_importance()
    print_nets()
    if not arguments.table:
        print(f"one prediction at 500 trials of ten parameters: {slider(500):.1f} ms")


if __name__ == "__main__":
    main()
