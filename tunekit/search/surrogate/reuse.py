"""What a trial costs less where it needs again what an earlier one has made, such as a net that is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.search.space import Space
from tunekit.search.surrogate.observations import Observations
from tunekit.search.surrogate.region import Region

Array = NDArray[np.float64]

# Of the places that are looked at, those that are moved to where an earlier trial has been.
_MOVED = 0.5
# How much the cost counts against the worth, both as logarithms. Measured on nets that are trained and compressed: with
# 2 the front has grown more than with 1 as long as few are trained, and a little less in the end.
_COST_COUNTS = 2.0
# Closer than this, two places stand for the same settings.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Reuse:
    """Where trials are cheap.

    Parameters
    ----------
    dimensions
        Those of the kept parameters, shape (k,).
    made
        What was made already: the kept part of each earlier place, without repetition, shape (n, k).
    bonus
        What a cheap place is worth more: minus the logarithm of its share of the cost, twice. Worth is a logarithm, so
        their difference is one of worth for cost (expected improvement per second: Snoek, Larochelle and Adams, 2012).
    """

    dimensions: NDArray[np.int64]
    made: Array
    bonus: float

    @classmethod
    def of(cls, space: Space, seen: Observations) -> Reuse | None:
        """What the trials that have ended or are running have made; None where nothing is kept, or nothing made."""
        if not space.kept or not len(seen.places) + len(seen.pending):
            return None
        dimensions = np.array([space.names.index(name) for name in space.kept], dtype=np.int64)
        made = np.unique(np.concatenate([seen.places, seen.pending])[:, dimensions], axis=0)
        return cls(dimensions, made, -_COST_COUNTS * float(np.log(space.share)))

    def moved(self, places: Array, rng: np.random.Generator) -> Array:
        """Places, shape (n, d), a part of them moved to where they are cheap."""
        found = places.copy()
        count = round(_MOVED * len(places))
        which = rng.choice(len(places), size=count, replace=False)
        found[np.ix_(which, self.dimensions)] = self.made[rng.integers(len(self.made), size=count)]
        return found

    def worth(self, places: Array) -> Array:
        """What each place, shape (n, d), is worth more for being cheap, shape (n,)."""
        return np.where(self._are_cheap(places), self.bonus, 0.0)

    def around(self, place: Array, region: Region) -> Region:
        """The part of a region that is as cheap as a place of it, shape (d,)."""
        if not self._are_cheap(place[None])[0]:
            return region
        low, high = region.low.copy(), region.high.copy()
        low[self.dimensions] = high[self.dimensions] = place[self.dimensions]
        return Region(low, high)

    def _are_cheap(self, places: Array) -> NDArray[np.bool_]:
        gaps = np.abs(places[:, None, self.dimensions] - self.made).max(axis=2)
        return np.asarray(gaps.min(axis=1) < _SAME)
