"""Thompson sampling: draw one function from all that are believed possible, and go where it is best."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.belief import Belief
from tunekit.search.surrogate.model import Model

Array = NDArray[np.float64]

# Drawing a function at n places at once costs n**3.
_PLACES = 512


def drawn_order(model: Model, places: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Places in the order of one draw from the belief, the best first; those where a drawn limit is broken come last.

    Parameters
    ----------
    model
        With a single aim.
    places
        Candidates, shape (n, d); an even choice of them is drawn at.
    rng
        Draws.

    References
    ----------
    Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 1933; for Gaussian
    processes: Kandasamy et al., "Parallelised Bayesian Optimisation via Thompson Sampling", AISTATS 2018.
    """
    chosen = places[np.linspace(0, len(places) - 1, min(len(places), _PLACES)).round().astype(np.int64)]
    features = model.features(chosen)
    heights = _draw(model.aims[0].expecting(model.seen.pending), features, rng)
    broken = np.zeros(len(chosen), dtype=bool)
    for belief, threshold in zip(model.limits, model.thresholds, strict=True):
        broken |= _draw(belief, features, rng) < threshold
    yield from chosen[np.lexsort((-heights, broken))]


def _draw(belief: Belief, features: Array, rng: np.random.Generator) -> Array:
    mean, covariance = belief.process.predict_jointly(features)
    # eigenvalues below zero are rounding: a covariance of so many close places has hardly full rank
    strengths, directions = np.linalg.eigh(covariance)
    return np.asarray(mean + directions @ (np.sqrt(np.maximum(strengths, 0.0)) * rng.standard_normal(len(strengths))))
