"""What is believed of one metric, from its values at the places that were tried."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.process import Hyperparameters, Process, fit
from tunekit.search.surrogate.warping import Warp

Array = NDArray[np.float64]

# Up to this many values the process is fitted anew at each, then whenever there are this much more of them.
_EAGER, _GROWTH = 40, 1.06
# The most values that the hyperparameters are fitted to, and that the process is conditioned on: the cost of the first
# grows with the cube of it, of the second with the square for each place that is looked at.
_FITTED, _CONDITIONED = 300, 600


class Memory:
    """Hyperparameters that were fitted before, so that they need not be fitted again. It may be lost at any time.

    They are found again by the very data that they were fitted to; so a belief is the same with a memory and without.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, Hyperparameters]] = {}

    def recall(self, metric: str, features: Array, targets: Array, owners: NDArray[np.int64]) -> Hyperparameters:
        """The hyperparameters for this data: remembered, or else fitted."""
        data = features.tobytes() + targets.tobytes()
        known = self._kept.get(metric)
        if known is not None and known[0] == data:
            return known[1]
        fitted = fit(features, targets, owners)
        self._kept[metric] = (data, fitted)
        return fitted


@dataclass(frozen=True)
class Belief:
    """A fitted process, with the scale of its values.

    Parameters
    ----------
    encoding
        Of the space.
    warp
        From the metric's unit to the process's and back.
    process
        What is believed, on the warped scale.
    places, targets
        What it rests on: settled places, shape (n, d), and warped values, shape (n,).
    sources
        Which of them are of this study (0) and which of an earlier one (1), shape (n,).
    """

    encoding: Encoding
    warp: Warp
    process: Process
    places: Array
    targets: Array
    sources: Array
    owners: NDArray[np.int64]

    def features(self, places: Array, *, relaxed: bool = False) -> Array:
        """The coordinates of places in this study, shape (n, D)."""
        return _with_source(self.encoding.features(places, relaxed=relaxed), np.zeros(len(places)), self._has_sources)

    @property
    def _has_sources(self) -> bool:
        return len(self.owners) > self.encoding.width

    def predict(self, places: Array) -> tuple[Array, Array]:
        """Mean and standard deviation in the metric's own unit at places of shape (n, d): each of shape (n,)."""
        mean, deviation = self.process.predict(self.features(places))
        # five Gauss-Hermite points: exact for polynomials up to the ninth degree
        nodes, weights = np.polynomial.hermite_e.hermegauss(5)
        # down the tail a little doubt would mean astronomical scores: nothing is taken to be worse than the worst seen
        floor = min(self.warp.tail, float(self.targets.min()))
        values = self.warp.undo(np.maximum(mean[:, None] + deviation[:, None] * nodes, floor))
        weights = weights / weights.sum()
        center = values @ weights
        return center, np.sqrt(np.maximum(((values - center[:, None]) ** 2) @ weights, 0.0))

    def at(self, places: Array) -> Array:
        """The mean on the process's scale at places of shape (n, d): shape (n,)."""
        return self.process.mean(self.features(places))

    def expecting(self, pending: Array) -> Belief:
        """The belief as if the values at pending places, shape (n, d), had come out as it expects.

        The mean stays, the doubt around the pending places goes: a kriging believer.

        References
        ----------
        Ginsbourger, Le Riche and Carraro, "Kriging Is Well-Suited to Parallelize Optimization", 2010.
        """
        if not len(pending):
            return self
        expected = self.at(pending)
        places = np.concatenate([self.places, self.encoding.settle(pending)])
        targets = np.concatenate([self.targets, expected])
        sources = np.concatenate([self.sources, np.zeros(len(pending))])
        features = _with_source(self.encoding.features(places), sources, self._has_sources)
        process = Process(features, targets, self.owners, self.process.hyperparameters)
        return replace(self, process=process, places=places, targets=targets, sources=sources)


def believe(
    encoding: Encoding,
    places: Array,
    values: Array,
    memory: Memory,
    metric: str,
    *,
    prior: tuple[Array, Array] | None = None,
) -> Belief:
    """Fit a process to what was seen of one metric.

    Parameters
    ----------
    encoding
        Of the space.
    places, values
        Where, shape (n, d), and what, shape (n,), in the order in which they were tried; more is better.
    memory
        Where fitted hyperparameters are kept.
    metric
        Under which name.
    prior
        Places and values of an earlier study. How far it speaks for this one is a length scale of its own, fitted like
        the others.
    """
    earlier_places, earlier_values = prior if prior is not None else (np.empty((0, encoding.dimensions)), np.empty(0))
    has_sources = bool(len(earlier_values))
    owners = encoding.owners
    if has_sources:
        owners = np.append(owners, owners[-1] + 1)
    sources = np.repeat([1.0, 0.0], [len(earlier_values), len(values)])
    places = encoding.settle(np.concatenate([earlier_places, places]))
    values = np.concatenate([earlier_values, values])
    features = _with_source(encoding.features(places), sources, has_sources)

    first = _milestone(len(values))
    chosen = _telling(values[:first], _FITTED)
    hyperparameters = memory.recall(metric, features[chosen], Warp.fit(values[:first]).apply(values[chosen]), owners)
    kept = _telling(values, _CONDITIONED)
    warp = Warp.fit(values)
    targets = warp.apply(values[kept])
    process = Process(features[kept], targets, owners, hyperparameters)
    return Belief(encoding, warp, process, places[kept], targets, sources[kept], owners)


def _with_source(features: Array, sources: Array, has_sources: bool) -> Array:
    return np.column_stack([features, sources]) if has_sources else features


def _milestone(count: int) -> int:
    """How many of the values the hyperparameters are fitted to: a function of the count alone."""
    if count <= _EAGER:
        return count
    steps = int(np.log(count / _EAGER) / np.log(_GROWTH) + 1e-9)
    return min(count, round(_EAGER * _GROWTH**steps))


def _telling(values: Array, most: int) -> NDArray[np.int64]:
    """Which values to keep, in order: all, or else the best half of `most` and an even choice of the others."""
    if len(values) <= most:
        return np.arange(len(values))
    order = np.argsort(-values, kind="stable")
    best, others = order[: most // 2], np.sort(order[most // 2 :])
    even = others[np.linspace(0, len(others) - 1, most - most // 2).round().astype(np.int64)]
    return np.sort(np.concatenate([best, even]))
