"""The next point, and why: what would be tried next, what is expected of it, and what it is tried for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.core import text
from tunekit.core.goal import Aim
from tunekit.core.history import History
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
        that it is better, 0 to 1.
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
    words: str


def next_point(settings: Mapping[str, Any], history: History, learned: Surrogate) -> NextPoint:
    """What is expected of settings, and why a search would try them.

    The improvement is over what the surrogate believes of the best trial, not over its score: where scores are noisy,
    the best one is the luckiest. Noise is left out of it, and the belief is taken for normal.

    Parameters
    ----------
    settings
        Those that would be tried next.
    history
        With a best trial.
    learned
        A surrogate of its first aim.

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
        raise ValueError("the next point is judged by the best trial so far: there is none yet; run more trials")
    trial = learned.predict([settings])
    belief = learned.predict([settings, best.params], noise=False)
    mean, level = (aim.gain(float(value)) for value in belief.mean)
    doubt = float(belief.deviation[0])
    improvement, chance = _improvement(mean - level, doubt)
    expected = (float(trial.mean[0]), float(trial.low[0]), float(trial.high[0]))
    return NextPoint(
        settings,
        aim.metric,
        *expected,
        improvement,
        chance,
        _words(settings, aim, expected, improvement, chance, mean - level, doubt),
    )


def _improvement(ahead: float, doubt: float) -> tuple[float, float]:
    """The mean of what a normal variable is above 0, and the probability that it is."""
    if doubt <= 0:
        return max(ahead, 0.0), float(ahead > 0)
    score = ahead / doubt
    chance = 0.5 * (1 + math.erf(score / math.sqrt(2)))
    density = math.exp(-(score**2) / 2) / math.sqrt(2 * math.pi)
    return max(ahead * chance + doubt * density, 0.0), chance


def _words(
    settings: Mapping[str, Any],
    aim: Aim,
    expected: tuple[float, float, float],
    improvement: float,
    chance: float,
    ahead: float,
    doubt: float,
) -> str:
    mean, low, high = map(text.number, expected)
    if ahead > _LITTLE * doubt:
        why = "It is expected to beat the best so far"
    elif ahead > -doubt:
        why = f"It may beat the best so far, for the doubt there is ± {text.number(doubt)}"
    else:
        why = "It is to learn more of the space, rather than to beat the best so far"
    odds = (
        f"the chance of that is {text.share(chance)}, and the expected improvement {text.number(improvement)}"
        if chance >= _SLIGHT
        else f"the chance of that is below {text.share(_SLIGHT)}"
    )
    return f"{text.settings(settings)}. Expected: {aim.metric} {mean}, {low} to {high} (95 %). {why}; {odds}."
