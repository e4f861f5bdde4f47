"""The history of a job: the fold of its events into trials."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tunekit.core import pareto, text
from tunekit.core.events import (
    Event,
    Progressed,
    SettingsEnqueued,
    TrialEnded,
    TrialMeasured,
    TrialReported,
    TrialStarted,
)
from tunekit.core.goal import Goal
from tunekit.core.trial import Trial


class History:
    """All trials of a job so far, in the order of their numbers.

    Parameters
    ----------
    goal
        What makes one trial better than another.
    prior
        Complete trials of an earlier job whose settings belong to this one's space: what a sampler may learn from,
        though they are no trials of this job.

    Examples
    --------
    >>> history = History(Goal())
    >>> history.apply(TrialStarted(0, {"lr": 0.1}))
    >>> history.apply(TrialEnded(0, "complete", {"score": 0.9}, seconds=1.0))
    >>> history.best
    Trial(0, score=0.900, lr=0.100)
    """

    def __init__(self, goal: Goal, prior: tuple[Trial, ...] = ()) -> None:
        self.goal = goal
        self.prior = prior
        self._trials: list[Trial] = []
        self._waiting: deque[Mapping[str, Any]] = deque()
        # what is asked for before each trial is kept, not looked for among thousands
        self._complete: dict[int, Trial] = {}
        self._feasible: dict[int, Trial] = {}
        self._best: Trial | None = None
        self._cut_off: set[int] = set()

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
            self._put(replace(trial, reports=(*trial.reports, event.metrics)))
        elif isinstance(event, TrialEnded):
            trial = self._known(event.number)
            self._put(
                replace(trial, state=event.state, metrics=event.metrics, error=event.error, seconds=event.seconds)
            )
        elif isinstance(event, TrialMeasured):
            trial = self._known(event.number)
            self._put(replace(trial, metrics={**trial.metrics, **event.metrics}))
        elif isinstance(event, SettingsEnqueued):
            self._waiting.append(event.params)

    def apply_all(self, events: Iterable[Event]) -> None:
        """Fold many events in, as `apply` does one after the other, in less time.

        Raises
        ------
        ValueError
            As `apply`.
        """
        # a curve is put together once, not at each of its points
        curves: dict[int, list[Mapping[str, float]]] = {}
        for event in events:
            if isinstance(event, TrialReported):
                self._known(event.number)
                curves.setdefault(event.number, []).append(event.metrics)
            else:
                if not isinstance(event, (SettingsEnqueued, Progressed)) and event.number in curves:
                    self._extend(event.number, curves.pop(event.number))
                self.apply(event)
        for number, curve in curves.items():
            self._extend(number, curve)

    def _extend(self, number: int, curve: list[Mapping[str, float]]) -> None:
        trial = self._known(number)
        self._put(replace(trial, reports=(*trial.reports, *curve)))

    def _start(self, event: TrialStarted) -> None:
        trial = Trial(event.number, event.params, event.seed, parent=event.parent, began=event.began)
        if event.enqueued and not self._waiting:
            raise ValueError(f"trial {event.number} began with settings that had waited: none were waiting")
        if event.number == len(self._trials):
            self._trials.append(trial)
        else:
            self._known(event.number)
            self._put(trial)
        if event.enqueued:
            self._waiting.popleft()

    def _put(self, trial: Trial) -> None:
        """Set a trial in the place of its earlier self."""
        self._trials[trial.number] = trial
        if trial.state == "stopped":
            self._cut_off.add(trial.number)
        else:
            self._cut_off.discard(trial.number)
        _keep(self._complete, trial, self.goal.gains(trial) is not None)
        is_feasible = trial.number in self._complete and self.goal.is_feasible(trial)
        _keep(self._feasible, trial, is_feasible)
        if self._best is not None and self._best.number == trial.number:
            self._best = max(self.feasible, key=self._first_gain, default=None)
        elif is_feasible and (self._best is None or self._rank(trial) > self._rank(self._best)):
            self._best = trial

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

    def before(self, number: int) -> History:
        """The history of the trials with a lower number, as they stand now."""
        earlier = History(self.goal, self.prior)
        for trial in self._trials[:number]:
            earlier._trials.append(trial)
            earlier._put(trial)
        return earlier

    @property
    def waiting(self) -> tuple[Mapping[str, Any], ...]:
        """The settings that were enqueued and not begun yet, the next one first."""
        return tuple(self._waiting)

    @property
    def cut_off(self) -> Trial | None:
        """The first of the trials that were stopped, which are run again first; None where there is none."""
        return self._trials[min(self._cut_off)] if self._cut_off else None

    @property
    def has_complete(self) -> bool:
        """Whether any trial ended with a value of every aim."""
        return bool(self._complete)

    @property
    def complete(self) -> list[Trial]:
        """The trials that ended with a value of every aim."""
        return [trial for _, trial in sorted(self._complete.items())]

    @property
    def feasible(self) -> list[Trial]:
        """The complete trials that keep every limit."""
        return [trial for _, trial in sorted(self._feasible.items())]

    @property
    def best(self) -> Trial | None:
        """The feasible trial that is best by the first aim, the first among equals; None while there is none."""
        return self._best

    @property
    def front(self) -> list[Trial]:
        """The feasible trials that no other one beats in every aim, by the first aim, the best first."""
        trials = self.feasible
        if not trials:
            return []
        kept = pareto.non_dominated(np.array([self.goal.gains(trial) for trial in trials]))
        front = [trial for trial, keep in zip(trials, kept, strict=True) if keep]
        return sorted(front, key=lambda trial: -self._first_gain(trial))

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> float:
        """How much of the space of the aims the front covers, in the product of their units; 0 while there is no front.

        Parameters
        ----------
        reference
            The corner that it is measured from, a value for each aim's metric: only trials better than it in every aim
            count. None: the worst value of each aim among the complete trials, feasible or not. That corner moves as
            trials come in; give one to compare two jobs.

        Raises
        ------
        ValueError
            If the reference lacks an aim's metric, names another one, or a value is not finite.
        """
        names = [aim.metric for aim in self.goal.aims]
        if reference is not None and set(reference) != set(names):
            raise ValueError(
                f"the reference has a value for each aim, {text.listed(names)}: got {text.listed(reference)}"
            )
        if reference is not None and not np.all(np.isfinite(list(reference.values()))):
            raise ValueError(f"the values of the reference are finite: got {text.settings(reference)}")
        front = self.front
        if not front:
            return 0.0
        if reference is None:
            corner = np.array([self.goal.gains(trial) for trial in self.complete]).min(axis=0)
        else:
            corner = np.array([aim.gain(reference[aim.metric]) for aim in self.goal.aims])
        return pareto.hypervolume(np.array([self.goal.gains(trial) for trial in front]), corner)

    def _rank(self, trial: Trial) -> tuple[float, int]:
        """More is better; of equals the first."""
        return self._first_gain(trial), -trial.number

    def _first_gain(self, trial: Trial) -> float:
        return self.goal.aim.gain(trial.metrics[self.goal.metric])


def _keep(kept: dict[int, Trial], trial: Trial, does_belong: bool) -> None:
    if does_belong:
        kept[trial.number] = trial
    else:
        kept.pop(trial.number, None)
