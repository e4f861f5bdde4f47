"""Who is measured: tunekit's search and the tools that people have, behind one way to ask and to tell.

Each is given what its own manual would: its defaults, parameters of its own kinds, log scales where it has them, the
trials that are still running where it can know of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from tests.benchmarks.search_outside import Outside
from tunekit.core import seeds
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.samplers import resolve
from tunekit.search.space import Space

Params = Mapping[str, Any]
Metrics = Mapping[str, float]


class Method(Protocol):
    """One run of a method. Trials are numbered from 0 in the order in which they were asked for."""

    def ask(self) -> Params:
        """Settings to try next."""

    def tell(self, number: int, metrics: Metrics) -> None:
        """What a trial came to."""


def place(space: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the space from values of all parameters, those left out that do not count; ints and floats clean."""
    params: dict[str, Any] = {}
    for name in space:
        parameter = space[name]
        if name not in values or not space.is_active(name, params):
            continue
        value = values[name]
        if isinstance(parameter, Choice):
            params[name] = parameter.values[int(value)]
        elif isinstance(parameter, Int):
            params[name] = int(min(parameter.high, max(parameter.low, round(value))))
        elif isinstance(parameter, Float):
            params[name] = float(min(parameter.high, max(parameter.low, value)))
    return params


class Ours:
    """A sampler of tunekit, as a study drives it."""

    def __init__(self, space: Space, goal: Goal, seed: int, sampler: str = "bayes") -> None:
        self.space, self.seed = space, seed
        self.history = History(goal)
        self.sampler = resolve(sampler)[1]

    def ask(self) -> Params:
        number = len(self.history)
        params = self.sampler.propose(self.space, self.history, seeds.generator(self.seed, number))
        if params is None:
            raise RuntimeError("every setting was tried")
        self.history.apply(TrialStarted(number, params))
        return params

    def tell(self, number: int, metrics: Metrics) -> None:
        self.history.apply(TrialEnded(number, "complete", metrics, seconds=0.0))


class Drawn:
    """Places of the unit cube that were chosen before anything was seen."""

    def __init__(self, space: Space, units: Callable[[], Any]) -> None:
        self.space, self.units = space, units

    def ask(self) -> Params:
        return self.space.from_unit(self.units())

    def tell(self, number: int, metrics: Metrics) -> None:
        pass


def drawn_at_random(space: Space, goal: Goal, seed: int) -> Drawn:
    """Uniformly."""
    rng = np.random.default_rng([seed, 3])
    return Drawn(space, lambda: rng.random(len(space)))


def drawn_evenly(space: Space, goal: Goal, seed: int) -> Drawn:
    """Scrambled Sobol points."""
    from scipy.stats import qmc

    sobol = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng([seed, 4]))
    return Drawn(space, lambda: sobol.random()[0])


class Optuna:
    """A sampler of optuna; it knows the running trials of its study."""

    def __init__(self, space: Space, goal: Goal, seed: int, sampler: str) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        options: dict[str, Any] = {"seed": seed}
        if goal.limits:
            options["constraints_func"] = _excesses
        if sampler == "CmaEsSampler":
            options["warn_independent_sampling"] = False
        directions: list[Any] = ["maximize" if aim.maximize else "minimize" for aim in goal.aims]
        chosen = getattr(optuna.samplers, sampler)(**options)
        self.space, self.goal = space, goal
        self.study = optuna.create_study(directions=directions, sampler=chosen)
        self.trials: list[Any] = []

    def ask(self) -> Params:
        trial = self.study.ask()
        self.trials.append(trial)
        params: dict[str, Any] = {}
        for name in self.space:
            if self.space.is_active(name, params):
                params[name] = _suggested(trial, name, self.space[name])
        return params

    def tell(self, number: int, metrics: Metrics) -> None:
        limits = [limit.excess(metrics[limit.metric]) for limit in self.goal.limits]
        self.trials[number].set_user_attr("excesses", limits)
        self.study.tell(self.trials[number], [metrics[aim.metric] for aim in self.goal.aims])


