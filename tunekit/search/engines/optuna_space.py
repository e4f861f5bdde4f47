"""A space as optuna sees it: asked one parameter after the other, and written down as distributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tunekit.core.extras import needed
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

# The kinds of value that optuna takes in a categorical distribution without a warning.
_NATIVE = (type(None), bool, int, float, str)


def suggest(trial: Any, space: Space) -> dict[str, Any]:
    """Ask an optuna trial for settings, those parameters that count one after the other."""
    params: dict[str, Any] = {}
    for name in space:
        if space.is_active(name, params):
            params[name] = _suggest(trial, name, space[name])
    return params


def encode(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in optuna's own values."""
    return {name: _encode(space[name], value) for name, value in params.items()}


def distributions(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """The distributions of the parameters that these settings have."""
    return {name: _distribution(space[name]) for name in params}


def _suggest(trial: Any, name: str, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        found = trial.suggest_categorical(name, _choices(parameter))
        return found if _is_native(parameter) else parameter.values[found]
    if isinstance(parameter, Int):
        low, high = parameter.low, _last(parameter)
        return int(trial.suggest_int(name, low, high, log=parameter.log, step=parameter.step or 1))
    assert isinstance(parameter, Float)
    found = trial.suggest_float(name, parameter.low, _last(parameter), log=parameter.log, step=parameter.step)
    return float(found) if parameter.step is None else parameter.from_unit(parameter.to_unit(found))


def _encode(parameter: Parameter, value: Any) -> Any:
    if isinstance(parameter, Choice):
        return value if _is_native(parameter) else int(parameter.to_unit(value) * parameter.count)
    if isinstance(parameter, Float) and parameter.step is not None:
        # as optuna computes it, digit for digit
        return min(_last(parameter), parameter.low + round((value - parameter.low) / parameter.step) * parameter.step)
    return value


def _distribution(parameter: Parameter) -> Any:
    optuna = needed("optuna.distributions")
    if isinstance(parameter, Choice):
        return optuna.CategoricalDistribution(_choices(parameter))
    if isinstance(parameter, Int):
        return optuna.IntDistribution(parameter.low, _last(parameter), log=parameter.log, step=parameter.step or 1)
    assert isinstance(parameter, Float)
    return optuna.FloatDistribution(parameter.low, _last(parameter), log=parameter.log, step=parameter.step)


def _last(parameter: Float | Int) -> Any:
    """The largest value: optuna wants the upper bound to lie on the steps."""
    if parameter.step is None or parameter.count is None:
        return parameter.high
    last = parameter.low + (parameter.count - 1) * parameter.step
    return last if isinstance(parameter, Int) else min(parameter.high, float(f"{last:.12g}"))


def _choices(parameter: Choice) -> tuple[Any, ...]:
    return parameter.values if _is_native(parameter) else tuple(range(parameter.count))


def _is_native(parameter: Choice) -> bool:
    """Whether optuna can hold the values themselves; it tells them apart by ==, so 1 and True are one for it."""
    return all(type(value) in _NATIVE for value in parameter.values) and len(set(parameter.values)) == parameter.count
