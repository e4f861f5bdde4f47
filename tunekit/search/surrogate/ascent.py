"""Where a criterion is largest: the best of many places climb."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.criterion import Criterion
from tunekit.search.surrogate.model import Model
from tunekit.search.surrogate.region import Region
from tunekit.search.surrogate.reuse import Reuse

Array = NDArray[np.float64]

# How many of the best places are looked at for starts, how many starts there are, and how far apart they are in one
# dimension at least.
_LOOKED_AT, _ASCENTS, _APART = 200, 2, 0.1
# The most values of one dimension that are all tried in turn.
_SWEPT = 64


def best_first(
    model: Model, criterion: Criterion, places: Array, region: Region, reuse: Reuse | None = None
) -> Iterator[Array]:
    """The tops of a region that are reached from the best of some places, then the places; each of shape (d,).

    With ``reuse`` the best are those that are worth most for what they cost; the criterion is a logarithm then.
    """
    values = criterion.values(model.features(places))
    if reuse is not None:
        values = values + reuse.worth(places)
    ranked = places[np.argsort(-values, kind="stable")]
    tops = []
    for start in apart(ranked):
        place, value = climb(model, criterion, start, region if reuse is None else reuse.around(start, region))
        tops.append((place, value if reuse is None else value + float(reuse.worth(place[None])[0])))
    yield from (place for place, _ in sorted(tops, key=lambda top: -top[1]))
    yield from ranked


def apart(ranked: Array) -> list[Array]:
    """The first places of a ranking that are not close to an earlier one: where to climb from."""
    starts = [ranked[0]]
    for place in ranked[1:_LOOKED_AT]:
        if len(starts) == _ASCENTS:
            break
        if min(np.max(np.abs(place - start)) for start in starts) > _APART:
            starts.append(place)
    return starts


def climb(model: Model, criterion: Criterion, start: Array, region: Region) -> tuple[Array, float]:
    """The top of a region that is reached from a place in it, shape (d,), and its value.

    Along the smooth dimensions by the gradient, along the others by trying their values in turn.
    """
    encoding = model.encoding
    place, value = _along_smooth(model, criterion, start, region)
    rough = np.flatnonzero(~encoding.is_smooth)
    for _ in range(2 if len(rough) else 0):
        swept, better = _along_rough(model, criterion, place, value, rough, region)
        if better <= value + 1e-9:
            break
        place, value = _along_smooth(model, criterion, swept, region)
    return place, value


def _along_smooth(model: Model, criterion: Criterion, start: Array, region: Region) -> tuple[Array, float]:
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
        bounds=list(zip(region.low[smooth], region.high[smooth], strict=True)),
        options={"maxiter": 30},
    )
    top = start.copy()
    top[smooth] = found.x
    top = encoding.settle(top[None])
    height = float(criterion.values(model.features(top))[0])
    return (top[0], height) if height > value else (settled[0], value)


def _along_rough(
    model: Model,
    criterion: Criterion,
    place: Array,
    value: float,
    rough: Sequence[int] | NDArray[np.int64],
    region: Region,
) -> tuple[Array, float]:
    """The best place that differs in one dimension, then from there in the next."""
    encoding = model.encoding
    for dimension in rough:
        values = encoding.alternatives(int(dimension))
        inside = (values >= region.low[dimension]) & (values <= region.high[dimension])
        values = values[inside][:_SWEPT]
        places = np.repeat(place[None], len(values), axis=0)
        places[:, dimension] = values
        places = encoding.settle(places)
        heights = criterion.values(model.features(places))
        best = int(np.argmax(heights))
        if heights[best] > value:
            place, value = places[best], float(heights[best])
    return place, value
