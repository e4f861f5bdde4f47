"""A narrower space around settings that are good already."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tunekit.search.goals import is_finite_number
from tunekit.search.parameters import Float, Int, Parameter

if TYPE_CHECKING:
    from tunekit.search.space import Space


def narrowed(space: Space, around: Mapping[str, Any], factor: float) -> dict[str, Parameter]:
    """The parameters of a space with the ranges of its numbers cut around given settings.

    Choices stay as they are, and so do a number that does not count in these settings and one that the ``when`` of
    another parameter names: so each condition can still hold.

    Parameters
    ----------
    space
        What is narrowed.
    around
        Settings of that space.
    factor
        The share of its width that a range keeps, above 0 to 1; on a log scale of the logarithm's width. What would
        lie outside of the old bounds is cut off.

    Raises
    ------
    ValueError
        If these are no settings of the space, or the factor is out of its range.

    Examples
    --------
    >>> from tunekit.search.space import Space
    >>> narrowed(Space(lr=(1e-4, 1e-2, "log"), width=(0, 100)), {"lr": 1e-3, "width": 90}, 0.5)["width"]
    Int(low=65, high=100, log=False, step=None, when=None)
    """
    if not is_finite_number(factor) or not 0 < factor <= 1:
        raise ValueError(f"the factor is the share of its width that a range keeps, above 0 to 1: got {factor!r}")
    space.check(around)
    conditions = {other for name in space for other in space[name].when or {}}
    return {
        name: space[name] if name in conditions or name not in around else _cut(space[name], around[name], factor)
        for name in space
    }


def _cut(parameter: Parameter, value: Any, factor: float) -> Parameter:
    if isinstance(parameter, Float) and parameter.step is None:
        return _cut_float(parameter, float(value), factor)
    if isinstance(parameter, Int) and parameter.log:
        half = factor * (math.log(parameter.high) - math.log(parameter.low)) / 2
        low, high = math.ceil(value * math.exp(-half) - 1e-9), math.floor(value * math.exp(half) + 1e-9)
        low, high = _at_least_two(max(parameter.low, low), min(parameter.high, high), parameter.high)
        return replace(parameter, low=low, high=high)
    if isinstance(parameter, (Int, Float)) and parameter.count is not None:
        # places on the lattice, from 0
        step, last = parameter.step or 1, parameter.count - 1
        place = round((value - parameter.low) / step)
        half = factor * last / 2
        first, final = max(0, math.ceil(place - half - 1e-9)), min(last, math.floor(place + half + 1e-9))
        first, final = _at_least_two(first, final, last)
        low, high = parameter.low + first * step, parameter.low + final * step
        if isinstance(parameter, Int):
            return replace(parameter, low=int(low), high=int(high))
        return replace(parameter, low=float(f"{low:.12g}"), high=min(parameter.high, float(f"{high:.12g}")))
    return parameter


def _cut_float(parameter: Float, value: float, factor: float) -> Float:
    if parameter.log:
        half = factor * (math.log(parameter.high) - math.log(parameter.low)) / 2
        low, high = value * math.exp(-half), value * math.exp(half)
    else:
        half = factor * (parameter.high - parameter.low) / 2
        low, high = value - half, value + half
    # twelve digits, as all values that a search proposes; the value itself stays inside
    low = max(parameter.low, min(value, float(f"{low:.12g}")))
    high = min(parameter.high, max(value, float(f"{high:.12g}")))
    return replace(parameter, low=low, high=high) if low < high else parameter


def _at_least_two(low: int, high: int, last: int) -> tuple[int, int]:
    """A range of whole numbers up to ``last`` that holds two values."""
    if low < high:
        return low, high
    return (low, low + 1) if low < last else (low - 1, low)
