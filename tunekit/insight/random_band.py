"""The same number of trials spent at random: what the search is to be seen beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core.goal import Aim
from tunekit.core.history import History
from tunekit.insight.decomposition import backgrounds
from tunekit.insight.draws import Draws
from tunekit.insight.possible import possible
from tunekit.insight.surrogate import Surrogate, surrogate
from tunekit.search.space import Space
from tunekit.search.surrogate.threads import one_blas_thread

Array = NDArray[np.float64]

# How many places stand for the space, a power of two; how many random searches are played on each drawn function.
_PLACES, _SEARCHES = 1024, 8


@dataclass(frozen=True, slots=True, eq=False)
class RandomBand:
    """The best so far of random searches, by the number of trials.

    Parameters
    ----------
    metric
        Of what.
    trials
        1, 2, ... n, shape (n,).
    mean, low, high
        The expected best after so many trials and the bounds between which 95 % of random searches lie, shape (n,), in
        the metric's own unit.
    """

    metric: str
    trials: NDArray[np.int64]
    mean: Array
    low: Array
    high: Array

    def beside(self, best: float, aim: Aim) -> str:
        """How a search that came to its best score stands to them after all trials, in a word.

        Examples
        --------
        >>> bounds = np.array([0.2]), np.array([0.3]), np.array([0.4])
        >>> band = RandomBand("loss", np.array([1]), bounds[1], bounds[0], bounds[2])
        >>> [band.beside(best, Aim("loss", maximize=False)) for best in (0.1, 0.3, 0.5)]
        ['ahead of', 'within', 'behind']
        """
        worst, leading = sorted((float(self.low[-1]), float(self.high[-1])), key=aim.gain)
        return "ahead of" if aim.better(best, leading) else "behind" if aim.better(worst, best) else "within"


def random_band(history: History, space: Space, metric: str | None = None, trials: int | None = None) -> RandomBand:
    """What random search would have come to with the same budget, by what the trials have shown.

    Searches are played on functions drawn from the surrogate, with its roughness and noise; as many of their trials
    fail as of the history's, and bring nothing. None of them is believed to come to more than the trials support: than
    the best score seen or the best that is expected anywhere, whichever is better. Limits are not looked at.

    Parameters
    ----------
    history, space
        The trials, and where their settings come from.
    metric
        One of the metrics of the trials; None: the first aim.
    trials
        How many, 1 or more; None: as many as have ended.

    Raises
    ------
    ValueError
        As `surrogate`; if the number is none.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x: x, Space(x=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(12)
    >>> random_band(study.history, study.space).mean[[0, 8]].round(1).tolist()  # i / (i + 1) after i trials
    [0.5, 0.9]
    """
    learned = surrogate(history, space, metric)
    ended = sum(trial.state in ("complete", "failed", "halted") for trial in history)
    count = ended if trials is None else trials
    if isinstance(count, bool) or count < 1:
        raise ValueError(f"the number of trials is a whole number from 1: got {trials!r}")
    failed = sum(trial.state == "failed" for trial in history) / ended
    places = backgrounds(len(space), _PLACES)
    best = np.clip(learned.scale.undo(_best_so_far(learned, places, count, failed)), *_supported(learned, places))
    low, high = np.quantile(best, [0.025, 0.975], axis=0)
    return RandomBand(learned.metric, np.arange(1, count + 1), best.mean(axis=0), low, high)


def _supported(learned: Surrogate, places: Array) -> tuple[float, float]:
    """The lowest and the highest score that a random search may be believed to come to.

    Each drawn function is as far off as is doubted, and the best of many trials on it picks where it is off to the good
    side: after few trials that is far above all that was seen. So the top is what was seen or is expected, without the
    doubt; a search that has overlooked what its own trials point to can still be told to be behind.
    """
    low, high = possible(learned.metric, learned.values)
    features = learned.encoding.features(places)
    with one_blas_thread():
        expected = learned.scale.undo(np.mean([process.mean(features) for process in learned.processes], axis=0))
    known = np.concatenate([learned.values, expected])
    if learned.maximize:
        return low, min(high, float(known.max()))
    return max(low, float(known.min())), high


def _best_so_far(learned: Surrogate, places: Array, count: int, failed: float) -> Array:
    """The best so far of many random searches, on the surrogate's scale, shape (searches, count)."""
    rng = np.random.default_rng(3)
    heights = Draws.of(learned).at(places)
    extra = [p.hyperparameters.noise + p.hyperparameters.roughness for p in learned.processes]
    deviations = np.sqrt(np.repeat(extra, len(heights) // len(extra)))
    searches = []
    for height, deviation in zip(heights, deviations, strict=True):
        met = height[rng.integers(len(height), size=(_SEARCHES, count))]
        met = met + deviation * rng.standard_normal(met.shape)
        met[rng.random(met.shape) < failed] = -np.inf
        searches.append(np.maximum.accumulate(met, axis=1))
    best = np.concatenate(searches)
    # before its first complete trial a search has nothing: it stands at the worst that was seen
    return np.asarray(np.maximum(best, learned.scale.worst))
