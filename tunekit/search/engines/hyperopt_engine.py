"""hyperopt's algorithms as samplers of a study, by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tunekit.core.extras import needed
from tunekit.core.history import History
from tunekit.search.engines.quiet import quiet
from tunekit.search.engines.told import Seeds, Told, check_one_aim, told_in_order
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.samplers.random import draw_untried, tried_keys
from tunekit.search.space import Space

# Each is a module of hyperopt with a function suggest.
NAMES = ("anneal", "rand", "tpe")


def named(name: str) -> Hyperopt:
    """The engine of that name; the package is imported, so that a missing one is told at once."""
    needed("hyperopt")
    return Hyperopt(name)


class Hyperopt:
    """An algorithm of hyperopt by name, seeded by the study.

    Parameters
    ----------
    name
        ``"tpe"``, ``"anneal"`` or ``"rand"``.

    Notes
    -----
    hyperopt's algorithms are functions of the trials and a seed: they are told of all trials each time. A failed trial
    is told as the worst so far, one that breaks a limit as worse than all that keep them, a running one not at all. A
    parameter that does not count is left out of a trial, as hyperopt itself does.

    References
    ----------
    Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> from tunekit.core.history import History
    >>> params = Hyperopt("tpe").propose(Space(lr=(1e-4, 0.1, "log")), History(Goal()), np.random.default_rng(0))
    >>> 1e-4 <= params["lr"] <= 0.1
    True
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._domain: tuple[Space, Any] | None = None

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """What hyperopt suggests; where that was tried already, settings drawn at random; None when all were tried.

        Raises
        ------
        ValueError
            If the study goes for several metrics.
        """
        if self.name != "rand":
            check_one_aim(history.goal, f"hyperopt:{self.name}")
        seed = Seeds(rng).current
        with quiet("hyperopt"):
            params = self._ask(space, history, seed)
        if space.key(params) in tried_keys(space, history):
            return draw_untried(space, history, rng)
        return params

    def _ask(self, space: Space, history: History, seed: int) -> dict[str, Any]:
        hyperopt = needed("hyperopt")
        documents = [
            _document(place, trial, space)
            for place, trial in enumerate(told_in_order(history))
            if trial.losses is not None
        ]
        trials = hyperopt.trials_from_docs(documents, validate=False)
        suggest = needed(f"hyperopt.{self.name}").suggest
        number = len(history.prior) + len(history)
        (found,) = suggest([number], self._domain_of(space), trials, seed)
        values = {name: value[0] for name, value in found["misc"]["vals"].items()}
        params: dict[str, Any] = {}
        for name in space:
            if space.is_active(name, params):
                params[name] = _decode(space[name], values[name])
        return params

    def _domain_of(self, space: Space) -> Any:
        if self._domain is None or self._domain[0] is not space:
            hyperopt = needed("hyperopt")
            expressions = {name: _expression(hyperopt.hp, name, space[name]) for name in space}
            self._domain = space, hyperopt.Domain(None, expressions)
        return self._domain[1]


def _document(number: int, trial: Told, space: Space) -> dict[str, Any]:
    """A trial as hyperopt keeps it."""
    values = {name: [_encode(space[name], trial.params[name])] if name in trial.params else [] for name in space}
    assert trial.losses is not None
    return {
        "tid": number,
        "state": needed("hyperopt").JOB_STATE_DONE,
        "spec": None,
        "result": {"status": "ok", "loss": trial.losses[0]},
        "misc": {"tid": number, "idxs": {name: [number] * len(v) for name, v in values.items()}, "vals": values},
        "exp_key": None,
        "owner": None,
        "version": 0,
        "book_time": None,
        "refresh_time": None,
    }


def _expression(hp: Any, name: str, parameter: Parameter) -> Any:
    """The parameter in hyperopt's words: choices and steps by their index."""
    if isinstance(parameter, Choice):
        return hp.choice(name, list(range(parameter.count)))
    assert isinstance(parameter, (Float, Int))
    if isinstance(parameter, Float) and parameter.step is None:
        if parameter.log:
            return hp.loguniform(name, math.log(parameter.low), math.log(parameter.high))
        return hp.uniform(name, parameter.low, parameter.high)
    if parameter.log:
        return hp.qloguniform(name, math.log(parameter.low - 0.5), math.log(parameter.high + 0.5), 1)
    return hp.quniform(name, -0.5, _count(parameter) - 0.5, 1)


def _encode(parameter: Parameter, value: Any) -> float | int:
    if isinstance(parameter, Choice):
        return int(parameter.to_unit(value) * parameter.count)
    assert isinstance(parameter, (Float, Int))
    if parameter.log or (isinstance(parameter, Float) and parameter.step is None):
        return float(value)
    return float(round((value - parameter.low) / (parameter.step or 1)))


def _decode(parameter: Parameter, value: Any) -> Any:
    if isinstance(parameter, Choice):
        return parameter.values[int(value)]
    assert isinstance(parameter, (Float, Int))
    if isinstance(parameter, Float) and parameter.step is None:
        return min(parameter.high, max(parameter.low, float(value)))
    if parameter.log:
        return min(int(parameter.high), max(int(parameter.low), round(float(value))))
    index = min(_count(parameter) - 1, max(0, round(float(value))))
    return parameter.from_unit((index + 0.5) / _count(parameter))


def _count(parameter: Float | Int) -> int:
    assert parameter.count is not None
    return parameter.count
