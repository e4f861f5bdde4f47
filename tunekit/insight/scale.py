"""From a metric's own unit to the scale that a surrogate learns on, and back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.warping import Warp

Array = NDArray[np.float64]

# How much farther from the best the typical value must be than the median of the trials.
_FAR = 2.0
# How many settings are drawn.
_DRAWN = 512


@dataclass(frozen=True, slots=True)
class Scale:
    """The search's own scale (`Warp`), for any metric, in either direction.

    Parameters
    ----------
    warp
        Fitted to the values with the sign that makes more the better.
    sign
        1 where more of the metric is better, -1 where less is.
    worst
        The worst value seen, on the fitted scale: nothing is believed to be worse where there is a long tail.

    Examples
    --------
    >>> scale = Scale.fit(np.array([1.0, 2.0, 4.0]), maximize=False)
    >>> scale.undo(scale.apply(np.array([3.0]))).round(3).tolist()
    [3.0]
    """

    warp: Warp
    sign: float
    worst: float

    @classmethod
    def fit(cls, values: Array, *, maximize: bool, places: Array | None = None) -> Scale:
        """The scale for values of shape (n,) in the metric's own unit, and their places, shape (n, d).

        A search that has converged has half of its trials at the top: to the search all others are bad, and drawn in.
        Where settings drawn at random would be far from such a middle, the scale is one for those.
        """
        sign = 1.0 if maximize else -1.0
        signed = sign * values
        warp = Warp.fit(signed)
        if places is not None:
            typical = _drawn_at_random(signed, places)
            if signed.max() - np.median(typical) > _FAR * (signed.max() - np.median(signed)):
                warp = Warp.fit(signed, typical)
        return cls(warp, sign, float(warp.apply(signed).min()))

    @property
    def has_tail(self) -> bool:
        """Whether some values are so bad that the scale draws them in."""
        return self.worst < self.warp.tail

    @property
    def unit(self) -> float:
        """How much of the metric's own unit one of the scale is, where it is not drawn in."""
        return self.warp.deviation * self.warp.spread

    def apply(self, values: Array) -> Array:
        """Values in the metric's own unit, on the scale."""
        return self.warp.apply(self.sign * values)

    def undo(self, scaled: Array) -> Array:
        """Values of the scale, in the metric's own unit."""
        if self.has_tail:
            # down the tail a little doubt would mean astronomical values
            return self.sign * self.warp.undo(np.maximum(scaled, self.worst))
        return self.sign * ((scaled * self.warp.deviation + self.warp.mean) * self.warp.spread + self.warp.middle)


def _drawn_at_random(values: Array, places: Array) -> Array:
    """About what settings drawn at random would come to, shape (512,): each as the trial that is nearest to it."""
    from scipy.spatial import cKDTree

    drawn = np.random.default_rng(0).random((_DRAWN, places.shape[1]))
    return np.asarray(values[cKDTree(places).query(drawn)[1]])
