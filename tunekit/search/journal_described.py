"""What a study's journal says of its space, its goal and its settings, and how that is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.journal import Record
from tunekit.core.values import Foreign, decode, encode
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

# What is written


def about(space: Space, goal: Goal, seed: int | None, entropy: int, sampler: str) -> Record:
    """What a journal is of."""
    return {
        "goal": {
            "aims": [{"metric": aim.metric, "maximize": aim.maximize} for aim in goal.aims],
            "limits": [{"metric": each.metric, "low": each.low, "high": each.high} for each in goal.limits],
        },
        "space": {name: _described(space[name], space) for name in space},
        "seed": seed,
        "entropy": entropy,
        "sampler": sampler,
    }


def _described(parameter: Parameter, space: Space) -> Record:
    when: Record | None = None
    if parameter.when is not None:
        when = {other: _wanted(value, space[other]) for other, value in parameter.when.items()}
    if isinstance(parameter, Choice):
        return {"kind": "choice", "values": [_encoded(value, parameter) for value in parameter.values], "when": when}
    assert isinstance(parameter, (Float, Int))
    kind = "float" if isinstance(parameter, Float) else "int"
    bounds = {"low": parameter.low, "high": parameter.high, "log": parameter.log, "step": parameter.step}
    return {"kind": kind, **bounds, "when": when}


def _wanted(value: Any, parameter: Parameter) -> Any:
    return [_encoded(each, parameter) for each in value] if isinstance(value, list) else _encoded(value, parameter)


def _encoded(value: Any, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        choice = parameter
        return encode(value, lambda whole: _place(choice, whole))
    return encode(value.item() if isinstance(value, np.generic) else value)


def _place(choice: Choice, value: Any) -> int | None:
    same = (known is value or (type(known) is type(value) and bool(known == value)) for known in choice.values)
    return next((place for place, is_it in enumerate(same) if is_it), None)


def written(params: Mapping[str, Any], space: Space) -> Record:
    """Settings of a space as plain values."""
    return {name: _encoded(value, space[name]) for name, value in params.items()}


# What is read


def space_of(described: Any) -> Space:
    """The space that a journal describes; values that only its own program has are words.

    Raises
    ------
    ValueError
        If it describes none.
    """
    if not isinstance(described, dict):
        raise ValueError("a space has parameters by name")
    return Space({name: _parameter(each) for name, each in described.items()})


def _parameter(described: Any) -> Parameter:
    match described:
        case {"kind": "choice", "values": list(values), "when": dict() | None as when}:
            return Choice(*(decode(value) for value in values), when=_conditions(when))
        case {"kind": "float" | "int" as kind, "low": low, "high": high, "log": bool(log), "step": step, "when": when}:
            make = Float if kind == "float" else Int
            return make(low, high, log=log, step=step, when=_conditions(when))
    raise ValueError("a parameter has a kind and its bounds or values")


def _conditions(when: Any) -> dict[str, Any] | None:
    return None if when is None else {str(name): decode(value) for name, value in dict(when).items()}


def goal_of(described: Any) -> Goal:
    """The goal that a journal describes.

    Raises
    ------
    ValueError
        If it describes none.
    """
    match described:
        case {"aims": [*aims], "limits": [*limits]} if aims:
            return Goal(
                *(Aim(str(each["metric"]), bool(each["maximize"])) for each in aims),
                limits=tuple(Limit(str(each["metric"]), each["low"], each["high"]) for each in limits),
            )
    raise ValueError("a goal has aims")


def settings_of(given: Any, space: Space) -> dict[str, Any]:
    """The settings that `written` has written.

    Raises
    ------
    ValueError
        If they are none of the space.
    """
    if type(given) is not dict:
        raise ValueError("settings are values by name")
    params = {name: _value(space[name], name, decode(value)) for name, value in given.items()}
    space.check(params)
    return params


def _value(parameter: Parameter, name: str, value: Any) -> Any:
    if isinstance(value, Foreign) and isinstance(parameter, Choice):
        if value.place is None or not 0 <= value.place < parameter.count:
            raise ValueError(f"{name} has no value {value.words!r}")
        return parameter.values[value.place]
    return value
