"""How the share of zeros grows while a network is trained."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float, float, float, int], float]

# The rest of the training is for recovering: no weight goes any more.
RAMP = 2 / 3


def one_shot(start: float, end: float, done: float, epochs: int) -> float:
    """All at once, before the training.

    Examples
    --------
    >>> one_shot(0.0, 0.8, 0.0, epochs=3)
    0.8
    """
    return end


def iterative(start: float, end: float, done: float, epochs: int) -> float:
    """A round before each epoch, of which each leaves the same share of what the one before it left.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015;
    Frankle and Carbin, "The Lottery Ticket Hypothesis", ICLR 2019.

    Examples
    --------
    >>> [round(iterative(0.0, 0.75, done, epochs=2), 2) for done in (0.0, 0.4, 0.5)]
    [0.5, 0.5, 0.75]
    """
    rounds = min(epochs, math.floor(done * epochs + 1e-9) + 1)
    return end if rounds == epochs else 1 - (1 - start) * ((1 - end) / (1 - start)) ** (rounds / epochs)


def cubic(start: float, end: float, done: float, epochs: int) -> float:
    """Fast at first, where weights are plenty, and slower and slower over two thirds of the training.

    References
    ----------
    Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model compression", 2017,
    equation 1.

    Examples
    --------
    >>> [round(cubic(0.0, 0.8, done, epochs=3), 3) for done in (0.0, 1/3, 2/3, 1.0)]
    [0.0, 0.7, 0.8, 0.8]
    """
    return end if done >= RAMP else end + (start - end) * (1 - done / RAMP) ** 3


SCHEDULES: dict[str, Schedule] = {"one-shot": one_shot, "iterative": iterative, "cubic": cubic}
