"""Functions drawn from all that a surrogate holds possible: each a course of scores over the whole space.

Whatever is computed of each of them has, over all of them, the spread that the trials leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.insight.surrogate import Surrogate
from tunekit.search.surrogate.process import Process
from tunekit.search.surrogate.threads import one_blas_thread

Array = NDArray[np.float64]

# How many waves make a function of the prior, how many functions are drawn of each process.
_WAVES, _EACH = 256, 8
# How many places are looked at together: what they need fits a processor's cache.
_CHUNK = 256
# With weights up to this long, single precision is exact to a thousandth of the scores' spread, and five times as fast.
_LONGEST = 1e4
# What the functions are drawn with, unless another is asked for.
SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Draws of the smooth course of a metric; roughness and noise are left out.

    Parameters
    ----------
    surrogate
        What they were drawn from.
    """

    surrogate: Surrogate
    _paths: tuple[_Paths, ...]

    @classmethod
    def of(cls, surrogate: Surrogate, each: int = _EACH, *, seed: int = SEED) -> Draws:
        """So many functions of each of the surrogate's processes; the same for the same surrogate and seed.

        References
        ----------
        Wilson et al., "Efficiently Sampling Functions from Gaussian Process Posteriors", ICML 2020.
        """
        rng = np.random.default_rng(seed)
        with one_blas_thread():
            return cls(surrogate, tuple(_Paths.of(process, each, rng) for process in surrogate.processes))

    def __len__(self) -> int:
        """How many functions they are."""
        return sum(paths.waves.shape[1] for paths in self._paths)

    def at(self, places: Array) -> Array:
        """The functions at places of the unit cube, shape (n, d), on the surrogate's scale: shape (k, n)."""
        features = self.surrogate.encoding.features(places)
        found = np.empty((len(self), len(features)))
        with one_blas_thread():
            for start in range(0, len(features), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                found[:, chunk] = np.concatenate([paths.at(features[chunk]) for paths in self._paths])
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """Functions of one process: waves of the prior, bent to what was observed."""

    process: Process
    frequencies: Array
    waves: NDArray[np.float32]
    weights: NDArray[Any]
    precision: type[np.floating[Any]]

    @classmethod
    def of(cls, process: Process, count: int, rng: np.random.Generator) -> _Paths:
        # the spectral density of the Matérn covariance of smoothness 5/2 is a Student's t of five degrees of freedom
        scales = process.coordinate_scales
        normal = rng.standard_normal((len(scales), _WAVES))
        frequencies = normal / scales[:, None] * np.sqrt(5.0 / rng.chisquare(5, _WAVES))
        amplitude = np.sqrt(process.hyperparameters.amplitude / _WAVES)
        waves = (amplitude * rng.standard_normal((2 * _WAVES, count))).astype(np.float32)
        rough = np.linalg.cholesky(process.rough_covariance()) @ rng.standard_normal((len(process.targets), count))
        seen = _waves(process.features, frequencies) @ waves + rough
        weights = process.solve(process.targets[:, None] - seen)
        short = np.linalg.norm(weights, axis=0).max() < _LONGEST
        precision: type[np.floating[Any]] = np.float32 if short else np.float64
        return cls(process, frequencies, waves, weights.astype(precision), precision)

    def at(self, features: Array) -> Array:
        bent = self.process.smooth_covariance(features, self.precision) @ self.weights
        return np.asarray((bent + _waves(features, self.frequencies) @ self.waves).T, dtype=np.float64)


def _waves(features: Array, frequencies: Array) -> NDArray[np.float32]:
    phases = (features @ frequencies).astype(np.float32)
    return np.concatenate([np.cos(phases), np.sin(phases)], axis=1)
