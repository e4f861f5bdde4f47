"""Which trials are spread evenly over a space, where a search has gathered most of them near its best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.encoding import Encoding

Array = NDArray[np.float64]

# A trial nearer to another than this share of what is usual among settings drawn at random says little of its own
# (of .5, .65 and .8 the one with which intervals of importance hold the truth most often, over searches of 40 trials).
_NEAR = 0.8


def evenly_spread(features: Array, encoding: Encoding) -> NDArray[np.int64]:
    """Observations, by number, of which no two are much closer to one another than settings drawn at random.

    Parameters
    ----------
    features
        Where was observed, shape (n, D), n at least 1.
    encoding
        What the features are of.

    References
    ----------
    Gonzalez, "Clustering to minimize the maximum intercluster distance", Theoretical Computer Science 1985.

    Examples
    --------
    >>> from tunekit.search.space import Space
    >>> encoding = Encoding(Space(x=(0.0, 1.0)))
    >>> evenly_spread(encoding.features(np.array([[0.0], [0.5], [0.5001], [0.4999], [1.0]])), encoding).tolist()
    [0, 1, 4]
    """
    from scipy.spatial import cKDTree

    drawn = np.random.default_rng(0).random((max(len(features), 2), encoding.dimensions))
    places = encoding.features(encoding.settle(drawn))
    near = _NEAR * float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
    found = [0]
    apart = np.linalg.norm(features - features[0], axis=1)
    while apart[farthest := int(apart.argmax())] > near:
        found.append(farthest)
        apart = np.minimum(apart, np.linalg.norm(features - features[farthest], axis=1))
    return np.sort(np.array(found, dtype=np.int64))
