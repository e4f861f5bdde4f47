"""The limits of a budget for one net: what a row may cost, and what it must score."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.budget import Budget

# What a budget limits, by the name that the figure has in a row's metrics, and how it is written.
METRICS = {"size": "size", "bundle": "bundle", "macs": "macs", "latency": "latency_onnxruntime_1", "memory": "memory"}
WRITTEN = {"size": text.size, "bundle": text.size, "macs": text.counted, "latency": text.latency, "memory": text.size}
# What a sentence calls them.
CALLED = {"size": "file", "bundle": "bundle", "macs": "MACs", "latency": "latency", "memory": "memory"}
# Scores are shares of whole examples: sums of floats may miss the floor by this.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Limits:
    """A budget in figures.

    Parameters
    ----------
    metric
        The name of the score.
    floor
        What a row has to score at least.
    most
        What a row may cost at most, by ``"size"``, ``"bundle"``, ``"macs"``, ``"latency"`` and ``"memory"``, those that
        are limited: in bytes, operations for one example, and seconds.

    Examples
    --------
    >>> limits = Limits("accuracy", 0.95, {"size": 1000.0})
    >>> limits.hold({"accuracy": 0.96, "size": 900.0}), limits.ratios({"size": 1500.0})
    (True, {'size': 1.5})
    """

    metric: str
    floor: float
    most: Mapping[str, float]

    def ratios(self, figures: Mapping[str, float]) -> dict[str, float]:
        """Each limited figure as a share of what it may be: above 1 it breaks the limit. Unknown ones are left out."""
        return {name: figures[METRICS[name]] / most for name, most in self.most.items() if METRICS[name] in figures}

    def are_known(self, figures: Mapping[str, float]) -> bool:
        """Whether all limited figures are among these."""
        return all(METRICS[name] in figures for name in self.most)

    def worst(self, figures: Mapping[str, float]) -> float:
        """The cost that is farthest above its limit, or nearest below it, as a share of that; infinite without any."""
        return max(self.ratios(figures).values(), default=math.inf)

    def without(self, name: str) -> Limits:
        """The same without one of the limits on costs."""
        return Limits(self.metric, self.floor, {one: most for one, most in self.most.items() if one != name})

    def tighter(self, name: str, share: float) -> Limits:
        """The same with a share of what one cost may be, where that is limited."""
        return Limits(
            self.metric, self.floor, {one: most * (share if one == name else 1) for one, most in self.most.items()}
        )

    def looser(self, times: float) -> Limits:
        """The same with so many times of what each cost may be."""
        return Limits(self.metric, self.floor, {one: times * most for one, most in self.most.items()})

    def costs_hold(self, figures: Mapping[str, float]) -> bool:
        """Whether all limited figures are known, and within their limits."""
        return self.are_known(figures) and all(ratio <= 1 for ratio in self.ratios(figures).values())

    def score_holds(self, figures: Mapping[str, float]) -> bool:
        """Whether the score is not below the floor."""
        return self.metric in figures and figures[self.metric] >= self.floor - _ROUNDING

    def hold(self, figures: Mapping[str, float]) -> bool:
        """Whether a row keeps the whole budget."""
        return self.costs_hold(figures) and self.score_holds(figures)

    def broken(self, figures: Mapping[str, float]) -> list[str]:
        """Say which limits a row's costs break, and by how much."""
        return [
            f"{CALLED[name]} {WRITTEN[name](ratio * self.most[name])}, {ratio:.2f}x of the "
            f"{WRITTEN[name](self.most[name])} allowed"
            for name, ratio in self.ratios(figures).items()
            if ratio > 1
        ]


def limits_of(budget: Budget, metric: str, original: Mapping[str, float]) -> Limits:
    """Return what a budget means for a net.

    Parameters
    ----------
    budget
        What is allowed.
    metric
        The name of the score among the figures.
    original
        The figures of the net as it is.

    Raises
    ------
    ValueError
        If the budget allows to lose the whole score.
    """
    score = original[metric]
    if budget.drop > 0 and score >= 0 and budget.drop >= score:
        raise ValueError(
            f"a budget's drop is a part of the score, in the metric's own unit: got {budget.drop:g}, and {metric} is "
            f"{text.number(score)}; for one point of accuracy write 0.01"
        )
    most = {name: budget.figure(name, original[METRICS[name]]) for name in budget.limited}
    return Limits(metric, score - budget.drop, most)
