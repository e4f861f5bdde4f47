"""How the variance of functions over a space divides among its parameters: a functional ANOVA."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tunekit.search.parameters import Int
from tunekit.search.surrogate.encoding import Encoding

Array = NDArray[np.float64]

# How many places stand for the other parameters where one is looked at, and where two are; powers of two.
_BACKGROUNDS, _PAIR_BACKGROUNDS = 128, 32
# How many places stand for the values of one number where it is looked at alone, and in a pair.
_NODES, _PAIR_NODES = 16, 5
# A share of the variance that is not looked into.
_SMALL = 0.01
# How finely the shares of the values of a discrete parameter are counted.
_FINE = 100_000


class Functions(Protocol):
    """k functions of places of the unit cube."""

    def __call__(self, places: Array) -> Array:
        """The functions at places of shape (n, d): shape (k, n)."""


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """The variance of each of k functions, in parts.

    Parameters
    ----------
    variance
        Of the functions over the unit cube, shape (k,).
    first
        Of what depends on one parameter alone, shape (k, d).
    total
        Of all that depends on it, alone or together with others, shape (k, d).
    pairs
        Of what depends on two parameters together beyond what each does alone, shape (k, d (d - 1) / 2), in the order
        of ``itertools.combinations``.
    """

    variance: Array
    first: Array
    total: Array
    pairs: Array

    @property
    def shares(self) -> tuple[Array, Array, Array]:
        """The first, the total and the pairs' parts as shares of the variance, 0 to 1."""
        variance = np.maximum(self.variance, 1e-12)[:, None]
        first, total, pairs = (np.clip(part / variance, 0.0, 1.0) for part in (self.first, self.total, self.pairs))
        return first, total, pairs


def nodes(encoding: Encoding, dimension: int, most: int = _NODES) -> tuple[Array, Array]:
    """Places along one dimension and their weights, each of shape (g,): all values where they are few.

    Otherwise Gauss-Legendre points, exact for polynomials up to degree 2 g - 1.
    """
    count = encoding.counts[dimension]
    if count is None or (count > most and not encoding.is_choice[dimension]):
        points, weights = np.polynomial.legendre.leggauss(most)
        return (points + 1) / 2, weights / 2
    parameter = encoding.space[encoding.space.names[dimension]]
    if not isinstance(parameter, Int) or not parameter.log:
        return (np.arange(count) + 0.5) / count, np.full(count, 1 / count)
    places, shares = np.unique(parameter.snap((np.arange(_FINE) + 0.5) / _FINE), return_counts=True)
    return np.clip(places, 0.0, 1.0), shares / _FINE


def backgrounds(dimensions: int, count: int) -> Array:
    """Places that fill the unit cube evenly, always the same, shape (count, d); count is a power of two.

    References
    ----------
    Owen, "Scrambled net variance for integrals of smooth functions", Annals of Statistics 1997.
    """
    from scipy.stats import qmc

    return np.asarray(qmc.Sobol(dimensions, rng=np.random.default_rng(2)).random(count))


def decompose(functions: Functions, encoding: Encoding) -> Decomposition:
    """The variance of functions over the unit cube, in parts.

    Parameters
    ----------
    functions
        What is decomposed.
    encoding
        Of the space: it knows which dimensions have few values.

    References
    ----------
    Sobol', "Sensitivity Estimates for Nonlinear Mathematical Models", 1993; Hutter, Hoos and Leyton-Brown, "An
    Efficient Approach for Assessing Hyperparameter Importance", ICML 2014.
    """
    dimensions = encoding.dimensions
    others = backgrounds(dimensions, _BACKGROUNDS)
    single = [_one(functions, encoding, dimension, others) for dimension in range(dimensions)]
    first = np.stack([alone for alone, _, _ in single], axis=1)
    total = np.stack([everything for _, everything, _ in single], axis=1)
    variance = np.mean([around for _, _, around in single], axis=0)
    few = backgrounds(dimensions, _PAIR_BACKGROUNDS)
    pairs = np.empty((len(variance), dimensions * (dimensions - 1) // 2))
    for number, (one, other) in enumerate(combinations(range(dimensions), 2)):
        # a pair has no more than either has beyond its own: where that is next to nothing, it stands for the pair
        most = np.minimum(total[:, one] - first[:, one], total[:, other] - first[:, other])
        is_small = np.quantile(most, 0.975) < _SMALL * np.median(variance)
        pairs[:, number] = most if is_small else _two(functions, encoding, one, other, few)
    return Decomposition(variance, first, total, pairs)


def marginal(functions: Functions, dimension: int, values: Array, others: Array) -> Array:
    """The functions with one dimension at values, shape (g,), and the others at places, (m, d): shape (k, g, m)."""
    places = np.repeat(others[None], len(values), axis=0)
    places[:, :, dimension] = values[:, None]
    found = functions(places.reshape(-1, others.shape[1]))
    return found.reshape(len(found), len(values), len(others))


def _one(functions: Functions, encoding: Encoding, dimension: int, others: Array) -> tuple[Array, Array, Array]:
    """The first-order part, the total part and the whole variance, each of shape (k,)."""
    values, weights = nodes(encoding, dimension)
    found = marginal(functions, dimension, values, others)
    own = np.einsum("kgm,g->km", found, weights)
    along = np.einsum("kgm,g->km", (found - own[:, None]) ** 2, weights)
    total = along.mean(axis=1)
    # over each half of the others: of finitely many, a square would count a little of the interactions as its own
    half = len(others) // 2
    courses = [part.mean(axis=2) for part in (found[:, :, :half], found[:, :, half:])]
    apart = [course - (course @ weights)[:, None] for course in courses]
    alone = (apart[0] * apart[1]) @ weights
    return np.maximum(alone, 0.0), total, total + own.var(axis=1)


def _two(functions: Functions, encoding: Encoding, one: int, other: int, others: Array) -> Array:
    """The part of an interaction of second order, shape (k,)."""
    rows, row_weights = nodes(encoding, one, _PAIR_NODES)
    columns, column_weights = nodes(encoding, other, _PAIR_NODES)
    places = np.repeat(others[None], len(columns), axis=0)
    places[:, :, other] = columns[:, None]
    found = marginal(functions, one, rows, places.reshape(-1, others.shape[1]))
    found = found.reshape(len(found), len(rows), len(columns), len(others))
    found = found - np.einsum("kabm,a->kbm", found, row_weights)[:, None]
    found = found - np.einsum("kabm,b->kam", found, column_weights)[:, :, None]
    everything = np.einsum("kabm,a,b->k", found**2, row_weights, column_weights) / len(others)
    second = np.einsum("kab,a,b->k", found.mean(axis=3) ** 2, row_weights, column_weights)
    return np.asarray(np.maximum(second - np.maximum(everything - second, 0.0) / (len(others) - 1), 0.0))