def _excesses(trial: Any) -> list[float]:
    return list(trial.user_attrs["excesses"])


def _suggested(trial: Any, name: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        return parameter.values[trial.suggest_categorical(name, list(range(parameter.count)))]
    if isinstance(parameter, Int):
        return trial.suggest_int(name, parameter.low, parameter.high, log=parameter.log)
    assert isinstance(parameter, Float)
    return trial.suggest_float(name, parameter.low, parameter.high, log=parameter.log)


class Hyperopt:
    """hyperopt's TPE. A trial that runs is one without a result in its records."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        from hyperopt import Trials
        from hyperopt.base import Domain

        self.space, self.metric = space, goal.metric
        self.tree = _tree(space)
        self.domain, self.trials = Domain(lambda values: 0.0, self.tree), Trials()
        self.rng = np.random.default_rng([seed, 5])

    def ask(self) -> Params:
        from hyperopt import space_eval, tpe

        ids = self.trials.new_trial_ids(1)
        self.trials.refresh()
        documents = tpe.suggest(ids, self.domain, self.trials, int(self.rng.integers(2**31)), verbose=False)
        self.trials.insert_trial_docs(documents)
        self.trials.refresh()
        values = {name: value[0] for name, value in documents[0]["misc"]["vals"].items() if len(value)}
        return place(self.space, _flat(space_eval(self.tree, values)))

    def tell(self, number: int, metrics: Metrics) -> None:
        from hyperopt import JOB_STATE_DONE, STATUS_OK

        document = self.trials._dynamic_trials[number]
        document["result"] = {"loss": -metrics[self.metric], "status": STATUS_OK}
        document["state"] = JOB_STATE_DONE
        self.trials.refresh()


def _tree(space: Space) -> dict[str, Any]:
    """The space as hyperopt writes it: what counts under a choice alone hangs under that choice's value."""
    from hyperopt import hp

    nodes: dict[str, Any] = {}

    def node(name: str, chosen: dict[str, Any]) -> Any:
        # one that hangs under several values is the same node each time
        if name not in nodes:
            nodes[name] = built(name, chosen)
        return nodes[name]

    def built(name: str, chosen: dict[str, Any]) -> Any:
        parameter = space[name]
        if isinstance(parameter, Choice):
            return hp.choice(name, [branch(name, number, chosen) for number in range(parameter.count)])
        assert isinstance(parameter, (Float, Int))
        low, high = (parameter.low, parameter.high)
        if isinstance(parameter, Int):
            if parameter.log:
                return hp.qloguniform(name, math.log(low - 0.5), math.log(high + 0.5), 1)
            return hp.uniformint(name, low, high)
        return hp.loguniform(name, math.log(low), math.log(high)) if parameter.log else hp.uniform(name, low, high)

    def branch(name: str, number: int, chosen: dict[str, Any]) -> dict[str, Any]:
        parameter = space[name]
        assert isinstance(parameter, Choice)
        now = {**chosen, name: parameter.values[number]}
        below = [other for other in space if name in (space[other].when or {}) and _decided(space, other, now)]
        return {name: number, **{other: node(other, now) for other in below}}

    return {name: node(name, {}) for name in space if space[name].when is None}


def _decided(space: Space, name: str, chosen: dict[str, Any]) -> bool:
    """Whether the parameter counts now, all that it depends on being chosen."""
    return all(other in chosen for other in space[name].when or {}) and space.is_active(name, chosen)


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat.update(_flat(value) if isinstance(value, dict) else {name: value})
    return flat


class BayesOpt:
    """bayes_opt as it comes: five random points, then its own acquisition; log scales by hand, it has none."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        from bayes_opt import BayesianOptimization

        self.space, self.metric = space, goal.metric
        bounds = {name: _bounds(space[name]) for name in space}
        self.optimizer = BayesianOptimization(
            f=None, pbounds=bounds, random_state=seed, verbose=0, allow_duplicate_points=True
        )
        self.asked: list[dict[str, Any]] = []

    def ask(self) -> Params:
        optimizer = self.optimizer
        if len(self.asked) < 5:
            drawn = optimizer.space.array_to_params(optimizer.space.random_sample(random_state=optimizer._random_state))
        else:
            drawn = optimizer.suggest()
        self.asked.append(drawn)
        values = {name: _value(self.space[name], value) for name, value in drawn.items()}
        return place(self.space, values)

    def tell(self, number: int, metrics: Metrics) -> None:
        self.optimizer.register(self.asked[number], metrics[self.metric])


def _bounds(parameter: Parameter) -> tuple[Any, ...]:
    if isinstance(parameter, Choice):
        return tuple(str(number) for number in range(parameter.count))
    assert isinstance(parameter, (Float, Int))
    if parameter.log:
        return math.log10(parameter.low), math.log10(parameter.high)
    return (parameter.low, parameter.high, int) if isinstance(parameter, Int) else (parameter.low, parameter.high)


def _value(parameter: Parameter, value: Any) -> float:
    return 10 ** float(value) if getattr(parameter, "log", False) else float(value)


class Elsewhere:
    """A method that lives in an environment of its own: see `search_outside`."""

    def __init__(self, space: Space, goal: Goal, seed: int, method: str, python: str) -> None:
        self.space = space
        self.outside = Outside.of(method, python)
        self.outside.start([_described(name, space[name]) for name in space], _goal_in_words(goal), seed)

    def ask(self) -> Params:
        return place(self.space, self.outside.ask())

    def tell(self, number: int, metrics: Metrics) -> None:
        self.outside.tell(number, dict(metrics))


def _described(name: str, parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, Choice):
        return {"name": name, "kind": "choice", "count": parameter.count}
    assert isinstance(parameter, (Float, Int))
    kind = "int" if isinstance(parameter, Int) else "float"
    return {"name": name, "kind": kind, "low": parameter.low, "high": parameter.high, "log": parameter.log}


def _goal_in_words(goal: Goal) -> dict[str, Any]:
    return {
        "aims": [[aim.metric, aim.maximize] for aim in goal.aims],
        "limits": [[limit.metric, limit.low, limit.high] for limit in goal.limits],
    }


@dataclass(frozen=True)
class Entry:
    """A method by name.

    Parameters
    ----------
    begin
        Starts a run: of a space, a goal and a seed; for one that lives elsewhere, also its name and its Python.
    parallel
        Whether it can be asked while trials run.
    scores, fronts, limits
        Whether it is measured on one score, on several, on one with a limit.
    outside
        What `search_outside` calls it, if it lives in an environment of its own.
    """

    begin: Callable[..., Method]
    parallel: bool = True
    scores: bool = True
    fronts: bool = False
    limits: bool = False
    outside: str | None = None


def _optuna(sampler: str) -> Callable[[Space, Goal, int], Method]:
    return lambda space, goal, seed: Optuna(space, goal, seed, sampler)


METHODS: dict[str, Entry] = {
    "tunekit": Entry(Ours, fronts=True, limits=True),
    "random": Entry(drawn_at_random, fronts=True, limits=True),
    "sobol": Entry(drawn_evenly),
    "optuna-tpe": Entry(_optuna("TPESampler"), fronts=True, limits=True),
    "optuna-gp": Entry(_optuna("GPSampler"), fronts=True, limits=True),
    "hyperopt-tpe": Entry(Hyperopt),
    "cma-es": Entry(_optuna("CmaEsSampler")),
    "bayes_opt": Entry(BayesOpt, parallel=False),
    "hebo": Entry(Elsewhere, parallel=False, outside="hebo"),
    "ax": Entry(Elsewhere, fronts=True, limits=True, outside="ax"),
    "nsga2": Entry(_optuna("NSGAIISampler"), scores=False, fronts=True),
}
