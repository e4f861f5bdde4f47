"""The axis of a parameter: where its values lie between 0 and 1, as the search sees them, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.plots.fitting import shortened, words
from tunekit.search.parameters import Choice, Float, Int, Parameter

if TYPE_CHECKING:
    from matplotlib.axis import Axis

# As long as this the name of a category may be.
_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Scale:
    """One parameter as an axis.

    Parameters
    ----------
    name
        The parameter's.
    ticks
        Places from 0 to 1, each with the value that lies there, as it is written; in order.
    ends
        The bounds, as they are written; empty where it has none.
    """

    name: str
    ticks: tuple[tuple[float, str], ...]
    ends: tuple[str, ...] = ()


def scale(name: str, parameter: Parameter, most: int = 5) -> Scale:
    """The axis of a parameter, with about that many values written at it.

    Examples
    --------
    >>> scale("lr", Float(1e-4, 1e-1, log=True)).ticks[:2]
    ((0.0, '0.0001'), (0.333333333333333..., '0.001'))
    >>> scale("act", Choice("relu", "gelu")).ticks
    ((0.25, 'relu'), (0.75, 'gelu'))
    """
    if isinstance(parameter, Choice):
        marks = [((at + 0.5) / parameter.count, label) for at, label in enumerate(category_names(parameter))]
        return Scale(name, tuple(_thinned(marks, most)))
    assert isinstance(parameter, (Float, Int))
    numbers = _numbers(parameter, most)
    ticks = tuple((parameter.to_unit(value), written(value)) for value in numbers)
    return Scale(name, ticks, (written(parameter.low), written(parameter.high)))


def category_names(choice: Choice) -> tuple[str, ...]:
    """How a picture writes each value of a choice: words as they are, where that tells them apart.

    Examples
    --------
    >>> category_names(Choice("relu", None, (64, 128))), category_names(Choice("1", 1))
    (('relu', 'None', '(64, 128)'), ("'1'", '1'))
    """
    plain = [words(value if isinstance(value, str) else text.value(value)) for value in choice.values]
    short = [shortened(each or "''", _LETTERS) for each in plain]
    if len(set(short)) == len(short):
        return tuple(short)
    return tuple(shortened(words(text.value(value)), _LETTERS) for value in choice.values)


def written(value: float) -> str:
    """A number at an axis.

    Examples
    --------
    >>> written(0.00001), written(128), written(0.25), written(2e6)
    ('1e-5', '128', '0.25', '2e6')
    """
    mantissa, e, power = f"{value:.6g}".partition("e")
    return f"{mantissa}e{int(power)}" if e else mantissa


def described(parameter: Parameter, low: float, high: float) -> str:
    """The values between two places, from 0 to 1, in words.

    Examples
    --------
    >>> described(Int(16, 128), 0.2, 0.5), described(Choice("relu", "gelu"), 0.1, 0.3)
    ('38 to 72', 'relu')
    >>> described(Int(1990, 2024), 0.8, 0.8)
    '2018'
    """
    if isinstance(parameter, Choice):
        return category_names(parameter)[min(parameter.count - 1, int(low * parameter.count))]
    assert isinstance(parameter, (Float, Int))
    # with as many digits as tell the hundredths of the range apart
    finest = (parameter.high - parameter.low) / 100
    digits = max(3, math.ceil(math.log10(max(abs(parameter.low), abs(parameter.high)) / finest)))
    ends = [written(float(f"{parameter.from_unit(min(1.0, max(0.0, at))):.{digits}g}")) for at in (low, high)]
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def place(parameter: Parameter, params: Mapping[str, Any], name: str) -> float | None:
    """Where the value of these settings lies, 0 to 1; None where they have none that belongs to the parameter."""
    if name not in params or parameter.complaint(params[name]) is not None:
        return None
    return min(1.0, max(0.0, float(parameter.to_unit(params[name]))))


def mark(axis: Axis, scale: Scale) -> None:
    """Write the values of a parameter at an axis of matplotlib that goes from 0 to 1."""
    axis.set_ticks([at for at, _ in scale.ticks], [label for _, label in scale.ticks])
    for label in axis.get_ticklabels():
        label.set_parse_math(False)


def round_on_a_log_scale(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Powers of two for whole numbers that are no farther apart than that, or powers of ten, or 1, 2 and 5 of them.

    Parameters
    ----------
    low, high
        Above 0, the lower one first.
    most
        How many, about.
    whole
        Whether they are whole numbers.

    Examples
    --------
    >>> round_on_a_log_scale(2.0, 500.0, 5), round_on_a_log_scale(2.0, 3000.0, 5)
    ([2.0, 10.0, 50.0, 200.0], [10.0, 100.0, 1000.0])
    """
    if whole and 2 <= math.log2(high / low) <= most + 1:
        powers = range(math.ceil(math.log2(low)), math.floor(math.log2(high)) + 1)
        return [2**power for power in powers]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    tens = [value for value in (float(f"1e{power}") for power in decades) if low <= value <= high]
    if len(tens) >= 3:
        return list(_thinned(tens, most))
    parts = (1, 2, 5) if high / low > 5 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
    found = (float(f"{part}e{power}") for power in decades for part in parts)
    return list(_thinned([value for value in found if low <= value <= high], most))


def _numbers(parameter: Float | Int, most: int) -> list[Any]:
    """Round values within the bounds, the bounds themselves where there are hardly any."""
    from matplotlib.ticker import MaxNLocator

    low, high = parameter.low, parameter.high
    if parameter.log:
        found = round_on_a_log_scale(low, high, most, whole=isinstance(parameter, Int))
    elif parameter.step is not None or (parameter.count is not None and parameter.count <= most):
        found = _on_the_lattice(parameter, most)
    else:
        found = list(MaxNLocator(nbins=most - 1, integer=isinstance(parameter, Int)).tick_values(low, high))
    inside = sorted({round(value) if isinstance(parameter, Int) else value for value in found if low <= value <= high})
    return inside if len(inside) > 1 else [low, high]


def _on_the_lattice(parameter: Float | Int, most: int) -> list[Any]:
    """All values, or each second, third, ... of them: the multiples of so many steps, as far as they are values."""
    count, step = parameter.count or 1, parameter.step or 1
    every, first = math.ceil(count / most), round(parameter.low / step)
    return [parameter.from_unit((at + 0.5) / count) for at in range(count) if (at + first) % every == 0]


def _thinned(values: Sequence[Any], most: int) -> Sequence[Any]:
    return values[:: 1 + (len(values) - 1) // most] if values else values
