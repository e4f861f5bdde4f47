"""Settings near others: each moved a little on its own scale, or drawn anew."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tunekit.search.parameters import Float, Int, Parameter
from tunekit.search.space import Space


def explored(
    space: Space,
    params: Mapping[str, Any],
    rng: np.random.Generator,
    resample: float,
    factors: tuple[float, float],
) -> dict[str, Any]:
    """Settings of the space near those of the parent.

    Parameters
    ----------
    space
        Where the settings come from.
    params
        The parent's settings.
    rng
        Says what moves which way.
    resample
        The probability with which a setting is drawn anew, 0 to 1.
    factors
        By one of these two a number moves otherwise; see `moved`.

    Examples
    --------
    >>> space = Space(lr=(1e-4, 1e-1, "log"), act=["relu", "gelu"])
    >>> explored(space, {"lr": 0.01, "act": "gelu"}, np.random.default_rng(0), 0.0, (0.8, 1.2))
    {'lr': 0.008, 'act': 'gelu'}
    """
    found: dict[str, Any] = {}
    for name in space:
        anew, which, place = rng.random(3)
        if not space.is_active(name, found):
            continue
        parameter = space[name]
        if name not in params or anew < resample:
            found[name] = parameter.from_unit(float(place))
        else:
            found[name] = moved(parameter, params[name], factors[int(which * 2)])
    return found


def moved(parameter: Parameter, value: Any, factor: float) -> Any:
    """A value of that parameter a little further up or down; the same where it stands at that bound, or is a choice.

    Parameters
    ----------
    parameter
        Where the value comes from.
    value
        Where to begin.
    factor
        On a log scale what the value is multiplied by; without one the value moves by ``factor - 1`` times half the
        range. Whole numbers and steps move by one at least.

    Examples
    --------
    >>> moved(Int(1, 100, log=True), 2, 1.2), moved(Float(0, 1), 0.5, 0.8)
    (3, 0.4)
    """
    if not isinstance(parameter, (Float, Int)):
        return value
    low, high = parameter.low, parameter.high
    change = (factor - 1) * (value if parameter.log else (high - low) / 2)
    step = parameter.step or (1 if isinstance(parameter, Int) else None)
    if step is not None and factor != 1:
        change = step * (round(change / step) or math.copysign(1, change))
        assert parameter.count is not None
        high = low + step * (parameter.count - 1)
    target = min(high, max(low, value + change))
    if isinstance(parameter, Int):
        return parameter.from_unit(parameter.to_unit(round(target)))
    return parameter.from_unit(min(1.0, max(0.0, parameter.to_unit(target))))
