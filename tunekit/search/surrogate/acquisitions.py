"""Acquisitions: how much a trial at some place is worth, from what is believed there. More is better throughout.

Each takes the mean and the standard deviation of the belief, and the best so far, and gives its value with the
derivatives by mean and deviation, so that it can be climbed on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tunekit.core.registry import Registry

Array = NDArray[np.float64]
# value, derivative by the mean, derivative by the standard deviation; each of the shape of what was given
Slope = tuple[Array, Array, Array]
Acquisition = Callable[[Array, Array, float], Slope]

acquisitions: Registry[Acquisition] = Registry("acquisition")

_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)
# Upper confidence bound: the 97.7th percentile of what is believed.
_BOUND = 2.0


@acquisitions.register("log expected improvement")
def log_expected_improvement(mean: Array, deviation: Array, best: float) -> Slope:
    """The logarithm of the expected improvement: the same order, and a slope where the improvement itself underflows.

    Parameters
    ----------
    mean, deviation
        What is believed, any shape, deviation above 0.
    best
        The best so far, in the same unit.

    References
    ----------
    Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023.

    Examples
    --------
    >>> value, _, _ = log_expected_improvement(np.array([0.0, -60.0]), np.array([1.0, 1.0]), 0.0)
    >>> value.round(2).tolist()
    [-0.92, -1809.11]
    """
    z = (mean - best) / deviation
    value = log_improvement(z)
    ratio = _improvement_ratio(z, value)
    return np.log(deviation) + value, ratio / deviation, (1 - ratio * z) / deviation


@acquisitions.register("expected improvement")
def expected_improvement(mean: Array, deviation: Array, best: float) -> Slope:
    """The expected improvement over the best so far.

    References
    ----------
    Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", Journal of Global
    Optimization 1998.
    """
    from scipy.special import ndtr

    z = (mean - best) / deviation
    density = np.exp(-0.5 * z**2 - _LOG_ROOT_2PI)
    below = ndtr(z)
    return deviation * (density + z * below), below, density


@acquisitions.register("probability of improvement")
def probability_of_improvement(mean: Array, deviation: Array, best: float) -> Slope:
    """The logarithm of the probability that the place is better than the best so far.

    References
    ----------
    Kushner, "A New Method of Locating the Maximum Point of an Arbitrary Multipeak Curve in the Presence of Noise",
    Journal of Basic Engineering 1964.
    """
    from scipy.special import log_ndtr

    z = (mean - best) / deviation
    value = log_ndtr(z)
    ratio = np.exp(np.clip(-0.5 * z**2 - _LOG_ROOT_2PI - value, -700, 700))
    return value, ratio / deviation, -ratio * z / deviation


@acquisitions.register("upper confidence bound")
def upper_confidence_bound(mean: Array, deviation: Array, best: float) -> Slope:
    """Two standard deviations above the mean: what the place could be worth if one is lucky.

    References
    ----------
    Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", ICML 2010.
    """
    return mean + _BOUND * deviation, np.ones_like(mean), np.full_like(deviation, _BOUND)


def log_improvement(z: Array) -> Array:
    """The logarithm of the expected improvement of a standard normal belief over ``-z``; any shape, any z."""
    from scipy.special import erfcx, ndtr

    z = np.asarray(z, dtype=np.float64)
    near = np.maximum(z, -1.0)
    value = np.log(np.exp(-0.5 * near**2 - _LOG_ROOT_2PI) + near * ndtr(near))
    # far below: phi(z) + z Phi(z) = phi(z) (1 - |z| erfcx(|z|/sqrt 2) sqrt(pi/2)), and 1/z^2 where that cancels
    far = np.clip(-z, 1.0, 1e6)
    rest = 1 - far * erfcx(far / np.sqrt(2)) * np.sqrt(np.pi / 2)
    distant = np.maximum(-z, 1.0)
    tail = -0.5 * distant**2 - _LOG_ROOT_2PI
    tail += np.where(distant < 1e3, np.log(np.maximum(rest, 1e-300)), -2 * np.log(distant))
    return np.asarray(np.where(z > -1.0, value, tail))


def _improvement_ratio(z: Array, value: Array) -> Array:
    """The derivative of `log_improvement`: the probability of improvement over the expected improvement."""
    from scipy.special import log_ndtr

    return np.asarray(np.exp(np.clip(log_ndtr(z) - value, -700, 700)))


def log_feasibility(mean: Array, deviation: Array, threshold: float) -> Slope:
    """The logarithm of the probability that a metric reaches a threshold.

    References
    ----------
    Gardner et al., "Bayesian Optimization with Inequality Constraints", ICML 2014.
    """
    return probability_of_improvement(mean, deviation, threshold)
