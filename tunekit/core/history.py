"""The history of a job: the fold of its events into trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tunekit.core.events import Event, TrialEnded, TrialMeasured, TrialReported, TrialStarted
from tunekit.core.trial import Trial


@dataclass(frozen=True, slots=True)
class Goal:
    """The metric that counts, and which way is better.

    Examples
    --------
    >>> Goal("loss", maximize=False).better(0.1, 0.2)
    True
    """

    metric: str = "score"
    maximize: bool = True

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is strictly better than the second."""
        return one > other if self.maximize else one < other

    def score(self, trial: Trial) -> float | None:
        """The trial's value of the metric, in the metric's own unit; None until it is complete."""
        return trial.metrics.get(self.metric) if trial.state == "complete" else None


class History:
    """All trials of a job so far, in the order of their numbers.

    Parameters
    ----------
    goal
        What makes one trial better than another.

    Examples
    --------
    >>> history = History(Goal("score"))
    >>> history.apply(TrialStarted(0, {"lr": 0.1}))
    >>> history.apply(TrialEnded(0, "complete", {"score": 0.9}, seconds=1.0))
    >>> history.best
    Trial(0, score=0.900, lr=0.100)
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self._trials: list[Trial] = []

    def apply(self, event: Event) -> None:
        """Fold one more event in.

        Raises
        ------
        ValueError
            If the event speaks of a trial that never started, or leaves a gap in the numbers.
        """
        if isinstance(event, TrialStarted):
            self._start(event)
        elif isinstance(event, TrialReported):
            trial = self._known(event.number)
            self._trials[event.number] = replace(trial, reports=(*trial.reports, event.metrics))
        elif isinstance(event, TrialEnded):
            self._trials[event.number] = replace(
                self._known(event.number),
                state=event.state,
                metrics=event.metrics,
                error=event.error,
                seconds=event.seconds,
            )
        elif isinstance(event, TrialMeasured):
            trial = self._known(event.number)
            self._trials[event.number] = replace(trial, metrics={**trial.metrics, **event.metrics})

    def _start(self, event: TrialStarted) -> None:
        trial = Trial(event.number, event.params, event.seed)
        if event.number == len(self._trials):
            self._trials.append(trial)
        else:
            self._known(event.number)
            self._trials[event.number] = trial

    def _known(self, number: int) -> Trial:
        if not 0 <= number < len(self._trials):
            raise ValueError(
                f"an event must speak of a trial that has started: trial {number} has not "
                f"(there are {len(self._trials)}); give the events in the order in which they happened"
            )
        return self._trials[number]

    def __len__(self) -> int:
        """The number of trials, the running one included."""
        return len(self._trials)

    def __iter__(self) -> Iterator[Trial]:
        """The trials in order, as they are at this moment."""
        return iter(tuple(self._trials))

    def __getitem__(self, number: int) -> Trial:
        """The trial of that number."""
        return self._trials[number]

    @property
    def complete(self) -> list[Trial]:
        """The trials that ended with a score."""
        return [trial for trial in self if self.goal.score(trial) is not None]

    @property
    def best(self) -> Trial | None:
        """The best complete trial, the first among equals; None while there is none."""
        best: Trial | None = None
        best_score = 0.0
        for trial in self:
            score = self.goal.score(trial)
            if score is not None and (best is None or self.goal.better(score, best_score)):
                best, best_score = trial, score
        return best
