"""Several aims: by how much a trial at some place is expected to raise the volume that the front covers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunekit.core.pareto import non_dominated
from tunekit.search.surrogate.acquisitions import log_improvement
from tunekit.search.surrogate.criterion import Formula, add_limits

Array = NDArray[np.float64]

# The most points of a front that count: the number of boxes grows with the power m - 1 of it.
_MOST = {2: 200, 3: 40}
_MOST_BEYOND = 12
# How much the sum of all that a point lacks counts beside the most that it lacks: Knowles 2006.
_AUGMENTED = 0.05
_LOG_ROOT_2PI = 0.5 * np.log(2 * np.pi)


def boxes(front: Array, reference: Array) -> tuple[Array, Array]:
    """Cut the region that no point of the front dominates, above the reference, into disjoint boxes.

    Parameters
    ----------
    front
        Points, shape (n, m), more is better; n may be 0.
    reference
        Shape (m,).

    Returns
    -------
    (lower, upper)
        The corners, each of shape (k, m); infinite where a box has no end.

    Examples
    --------
    >>> lower, upper = boxes(np.array([[1.0, 2.0]]), np.zeros(2))
    >>> lower.tolist(), upper.tolist()
    ([[1.0, 0.0], [0.0, 2.0]], [[inf, 2.0], [inf, inf]])
    """
    above = front[np.all(front > reference, axis=1)]
    size = len(reference)
    if size == 1:
        return np.array([[above.max() if len(above) else reference[0]]]), np.array([[np.inf]])
    # in each layer of the last aim, only the points that reach above it are in the way
    levels = np.unique(np.concatenate([[reference[-1]], above[:, -1]]))
    lower, upper = [], []
    for level, end in zip(levels, [*levels[1:], np.inf], strict=True):
        inner_lower, inner_upper = boxes(above[above[:, -1] > level][:, :-1], reference[:-1])
        lower.append(np.column_stack([inner_lower, np.full(len(inner_lower), level)]))
        upper.append(np.column_stack([inner_upper, np.full(len(inner_upper), end)]))
    return np.concatenate(lower), np.concatenate(upper)


def front_improvement(front: Array, reference: Array, thresholds: Array) -> Formula:
    """The logarithm of the expected hypervolume improvement, times the probability that the limits are kept.

    The expectation over each box is a product of differences of one-dimensional expected improvements, since the
    beliefs of the aims are independent.

    Parameters
    ----------
    front
        The points so far, shape (n, m), on the scales of the processes; more is better.
    reference
        A point that every wanted one is better than, shape (m,).
    thresholds
        What each limit's metric must reach, shape (c,).

    References
    ----------
    Yang, Emmerich, Deutz and Bäck, "Efficient computation of expected hypervolume improvement using box decomposition
    algorithms", Journal of Global Optimization 2019; its logarithm: Ament et al., NeurIPS 2023.
    """
    size = len(reference)
    lower, upper = boxes(_thinned(front, reference), reference)
    bounds, lower_at, upper_at = [], [], []
    for aim in range(size):
        levels, inverse = np.unique(np.concatenate([lower[:, aim], upper[:, aim]]), return_inverse=True)
        bounds.append(levels)
        lower_at.append(inverse[: len(lower)])
        upper_at.append(inverse[len(lower) :])

    def formula(means: Array, deviations: Array) -> tuple[Array, Array, Array]:
        logs: list[Array] = []
        mean_ratios: list[Array] = []
        deviation_ratios: list[Array] = []
        for aim in range(size):
            parts = _box_sides(means[:, aim], deviations[:, aim], bounds[aim], lower_at[aim], upper_at[aim])
            for kept, part in zip((logs, mean_ratios, deviation_ratios), parts, strict=True):
                kept.append(part)
        volumes = np.sum(logs, axis=0)
        largest = np.max(volumes, axis=1, keepdims=True)
        shares = np.exp(volumes - largest)
        sums = np.sum(shares, axis=1, keepdims=True)
        shares /= sums
        by_mean, by_deviation = np.zeros_like(means), np.zeros_like(means)
        for aim in range(size):
            by_mean[:, aim] = np.sum(shares * mean_ratios[aim], axis=1)
            by_deviation[:, aim] = np.sum(shares * deviation_ratios[aim], axis=1)
        values = (largest + np.log(sums))[:, 0]
        return add_limits(values, by_mean, by_deviation, means, deviations, thresholds, size)

    return formula


def weighted(gains: Array, others: Array, weights: Array) -> Array:
    """How little some points lack of the best in the aim where, weighted, they lack most: more is better.

    Parameters
    ----------
    gains
        The points, shape (n, m), more is better.
    others
        Those that the best and the worst of each aim are read from, shape (k, m), k at least 1.
    weights
        How much each aim counts, shape (m,), their sum 1.

    Returns
    -------
    ndarray
        At most 0, shape (n,); for `others`, -1.05 at least.

    References
    ----------
    The augmented Tchebycheff function: Knowles, "ParEGO: a hybrid algorithm with on-line landscape approximation for
    expensive multiobjective optimization problems", IEEE Transactions on Evolutionary Computation 2006.

    Examples
    --------
    >>> points = np.array([[1.0, 0.0], [0.6, 0.6], [0.0, 1.0]])
    >>> weighted(points, points, np.array([0.5, 0.5])).round(3).tolist()
    [-0.525, -0.22, -0.525]
    """
    best = others.max(axis=0)
    span = best - others.min(axis=0)
    lacks = weights * (best - gains) / np.where(span > 0, span, 1.0)
    return np.asarray(-lacks.max(axis=1) - _AUGMENTED * lacks.sum(axis=1))


def _box_sides(
    mean: Array, deviation: Array, bounds: Array, lower_at: NDArray[np.int64], upper_at: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """The logarithm of the expected part of each box's side that is covered, shape (n, k), with its derivatives."""
    from scipy.special import log_ndtr

    finite = np.where(np.isfinite(bounds), bounds, 1e12)
    z = (mean[:, None] - finite) / deviation[:, None]
    improvement = np.log(deviation)[:, None] + log_improvement(z)
    improvement[:, ~np.isfinite(bounds)] = -np.inf
    density = -0.5 * z**2 - _LOG_ROOT_2PI
    below = log_ndtr(z)
    low, high = improvement[:, lower_at], improvement[:, upper_at]
    side = low + np.log(np.maximum(-np.expm1(np.minimum(high - low, -1e-12)), 1e-300))
    by_mean = _ratio(below[:, lower_at], side) - _ratio(below[:, upper_at], side)
    by_deviation = _ratio(density[:, lower_at], side) - _ratio(density[:, upper_at], side)
    return side, by_mean, by_deviation


def _ratio(numerator: Array, denominator: Array) -> Array:
    return np.exp(np.clip(numerator - denominator, -700, 50))


def _thinned(front: Array, reference: Array) -> Array:
    """The front without dominated points, and an even choice of it where it has too many."""
    front = front[np.all(front > reference, axis=1)]
    if not len(front):
        return front
    front = front[non_dominated(front)]
    most = _MOST.get(front.shape[1], _MOST_BEYOND)
    if len(front) <= most:
        return front
    order = np.argsort(front[:, 0])
    return front[order[np.linspace(0, len(front) - 1, most).round().astype(np.int64)]]
