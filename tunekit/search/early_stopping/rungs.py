"""Rungs: steps at which trials are compared with all that came so far, and only the better part goes on."""

from __future__ import annotations

from tunekit.core.goal import Aim
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping.curves import gain_at, is_at_the_end, others


def is_rung(step: int, first: int, reduction: int) -> bool:
    """Whether a step is ``first``, or that times a power of ``reduction``.

    Examples
    --------
    >>> [step for step in range(1, 30) if is_rung(step, 2, 3)]
    [2, 6, 18]
    """
    rung = first
    while rung < step:
        rung *= reduction
    return rung == step


def is_beaten(history: History, trial: Trial, aim: Aim, reduction: int, survivors: int) -> bool:
    """Whether too many others had more at the trial's newest step for it to go on.

    One in ``reduction`` goes on, rounded up, the trial itself counted among them; at least ``survivors``. All count
    that came as far: those that went on from there, those that did not, and those that still run. A trial that came as
    far as any complete one is at its end, as far as anybody knows, and is left alone.
    """
    step = len(trial.reports)
    mine, there = gain_at(trial, step, aim), others(history, trial)
    if mine is None or is_at_the_end(trial, there):
        return False
    theirs = [gain for other in there if (gain := gain_at(other, step, aim)) is not None]
    room = max(survivors, -(-(len(theirs) + 1) // reduction))
    return sum(gain > mine for gain in theirs) >= room
