"""Where a trial is sought: which places are looked at first, and in which box the best of them may climb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.model import Model

Array = NDArray[np.float64]

# How many places are looked at all over the space and around the best trials.
_GLOBAL, _LOCAL = 768, 384
# How far the local ones lie from a good trial, in units of the range: from a third to a thousandth, log-uniform.
_FARTHEST, _NEAREST = 0.3, 0.001
# How many places are looked at near the best alone.
_NEAR = 1024
# How far its box reaches to each side, as a share of the range, along a parameter whose length scale is the typical
# one; beyond the longest, in ranges, a length scale says no more than that the parameter does not matter.
_REACH, _LONGEST = 0.2, 3.0
# How near to the best the nearest of the places in the box lie, in shares of its reach, and how often another category
# is tried.
_REFINED, _SWITCHED = 0.02, 0.3


@dataclass(frozen=True, slots=True)
class Region:
    """A box in the unit cube.

    Parameters
    ----------
    low, high
        Its corners, each of shape (d,).
    """

    low: Array
    high: Array


def everywhere(model: Model, rng: np.random.Generator) -> tuple[Array, Region]:
    """Places all over the space and around the best trials, shape (n, d), settled; and the whole space."""
    encoding, leaders = model.encoding, model.leaders()
    region = Region(np.zeros(encoding.dimensions), np.ones(encoding.dimensions))
    spread = rng.random((_GLOBAL, encoding.dimensions))
    if not len(leaders):
        return encoding.settle(spread), region
    around = leaders[rng.integers(len(leaders), size=_LOCAL)]
    reach = _FARTHEST * (_NEAREST / _FARTHEST) ** rng.random((_LOCAL, 1))
    steps = np.where(encoding.is_smooth, around + reach * rng.standard_normal(around.shape), rng.random(around.shape))
    # a step over the edge comes back from it
    around = np.where(_moved(around.shape, rng), 1 - np.abs(1 - np.abs(steps)), around)
    return encoding.settle(np.concatenate([spread, around])), region


def near(model: Model, center: Array, rng: np.random.Generator) -> tuple[Array, Region]:
    """Places in a box around one place, shape (d,), and the box.

    It is wide along the parameters that the first aim changes slowly with, and holds all categories.

    References
    ----------
    Its shape: Eriksson et al., "Scalable Global Optimization via Local Bayesian Optimization", NeurIPS 2019.
    """
    encoding = model.encoding
    scales = np.minimum(model.aims[0].process.hyperparameters.length_scales[: encoding.dimensions], _LONGEST)
    reach = _REACH * scales / np.exp(np.mean(np.log(scales)))
    # the next value of a whole number is never out of reach
    reach = np.maximum(reach, [0.0 if count is None else 1 / count for count in encoding.counts])
    reach[encoding.is_choice] = 1.0
    region = Region(np.maximum(center - reach, 0.0), np.minimum(center + reach, 1.0))

    shape = (_NEAR, encoding.dimensions)
    steps = center + reach * _REFINED ** rng.random((_NEAR, 1)) * rng.uniform(-1.0, 1.0, shape)
    switched = np.where(rng.random(shape) < _SWITCHED, rng.random(shape), center)
    places = np.where(_moved(shape, rng), np.where(encoding.is_choice, switched, steps), center)
    return encoding.settle(np.clip(places, region.low, region.high)), region


def _moved(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which dimensions of each place are another's than its leader's: one at least, a quarter, half or all of them."""
    count, dimensions = shape
    moved = rng.random(shape) < rng.choice([0.25, 0.5, 1.0], size=(count, 1))
    moved[np.arange(count), rng.integers(dimensions, size=count)] = True
    return moved
