"""Limits: which trials keep them, and what the trials say of settings that were not tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core.goal import Limit
from tunekit.core.history import History
from tunekit.insight.draws import Draws
from tunekit.insight.surrogate import Surrogate, surrogate
from tunekit.search.space import Space

Array = NDArray[np.float64]

# The functions drawn of a limited metric must be others than those of the aim, which begin at draws.SEED: the same
# waves in both would make all that is good also heavy.
_SEED = 100


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The limits of a goal, each with a surrogate of its metric.

    Parameters
    ----------
    learned
        One pair for each limit; none: all settings keep them.

    References
    ----------
    Gardner et al., "Bayesian Optimization with Inequality Constraints", ICML 2014, for limits that are judged each by
    itself.
    """

    learned: tuple[tuple[Limit, Surrogate], ...]

    @classmethod
    def of(cls, history: History, space: Space) -> Limits:
        """Learn all limited metrics.

        Raises
        ------
        ValueError
            As `surrogate`.
        """
        return cls(tuple((limit, surrogate(history, space, limit.metric)) for limit in history.goal.limits))

    def chance(self, places: Array) -> Array:
        """The chance that a trial keeps all limits, at places of the unit cube, shape (n, d): shape (n,)."""
        kept = np.ones(len(places))
        for limit, learned in self.learned:
            kept = kept * learned.chance_within(places, limit.low, limit.high)
        return kept

    def kept(self, places: Array) -> NDArray[np.bool_]:
        """Where drawn courses of the limited metrics keep all limits: shape (k, n), or (1, n) where there are none.

        As of all draws, roughness and noise are left out.
        """
        kept = np.ones((1, len(places)), dtype=bool)
        for number, (limit, learned) in enumerate(self.learned):
            if learned.is_flat:
                kept = kept & (limit.excess(float(learned.values[0])) <= 0)
                continue
            low, high = learned.scaled_bounds(limit.low, limit.high)
            heights = Draws.of(learned, seed=_SEED + number).at(places)
            kept = kept & (low <= heights) & (heights <= high)
        return kept


def leading(history: History, learned: Surrogate, count: int) -> Array:
    """The places of the best trials that keep all limits, the best first, shape (count or fewer, d)."""
    goal = history.goal
    order = np.argsort(-learned.scale.apply(learned.values), kind="stable")
    if goal.limits:
        # a halted trial is not known to keep them
        order = order[[goal.is_feasible(history[int(number)]) for number in learned.numbers[order]]]
    return learned.encoding.settle(learned.places[order[:count]])
