"""The axis of the bytes of files: a line, or powers of ten where the small ones would stand on one another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.plots.scales import round_on_a_log_scale, written

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A line holds what is so many times smaller than the largest in its first hundredths.
_WIDE = 30
# How far the axis goes beyond what it shows, as a share of it: on a line beyond the largest alone, as it begins at 0.
_BEYOND, _ROOM = 0.12, 0.06
# How many marks a logarithmic axis has, about.
_MARKS = 5


@dataclass(frozen=True, slots=True)
class BytesAxis:
    """Where files stand by their bytes, in kB.

    Parameters
    ----------
    least, most
        The fewest and the most bytes that are shown.

    Examples
    --------
    >>> BytesAxis(100_000, 467_000).at(100_000), BytesAxis(1000, 467_000).at(100_000)
    (100.0, 2.0)
    """

    least: float
    most: float

    @property
    def is_logarithmic(self) -> bool:
        """Whether the largest is many times the smallest; one of no bytes is at the end of a line."""
        return 0 < _WIDE * self.least < self.most

    def at(self, size: float) -> float:
        """The place of so many bytes."""
        return math.log10(size / 1000) if self.is_logarithmic else size / 1000

    @property
    def ends(self) -> tuple[float, float]:
        """The places where the axis begins and ends."""
        low, high = self.at(self.least), self.at(self.most)
        if not self.is_logarithmic:
            return 0.0, high * (1 + _BEYOND) or 1.0
        room = _ROOM * (high - low)
        return low - room, high + room

    def mark(self, axes: Axes) -> None:
        """Write the kB at a logarithmic axis; matplotlib knows those of a line."""
        if self.is_logarithmic:
            low, high = self.ends
            marks = round_on_a_log_scale(10**low, 10**high, _MARKS)
            axes.set_xticks([math.log10(mark) for mark in marks], [written(mark) for mark in marks])
