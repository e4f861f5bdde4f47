"""The criterion that is climbed: from what is believed of every metric at a place to what a trial there is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.acquisitions import Acquisition, log_feasibility
from tunekit.search.surrogate.process import Process

Array = NDArray[np.float64]
# From means and deviations, shape (n, k), to values, shape (n,), and their derivatives, shape (n, k).
Formula = Callable[[Array, Array], tuple[Array, Array, Array]]


class Criterion:
    """A formula over the beliefs of k processes.

    Parameters
    ----------
    processes
        One for each metric.
    formula
        What the beliefs are worth together.
    """

    def __init__(self, processes: Sequence[Process], formula: Formula) -> None:
        self.processes = processes
        self.formula = formula

    def values(self, features: Array) -> Array:
        """What a trial is worth at places of shape (n, D): shape (n,)."""
        beliefs = [process.predict(features) for process in self.processes]
        means, deviations = (np.stack(part, axis=1) for part in zip(*beliefs, strict=True))
        return self.formula(means, deviations)[0]

    def slope(self, place: Array) -> tuple[float, Array]:
        """What it is worth at one place, shape (D,), and the gradient, shape (D,)."""
        beliefs = [process.slope(place) for process in self.processes]
        means = np.array([[belief[0] for belief in beliefs]])
        deviations = np.array([[belief[1] for belief in beliefs]])
        values, by_mean, by_deviation = self.formula(means, deviations)
        gradient = np.zeros(len(place))
        for number, belief in enumerate(beliefs):
            gradient += by_mean[0, number] * belief[2] + by_deviation[0, number] * belief[3]
        return float(values[0]), gradient


def improvement(acquisition: Acquisition, best: float | None, thresholds: Array, aims: int = 1) -> Formula:
    """The acquisition of the first metric and the probability that the other metrics keep their limits.

    Parameters
    ----------
    acquisition
        Of the first metric.
    best
        The best feasible value so far; None while nothing is feasible: then the probability is all that counts.
    thresholds
        What each of the last c metrics must reach, shape (c,).
    aims
        How many metrics stand before those.

    References
    ----------
    Gardner et al., "Bayesian Optimization with Inequality Constraints", ICML 2014.
    """

    def formula(means: Array, deviations: Array) -> tuple[Array, Array, Array]:
        by_mean, by_deviation = np.zeros_like(means), np.zeros_like(means)
        values = np.zeros(len(means))
        if best is not None:
            values, by_mean[:, 0], by_deviation[:, 0] = acquisition(means[:, 0], deviations[:, 0], best)
        return add_limits(values, by_mean, by_deviation, means, deviations, thresholds, aims)

    return formula


def add_limits(
    values: Array,
    by_mean: Array,
    by_deviation: Array,
    means: Array,
    deviations: Array,
    thresholds: Array,
    aims: int,
) -> tuple[Array, Array, Array]:
    """Add the logarithm of the probability that the metrics behind the aims reach their thresholds."""
    for number, threshold in enumerate(thresholds, aims):
        kept, by_mean[:, number], by_deviation[:, number] = log_feasibility(
            means[:, number], deviations[:, number], float(threshold)
        )
        values = values + kept
    return values, by_mean, by_deviation
