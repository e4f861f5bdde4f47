"""The figures at the marks of an axis: short, and as many digits as tell neighbours apart.

What all of them have in common, a large part or a power of ten, stands beside the axis's name: matplotlib writes it
above the axis, and would push the title out of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from matplotlib.axis import Axis, YAxis
from matplotlib.ticker import Formatter

from tunekit.plots.fitting import across, fit_label, width

# How large marks and names are, in points.
SIZE = 8
# CSS pixels: what a figure may take at the left of an axis, and what is free between two figures below one.
_ROOM, _BETWEEN = 36, 6


class Marks(Formatter):
    """Writes the figures of an axis as they have room, and beside its name what they have in common.

    Parameters
    ----------
    name
        What the axis shows; empty where a neighbour with the same marks says it.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The figures at all marks; the name of the axis is written anew, for it depends on them."""
        axis = self.axis
        assert isinstance(axis, Axis)
        axes, is_upright = axis.axes, isinstance(axis, YAxis)
        # matplotlib has marks beyond both ends too, which it does not draw: they must not decide how others are written
        low, high = sorted(axis.get_view_interval())
        rounding = 1e-6 * (high - low)
        seen = [value for value in values if low - rounding <= value <= high + rounding]
        room = _ROOM if is_upright else across(axes) / max(1, len(seen)) - _BETWEEN
        written, common = figures(seen, lambda figure: width(axes, figure, SIZE) <= room)
        if self._name:
            axis.set_label_text(fit_label(axes, self._name, SIZE, upright=is_upright, after=common))
        by_value = dict(zip(seen, written, strict=True))
        return [by_value.get(value, "") for value in values]


def figures(values: Sequence[float], fits: Callable[[str], bool]) -> tuple[list[str], str]:
    """Write the values of neighbouring marks, and what must be said of them beside the axis's name.

    Parameters
    ----------
    values
        In order.
    fits
        Whether there is room for a figure.

    Examples
    --------
    >>> def is_short(figure):
    ...     return len(figure) <= 5
    >>> figures([0.0, 0.25, 0.5], is_short), figures([3e6, 3.5e6], is_short)
    ((['0.00', '0.25', '0.50'], ''), (['3e6', '3.5e6'], ''))
    >>> figures([0.97501, 0.97502], is_short), figures([-2.5e-7, 5e-7], is_short)
    ((['1e-5', '2e-5'], ' - 0.975'), (['-2.5', '5.0'], ', in 1e-7'))
    """
    exact = _exact(values)
    base = _base(exact)
    above = [value - base for value in exact]
    for start in dict.fromkeys((Decimal(0), base)):
        for write in (_plain, _scientific):
            written = write([value - start for value in exact])
            if all(map(fits, written)):
                return written, _beside(start)
    power = max(value.adjusted() for value in above if value)
    return _plain([value.scaleb(-power) for value in above]), f"{_beside(base)}, in 1e{power}"


def _exact(values: Sequence[float]) -> list[Decimal]:
    """Without what rounding has left of sums: to two digits of the smallest distance."""
    read = [Decimal(repr(float(value))) for value in values]
    steps = [abs(higher - lower) for lower, higher in pairwise(read) if higher != lower] or [
        abs(value) for value in read
    ]
    step = min((step for step in steps if step), default=Decimal(1))
    last = Decimal(1).scaleb(step.adjusted() - 1)
    # a negative zero is none
    return [value.quantize(last).normalize() + 0 for value in read]


def _base(values: Sequence[Decimal]) -> Decimal:
    """The round number below all marks, towards 0, from which their differences are short; 0 where there is none."""
    if not values or min(values) <= 0 <= max(values):
        return Decimal(0)
    span = max(values) - min(values)
    if not span:
        return Decimal(0)
    whole = Decimal(1).scaleb(span.adjusted() + 1)
    return min(values, key=abs) // whole * whole


def _plain(values: Sequence[Decimal]) -> list[str]:
    """With as many decimals each as the one that needs most."""
    decimals = max((-_exponent(value) for value in values), default=0)
    return [f"{value:.{max(0, decimals)}f}" for value in values]


def _scientific(values: Sequence[Decimal]) -> list[str]:
    return [f"{value.scaleb(-value.adjusted()).normalize():f}e{value.adjusted()}" if value else "0" for value in values]


def _beside(base: Decimal) -> str:
    if not base:
        return ""
    shortest = min((_plain([abs(base)])[0], _scientific([abs(base)])[0]), key=len)
    return f" {'-' if base > 0 else '+'} {shortest}"


def _exponent(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent
