"""Scores on a scale that a Gaussian process can believe in: bent until they look normal, then standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# How strongly the scale may be bent: 1 is not at all, 0 a logarithm above the middle, 2 one below it.
_BENDS = np.linspace(-1.0, 3.0, 33)


@dataclass(frozen=True, slots=True)
class Warp:
    """A monotone scale, fitted to values: Yeo and Johnson's power transform between two standardisations.

    Parameters
    ----------
    middle, spread
        What is taken off, and divided by, first; in the metric's unit.
    bend
        The exponent; 1 leaves the values as they are.
    mean, deviation
        What is taken off, and divided by, last.

    References
    ----------
    Yeo and Johnson, "A new family of power transformations to improve normality or symmetry", Biometrika 2000.

    Examples
    --------
    >>> warp = Warp.fit(np.array([1.0, 2.0, 4.0, 100.0]))
    >>> warp.undo(warp.apply(np.array([3.0, 50.0]))).round(9).tolist()
    [3.0, 50.0]
    """

    middle: float
    spread: float
    bend: float
    mean: float
    deviation: float

    @classmethod
    def fit(cls, values: Array, *, bent: bool = True) -> Warp:
        """The scale on which the values are nearest to normal, by maximum likelihood; of shape (n,)."""
        middle = float(np.mean(values))
        spread = float(np.std(values))
        if not spread > 1e-14 * max(1.0, float(np.max(np.abs(values)))) and not spread > 0:
            return cls(middle, 1.0, 1.0, 0.0, 1.0)
        shifted = (values - middle) / spread
        bend = _best_bend(shifted) if bent and len(values) > 3 else 1.0
        bended = _bend(shifted, bend)
        return cls(middle, spread, bend, float(np.mean(bended)), float(np.std(bended)) or 1.0)

    def apply(self, values: Array) -> Array:
        """Values in the metric's unit, on the fitted scale."""
        return (_bend((values - self.middle) / self.spread, self.bend) - self.mean) / self.deviation

    def undo(self, scaled: Array) -> Array:
        """Values of the fitted scale, in the metric's unit."""
        return _unbend(scaled * self.deviation + self.mean, self.bend) * self.spread + self.middle


def _bend(values: Array, bend: float) -> Array:
    positive = values >= 0
    above, below = np.where(positive, values, 0.0), np.where(positive, 0.0, -values)
    high = np.log1p(above) if abs(bend) < 1e-9 else np.expm1(bend * np.log1p(above)) / bend
    low = np.log1p(below) if abs(bend - 2) < 1e-9 else np.expm1((2 - bend) * np.log1p(below)) / (2 - bend)
    return np.where(positive, high, -low)


def _unbend(bended: Array, bend: float) -> Array:
    positive = bended >= 0
    above, below = np.where(positive, bended, 0.0), np.where(positive, 0.0, -bended)
    high = np.expm1(above) if abs(bend) < 1e-9 else _root(above, bend)
    low = np.expm1(below) if abs(bend - 2) < 1e-9 else _root(below, 2 - bend)
    return np.where(positive, high, -low)


def _root(bended: Array, exponent: float) -> Array:
    # beyond the end of the range of a negative exponent there is no value: the end stands for it
    return np.expm1(np.log(np.maximum(1e-12, 1 + exponent * bended)) / exponent)


def _best_bend(values: Array) -> float:
    """The exponent of the largest profile likelihood among an even grid of them."""
    signed_logs = float(np.sum(np.sign(values) * np.log1p(np.abs(values))))
    likelihoods = []
    for bend in _BENDS:
        variance = float(np.var(_bend(values, float(bend))))
        likelihoods.append(-0.5 * len(values) * np.log(max(variance, 1e-300)) + (bend - 1) * signed_logs)
    return float(_BENDS[int(np.argmax(likelihoods))])
