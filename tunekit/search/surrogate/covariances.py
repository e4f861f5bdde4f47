"""Covariances of what lies at places: of a smooth course, and of roughness, which reaches a short way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# How far the roughness of one place reaches, in length scales.
_REACH = 0.15
_ROOT3, _ROOT5 = math.sqrt(3.0), math.sqrt(5.0)


def distances_between(one: Array, other: Array) -> Array:
    """The distances of places, shapes (m, D) and (n, D): shape (m, n)."""
    squares = np.einsum("ij,ij->i", one, one)[:, None] + np.einsum("ij,ij->i", other, other) - 2 * (one @ other.T)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def squares_by_parameter(features: Array, owners: NDArray[np.int64], count: int) -> Array:
    """The squared distances of all pairs of n places along each of p parameters, shape (p, n, n)."""
    squares = np.zeros((count, len(features), len(features)))
    for column, owner in enumerate(owners):
        squares[owner] += (features[:, column, None] - features[None, :, column]) ** 2
    return squares


def smooth_part(distances: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The Matérn covariance of smoothness 5/2 with variance 1; and its steepness: minus its slope over the distance."""
    reach = _ROOT5 * distances
    decay = np.exp(-reach)
    linear = (1 + reach) * decay
    return linear + (reach * reach / 3) * decay, 5 / 3 * linear


def rough_part(distances: Array) -> tuple[Array, Array]:
    """The Matérn covariance of smoothness 3/2 with variance 1 and a short reach; and its steepness, as above."""
    reach = (_ROOT3 / _REACH) * distances
    decay = np.exp(-reach)
    return (1 + reach) * decay, (3 / _REACH**2) * decay
