"""The whole of what is believed after a history: of every aim and every limit, and where it would pay to go next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core.pareto import non_dominated
from tunekit.search.surrogate.acquisitions import Acquisition, log_expected_improvement, log_feasibility
from tunekit.search.surrogate.belief import Belief, Memory, believe
from tunekit.search.surrogate.criterion import Criterion, Formula, improvement
from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.fronts import front_improvement, weighted
from tunekit.search.surrogate.observations import Observations

Array = NDArray[np.float64]

# How many of the best trials the search looks around.
_LEADERS = 5
# The usual reference point lies this share of the range below the worst of the trials that lie in the first layers of
# non-dominated ones: so many layers that they hold this share of the trials, and at least so many of them. The worst
# of all would have the search spread the ends of the front; the worst of the front alone shuts out what it lacks.
_BELOW_WORST, _LAYERED_SHARE, _LAYERED_LEAST = 0.1, 0.2, 15
# How many Gauss-Hermite points stand for a belief whose scale is not the metric's own.
_NODES = 40


@dataclass(frozen=True)
class Model:
    """The beliefs of a study.

    Parameters
    ----------
    seen
        What they rest on.
    aims, limits
        One belief each; of a limit, the slack: minus the excess, so that more is better there too.
    """

    seen: Observations
    aims: tuple[Belief, ...]
    limits: tuple[Belief, ...]

    @classmethod
    def of(cls, first: Belief, seen: Observations, memory: Memory) -> Model:
        """Complete the belief of the first aim by those of the other metrics."""
        encoding = first.encoding

        def another(metric: str, values: Array, prior_values: Array) -> Belief:
            prior = (seen.prior_places, prior_values) if len(prior_values) else None
            return believe(encoding, seen.places, values, memory, metric, prior=prior)

        others = [
            another(f"aim {number}", seen.gains[:, number], seen.prior_gains[:, number])
            for number in range(1, seen.gains.shape[1])
        ]
        limits = [
            another(f"limit {number}", -seen.excesses[:, number], -seen.prior_excesses[:, number])
            for number in range(seen.excesses.shape[1])
        ]
        return cls(seen, (first, *others), tuple(limits))

    @property
    def encoding(self) -> Encoding:
        """How the beliefs see the space."""
        return self.aims[0].encoding

    def features(self, places: Array, *, relaxed: bool = False) -> Array:
        """The coordinates that every belief knows places by, shape (n, D)."""
        return self.aims[0].features(places, relaxed=relaxed)

    @property
    def thresholds(self) -> Array:
        """What each limit's slack must reach, shape (c,), on its process's scale."""
        return np.array([float(belief.warp.apply(np.zeros(1))[0]) for belief in self.limits])

    def _means(self) -> Array:
        """The believed means of the aims where trials have ended, shape (n, m), on the processes' scales."""
        return np.stack([belief.at(self.seen.places) for belief in self.aims], axis=1)

    @property
    def best(self) -> float | None:
        """The largest believed mean of the first aim among the feasible trials; None while there is none."""
        # a belief, not the best score itself: that is the luckiest one where scores are noisy
        places = self.seen.places[self.seen.feasible] if len(self.seen.places) else self.seen.prior_places
        return float(self.aims[0].at(places).max()) if len(places) else None

    def leaders(self) -> Array:
        """The places of the best trials, shape (k, d), the best first; of all trials while none is feasible."""
        if not len(self.seen.places):
            return self.seen.prior_places[np.argsort(-self.seen.prior_gains[:, 0], kind="stable")[:_LEADERS]]
        means = self._means()
        feasible = self.seen.feasible
        if not feasible.any():
            slack = np.sum([belief.at(self.seen.places) for belief in self.limits], axis=0)
            return self.seen.places[np.argsort(-slack, kind="stable")[:_LEADERS]]
        if means.shape[1] == 1:
            order = np.argsort(np.where(feasible, -means[:, 0], np.inf), kind="stable")
            return self.seen.places[order[: min(_LEADERS, int(feasible.sum()))]]
        numbers = np.flatnonzero(feasible)
        return self.seen.places[numbers[non_dominated(means[numbers])]]

    def criterion(self, acquisition: Acquisition, reference: Array | None) -> Criterion:
        """What a trial at a place is worth, where the trials that are running come out as believed.

        Parameters
        ----------
        acquisition
            For a single aim.
        reference
            For several: a point that every wanted one is better than, shape (m,), in the metrics' own units and signed
            so that more is better; None: a little below the worst of the better trials.
        """
        beliefs = [belief.expecting(self.seen.pending) for belief in (*self.aims, *self.limits)]
        if len(self.aims) > 1 and self.seen.feasible.any():
            formula = self._towards_front(reference)
        else:
            formula = improvement(acquisition, self.best, self.thresholds, aims=len(self.aims))
        return Criterion([belief.process for belief in beliefs], formula)

    def weighted_criterion(self, weights: Array) -> Criterion:
        """How much better than the best a trial is expected to be for weights of the aims, shape (m,).

        There must be a feasible trial.
        """
        seen = self.seen
        known = seen.gains[seen.feasible]
        values = weighted(seen.gains, known, weights)
        prior = (seen.prior_places, weighted(seen.prior_gains, known, weights)) if len(seen.prior_gains) else None
        belief = believe(self.encoding, seen.places, values, Memory(), "weighted", prior=prior)
        best = float(belief.at(seen.places[seen.feasible]).max())
        beliefs = [one.expecting(seen.pending) for one in (belief, *self.limits)]
        return Criterion([one.process for one in beliefs], improvement(log_expected_improvement, best, self.thresholds))

    def expected_gain(self, place: Array) -> float:
        """How much better than the best a trial at a place, shape (d,), is expected to be, in the metric's own unit.

        There must be a best: a feasible trial.
        """
        best = self.best
        assert best is not None
        first = self.aims[0]
        features = self.features(place[None])
        mean, deviation = first.process.predict(features)
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        gains = first.warp.undo(mean + deviation * nodes) - first.warp.undo(np.array([best]))
        expected = float(np.maximum(gains, 0.0) @ (weights / weights.sum()))
        for belief, threshold in zip(self.limits, self.thresholds, strict=True):
            slack, doubt = belief.process.predict(features)
            expected *= float(np.exp(log_feasibility(slack, doubt, float(threshold))[0][0]))
        return expected

    def _towards_front(self, reference: Array | None) -> Formula:
        if reference is None:
            reference = _usual_reference(self.seen.gains[self.seen.feasible])
        scaled = np.array(
            [belief.warp.apply(np.array([level]))[0] for belief, level in zip(self.aims, reference, strict=True)]
        )
        means = self._means()[self.seen.feasible]
        if len(self.seen.pending):
            expected = [belief.at(self.seen.pending) for belief in self.aims]
            means = np.concatenate([means, np.stack(expected, axis=1)])
        return front_improvement(means, scaled, self.thresholds)


def _usual_reference(gains: Array) -> Array:
    """A point that the better part of the trials is better than, shape (m,); of gains of shape (n, m)."""
    wanted = max(_LAYERED_LEAST, round(_LAYERED_SHARE * len(gains)))
    left, layered = gains, gains[:0]
    while len(left) and len(layered) < wanted:
        first = non_dominated(left)
        layered, left = np.concatenate([layered, left[first]]), left[~first]
    worst = layered.min(axis=0)
    return np.asarray(worst - _BELOW_WORST * (gains.max(axis=0) - worst))
