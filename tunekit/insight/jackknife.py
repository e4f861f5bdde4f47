"""How far a result hinges on which trials there happened to be: it is found again without each group of them.

What a process holds possible is only as wide as the process is right. A function that is steep at one place and flat at
another is no draw of any, and then its intervals are too narrow. How much a result moves where trials are left out
shows that.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_GROUPS = 8


def groups(features: Array, even: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Observations by number, in eight groups, the same each time; fewer groups of fewer.

    Parameters
    ----------
    features
        Where was observed, shape (n, D).
    even
        Those which are spread evenly, by number: each group has almost equally many of them, and all others go with
        the nearest of these. Of ten trials at one place not one would be missed.

    Examples
    --------
    >>> features = np.array([[0.0], [0.01], [0.5], [0.49], [1.0]])
    >>> sorted(group.tolist() for group in groups(features, np.array([0, 2, 4])))
    [[0, 1], [2, 3], [4]]
    """
    from scipy.spatial import cKDTree

    nearest = cKDTree(features[even]).query(features)[1]
    numbers = np.random.default_rng(0).permutation(len(even))
    most = min(_GROUPS, len(even))
    return [np.flatnonzero(np.isin(nearest, numbers[group::most])) for group in range(most)]


def deviation(estimates: Array) -> Array:
    """The standard deviation of an estimate, of shape (p,), from the estimates without each group, (g, p).

    References
    ----------
    Shao and Wu, "A General Theory for Jackknife Variance Estimation", Annals of Statistics 1989; Giordano and
    Broderick, "The Bayesian Infinitesimal Jackknife for Variance", 2023.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0, 6.0])
    >>> means_without = (values.sum() - values) / 3
    >>> deviation(means_without[:, None]).round(6) == (values.std(ddof=1) / 2).round(6)
    array([ True])
    """
    return np.asarray(np.sqrt((len(estimates) - 1) * estimates.var(axis=0)))
