"""Where a criterion is largest: many candidates, then the best of them climb."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.criterion import Criterion
from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.model import Model

Array = NDArray[np.float64]

# How many places are looked at all over the space and around the best trials, and from how many one climbs.
_GLOBAL, _LOCAL, _ASCENTS = 768, 384, 2
# How many of the best are looked at for starts, and how far apart these are in one dimension at least.
_LOOKED_AT, _APART = 200, 0.1
# How far the local ones lie from a good trial, in units of the range: from a third to a thousandth, log-uniform.
_FARTHEST, _NEAREST = 0.3, 0.001
# The most values of one dimension that are all tried in turn.
_SWEPT = 64


def candidates(encoding: Encoding, leaders: Array, rng: np.random.Generator) -> Array:
    """Places all over the space and around the leaders, shape (n, d), settled.

    Parameters
    ----------
    encoding
        Of the space.
    leaders
        The places of the best trials, shape (m, d), the best first.
    rng
        Draws them.
    """
    everywhere = rng.random((_GLOBAL, encoding.dimensions))
    if not len(leaders):
        return encoding.settle(everywhere)
    around = leaders[rng.integers(len(leaders), size=_LOCAL)]
    reach = _FARTHEST * (_NEAREST / _FARTHEST) ** rng.random((_LOCAL, 1))
    moved = rng.random(around.shape) < rng.choice([0.25, 0.5, 1.0], size=(_LOCAL, 1))
    moved[np.arange(_LOCAL), rng.integers(encoding.dimensions, size=_LOCAL)] = True
    steps = np.where(encoding.is_smooth, around + reach * rng.standard_normal(around.shape), rng.random(around.shape))
    # a step over the edge comes back from it
    near = np.where(moved, 1 - np.abs(1 - np.abs(steps)), around)
    return encoding.settle(np.concatenate([everywhere, near]))


def apart(ranked: Array) -> list[Array]:
    """The first places of a ranking that are not close to an earlier one: where to climb from."""
    starts = [ranked[0]]
    for place in ranked[1:_LOOKED_AT]:
        if len(starts) == _ASCENTS:
            break
        if min(np.max(np.abs(place - start)) for start in starts) > _APART:
            starts.append(place)
    return starts


def climb(model: Model, criterion: Criterion, start: Array) -> tuple[Array, float]:
    """The top that is reached from a place, shape (d,), and its value.

    Along the smooth dimensions by the gradient, along the others by trying their values in turn.
    """
    encoding = model.encoding
    place, value = _along_smooth(model, criterion, start)
    rough = np.flatnonzero(~encoding.is_smooth)
    for _ in range(2 if len(rough) else 0):
        swept, better = _along_rough(model, criterion, place, value, rough)
        if better <= value + 1e-9:
            break
        place, value = _along_smooth(model, criterion, swept)
    return place, value


def _along_smooth(model: Model, criterion: Criterion, start: Array) -> tuple[Array, float]:
    from scipy.optimize import minimize

    encoding = model.encoding
    settled = encoding.settle(start[None])
    value = float(criterion.values(model.features(settled))[0])
    smooth = np.flatnonzero(encoding.is_smooth & encoding.is_active(settled[0]))
    if not len(smooth):
        return settled[0], value
    columns = encoding.columns(smooth)
    features = model.features(start[None], relaxed=True)[0]

    def cost(coordinates: Array) -> tuple[float, Array]:
        features[columns] = coordinates
        height, gradient = criterion.slope(features)
        return -height, -gradient[columns]

    found: Any = minimize(
        cost,
        features[columns].copy(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * len(smooth),
        options={"maxiter": 30},
    )
    top = start.copy()
    top[smooth] = found.x
    top = encoding.settle(top[None])
    height = float(criterion.values(model.features(top))[0])
    return (top[0], height) if height > value else (settled[0], value)


def _along_rough(
    model: Model, criterion: Criterion, place: Array, value: float, rough: Sequence[int] | NDArray[np.int64]
) -> tuple[Array, float]:
    """The best place that differs in one dimension, then from there in the next."""
    encoding = model.encoding
    for dimension in rough:
        values = encoding.alternatives(int(dimension))[:_SWEPT]
        places = np.repeat(place[None], len(values), axis=0)
        places[:, dimension] = values
        places = encoding.settle(places)
        heights = criterion.values(model.features(places))
        best = int(np.argmax(heights))
        if heights[best] > value:
            place, value = places[best], float(heights[best])
    return place, value
