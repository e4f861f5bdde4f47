"""What the trials of a history say about settings that were not tried: a surrogate for any of its metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.hyperposterior import drawn_hyperparameters
from tunekit.insight.observed import Observed, observed
from tunekit.insight.process import Hyperparameters, Process
from tunekit.insight.scale import Scale
from tunekit.search.space import Space
from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.threads import one_blas_thread

Array = NDArray[np.float64]

# With fewer trials there is no scale yet on which to doubt.
LEAST = 4
# How many draws of the hyperparameters stand for all; the most trials that they are fitted to, and that each process is
# conditioned on.
_DRAWS, _FITTED, _CONDITIONED = 16, 250, 600
# Noise is seen where nine draws in ten have more of it than this, as a share of the scale's unit.
_SEEN = 0.04
# Half the width of an interval that holds 95 of 100, in standard deviations.
WIDE = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is expected at some settings, each of shape (n,), in the metric's own unit.

    Parameters
    ----------
    mean
        The expected value.
    low, high
        The bounds of the 95 % interval.
    deviation
        The standard deviation.
    """

    mean: Array
    low: Array
    high: Array
    deviation: Array


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Surrogate:
    """A Gaussian process of one metric, with the hyperparameters integrated over.

    Parameters
    ----------
    space
        Where settings come from.
    metric
        What is predicted.
    maximize
        Whether more of it is better; of a metric that is no aim, what its scale was fitted for.
    complete, halted
        How many complete trials it has learned from, and how many halted ones: of these, what they are expected to have
        come to.
    numbers
        Of the trials, shape (n,).
    places, values
        Where, shape (n, d) in the unit cube, and what, shape (n,), in the metric's own unit.
    scale, encoding, processes
        How it sees the values and the space; one process for each draw of the hyperparameters.
    """

    space: Space
    metric: str
    maximize: bool
    complete: int
    halted: int
    numbers: NDArray[np.int64] = field(repr=False)
    places: Array = field(repr=False)
    values: Array = field(repr=False)
    scale: Scale = field(repr=False)
    encoding: Encoding = field(repr=False)
    processes: tuple[Process, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Facts only."""
        halted = f" and {self.halted} halted" if self.halted else ""
        return text.printable(
            f"Surrogate({self.metric} over {', '.join(self.space.names)}; "
            f"{self.complete}{halted} trials; noise {text.number(self.noise)})"
        )

    @property
    def is_flat(self) -> bool:
        """Whether all values seen are equal: then nothing tells settings apart."""
        return bool(np.ptp(self.values) == 0)

    @property
    def noise(self) -> float:
        """The standard deviation between trials with the same settings, in the metric's own unit."""
        return self.scale.unit * float(np.sqrt(np.mean([p.hyperparameters.noise for p in self.processes])))

    @property
    def is_noisy(self) -> bool:
        """Whether the trials show that there is noise; few of them leave open whether what differs is chance."""
        noises = [p.hyperparameters.noise for p in self.processes]
        return bool(np.sqrt(np.quantile(noises, 0.1)) > _SEEN)

    @property
    def roughness(self) -> float:
        """The standard deviation between close settings, noise left out, in the metric's own unit."""
        return self.scale.unit * float(np.sqrt(np.mean([p.hyperparameters.roughness for p in self.processes])))

    def predict(self, settings: Sequence[Mapping[str, Any]], *, noise: bool = True) -> Prediction:
        """What is expected of trials at settings.

        Parameters
        ----------
        settings
            n settings of the space.
        noise
            Whether the intervals are those of one new trial; False: of the mean of very many.

        Raises
        ------
        ValueError
            If these are no settings of the space.
        """
        places = np.array([self.space.to_unit(params) for params in settings]).reshape(-1, len(self.space))
        return self.at(places, noise=noise)

    def at(self, places: Array, *, noise: bool = True) -> Prediction:
        """What is expected at places of the unit cube, shape (n, d); as `predict`."""
        features = self.encoding.features(places)
        with one_blas_thread():
            each = [process.predict(features) for process in self.processes]
        means = np.array([mean for mean, _ in each])
        extra = np.array([p.hyperparameters.noise if noise else 0.0 for p in self.processes])[:, None]
        deviations = np.sqrt(np.array([deviation for _, deviation in each]) ** 2 + extra)
        # five Gauss-Hermite points of each process: exact for polynomials up to the ninth degree
        nodes, weights = np.polynomial.hermite_e.hermegauss(5)
        values = self.scale.undo(means[:, :, None] + deviations[:, :, None] * nodes)
        weights = weights / weights.sum()
        mean = np.mean(values @ weights, axis=0)
        spread = np.sqrt(np.maximum(np.mean((values - mean[:, None]) ** 2 @ weights, axis=0), 0.0))
        ends = np.sort(self.scale.undo(np.array([_quantile(means, deviations, end) for end in (0.025, 0.975)])), axis=0)
        return Prediction(mean, ends[0], ends[1], spread)

    def scaled_bounds(self, low: float | None, high: float | None) -> tuple[float, float]:
        """Bounds in the metric's own unit, None for none, as the lower and the higher one on the surrogate's scale."""
        ends = [-np.inf if low is None else low, np.inf if high is None else high]
        # an infinite bound stays one, on the side to which the scale turns it
        scaled = [
            float(self.scale.apply(np.array([end]))[0]) if np.isfinite(end) else self.scale.sign * end for end in ends
        ]
        return min(scaled), max(scaled)

    def chance_within(self, places: Array, low: float | None, high: float | None) -> Array:
        """The chance that one trial comes to a value within bounds, both included, None for none: shape (n,).

        Parameters
        ----------
        places
            Of the unit cube, shape (n, d).
        low, high
            In the metric's own unit.
        """
        from scipy.special import ndtr

        below, above = self.scaled_bounds(low, high)
        if self.is_flat:
            # what has always been the same is taken to stay so: its bound may be the very value
            level = float(self.scale.apply(self.values[:1])[0])
            return np.full(len(places), float(below <= level <= above))
        features = self.encoding.features(places)
        with one_blas_thread():
            each = [process.predict(features) for process in self.processes]
        means = np.array([mean for mean, _ in each])
        noises = np.array([process.hyperparameters.noise for process in self.processes])[:, None]
        deviations = np.sqrt(np.array([deviation for _, deviation in each]) ** 2 + noises)
        within = ndtr((above - means) / deviations) - ndtr((below - means) / deviations)
        return np.asarray(within.mean(axis=0))


def check_enough(seen: Observed, what: str) -> None:
    """Refuse to learn from fewer than four complete trials.

    Raises
    ------
    ValueError
        If they are fewer; it says what needs them.
    """
    if seen.complete < LEAST:
        there = f"there {'is' if seen.complete == 1 else 'are'} {seen.complete}"
        raise ValueError(f"{what} needs at least {LEAST} complete trials: {there}; run more trials")


def _quantile(means: Array, deviations: Array, level: float) -> Array:
    """The quantile of equal mixtures of normals, the columns of shape (k, n): shape (n,)."""
    from scipy.special import ndtr

    low, high = np.min(means - 5 * deviations, axis=0), np.max(means + 5 * deviations, axis=0)
    for _ in range(40):
        middle = (low + high) / 2
        below = np.mean(ndtr((middle - means) / deviations), axis=0) < level
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def surrogate(history: History, space: Space, metric: str | None = None, *, overall: bool = False) -> Surrogate:
    """Learn a metric from the trials of a history.

    Complete trials count, and halted ones with what they are expected to have come to; failed ones have no value. The
    same history gives the same surrogate, and the last few are kept.

    Parameters
    ----------
    history, space
        The trials, and where their settings come from.
    metric
        One of the metrics of the trials; None: the first aim.
    overall
        Whether the whole space counts, also where most trials are close to the best; False: what is good counts, as to
        the search.

    Raises
    ------
    ValueError
        If no trial has such a metric, or fewer than four complete trials have it.

    References
    ----------
    Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012, for
    integrating over the hyperparameters.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x: -((x - 2) ** 2), Space(x=(0.0, 5.0)), sampler="sobol", seed=0)
    >>> result = study.run(12)
    >>> learned = surrogate(study.history, study.space)
    >>> learned.predict([{"x": 2.0}, {"x": 4.0}]).mean.round(1).tolist()
    [-0.0, -4.0]
    """
    seen = observed(history, space, metric)
    check_enough(seen, f"a prediction of {seen.metric!r}")
    scale = Scale.fit(seen.values, maximize=seen.maximize, places=seen.places if overall else None)
    for known in _kept:
        if known.space is space and known.scale == scale and _is_of(known, seen):
            return known
    encoding = Encoding(space)
    features, targets = encoding.features(encoding.settle(seen.places)), scale.apply(seen.values)
    fitted, kept = _even(len(targets), _FITTED), _even(len(targets), _CONDITIONED)
    drawn = _drawn(features[fitted], targets[fitted], encoding, _DRAWS)
    found = Surrogate(
        space,
        seen.metric,
        seen.maximize,
        seen.complete,
        len(seen.values) - seen.complete,
        seen.numbers,
        seen.places,
        seen.values,
        scale,
        encoding,
        _processes(features[kept], targets[kept], encoding, drawn),
    )
    _kept.insert(0, found)
    del _kept[_MOST_KEPT:]
    return found


def learned_from(learned: Surrogate, observations: NDArray[np.int64], count: int) -> Surrogate:
    """The same surrogate, its hyperparameters drawn from what some of its observations leave possible.

    Parameters
    ----------
    learned
        Its processes are of all its observations before and after.
    observations
        Those from which the hyperparameters are learned, by their numbers in the processes.
    count
        How many draws of the hyperparameters.
    """
    features, targets = learned.processes[0].features, learned.processes[0].targets
    fitted = observations[_even(len(observations), _FITTED)]
    drawn = _drawn(features[fitted], targets[fitted], learned.encoding, count)
    return replace(learned, processes=_processes(features, targets, learned.encoding, drawn))


# The last few surrogates: a panel, a picture and a sentence ask for the same ones, of the aim and of each limit.
_MOST_KEPT = 8
_kept: list[Surrogate] = []


def _drawn(features: Array, targets: Array, encoding: Encoding, count: int) -> list[Hyperparameters]:
    with one_blas_thread():
        return drawn_hyperparameters(features, targets, encoding.owners, count, np.random.default_rng(0))


def _processes(
    features: Array, targets: Array, encoding: Encoding, drawn: Sequence[Hyperparameters]
) -> tuple[Process, ...]:
    with one_blas_thread():
        return tuple(Process(features, targets, encoding.owners, one) for one in drawn)


def _is_of(known: Surrogate, seen: Observed) -> bool:
    return known.metric == seen.metric and all(
        np.array_equal(mine, theirs)
        for mine, theirs in (
            (known.numbers, seen.numbers),
            (known.places, seen.places),
            (known.values, seen.values),
        )
    )


def _even(count: int, most: int) -> NDArray[np.int64]:
    """Which of so many trials are kept, evenly over the history."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
