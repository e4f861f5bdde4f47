"""Statistics of regrets: geometric means with bootstrap intervals, ranks over all draws, ratios over common seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_DRAWS = 2000


def resampled(values: Array) -> tuple[float, float]:
    """The bounds of the 95 % bootstrap interval of the mean; equal to the mean where there is one value."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(_DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def geometric(values: Array) -> tuple[float, float, float]:
    """The geometric mean of positive values, and the bounds of its 95 % bootstrap interval."""
    logs = np.log(values)
    low, high = resampled(logs)
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high))


def ranks(values: Mapping[str, Array]) -> dict[str, float]:
    """The mean rank of each method, 1 for the best: every run against every run of every other, less is better.

    Drawing a seed for each method and ranking them has this mean; ties count half.
    """
    return {
        name: 1.0
        + sum(
            float(np.mean((theirs < ours[:, None]) + 0.5 * (theirs == ours[:, None])))
            for other, theirs in values.items()
            if other != name
        )
        for name, ours in values.items()
    }


def ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> tuple[float, float, float, int] | None:
    """The ratio of the geometric means over the seeds that both have, its 95 % interval, and how many they are."""
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        return None
    logs = np.array([np.log(ours[seed] / theirs[seed]) for seed in common])
    low, high = resampled(logs)
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high)), len(common)
