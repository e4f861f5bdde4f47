"""Whether more trials are worth it: what the next ones are expected to gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.decomposition import backgrounds
from tunekit.insight.draws import Draws
from tunekit.insight.limits import Limits, leading
from tunekit.insight.possible import possible
from tunekit.insight.surrogate import surrogate
from tunekit.search.space import Space

Array = NDArray[np.float64]

# Where the next trials may go: all over the space, and around the best ones, so far from them in a coordinate.
_ANYWHERE, _LEADERS, _AROUND, _REACH = 512, 4, 128, 0.1
# A gain below this share of the scores' standard deviation, a long tail drawn in, is none.
_NOTHING = 0.02


@dataclass(frozen=True, slots=True)
class ExpectedGain:
    """What so many more trials are expected to gain, in the metric's own unit; 0 or more.

    Parameters
    ----------
    metric
        Of what.
    trials
        How many more.
    value
        How much better than the best settings so far the best of them are expected to be, noise left out.
    low, high
        The bounds of the 95 % interval.
    is_worth_it
        Whether that is more than a fiftieth of what the scores vary.
    """

    metric: str
    trials: int
    value: float
    low: float
    high: float
    is_worth_it: bool

    @property
    def words(self) -> str:
        """The same in a sentence."""
        more = f"{text.plural(self.trials, 'more trial')}"
        if not self.is_worth_it:
            return f"{more} are not expected to gain much: {text.number(self.value)} in {self.metric}."
        return (
            f"{more} are expected to gain {text.number(self.value)} in {self.metric} "
            f"({text.number(self.low)} to {text.number(self.high)})."
        )


def expected_gain(history: History, space: Space, metric: str | None = None, trials: int = 10) -> ExpectedGain:
    """What the next trials are expected to gain over the best settings so far.

    They are placed one after the other where they gain most over half of the drawn functions, and what they gain is
    read off the other half; a search that learns from each in turn does a little better. Where a drawn function breaks
    the limits, nothing is gained. Where all scores are equal nothing tells that any other is to be had: the gain is 0.

    Parameters
    ----------
    history, space
        The trials, and where their settings come from.
    metric
        One of the metrics of the trials; None: the first aim.
    trials
        How many more, 1 or more.

    Raises
    ------
    ValueError
        As `surrogate`; if the number is none; if no trial keeps the limits yet.

    References
    ----------
    Ginsbourger, Le Riche and Carraro, "Kriging Is Well-Suited to Parallelize Optimization", 2010, for the expected
    improvement of several trials.
    """
    if isinstance(trials, bool) or trials < 1:
        raise ValueError(f"the number of further trials is a whole number from 1: got {trials!r}")
    learned = surrogate(history, space, metric)
    leaders = leading(history, learned, _LEADERS)
    if not len(leaders):
        raise ValueError("a gain is over the best trial that keeps the limits: none does yet; run more trials")
    if learned.is_flat:
        return ExpectedGain(learned.metric, trials, 0.0, 0.0, 0.0, False)
    draws, candidates = Draws.of(learned), _candidates(leaders)
    here = draws.at(leaders).max(axis=1)
    there = np.where(Limits.of(history, space).kept(candidates), draws.at(candidates), -np.inf)
    # neighbouring draws are of one process: each half has some of all
    chosen, reached = _best_of(there[::2], here[::2], trials), here[1::2]
    reached = np.maximum(reached, there[1::2][:, chosen].max(axis=1))
    before, after = (
        np.clip(learned.scale.undo(heights), *possible(learned.metric, learned.values))
        for heights in (here[1::2], reached)
    )
    gains = np.abs(after - before)
    low, high = np.quantile(gains, [0.025, 0.975])
    value = float(gains.mean())
    is_worth_it = value > _NOTHING * learned.scale.unit
    return ExpectedGain(learned.metric, trials, value, float(low), float(high), is_worth_it)


def _candidates(leaders: Array) -> Array:
    """Places of the unit cube, shape (n, d): all over it, and around the best."""
    dimensions = leaders.shape[1]
    around = backgrounds(dimensions, _AROUND) * 2 - 1
    near = [np.clip(leader + _REACH * around, 0.0, 1.0) for leader in leaders]
    return np.concatenate([backgrounds(dimensions, _ANYWHERE), *near])


def _best_of(heights: Array, here: Array, count: int) -> list[int]:
    """Which places, one after the other, raise the mean of the best over functions most."""
    chosen: list[int] = []
    for _ in range(count):
        reached = np.maximum(heights, here[:, None]).mean(axis=0)
        place = int(np.argmax(reached))
        chosen.append(place)
        here = np.maximum(here, heights[:, place])
    return chosen
