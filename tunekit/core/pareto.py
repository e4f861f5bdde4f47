"""Several objectives: which points no other beats, and how much of the space they cover. More is better throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def non_dominated(gains: Array) -> NDArray[np.bool_]:
    """Which points are beaten by no other: at least as good in every objective and better in one.

    Parameters
    ----------
    gains
        Points, shape (n, m), more is better. Of points that are equal, the first counts.

    Returns
    -------
    ndarray of bool
        Shape (n,).

    Examples
    --------
    >>> non_dominated(np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0]])).tolist()
    [True, True, False]
    """
    gains = np.asarray(gains, dtype=np.float64)
    kept = np.ones(len(gains), dtype=bool)
    for number, point in enumerate(gains):
        at_least = np.all(gains >= point, axis=1)
        better = np.any(gains > point, axis=1)
        equal_before = np.all(gains[:number] == point, axis=1).any()
        kept[number] = not (np.any(at_least & better) or equal_before)
    return kept


def hypervolume(gains: Array, reference: Array) -> float:
    """The volume between a reference point and the points that it is worse than.

    Parameters
    ----------
    gains
        Points, shape (n, m), more is better.
    reference
        A point worse than what is wanted, shape (m,); points that are not better than it in every objective count
        nothing.

    Returns
    -------
    float
        In the product of the objectives' units, 0 or more.

    References
    ----------
    While, Bradstreet and Barone, "A Fast Way of Calculating Exact Hypervolumes", IEEE Transactions on Evolutionary
    Computation 2012: each point adds what lies above the reference and in none of the points after it.

    Examples
    --------
    >>> hypervolume(np.array([[1.0, 3.0], [2.0, 2.0]]), np.array([0.0, 0.0]))
    5.0
    """
    reference = np.asarray(reference, dtype=np.float64)
    heights = np.asarray(gains, dtype=np.float64).reshape(-1, len(reference)) - reference
    heights = heights[np.all(heights > 0, axis=1)]
    if not len(heights):
        return 0.0
    return _volume(heights[non_dominated(heights)])


def _volume(heights: Array) -> float:
    """The volume that non-dominated points cover above zero."""
    if heights.shape[1] == 1:
        return float(heights.max())
    ordered = heights[np.argsort(-heights[:, 0], kind="stable")]
    if heights.shape[1] == 2:
        below = np.concatenate([[0.0], ordered[:-1, 1]])
        return float(np.sum(ordered[:, 0] * (ordered[:, 1] - below)))
    total = 0.0
    for place, point in enumerate(ordered):
        others = np.minimum(ordered[place + 1 :], point)
        covered = _volume(others[non_dominated(others)]) if len(others) else 0.0
        total += float(np.prod(point)) - covered
    return total
