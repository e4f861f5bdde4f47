"""Learning curves: the metric that early stopping looks at, which way it is better, and what trials had of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tunekit.core import text
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial

# Of these trials the curve says what settings come to; one that failed or was cut off says nothing.
_COUNTED = ("running", "complete", "halted")


def aim_of(goal: Goal, metric: str | None, maximize: bool | None) -> Aim:
    """The metric to look at, and which way is better.

    Parameters
    ----------
    goal
        What the study goes for.
    metric
        A name that reports have; None: the first aim's.
    maximize
        Whether more of it is better; needed only where the study does not go for that metric.

    Raises
    ------
    ValueError
        If it is not known which way is better, or the study goes the other way.

    Examples
    --------
    >>> aim_of(Goal(Aim("loss", maximize=False)), None, None)
    Aim(metric='loss', maximize=False)
    """
    wanted = goal.metric if metric is None else metric
    known = next((aim for aim in goal.aims if aim.metric == wanted), None)
    if known is None:
        if maximize is None:
            raise ValueError(
                f"early stopping on a metric that the study does not go for is told which way is better: {wanted!r} is "
                f"none of {text.listed([aim.metric for aim in goal.aims])}; add maximize=True or maximize=False"
            )
        return Aim(wanted, maximize)
    if maximize is not None and maximize != known.maximize:
        direction = "maximizes" if known.maximize else "minimizes"
        raise ValueError(
            f"early stopping goes the way of the study: the study {direction} {wanted!r}, got maximize={maximize}; "
            "leave maximize out"
        )
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class OnMetric:
    """Early stopping that looks at one metric.

    Parameters
    ----------
    metric
        The metric to look at, by name; None: the study's first aim. A report without it changes nothing.
    maximize
        Whether more of it is better; needed only where the study does not go for it.
    """

    metric: str | None = None
    maximize: bool | None = None

    def aim(self, goal: Goal) -> Aim:
        """The metric in a study with this goal, and which way is better.

        Raises
        ------
        TypeError
            If the name is no name, or the direction none.
        ValueError
            If it is not known which way is better, or the study goes the other way.
        """
        if self.metric is not None and not isinstance(self.metric, str):
            raise TypeError(
                f"early stopping looks at a metric by its name: got metric={self.metric!r}; give a str, or leave it out"
            )
        if self.maximize is not None and not isinstance(self.maximize, bool):
            raise TypeError(
                f"maximize says whether more is better: got maximize={self.maximize!r}; give True or False, or leave "
                "it out where the study goes for the metric"
            )
        return aim_of(goal, self.metric, self.maximize)


def gain_at(trial: Trial, step: int, aim: Aim) -> float | None:
    """What a trial had after so many steps, from 1, signed so that more is better; None where it reported none."""
    if not 1 <= step <= len(trial.reports):
        return None
    value = trial.reports[step - 1].get(aim.metric)
    return None if value is None else aim.gain(value)


def is_at_the_end(trial: Trial, others: Iterable[Trial]) -> bool:
    """Whether a trial came as far as any complete one: nothing is known to be left that could be saved."""
    lengths = [len(other.reports) for other in others if other.state == "complete"]
    return bool(lengths) and len(trial.reports) >= max(lengths)


def others(history: History, trial: Trial) -> list[Trial]:
    """The other trials whose curves count.

    The history may lack the trial itself: where several workers make the same study each time, it ends with the round
    before.
    """
    return [other for other in history if other.number != trial.number and other.state in _COUNTED]


def check_whole(value: object, least: int, what: str, name: str) -> None:
    """Raise a `ValueError` unless the option is a whole number from ``least`` on."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{what} is a whole number from {least}: got {name}={value!r}; give {name}={least} or more")
