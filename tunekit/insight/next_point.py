"""The next point, and why: what would be tried next, what is expected of it, and what it is tried for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.core import text
from tunekit.core.goal import Aim
from tunekit.core.history import History
from tunekit.insight.limits import Limits
from tunekit.insight.surrogate import Surrogate

# A gain that is less than this share of the doubt is not what a point is tried for.
_LITTLE = 0.1
# Chances below this are not told apart.
_SLIGHT = 0.001


@dataclass(frozen=True, slots=True)
class NextPoint:
    """Settings that would be tried next, beside the best so far.

    Parameters
    ----------
    settings
        By name.
    metric
        What is expected, in its own unit:
    mean, low, high
        of one trial with these settings: its value, and the bounds of the 95 % interval;
    improvement
        how much better than the best so far, on average, where a worse one counts as no improvement; 0 or more;
    chance
        that it is better, 0 to 1;
    kept
        the chance that it keeps the limits, 0 to 1, which is counted in both; 1 where there are none.
    words
        All that in sentences.
    """

    settings: Mapping[str, Any]
    metric: str
    mean: float
    low: float
    high: float
    improvement: float
    chance: float
    kept: float
    words: str


def next_point(settings: Mapping[str, Any], history: History, learned: Surrogate) -> NextPoint:
    """What is expected of settings, and why a search would try them.

    The improvement is over what the surrogate believes of the best trial, not over its score: where scores are noisy,
    the best one is the luckiest. Noise is left out of it, and the belief is taken for normal. A trial that breaks the
    limits is no improvement; where all scores are equal none is known of.

    Parameters
    ----------
    settings
        Those that would be tried next.
    history
        With a best trial.
    learned
        A surrogate of its first aim.

    Raises
    ------
    ValueError
        If there is no best trial; as `surrogate`, of a limited metric.

    References
    ----------
    Jones, Schonlau and Welch, "Efficient Global Optimization of Expensive Black-Box Functions", 1998, for the expected
    improvement.

    Examples
    --------
    >>> from tunekit.insight.surrogate import surrogate
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x: -((x - 2) ** 2), {"x": (0.0, 5.0)}, sampler="sobol", seed=0)
    >>> result = study.run(8)
    >>> point = next_point({"x": 4.9}, study.history, surrogate(study.history, study.space))
    >>> point.chance < 0.01, point.words.startswith("x=4.90. Expected: score -")
    (True, True)
    """
    best, aim = history.best, history.goal.aim
    if best is None:
        none = "none keeps the limits yet" if history.complete else "there is none yet"
        raise ValueError(f"the next point is judged by the best trial so far: {none}; run more trials")
    trial = learned.predict([settings])
    belief = learned.predict([settings, best.params], noise=False)
    mean, level = (aim.gain(float(value)) for value in belief.mean)
    doubt = float(belief.deviation[0])
    kept = float(Limits.of(history, learned.space).chance(learned.space.to_unit(settings)[None])[0])
    improvement, chance = (0.0, 0.0) if learned.is_flat else _improvement(mean - level, doubt)
    improvement, chance = improvement * kept, chance * kept
    if learned.is_flat:
        why = f"All trials so far have the same {aim.metric}: nothing tells where it is better"
    else:
        why = _why(mean - level, doubt, kept) + _odds(improvement, chance)
    limits = f"The chance that it keeps the limits is {_chance(kept)}. " if history.goal.limits else ""
    expected = (float(trial.mean[0]), float(trial.low[0]), float(trial.high[0]))
    return NextPoint(
        settings,
        aim.metric,
        *expected,
        improvement,
        chance,
        kept,
        f"{_expected(settings, aim, expected)}. {limits}{why}.",
    )


def _improvement(ahead: float, doubt: float) -> tuple[float, float]:
    """The mean of what a normal variable is above 0, and the probability that it is."""
    if doubt <= 0:
        return max(ahead, 0.0), float(ahead > 0)
    score = ahead / doubt
    chance = 0.5 * (1 + math.erf(score / math.sqrt(2)))
    density = math.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)
    return max(ahead * chance + doubt * density, 0.0), chance


def _expected(settings: Mapping[str, Any], aim: Aim, expected: tuple[float, float, float]) -> str:
    mean, low, high = text.told_apart(*expected)
    return f"{text.settings(settings)}. Expected: {aim.metric} {mean}, {low} to {high} (95 %)"


def _why(ahead: float, doubt: float, kept: float) -> str:
    if ahead > _LITTLE * doubt and kept < 0.5:
        return "It would beat the best so far if it kept the limits"
    if ahead > _LITTLE * doubt:
        return "It is expected to beat the best so far"
    if ahead > -doubt:
        return f"It may beat the best so far, for the doubt there is ± {text.number(doubt)}"
    return "It is to learn more of the space, rather than to beat the best so far"


def _odds(improvement: float, chance: float) -> str:
    gained = f", and the expected improvement {text.number(improvement)}" if chance >= _SLIGHT else ""
    return f"; the chance of that is {_chance(chance)}{gained}"


def _chance(chance: float) -> str:
    return text.share(chance) if chance >= _SLIGHT else f"below {text.share(_SLIGHT)}"
