"""How long a search thinks: seconds for one ask and tell, beside optuna's, and trials a second that cost nothing.

Run by hand: ``python -m tests.benchmarks.search_speed``. It prints two tables. The methods take turns in one process,
so that what else the machine does meets all alike; seconds are of the processor. A history is filled with random trials
first; "first" is the ask that meets it unprepared, the others are a study's everyday: one trial more each time.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tests.benchmarks.search_peers import METHODS, Optuna, Ours
from tests.benchmarks.search_problems import FUNCTIONS, Line, Params, Task
from tests.benchmarks.search_runs import alone
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Goal
from tunekit.search.parameters import Choice, Int
from tunekit.search.space import Space

LINES = {line.name: line for line in FUNCTIONS if line.name in ("hartmann6", "typed")}
ROUNDS = 15
NOTHING = 1000


def knowing(method: str, task: Task, trials: int) -> tuple[Any, int]:
    """A run of the method that knows so many random trials, and the number of the next one as its `tell` counts."""
    run = METHODS[method].begin(task.space, Goal(), 0)
    rng = np.random.default_rng(0)
    for _ in range(trials):
        params = task.space.sample(rng)
        score = task.value(params)
        if isinstance(run, Ours):
            number = len(run.history)
            run.history.apply(TrialStarted(number, params))
            run.history.apply(TrialEnded(number, "complete", {"score": score}, seconds=0.0))
        elif isinstance(run, Optuna):
            run.study.add_trial(_finished(task.space, params, score))
    return run, trials if isinstance(run, Ours) else 0


def _finished(space: Space, params: Params, score: float) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import create_trial

    values: dict[str, Any] = {}
    distributions: dict[str, Any] = {}
    for name, value in params.items():
        parameter: Any = space[name]
        if isinstance(parameter, Choice):
            values[name] = parameter.values.index(value)
            distributions[name] = CategoricalDistribution(range(parameter.count))
        else:
            values[name] = value
            kind = IntDistribution if isinstance(parameter, Int) else FloatDistribution
            distributions[name] = kind(parameter.low, parameter.high, log=parameter.log)
    return create_trial(params=values, distributions=distributions, value=score)


def thinking(line: Line, methods: dict[str, int]) -> dict[str, list[float]]:
    """Seconds of each ask and tell; ``methods`` says how many trials each method's history begins with."""
    task = line.draw(0)
    runs = {label: knowing(label.split()[0], task, trials) for label, trials in methods.items()}
    spent: dict[str, list[float]] = {label: [] for label in runs}
    for turn in range(ROUNDS + 1):
        for label, (run, first) in runs.items():
            began = time.process_time()
            params = run.ask()
            asked = time.process_time() - began
            score = task.value(params)
            began = time.process_time()
            run.tell(first + turn, {"score": score})
            spent[label].append(asked + time.process_time() - began)
    return spent


def print_thinking() -> None:
    """One row for each line, number of trials and method."""
    print("Seconds of the processor for one ask and tell\n")
    row = "{:12} {:24} {:>8} {:>10} {:>22}"
    print(row.format("line", "method, trials before", "first", "median", "quartiles"))
    for name, line in LINES.items():
        for trials, peers in ((100, ["optuna-gp", "optuna-tpe"]), (500, ["optuna-gp", "optuna-tpe"]), (2000, [])):
            methods = {f"{method} {trials}": trials for method in ("tunekit", *peers)}
            if trials == 2000:
                methods["tunekit 500"] = 500
            for label, seconds in thinking(line, methods).items():
                low, median, high = np.quantile(seconds[1:], [0.25, 0.5, 0.75])
                cells = (f"{seconds[0]:.3f}", f"{median:.4f}", f"{low:.4f} – {high:.4f}")
                print(row.format(name, label, *cells), flush=True)


def _ours(space: Space) -> None:
    from tunekit.search.study import Study

    Study(lambda **params: 0.0, space, sampler="random", seed=0).run(NOTHING)


def _optunas(space: Space) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial: Any) -> float:
        for name in space:
            parameter: Any = space[name]
            if isinstance(parameter, Choice):
                trial.suggest_categorical(name, parameter.values)
            else:
                suggest = trial.suggest_int if isinstance(parameter, Int) else trial.suggest_float
                suggest(name, parameter.low, parameter.high, log=parameter.log)
        return 0.0

    optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).optimize(objective, n_trials=NOTHING)


def print_overhead() -> None:
    """Trials a second of random search where the objective does nothing, in memory."""
    print(f"\nTrials a second: {NOTHING} random trials whose objective does nothing, in memory\n")
    for name, line in LINES.items():
        space = line.draw(0).space
        rates: dict[str, list[float]] = {"tunekit": [], "optuna": []}
        for _ in range(5):
            for label, run in (("tunekit", _ours), ("optuna", _optunas)):
                began = time.process_time()
                run(space)
                rates[label].append(NOTHING / (time.process_time() - began))
        for label, values in rates.items():
            low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
            print(f"{name:12} {label:10} {median:8.0f}   quartiles {low:.0f} – {high:.0f}", flush=True)


if __name__ == "__main__":
    alone("tests.benchmarks.search_speed")
    print_thinking()
    print_overhead()
