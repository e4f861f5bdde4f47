"""Patience: a trial whose curve no longer improves has learned what it will."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping import Verdict, early_stopping
from tunekit.search.early_stopping.curves import OnMetric, check_whole


@early_stopping.register("patience")
@dataclass(frozen=True, slots=True, kw_only=True)
class Patience(OnMetric):
    """Finish a trial that has not improved for a number of steps: it is complete, and its last report is its score.

    It looks at no other trial. A trial that lowers its learning rate towards the end may rest on a plateau before it
    improves again: then more patience is needed, or a rule that compares trials.

    Parameters
    ----------
    steps
        How many reports in a row may bring no improvement, 1 or more; reports without the metric do not count.
    tolerance
        By how much a value must exceed the best before to be an improvement, in the metric's own unit, 0 or more.
    metric, maximize
        The metric to look at, by name, and whether more of it is better, needed only where the study does not go for
        it; None: the study's first aim. A report without it changes nothing.

    Raises
    ------
    ValueError
        If an option breaks a rule above.

    References
    ----------
    Prechelt, "Early Stopping – But When?", in Neural Networks: Tricks of the Trade 1998: the criterion UP.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> reports = tuple({"score": score} for score in (0.7, 0.9, 0.9, 0.8))
    >>> Patience(steps=2).decide(History(Goal()), Trial(0, {}, reports=reports))
    'finish'
    """

    steps: int = 5
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        check_whole(self.steps, 1, "how many steps may bring no improvement", "steps")
        if not isinstance(self.tolerance, (int, float)) or not 0 <= self.tolerance < math.inf:
            raise ValueError(
                f"the tolerance is a finite number from 0, in the metric's own unit: got tolerance={self.tolerance!r}; "
                "give tolerance=0 where every improvement counts"
            )

    def decide(self, history: History, trial: Trial) -> Verdict:
        """``"finish"`` where the last reports brought no improvement."""
        aim = self.aim(history.goal)
        if not trial.reports or aim.metric not in trial.reports[-1]:
            return "go"
        gains = [aim.gain(report[aim.metric]) for report in trial.reports if aim.metric in report]
        if len(gains) <= self.steps:
            return "go"
        before, lately = gains[: -self.steps], gains[-self.steps :]
        return "go" if max(lately) > max(before) + self.tolerance else "finish"
