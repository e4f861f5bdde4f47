"""Scores on a scale that a Gaussian process can believe in: the long tail of bad ones drawn in, then standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# How far below the median the tail begins, in units of the distance from the median to the best.
_TAIL = 2.0
# What is further down the drawn-in tail than this stands for no number.
_FARTHEST = 6.5


@dataclass(frozen=True, slots=True)
class Warp:
    """A monotone scale, fitted to values: as they are down to the tail of bad ones, which two logarithms draw in.

    A net that diverges scores a million times worse than all others; on the plain scale those others are then one flat
    line. What is good is never squeezed: that is where the search has to tell one value from the next.

    Parameters
    ----------
    middle, spread
        The median, and the distance from it to the best; in the metric's unit.
    mean, deviation
        Of the values with the tail drawn in, in units of the spread from the middle.

    Examples
    --------
    >>> warp = Warp.fit(np.array([1.0, 2.0, 4.0, -1e6]))
    >>> warp.apply(np.array([-1e6, 1.0, 4.0])).round(2).tolist()
    [-1.7, 0.32, 0.87]
    >>> warp.undo(warp.apply(np.array([3.0, -5e5]))).round(3).tolist()
    [3.0, -500000.0]
    """

    middle: float
    spread: float
    mean: float
    deviation: float

    @classmethod
    def fit(cls, values: Array, typical: Array | None = None) -> Warp:
        """The scale for values of shape (n,), more is better; its middle is that of other, typical ones, if given."""
        middle = float(np.median(values if typical is None else typical))
        # where most scores equal the best, the distance to the others stands for it
        spread = (float(np.max(values)) - middle) or float(np.std(values)) or 1.0
        drawn = _draw_in((values - middle) / spread)
        return cls(middle, spread, float(np.mean(drawn)), float(np.std(drawn)) or 1.0)

    @property
    def tail(self) -> float:
        """Where the tail of bad values begins, on the fitted scale."""
        return (-_TAIL - self.mean) / self.deviation

    def apply(self, values: Array) -> Array:
        """Values in the metric's unit, on the fitted scale."""
        return (_draw_in((values - self.middle) / self.spread) - self.mean) / self.deviation

    def undo(self, scaled: Array) -> Array:
        """Values of the fitted scale, in the metric's unit."""
        return _let_out(scaled * self.deviation + self.mean) * self.spread + self.middle


def _draw_in(values: Array) -> Array:
    # log1p has slope 1 at 0, so the scale has no kink where the tail begins
    return np.where(values < -_TAIL, -_TAIL - np.log1p(np.log1p(np.maximum(-_TAIL - values, 0.0))), values)


def _let_out(drawn: Array) -> Array:
    return np.where(drawn < -_TAIL, -_TAIL - np.expm1(np.expm1(np.clip(-_TAIL - drawn, 0.0, _FARTHEST))), drawn)
