"""Functions drawn from all that a surrogate holds possible: each a course of scores over the whole space.

Whatever is computed of each of them has, over all of them, the spread that the trials leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.insight.process import Process, distinct
from tunekit.insight.surrogate import Surrogate
from tunekit.search.surrogate.threads import one_blas_thread

Array = NDArray[np.float64]

# How many waves make a function of the prior, and one of one parameter; how many are drawn of each process.
_WAVES, _WAVES_ALONE, _EACH = 256, 64, 8
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
        return sum(paths.weights.shape[1] for paths in self._paths)

    def and_without(self, groups: Sequence[NDArray[np.int64]]) -> Draws:
        """These functions, and after those of each process its first one, as it were without each group.

        Parameters
        ----------
        groups
            Of observations, each by their numbers.
        """
        return Draws(self.surrogate, tuple(paths.and_without(groups) for paths in self._paths))

    def at(self, places: Array) -> Array:
        """The functions at places of the unit cube, shape (n, d), on the surrogate's scale: shape (k, n)."""
        features = self.surrogate.encoding.features(places)
        # what one parameter does alone is looked at once for each of its values
        values = [distinct(features[:, columns]) for columns in self.surrogate.processes[0].columns]
        found = np.empty((len(self), len(features)))
        with one_blas_thread():
            for start in range(0, len(features), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                found[:, chunk] = np.concatenate([paths.together_at(features[chunk]) for paths in self._paths])
            for number, (each, which) in enumerate(values):
                found += np.concatenate([paths.alone_at(number, each) for paths in self._paths])[:, which]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Waves:
    """Functions of the prior: of one process, and of one of its parts."""

    frequencies: Array
    heights: NDArray[np.float32]

    @classmethod
    def drawn(cls, scales: Array, amplitude: float, waves: int, count: int, rng: np.random.Generator) -> _Waves:
        # the spectral density of the Matérn covariance of smoothness 5/2 is a Student's t of five degrees of freedom
        normal = rng.standard_normal((len(scales), waves))
        frequencies = normal / scales[:, None] * np.sqrt(5.0 / rng.chisquare(5, waves))
        heights = np.sqrt(amplitude / waves) * rng.standard_normal((2 * waves, count))
        return cls(frequencies, heights.astype(np.float32))

    def and_first(self, times: int) -> _Waves:
        """These functions, and the first one so many times more."""
        return _Waves(self.frequencies, np.column_stack([self.heights, *[self.heights[:, :1]] * times]))

    def at(self, features: Array) -> NDArray[np.float32]:
        """The functions at places of shape (n, D): shape (n, k)."""
        phases = (features @ self.frequencies).astype(np.float32)
        return np.concatenate([np.cos(phases), np.sin(phases)], axis=1) @ self.heights


@dataclass(frozen=True, slots=True, eq=False)
class _Paths:
    """Functions of one process: waves of the prior, bent to what was observed."""

    process: Process
    together: _Waves
    alone: tuple[_Waves, ...]
    weights: NDArray[Any]
    precision: type[np.floating[Any]]

    @classmethod
    def of(cls, process: Process, count: int, rng: np.random.Generator) -> _Paths:
        known, columns = process.hyperparameters, process.columns
        together = _Waves.drawn(process.coordinate_scales, known.amplitude_together, _WAVES, count, rng)
        alone = tuple(
            _Waves.drawn(np.full(len(own), scale), known.amplitude_alone, _WAVES_ALONE, count, rng)
            for own, scale in zip(columns, known.alone, strict=True)
        )
        rough = np.linalg.cholesky(process.rough_covariance()) @ rng.standard_normal((len(process.targets), count))
        smooth = sum((waves.at(process.features[:, own]) for waves, own in zip(alone, columns, strict=True)), rough)
        weights = process.solve(process.targets[:, None] - smooth - together.at(process.features))
        return cls.bent(process, together, alone, weights)

    @classmethod
    def bent(cls, process: Process, together: _Waves, alone: tuple[_Waves, ...], weights: Array) -> _Paths:
        short = np.linalg.norm(weights, axis=0).max() < _LONGEST
        precision: type[np.floating[Any]] = np.float32 if short else np.float64
        return cls(process, together, alone, weights.astype(precision), precision)

    def and_without(self, groups: Sequence[NDArray[np.int64]]) -> _Paths:
        """These functions, and the first one as it were without each group of observations."""
        first = self.weights[:, 0].astype(np.float64)
        inverse = self.process.solve(np.eye(len(first)))
        # the weights of the others where a group's own are forced to none, by the inverse of a matrix in blocks
        without = [
            first - inverse[:, group] @ np.linalg.solve(inverse[np.ix_(group, group)], first[group]) for group in groups
        ]
        return self.bent(
            self.process,
            self.together.and_first(len(groups)),
            tuple(waves.and_first(len(groups)) for waves in self.alone),
            np.column_stack([self.weights, *without]),
        )

    def together_at(self, features: Array) -> Array:
        """What all parameters do together, at places of shape (n, D): shape (k, n)."""
        bent = self.process.together(features, self.precision) @ self.weights
        return np.asarray((bent + self.together.at(features)).T, dtype=np.float64)

    def alone_at(self, number: int, values: Array) -> Array:
        """What one parameter does alone, at values of its coordinates, shape (m, c): shape (k, m)."""
        bent = self.process.alone(number, values) @ self.weights
        return np.asarray((bent + self.alone[number].at(values)).T, dtype=np.float64)
