"""What a halted trial would have come to: an estimate for whoever learns from the trials."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial


class Expectation:
    """What is expected of halted trials, from those complete ones that it was told of.

    A halted trial stands at the value of its last step. Told as it is, a model takes a short trial for a bad setting;
    told as the worst, it shuns what is near a good one; not told, it comes back. So it is told an estimate: the last
    value, plus the median of what complete trials gained from that step to their end, but never better than the best of
    them. Where no complete trial has a value at that step, the last value. So much for the aims; other metrics with
    limits (size, latency) have the last value. A metric that the trial did not report: the median of the complete
    trials.

    It is a point, not a distribution, and a cautious one: the trials that went on are those that were good early, which
    have less left to gain than a halted one may have had.

    Parameters
    ----------
    goal
        What the trials are to be good at.

    References
    ----------
    Swersky, Snoek and Adams, "Freeze-Thaw Bayesian Optimization", 2014, and Domhan, Springenberg and Hutter, "Speeding
    Up Automatic Hyperparameter Optimization of Deep Neural Networks by Extrapolation of Learning Curves", IJCAI 2015:
    a halted trial counts with what its curve is expected to come to (Domhan et al. tell the search the predicted value;
    here other trials predict it, not a family of curves). Golovin et al., "Google Vizier", KDD 2017, and Li et al., "A
    System for Massively Parallel Hyperparameter Tuning", MLSys 2020, halt by ranks among the trials and leave open what
    a model is told.

    Examples
    --------
    >>> expectation = Expectation(Goal())
    >>> curve = ({"score": 0.5}, {"score": 0.7}, {"score": 0.8})
    >>> expectation.learn(Trial(0, {}, state="complete", reports=curve, metrics=curve[-1]))
    >>> halted = Trial(1, {}, state="halted", reports=({"score": 0.25},), metrics={"score": 0.25})
    >>> expectation.of(halted)
    {'score': 0.55}
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self._complete: list[Trial] = []
        # by metric and step, forgotten at the next complete trial: many trials halt at the same few steps
        self._gained: dict[tuple[str, int], float] = {}
        self._best: dict[str, float] = {}

    def learn(self, trial: Trial) -> None:
        """Take a complete trial into account; others change nothing."""
        gains = self.goal.gains(trial)
        if gains is None:
            return
        self._complete.append(trial)
        self._gained.clear()
        for aim, gain in zip(self.goal.aims, gains, strict=True):
            self._best[aim.metric] = max(gain, self._best.get(aim.metric, gain))

    def of(self, trial: Trial) -> dict[str, float] | None:
        """The estimate for a halted trial: a value of each metric that the goal names.

        None for a trial that was not halted, and while there is no value of a metric, its own or another's.
        """
        if trial.state != "halted":
            return None
        last = {**(trial.reports[-1] if trial.reports else {}), **trial.metrics}
        expected: dict[str, float] = {}
        for aim in self.goal.aims:
            if aim.metric in last:
                gain = aim.gain(last[aim.metric]) + self._gained_from(aim, len(trial.reports))
                expected[aim.metric] = aim.gain(min(gain, self._best.get(aim.metric, gain)))
        for metric in self.goal.metrics:
            if metric not in expected:
                value = last[metric] if metric in last else self._usual(metric)
                if value is None:
                    return None
                expected[metric] = value
        return expected

    def _gained_from(self, aim: Aim, step: int) -> float:
        """The median of what complete trials gained from that step to their end; 0 where none has a value there."""
        key = aim.metric, step
        if key not in self._gained:
            gained = [
                aim.gain(trial.metrics[aim.metric] - trial.reports[step - 1][aim.metric])
                for trial in self._complete
                if 0 < step <= len(trial.reports) and aim.metric in trial.reports[step - 1]
            ]
            self._gained[key] = statistics.median(gained) if gained else 0.0
        return self._gained[key]

    def _usual(self, metric: str) -> float | None:
        values = [trial.metrics[metric] for trial in self._complete if metric in trial.metrics]
        return statistics.median(values) if values else None


def expected_metrics(history: History, trial: Trial) -> Mapping[str, float] | None:
    """What a halted trial would have come to, by all complete trials of its history: see `Expectation`.

    None for a trial that was not halted, and while nothing is known of a metric that the goal names.

    Examples
    --------
    >>> expected_metrics(History(Goal()), Trial(0, {}, state="halted", metrics={"score": 0.3}))
    {'score': 0.3}
    """
    return expectation_of(history).of(trial)


def expectation_of(history: History) -> Expectation:
    """The expectation from all complete trials of a history."""
    expectation = Expectation(history.goal)
    for complete in history.complete:
        expectation.learn(complete)
    return expectation
