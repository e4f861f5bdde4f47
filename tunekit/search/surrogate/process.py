"""A Gaussian process with one length scale for each parameter, shrunk towards what they have in common.

Two things are between a score and the smooth course of scores: noise, which another trial at the same place would draw
anew, and roughness, which belongs to the place. A forest of ten trees with a fixed seed has no noise, and its accuracy
still jumps from one setting to the next. A process that took the jumps for noise would try the same place again and
again to average them out; one that knows of roughness looks for a lucky place next to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.conditioning import Conditioned, misfit
from tunekit.search.surrogate.covariances import distances_between, rough_part, smooth_part, squares_by_parameter

Array = NDArray[np.float64]

# The prior of the logarithm of the length scales: they vary around a common mean, which varies around its own.
# With ten points and ten parameters the likelihood alone sets most of them at random.
_COMMON_MEAN, _COMMON_DEVIATION, _OWN_DEVIATION = np.log(0.5), 0.8, 0.5
# The priors (mean, deviation) of the logarithms of the variances of the smooth course, of the noise, and of the
# roughness; scores have variance 1.
_AMPLITUDE, _NOISE, _ROUGHNESS = (0.0, 1.0), (-6.0, 2.0), (-4.0, 2.0)
_LEAST_NOISE = 1e-8
# Few points are often explained in two ways: a flat course with much noise, or a steep one with little. The fit begins
# at the priors' means, and once more at these logarithms of the length scales and of the noise.
_STEEP, _SILENT = np.log(0.2), np.log(1e-4)


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What the fit of a process comes to.

    Parameters
    ----------
    length_scales
        How far one must go along each parameter for the score to become another matter, shape (p,), in units of the
        parameter's range.
    amplitude, noise, roughness
        The variances of the smooth course, of the noise, and of the roughness, where the scores have variance 1.
    """

    length_scales: Array
    amplitude: float
    noise: float
    roughness: float

    @property
    def signal(self) -> float:
        """The variance of what belongs to a place: of the smooth course and the roughness."""
        return self.amplitude + self.roughness


