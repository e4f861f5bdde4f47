"""How good a model is on a finite split: a value with its 95 % interval, and the paired difference of two models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text

# The 97.5 % point of the normal distribution.
_Z = 1.959963984540054
_RESAMPLES = 500
_SEED = 0


@dataclass(frozen=True, slots=True, repr=False)
class Score:
    """A value with its 95 % interval.

    Parameters
    ----------
    value, low, high
        In the metric's own unit; accuracy from 0 to 1.
    count
        The number of examples it was measured on.

    Examples
    --------
    >>> Score(0.957, 0.9424, 0.968, count=1000)
    0.957 [0.942, 0.968] on 1,000 examples
    """

    value: float
    low: float
    high: float
    count: int

    def __repr__(self) -> str:
        """The rounded figures."""
        return f"{self} on {text.plural(self.count, 'example')}"

    def __str__(self) -> str:
        """Without the number of examples."""
        return f"{text.number(self.value)} [{text.number(self.low)}, {text.number(self.high)}]"


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score method.

    Parameters
    ----------
    hits, count
        So many of so many, 0 <= hits <= count and count >= 1.

    Returns
    -------
    (low, high)
        Two shares from 0 to 1. Never narrower than the data allow: 100 of 100 leaves room for a loss.

    References
    ----------
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927; recommended by Brown, Cai
    and DasGupta, "Interval estimation for a binomial proportion", Statistical Science 2001.

    Examples
    --------
    >>> low, high = wilson(81, 263)
    >>> print(f"{low:.4f} {high:.4f}")
    0.2553 0.3662
    """
    if count < 1 or not 0 <= hits <= count:
        raise ValueError(f"a share is hits of count, 0 <= hits <= count and count >= 1: got {hits} of {count}")
    share = hits / count
    scale = 1 + _Z**2 / count
    middle = (share + _Z**2 / (2 * count)) / scale
    half = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / scale
    # at the ends the formula is exact, its rounding is not
    return (0.0 if hits == 0 else max(0.0, middle - half)), (1.0 if hits == count else min(1.0, middle + half))


def of_hits(hits: NDArray[np.bool_]) -> Score:
    """Return the accuracy of right and wrong answers, with Wilson's interval.

    Parameters
    ----------
    hits
        Shape (examples,): whether each answer is right.

    Examples
    --------
    >>> of_hits(np.array([True, True, True, False]))
    0.750 [0.301, 0.954] on 4 examples
    """
    low, high = wilson(int(hits.sum()), len(hits))
    return Score(float(hits.mean()), low, high, len(hits))


def of_resamples(statistic: Callable[[NDArray[np.intp]], float], count: int) -> Score:
    """Return any statistic of a split, with its percentile bootstrap interval.

    Parameters
    ----------
    statistic
        Called with the indices of examples, shape (count,), each from 0 to count - 1; returns a finite number.
    count
        The number of examples.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; 500 resamples, always the same ones.

    Examples
    --------
    >>> values = np.linspace(0, 1, 200)
    >>> of_resamples(lambda chosen: float(values[chosen].mean()), 200)
    0.500 [0.461, 0.537] on 200 examples
    """
    value = statistic(np.arange(count))
    rng = np.random.default_rng(_SEED)
    drawn = [statistic(rng.integers(count, size=count)) for _ in range(_RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Score(float(value), float(low), float(high), count)


def difference(original: NDArray[np.bool_], other: NDArray[np.bool_]) -> Score:
    """Return how much the accuracy changed on the same examples: other minus original, with its 95 % interval.

    The two models saw the same examples, and mostly fail on the same ones: the paired interval is narrower than what
    two separate ones suggest.

    Parameters
    ----------
    original, other
        Shape (examples,): whether each answer is right.

    References
    ----------
    Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired data",
    Statistics in Medicine 1998, method 10.

    Examples
    --------
    >>> right = np.arange(1000) < 950
    >>> difference(right, right)
    0 [-0.00396, 0.00396] on 1,000 examples
    """
    count = len(original)
    both = int((original & other).sum())
    gained, lost = int((~original & other).sum()), int((original & ~other).sum())
    neither = count - both - gained - lost
    first, second = (both + gained) / count, (both + lost) / count
    first_low, first_high = wilson(both + gained, count)
    second_low, second_high = wilson(both + lost, count)
    phi = _association(both, gained, lost, neither)
    change = first - second
    below = _squared(first - first_low, second_high - second, phi)
    above = _squared(first_high - first, second - second_low, phi)
    return Score(change, change - math.sqrt(below), change + math.sqrt(above), count)


def _squared(one: float, other: float, phi: float) -> float:
    return max(0.0, one**2 - 2 * phi * one * other + other**2)


def _association(both: int, gained: int, lost: int, neither: int) -> float:
    """Return Newcombe's phi with its continuity correction, -1 to 1; 0 where a margin is empty."""
    product = (both + gained) * (lost + neither) * (both + lost) * (gained + neither)
    if product == 0:
        return 0.0
    cross = both * neither - gained * lost
    count = both + gained + lost + neither
    if cross > 0:
        cross = max(0, cross - count // 2)
    return cross / math.sqrt(product)


def difference_in_words(metric: str, change: Score) -> str:
    """Say how much a metric changed, and whether that can be told from no change.

    Examples
    --------
    >>> difference_in_words("accuracy", Score(0.02, 0.01, 0.03, 1000))
    'accuracy +0.02 [+0.01, +0.03]; a difference is seen'
    """
    seen = "no difference is seen" if change.low <= 0 <= change.high else "a difference is seen"
    return f"{metric} {text.signed(change.value)} [{text.signed(change.low)}, {text.signed(change.high)}]; {seen}"
