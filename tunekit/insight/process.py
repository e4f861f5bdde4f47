"""A Gaussian process that knows what each parameter does alone, and what they do together.

A process with one product of covariances holds it for certain that every parameter which matters also interacts with
all others. Here the course of a metric is a sum: of one function of each parameter, and of one of all together, each
with length scales of its own. So a parameter that matters alone can be told from one that does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate import conditioning
from tunekit.search.surrogate.conditioning import Conditioned
from tunekit.search.surrogate.covariances import distances_between, rough_part, smooth_part

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What a process believes before it has seen anything.

    Parameters
    ----------
    alone, together
        The length scales of the functions of one parameter each, and of the one of all, each of shape (p,).
    amplitude_alone, amplitude_together
        The variances of each of those functions, where the values have variance 1.
    noise, roughness
        The variances of noise and roughness.
    """

    alone: Array
    together: Array
    amplitude_alone: float
    amplitude_together: float
    noise: float
    roughness: float

    @property
    def signal(self) -> float:
        """The variance of what belongs to a place."""
        return len(self.alone) * self.amplitude_alone + self.amplitude_together + self.roughness


class Process:
    """What is believed after some observations.

    Parameters
    ----------
    features
        Where was observed, shape (n, D).
    targets
        What was observed, shape (n,), about mean 0 and variance 1.
    owners
        Which parameter each of the D coordinates belongs to, shape (D,).
    hyperparameters
        What was believed before.

    References
    ----------
    Duvenaud, Nickisch and Rasmussen, "Additive Gaussian Processes", NeurIPS 2011.
    """

    def __init__(
        self, features: Array, targets: Array, owners: NDArray[np.int64], hyperparameters: Hyperparameters
    ) -> None:
        self.hyperparameters = hyperparameters
        self.features, self.targets = features, targets
        # the coordinates of each parameter
        self.columns = [np.flatnonzero(owners == number) for number in range(len(hyperparameters.alone))]
        # the length scale of each coordinate where all go together, shape (D,)
        self.coordinate_scales = hyperparameters.together[owners]
        self._scaled = features / self.coordinate_scales
        covariance = self._covariance(features)
        covariance[np.diag_indices_from(covariance)] += hyperparameters.noise
        self._known = Conditioned(covariance, targets)

    def predict(self, features: Array) -> tuple[Array, Array]:
        """Mean and standard deviation of the signal at places, each of shape (n,); the noise is not in it."""
        return self._known.predict(self._covariance(features), self.hyperparameters.signal)

    def mean(self, features: Array) -> Array:
        """The mean of the signal at places, shape (n,)."""
        return np.asarray(self._covariance(features) @ self._known.weights)

    def solve(self, residuals: Array) -> Array:
        """The inverse of the covariance of what was observed, times columns of shape (n, k)."""
        return self._known.solve(residuals)

    def together(self, features: Array, precision: type[np.floating[Any]] = np.float64) -> NDArray[Any]:
        """The covariance of the function of all parameters at places with what was observed, shape (m, n)."""
        return self.hyperparameters.amplitude_together * smooth_part(self._apart(features).astype(precision))[0]

    def alone(self, number: int, values: Array) -> Array:
        """The covariance of the function of one parameter, at values, (m, k), with what was observed: (m, n)."""
        scale = self.hyperparameters.alone[number]
        apart = distances_between(values / scale, self.features[:, self.columns[number]] / scale)
        return self.hyperparameters.amplitude_alone * smooth_part(apart)[0]

    def rough_covariance(self) -> Array:
        """The covariance of what roughness and noise have added to what was observed, shape (n, n)."""
        covariance = self.hyperparameters.roughness * rough_part(self._apart(self.features))[0]
        covariance[np.diag_indices_from(covariance)] = self.hyperparameters.roughness + self.hyperparameters.noise
        return covariance

    def _apart(self, features: Array) -> Array:
        return distances_between(features / self.coordinate_scales, self._scaled)

    def _covariance(self, features: Array) -> Array:
        apart, known = self._apart(features), self.hyperparameters
        found = known.amplitude_together * smooth_part(apart)[0] + known.roughness * rough_part(apart)[0]
        for number, columns in enumerate(self.columns):
            values, places = distinct(features[:, columns])
            found += self.alone(number, values)[places]
        return np.asarray(found)


def distinct(rows: Array) -> tuple[Array, NDArray[np.int64]]:
    """Each of equal rows once, shape (m, k), and which of them each row is, shape (n,)."""
    if rows.shape[1] == 1:  # many times as fast as rows
        values, places = np.unique(rows[:, 0], return_inverse=True)
        return values[:, None], places
    values, places = np.unique(rows, axis=0, return_inverse=True)
    return values, places.reshape(-1)


def misfit(logarithms: Array, squares: Array, targets: Array) -> tuple[float, Array]:
    """Minus the logarithm of the likelihood, and its gradient.

    Parameters
    ----------
    logarithms
        Of the fields of `Hyperparameters` in their order, shape (2 p + 4,).
    squares
        From `tunekit.search.surrogate.covariances.squares_by_parameter`.
    targets
        What was observed, shape (n,).
    """
    count, size = len(squares), len(targets)
    own, common = np.exp(-2 * logarithms[:count]), np.exp(-2 * logarithms[count : 2 * count])
    alone, together, noise, roughness = np.exp(logarithms[2 * count :])
    flat = squares.reshape(count, -1)
    each, each_steepness = smooth_part(np.sqrt(own[:, None] * flat))
    apart = np.sqrt(common @ flat)
    joint, joint_steepness = smooth_part(apart)
    jumps, jumps_steepness = rough_part(apart)
    sum_of_each = each.sum(axis=0)
    covariance = (alone * sum_of_each + together * joint + roughness * jumps).reshape(size, size)
    covariance[np.diag_indices(size)] += noise
    found = conditioning.misfit(covariance, targets)
    if found is None:
        return 1e10, np.zeros_like(logarithms)
    cost, pull = found[0], found[1].reshape(-1)
    gradient = np.concatenate(
        [
            alone * own * np.einsum("pk,pk,k->p", flat, each_steepness, pull),
            common * (flat @ (pull * (together * joint_steepness + roughness * jumps_steepness))),
            [alone * (pull @ sum_of_each), together * (pull @ joint)],
            [noise * pull[:: size + 1].sum(), roughness * (pull @ jumps)],
        ]
    )
    return cost, 0.5 * gradient
