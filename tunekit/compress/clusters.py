"""Clusters of numbers: k-means on a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS = 100


def nearest_means(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return means such that the values are near to their nearest one.

    Lloyd's algorithm is started from equal steps between the smallest and the largest value, which keeps the large
    weights apart, and from equal shares of the values; the better end is taken.

    Parameters
    ----------
    values
        Shape (values,), finite, at least one.
    count
        At most so many means, 1 or more.

    Returns
    -------
    array
        Shape (means,), ascending, without duplicates; all distinct values where they are no more than ``count``.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", 1982; Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3.2
    (of three ways to start, equal steps are the best for weights).

    Examples
    --------
    >>> nearest_means(np.array([1.0, 1.0, 4.0, 5.0]), 2).tolist()
    [1.0, 4.5]
    """
    ordered = np.sort(values)
    distinct = np.unique(ordered)
    if len(distinct) <= count:
        return distinct
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    steps = np.linspace(ordered[0], ordered[-1], count)
    shares = np.quantile(ordered, (np.arange(count) + 0.5) / count)
    found = [_lloyd(ordered, sums, start) for start in (steps, shares)]
    return min(found, key=lambda means: _error(ordered, means))


def assign(values: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.int16]:
    """Return for each value the number of the nearest of the ascending means.

    Examples
    --------
    >>> assign(np.array([[0.2, 3.0]]), np.array([0.0, 1.0, 2.0])).tolist()
    [[0, 2]]
    """
    return np.searchsorted((means[1:] + means[:-1]) / 2, values).astype(np.int16)


def _lloyd(ordered: NDArray[np.float64], sums: NDArray[np.float64], means: NDArray[np.float64]) -> NDArray[np.float64]:
    ends = np.array([], dtype=np.intp)
    for _ in range(_ROUNDS):
        means = np.unique(means)
        borders = np.searchsorted(ordered, (means[1:] + means[:-1]) / 2)
        edges = np.concatenate([[0], borders, [len(ordered)]])
        sizes = np.diff(edges)
        kept = sizes > 0
        means = (np.diff(sums[edges]) / np.maximum(sizes, 1))[kept]
        if np.array_equal(edges, ends):
            break
        ends = edges
    return means


def _error(ordered: NDArray[np.float64], means: NDArray[np.float64]) -> float:
    return float(((ordered - means[assign(ordered, means)]) ** 2).sum())
