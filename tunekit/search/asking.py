"""Asking for trials and telling of them: what a loop of a person's own needs, and what a run of the study asks too."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np

from tunekit.core import seeds, text
from tunekit.core.events import SettingsEnqueued, TrialEnded, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.journaled import JournaledJob, busy
from tunekit.core.trial import Trial
from tunekit.search import sentences
from tunekit.search.ending import ExpectsGain
from tunekit.search.journaling import Credit, StudyJournal
from tunekit.search.open_trials import OpenTrials, read_answer
from tunekit.search.parameters import Float, Int
from tunekit.search.samplers import resolve
from tunekit.search.space import Space


class Asking(JournaledJob):
    """A job whose trials are settings of a space: what comes next, and what it came to.

    Parameters
    ----------
    goal, prior
        What makes one trial better than another, and what an earlier job found.
    space
        Where the settings come from.
    sampler
        Who proposes them: a name, or an object with ``propose``.
    seed
        A whole number makes the proposals the same each time; None: new ones.
    """

    def __init__(self, goal: Goal, prior: tuple[Trial, ...], space: Space, sampler: Any, seed: int | None) -> None:
        super().__init__(goal, prior)
        self.space = space
        self.sampler_name, self.sampler = resolve(sampler)
        self.seed = seeds.check(seed)
        self._entropy = self.seed if self.seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self._open = OpenTrials()
        self._credit = Credit()

    def _open_journal(self, path: Path) -> None:
        """Go on with what a journal has; all that happens from now on is written there."""
        journal = StudyJournal(path, self.history, self.space, self.seed, self._entropy, self.sampler_name, busy(self))
        weakref.finalize(self, journal.release)
        self._credit, self._entropy = journal.credit, journal.entropy
        self._journal = journal

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Have these settings tried next, after those that were enqueued before; also while it runs.

        Raises
        ------
        ValueError
            If they are no settings of the space.
        """
        self.space.check(params)
        settings = _plain(self.space, params)
        if not self._credit.enqueued(settings):
            self._record(SettingsEnqueued(settings))
        self._notify()

    def ask(self) -> Trial:
        """Begin a trial that you run yourself: its ``params`` are what to try, its ``seed`` what to seed with.

        Several may be open at once; the sampler knows of them. One that is never told of stays running, and hinders
        nothing.

        Raises
        ------
        RuntimeError
            If every setting has been tried.

        Examples
        --------
        >>> from tunekit.search.study import Study
        >>> study = Study(None, {"x": (0.0, 1.0)}, sampler="grid")
        >>> trial = study.ask()
        >>> study.tell(trial, 1.0 - trial.params["x"])
        Trial(0, score=1.00, x=0)
        """
        with self._writing:
            trial = self._begin()
            if trial is None:
                raise RuntimeError("every setting of the space has been tried: there is nothing left to ask for")
            self._open.add(trial.number)
        self._notify()
        return trial

    def peek(self) -> Mapping[str, Any] | None:
        """The settings that would be tried next; nothing begins. None where every setting has been tried.

        Examples
        --------
        >>> from tunekit.search.study import Study
        >>> study = Study(None, {"x": (0.0, 1.0)}, sampler="grid")
        >>> study.peek() == study.ask().params
        True
        """
        with self._writing:
            cut_off, waiting = self.history.cut_off, self.history.waiting
            if cut_off is not None:
                return cut_off.params
            return waiting[0] if waiting else self._propose(len(self.history))

    def tell(
        self,
        trial: Trial | Mapping[str, Any],
        metrics: SupportsFloat | Mapping[str, SupportsFloat] | None = None,
        *,
        error: str | BaseException | None = None,
    ) -> Trial:
        """Say what a trial came to.

        Parameters
        ----------
        trial
            What `ask` gave; or settings that were measured elsewhere, which become a trial of their own.
        metrics
            A number, or a dict of numbers; one that is NaN or infinite makes it a failed trial.
        error
            Instead of metrics, for a trial that failed: the exception, or words.

        Returns
        -------
        Trial
            The trial as it has ended.

        Raises
        ------
        ValueError
            If the study has no such open trial, or these are no settings of the space.
        TypeError
            If the metrics are no numbers or one that the study goes for is missing; the trial stays open then.
        """
        with self._writing:
            number = trial.number if isinstance(trial, Trial) else len(self.history)
            answer = read_answer(number, metrics, error, self.history.goal.metrics)
            if isinstance(trial, Trial):
                self._open.check(trial, self.history)
                answer = replace(answer, seconds=self._open.close(number))
            else:
                self.space.check(trial)
                settings = _plain(self.space, trial)
                if (known := self._credit.told(settings, answer)) is not None:
                    return known
                self._record(TrialStarted(number, settings))
            self._record(answer)
            ended = self.history[number]
        self._notify()
        return ended

    def thaw(self, trial: Trial | int) -> None:
        """Have a trial that early stopping has halted go on after all: it is run next, as one that was cut off.

        It goes on from its checkpoint where the objective saves one, and from the start where it does not. What it had
        reported before the checkpoint is not judged again, so no rung halts it twice; the median rule, which judges
        each step, may halt it after the next one.

        Parameters
        ----------
        trial
            The halted trial, or its number.

        Raises
        ------
        ValueError
            If the study has no such trial, or it was not halted.

        Examples
        --------
        >>> from tunekit.search.study import Study
        >>> def rise(x):
        ...     for step in range(1, 9):
        ...         yield x * step
        >>> study = Study(rise, {"x": [3, 2, 1]}, sampler="grid", early_stopping="asha")
        >>> study.run(3)
        3 trials: 2 complete, 1 halted early. Best score 24.0 at trial 0: x=3.
        >>> study.thaw(2)
        >>> study.trials[2].state
        'stopped'
        """
        number = trial.number if isinstance(trial, Trial) else trial
        with self._writing:
            known = 0 <= number < len(self.history)
            state = self.history[number].state if known else "not there"
            if state != "halted":
                halted = [other.number for other in self.history if other.state == "halted"]
                raise ValueError(
                    f"a trial that was halted early can go on: trial {number} is {state}; "
                    f"halted are {text.listed(halted)}"
                )
            seconds = self.history[number].seconds or 0.0
            self._record(TrialEnded(number, "stopped", {}, seconds))
        self._notify()

    # What comes next

    # What came of it

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far, the running ones included."""
        return tuple(self.history)

    @property
    def best(self) -> Trial:
        """The best complete trial, among those that keep the constraints.

        Raises
        ------
        RuntimeError
            If there is none, or the study has several aims: then there is a `front`.
        """
        best = self.history.best
        if best is None or len(self.history.goal.aims) > 1:
            raise RuntimeError(sentences.no_best(self.history))
        return best

    @property
    def front(self) -> tuple[Trial, ...]:
        """The trials that no other one beats in every aim, by the first aim, the best first; all keep the limits."""
        return tuple(self.history.front)

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> float:
        """How much of the space of the aims the front covers, in the product of their units.

        Parameters
        ----------
        reference
            The corner that it is measured from, a value for each aim's metric. None: the worst value of each aim among
            the complete trials; that corner moves as trials come in, so give one to compare two studies.

        Raises
        ------
        ValueError
            If the reference lacks an aim's metric or names another one.
        """
        return self.history.hypervolume(reference)

    def _begin(self) -> Trial | None:
        """Start the next trial: one that was cut off, or what was enqueued, or what the sampler proposes."""
        with self._writing:
            cut_off = self.history.cut_off
            number = len(self.history) if cut_off is None else cut_off.number
            enqueued = None if cut_off is not None else next(iter(self.history.waiting), None)
            if cut_off is not None:
                params, parent = cut_off.params, cut_off.parent
            else:
                proposal = self._propose(number) if enqueued is None else enqueued
                if proposal is None:
                    return None
                params, parent = proposal, getattr(proposal, "parent", None)
            seed = None if self.seed is None else seeds.trial_seed(self.seed, number)
            began = round(time.time(), 3)
            self._record(TrialStarted(number, params, seed, parent, enqueued is not None, began))
            return self.history[number]

    def _propose(self, number: int) -> Mapping[str, Any] | None:
        return self.sampler.propose(self.space, self.history, seeds.generator(self._entropy, number))

    def _expected_gain(self) -> float | None:
        assert isinstance(self.sampler, ExpectsGain)
        with self._writing:
            rng = seeds.generator(self._entropy, len(self.history))
            return self.sampler.expected_gain(self.space, self.history, rng)


def _plain(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a sampler would give them: in the space's order, numbers as Python's own."""
    kinds: dict[type, Callable[[Any], Any]] = {Float: float, Int: int}
    return {name: kinds.get(type(space[name]), _as_it_is)(params[name]) for name in space if name in params}


def _as_it_is(value: Any) -> Any:
    return value