class Process:
    """What is believed after some observations; of hyperparameters that are known.

    Parameters
    ----------
    features
        Where was observed, shape (n, D).
    targets
        What was observed, shape (n,), about mean 0 and variance 1.
    owners
        Which length scale each of the D coordinates has, shape (D,).
    hyperparameters
        From `fit`.
    """

    def __init__(
        self, features: Array, targets: Array, owners: NDArray[np.int64], hyperparameters: Hyperparameters
    ) -> None:
        self.hyperparameters = hyperparameters
        self.features, self.targets = features, targets
        self._inverse_scales = 1 / hyperparameters.length_scales[owners]
        self._scaled = features * self._inverse_scales
        covariance = self._covariance(self._scaled)
        covariance[np.diag_indices_from(covariance)] += hyperparameters.noise
        self._known = Conditioned(covariance, targets)

    def _covariance(self, scaled: Array) -> Array:
        return _signal(distances_between(scaled, self._scaled), self.hyperparameters)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the signal at places, each of shape (n,); the noise is not in it."""
        return self._known.predict(self._covariance(features * self._inverse_scales), self.hyperparameters.signal)

    def mean(self, features: Array) -> Array:
        """The mean of the signal at places, shape (n,)."""
        return np.asarray(self._covariance(features * self._inverse_scales) @ self._known.weights)

    def predict_jointly(self, features: Array) -> tuple[Array, Array]:
        """Mean, shape (n,), and covariance, shape (n, n), of the signal at places."""
        scaled = features * self._inverse_scales
        covariance = self._covariance(scaled)
        whitened = covariance @ self._known.whitener.T
        prior = _signal(distances_between(scaled, scaled), self.hyperparameters)
        return covariance @ self._known.weights, prior - whitened @ whitened.T

    def slope(self, place: Array) -> tuple[float, float, Array, Array]:
        """Mean and standard deviation at one place, shape (D,), and the gradient of each, shape (D,)."""
        differences = place * self._inverse_scales - self._scaled
        distances = np.sqrt(np.einsum("ij,ij->i", differences, differences))
        hyperparameters = self.hyperparameters
        smooth, smooth_steepness = smooth_part(distances)
        rough, rough_steepness = rough_part(distances)
        covariance = hyperparameters.amplitude * smooth + hyperparameters.roughness * rough
        steepness = hyperparameters.amplitude * smooth_steepness + hyperparameters.roughness * rough_steepness
        whitened = self._known.whitener @ covariance
        variance = max(hyperparameters.signal - float(whitened @ whitened), 1e-12)
        deviation = float(np.sqrt(variance))
        mean_slope = -((steepness * self._known.weights) @ differences) * self._inverse_scales
        solved = whitened @ self._known.whitener
        deviation_slope = ((steepness * solved) @ differences) * self._inverse_scales / deviation
        return float(covariance @ self._known.weights), deviation, mean_slope, deviation_slope


def fit(features: Array, targets: Array, owners: NDArray[np.int64]) -> Hyperparameters:
    """The most probable hyperparameters, given observations and the priors above.

    Parameters
    ----------
    features
        Where was observed, shape (n, D).
    targets
        What was observed, shape (n,), about mean 0 and variance 1.
    owners
        Which parameter each of the D coordinates belongs to, shape (D,).

    Returns
    -------
    Hyperparameters
        The same for the same data: the search for them always starts at the same places.
    """
    from scipy.optimize import minimize

    count = int(owners[-1]) + 1
    squares = squares_by_parameter(features, owners, count)
    usual = np.concatenate([np.full(count, _COMMON_MEAN), [_AMPLITUDE[0], _NOISE[0], _ROUGHNESS[0]]])
    steep = np.concatenate([np.full(count, _STEEP), [_AMPLITUDE[0], _SILENT, _ROUGHNESS[0]]])
    small = (np.log(_LEAST_NOISE), 0.0)
    bounds = [(np.log(0.02), np.log(20.0))] * count + [(-4.0, 4.0), small, small]
    tops: list[Any] = [
        minimize(
            _cost, start, args=(squares, targets), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}
        )
        for start in (usual, steep)
    ]
    best = np.exp(min(tops, key=lambda top: float(top.fun)).x)
    return Hyperparameters(best[:count], *best[count:].tolist())


def _cost(logarithms: Array, squares: Array, targets: Array) -> tuple[float, Array]:
    """Minus the logarithm of likelihood times prior, and its gradient."""
    count, size = len(squares), len(targets)
    weights = np.exp(-2 * logarithms[:count])
    amplitude, noise, roughness = np.exp(logarithms[count:])
    distances = np.sqrt(np.tensordot(weights, squares, axes=1))
    smooth, smooth_steepness = smooth_part(distances)
    rough, rough_steepness = rough_part(distances)
    covariance = amplitude * smooth + roughness * rough
    covariance[np.diag_indices(size)] += noise
    found = misfit(covariance, targets)
    if found is None:
        return 1e10, np.zeros_like(logarithms)
    cost, pull = found
    gradient = np.empty_like(logarithms)
    steepness = pull * (amplitude * smooth_steepness + roughness * rough_steepness)
    gradient[:count] = 0.5 * weights * (squares.reshape(count, -1) @ steepness.reshape(-1))
    gradient[count] = 0.5 * amplitude * float(np.vdot(pull, smooth))
    gradient[count + 1] = 0.5 * noise * float(np.trace(pull))
    gradient[count + 2] = 0.5 * roughness * float(np.vdot(pull, rough))
    # the prior of the length scales with the common mean integrated out: a Gaussian of equal correlations
    off = logarithms[:count] - _COMMON_MEAN
    own, common = _OWN_DEVIATION**2, _COMMON_DEVIATION**2
    pulled = (off - common / (own + count * common) * np.sum(off)) / own
    cost += 0.5 * float(off @ pulled)
    gradient[:count] += pulled
    for place, (mean, deviation) in enumerate((_AMPLITUDE, _NOISE, _ROUGHNESS), count):
        away = (logarithms[place] - mean) / deviation
        cost += 0.5 * float(away**2)
        gradient[place] += away / deviation
    return cost, gradient


def _signal(distances: Array, hyperparameters: Hyperparameters) -> Array:
    """The covariance of what belongs to places at such distances."""
    smooth, rough = smooth_part(distances)[0], rough_part(distances)[0]
    return hyperparameters.amplitude * smooth + hyperparameters.roughness * rough
