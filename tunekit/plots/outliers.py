"""What diverged must not flatten all the rest: which scores a picture leaves out, and how it says so."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tunekit.core import text

# Fewer values than this have no quartiles to speak of.
_FEWEST = 4
# Far out is what lies beyond three times the distance between the quartiles (Tukey, "Exploratory Data Analysis", 1977).
_FENCE = 3.0
# They are left out only where the others would have less than this share of the picture's height.
_FLAT = 0.25
# What is believed may lie beyond all values, at each end by so much of their height: more would flatten them.
_FURTHER = 0.5


def kept_range(values: Sequence[float], *, maximize: bool) -> tuple[float, float]:
    """The lowest and the highest value that a picture shows.

    The good end is always shown, and so is all of the bad one unless a few values there would flatten the others.

    Parameters
    ----------
    values
        At least one, in the metric's unit.
    maximize
        Whether more is better.

    Examples
    --------
    >>> kept_range([0.1, 0.2, 0.3, 0.4, -1e6], maximize=True)
    (0.1, 0.4)
    >>> kept_range([0.1, 0.2, 0.3, 0.4, 0.0], maximize=True)
    (0.0, 0.4)
    """
    gains = np.asarray(values, dtype=np.float64) * (1 if maximize else -1)
    worst, best = float(gains.min()), float(gains.max())
    if len(gains) >= _FEWEST:
        low, middle, high = np.quantile(gains, [0.25, 0.5, 0.75])
        # where most are equal the distance to the best stands for the spread
        fence = low - _FENCE * ((high - low) or (best - middle))
        kept = float(gains[gains >= fence].min())
        if fence < low and best - kept < _FLAT * (best - worst):
            worst = kept
    return (worst, best) if maximize else (-best, -worst)


def reaching(low: float, high: float, course: Sequence[float]) -> tuple[float, float]:
    """The limits of a picture so that a course is seen too; one that goes far from them, no farther than is of use.

    Parameters
    ----------
    low, high
        Between which the trials' values lie.
    course
        What is believed, in the same unit.

    Examples
    --------
    >>> reaching(0.0, 1.0, [0.5, 1.25]), reaching(0.0, 1.0, [-1e6, 0.5])
    ((0.0, 1.25), (-0.5, 1.0))
    """
    further = _FURTHER * high - _FURTHER * low
    seen = [value for value in course if math.isfinite(value)]
    return max(low - further, min([low, *seen])), min(high + further, max([high, *seen]))


def beyond(values: Sequence[float], low: float, high: float) -> str:
    """Say how many values a picture that reaches from low to high leaves out; empty where there is none.

    Examples
    --------
    >>> beyond([0.1, 0.2, -1e6], 0.1, 0.2), beyond([0.1], 0.0, 1.0)
    ('1 score below the picture', '')
    """
    if not values or (low <= min(values) and max(values) <= high):
        return ""
    below, above = sum(value < low for value in values), sum(value > high for value in values)
    count, where = (below, "below") if below else (above, "above")
    return f"{text.plural(count, 'score')} {where} the picture"
