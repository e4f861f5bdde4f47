"""The goal of a job: which metrics count, which way each is better, and which limits hold."""

from __future__ import annotations

from dataclasses import dataclass

from tunekit.core.trial import Trial


@dataclass(frozen=True, slots=True)
class Aim:
    """A metric to go for, and which way is better.

    Examples
    --------
    >>> Aim("loss", maximize=False).better(0.1, 0.2)
    True
    """

    metric: str = "score"
    maximize: bool = True

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is strictly better than the second."""
        return one > other if self.maximize else one < other

    def gain(self, value: float) -> float:
        """The value with the sign that makes more the better."""
        return value if self.maximize else -value


@dataclass(frozen=True, slots=True)
class Limit:
    """The bounds that a metric must keep, both included; None where there is none.

    Examples
    --------
    >>> Limit("size_kb", high=100.0).excess(120.0)
    20.0
    """

    metric: str
    low: float | None = None
    high: float | None = None

    def excess(self, value: float) -> float:
        """How far outside of the bounds a value lies, in the metric's own unit; 0 or less inside.

        Inside it is minus the distance to the nearer bound.
        """
        over = [] if self.high is None else [value - self.high]
        under = [] if self.low is None else [self.low - value]
        return max(over + under)


@dataclass(frozen=True, slots=True, init=False)
class Goal:
    """What makes one trial better than another.

    Parameters
    ----------
    *aims
        The metrics to go for; none given: maximize ``"score"``. Several make a front instead of one best.
    limits
        The bounds that metrics must keep for a trial to count.

    Examples
    --------
    >>> Goal(Aim("accuracy"), limits=(Limit("size_kb", high=100.0),)).metrics
    ('accuracy', 'size_kb')
    """

    aims: tuple[Aim, ...]
    limits: tuple[Limit, ...]

    def __init__(self, *aims: Aim, limits: tuple[Limit, ...] = ()) -> None:
        object.__setattr__(self, "aims", aims or (Aim(),))
        object.__setattr__(self, "limits", limits)

    @property
    def aim(self) -> Aim:
        """The first of the aims: the only one, in most jobs."""
        return self.aims[0]

    @property
    def metric(self) -> str:
        """The metric of the first aim."""
        return self.aim.metric

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics that a trial must have, each once: the aims' first."""
        return tuple(dict.fromkeys([aim.metric for aim in self.aims] + [limit.metric for limit in self.limits]))

    def score(self, trial: Trial) -> float | None:
        """The trial's value of the first aim, in the metric's own unit; None until it is complete."""
        return trial.metrics.get(self.metric) if trial.state == "complete" else None

    def gains(self, trial: Trial) -> tuple[float, ...] | None:
        """The trial's value of each aim, signed so that more is better; None until it is complete."""
        if trial.state != "complete" or any(aim.metric not in trial.metrics for aim in self.aims):
            return None
        return tuple(aim.gain(trial.metrics[aim.metric]) for aim in self.aims)

    def excesses(self, trial: Trial) -> tuple[float, ...] | None:
        """How far the trial is outside of each limit (0 or less: inside); None until it is complete."""
        if trial.state != "complete" or any(limit.metric not in trial.metrics for limit in self.limits):
            return None
        return tuple(limit.excess(trial.metrics[limit.metric]) for limit in self.limits)

    def is_feasible(self, trial: Trial) -> bool:
        """Whether a complete trial keeps every limit."""
        excesses = self.excesses(trial)
        return excesses is not None and all(excess <= 0 for excess in excesses)
