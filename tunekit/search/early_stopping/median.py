"""The median rule: halt what has never been as good as half of the complete trials were on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tunekit.core.goal import Aim
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping import Verdict, early_stopping
from tunekit.search.early_stopping.curves import OnMetric, check_whole, gain_at, is_at_the_end, others

_Reports = tuple[Mapping[str, float], ...]


@early_stopping.register("median")
@dataclass(frozen=True, slots=True, kw_only=True)
class MedianStopping(OnMetric):
    """Halt a trial whose best value so far is worse than the median of what complete trials averaged up to that step.

    It judges after every step, and spares whatever is the best of all at its step, and what came as far as any complete
    trial: that is at its end.

    Parameters
    ----------
    warmup_steps
        So many steps of each trial are not judged, 0 or more.
    warmup_trials
        Nothing is halted before so many complete trials came as far, 1 or more.
    metric, maximize
        The metric to look at, by name, and whether more of it is better, needed only where the study does not go for
        it; None: the study's first aim. A report without it changes nothing.

    Raises
    ------
    ValueError
        If an option breaks a rule above.

    References
    ----------
    Golovin, Solnik, Moitra, Kochanski, Karro and Sculley, "Google Vizier: A Service for Black-Box Optimization",
    KDD 2017, section 3.2.2.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> MedianStopping(warmup_steps=5).decide(History(Goal()), Trial(0, {}, reports=({"score": 0.1},)))
    'go'
    """

    warmup_steps: int = 1
    warmup_trials: int = 5
    # the running averages of complete trials, by number, with the reports that they are of
    _averages: dict[int, tuple[_Reports, Aim, NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_whole(self.warmup_steps, 0, "how many steps the median rule does not judge", "warmup_steps")
        check_whole(self.warmup_trials, 1, "how many complete trials the median rule waits for", "warmup_trials")

    def decide(self, history: History, trial: Trial) -> Verdict:
        """``"halt"`` where the trial has never been as good as the others were on average."""
        aim = self.aim(history.goal)
        step = len(trial.reports)
        mine = gain_at(trial, step, aim)
        if step <= self.warmup_steps or mine is None:
            return "go"
        beside = others(history, trial)
        there = [(other, gain) for other in beside if (gain := gain_at(other, step, aim)) is not None]
        complete = [other for other, _ in there if other.state == "complete"]
        if len(complete) < self.warmup_trials or is_at_the_end(trial, beside):
            return "go"
        best = max(aim.gain(report[aim.metric]) for report in trial.reports if aim.metric in report)
        if best >= np.median([self._averages_of(other, aim)[step - 1] for other in complete]):
            return "go"
        return "go" if all(gain <= mine for _, gain in there) else "halt"

    def _averages_of(self, trial: Trial, aim: Aim) -> NDArray[np.float64]:
        """What a trial averaged up to each step, shape (steps,), signed so that more is better."""
        known = self._averages.get(trial.number)
        if known is None or known[0] is not trial.reports or known[1] != aim:
            curve = np.array([aim.gain(report.get(aim.metric, np.nan)) for report in trial.reports])
            counted = np.maximum(np.cumsum(~np.isnan(curve)), 1)
            known = self._averages[trial.number] = (trial.reports, aim, np.nancumsum(curve) / counted)
        return known[2]
