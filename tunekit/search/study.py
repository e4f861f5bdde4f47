"""The study: tries settings of a space on an objective, one trial after the other, and keeps what each came to."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from tunekit.core import text, upstairs
from tunekit.core.events import Event, TrialEnded
from tunekit.core.history import History
from tunekit.core.job import Job, Result, Status
from tunekit.core.journaled import journal_path
from tunekit.core.trial import Trial
from tunekit.search import sentences
from tunekit.search.checkpoint import Checkpoint
from tunekit.search.confirm import Confirmation, Confirming
from tunekit.search.crew_run import CrewRun
from tunekit.search.early_stopping import EarlyStopping
from tunekit.search.early_stopping import resolve as resolve_early_stopping
from tunekit.search.ending import Until, read_until
from tunekit.search.executors import open_crew
from tunekit.search.folders import Folders
from tunekit.search.goals import Bounds, Names, read_goal
from tunekit.search.insights import Insights
from tunekit.search.objective import Objective
from tunekit.search.run import OnError, Run
from tunekit.search.samplers import HasParents
from tunekit.search.space import Space
from tunekit.search.warm_start import fitting_trials


class Study(Insights):
    """Search a space for the settings that make an objective best.

    Parameters
    ----------
    objective
        A function of the settings. It returns a number or a dict of numbers; or it is a generator that yields one after
        each step, which gives live curves and lets pause and stop act at once. Where it has a parameter named
        ``trial``, it gets the trial's number, seed and folder, and with ``trial.save`` and ``trial.load`` it goes on
        where it was cut off. None: a loop of your own asks and tells.
    space
        A `Space`, or a mapping that makes one.
    maximize, minimize
        The metric to go for, by name, or several: then there is a `front` instead of one best. A plain number is that
        metric, where there is one. Neither given: maximize ``"score"``.
    constraints
        ``{"size_kb": (None, 100)}``: the lowest and the highest value of a metric with which a trial counts.
    sampler
        ``"bayes"`` (a Gaussian process in bayes_opt), ``"random"``, ``"sobol"``, ``"grid"``, ``"population"``
        (`Population`: settings change while the nets train); an engine of another package, such as ``"optuna:tpe"``; an
        optuna sampler; a ``bayes_opt.BayesianOptimization``; or an object with ``propose``.
    early_stopping
        Who ends a trial that is not worth going on with, after one of its steps: ``"median"``, ``"asha"``,
        ``"hyperband"``, ``"patience"``, or an object with ``decide``. None: the sampler, where it decides that too.
    seed
        A whole number makes the study the same each time: the proposals, and the random numbers that the objective
        draws from Python, numpy and torch. None: new ones each time.
    history
        An earlier study, or its history: the sampler learns from those of its trials that fit this space.
    journal
        The path of a file in which everything is written down as it happens, so that nothing is lost with the kernel:
        run the same cells again, and the study goes on where it was. What the file has is not run again; a trial that
        was cut off is, and first. Checkpoints lie beside it. None: the study lives as long as this process.

    Raises
    ------
    TypeError
        If the objective cannot be called with the settings of the space.
    ValueError
        If a name or a bound is wrong, or nothing of the earlier study fits; if the journal is of another study, or
        damaged.
    RuntimeError
        If another process holds the journal.

    Examples
    --------
    >>> from tunekit.search.parameters import Float
    >>> study = Study(lambda x: -((x - 2) ** 2), Space(x=Float(0, 5)), sampler="grid")
    >>> study.run(5)
    5 trials, all complete. Best score -0.250 at trial 2: x=2.50.
    >>> study.best
    Trial(2, score=-0.250, x=2.50)
    """

    def __init__(
        self,
        objective: Callable[..., Any] | None,
        space: Space | Mapping[str, Any],
        *,
        maximize: Names = None,
        minimize: Names = None,
        constraints: Mapping[str, Bounds] | None = None,
        sampler: Any = "bayes",
        early_stopping: Any = None,
        seed: int | None = None,
        history: Job | History | None = None,
        journal: str | os.PathLike[str] | None = None,
    ) -> None:
        goal = read_goal(maximize, minimize, constraints)
        space = space if isinstance(space, Space) else Space(space)
        prior = () if history is None else fitting_trials(history, space, goal)
        super().__init__(goal, prior, space, sampler, seed)
        self.objective = None if objective is None else Objective(objective, self.space, goal.metrics)
        self.early_stopping = resolve_early_stopping(early_stopping, goal)
        if self.early_stopping is None and isinstance(self.sampler, EarlyStopping):
            self.early_stopping = self.sampler
        path = None if journal is None else journal_path(journal)
        self._folders = Folders(path)
        if path is not None:
            self._open_journal(path)
        self._run: Run | None = None
        self._way: Mapping[str, Any] = {}
        self._confirming: Confirming | None = None
        self._confirmation: Confirmation | None = None

    # To run it

    def run(
        self,
        trials: int,
        *,
        until: Until = None,
        timeout: float | None = None,
        workers: int | None = None,
        executor: Any = None,
        trial_timeout: float | None = None,
        deterministic: bool = False,
        on_error: OnError = "record",
    ) -> Result:
        """Try that many more settings, and wait for it with a live panel.

        Parameters
        ----------
        trials
            How many more trials, 1 or more; a trial that was cut off is run again first and counts as one.
        until
            What ends it earlier. A number: a trial reached that value of the first aim, or better. A mapping:
            ``{"score": 0.95}`` the same by name (several: one trial reached all); ``{"gain": 0.001}`` the sampler
            expects less improvement than that, in the metric's own unit; ``{"seconds": 600}`` no further trial begins
            after that time. Of several kinds the first that holds.
        timeout
            Seconds after which no further step begins, or None.
        workers
            How many trials run at a time, 1 or more. More than one: each in a process of its own, with one thread for
            torch and BLAS; functions and closures of notebook cells are fine. None: one, or as many as the executor
            has.
        executor
            Where trials run: ``"threads"``, ``"processes"``; any ``concurrent.futures.Executor``; a
            ``dask.distributed.Client``. None: here, or in processes where there are several workers or a trial may have
            to be killed.
        trial_timeout
            Seconds after which a trial that has not ended has failed, pauses left out, or None. Its process is killed;
            a thread cannot be, and is left alone.
        deterministic
            Whether several workers give the same study each time: trials begin in rounds of as many as there are
            workers, so a worker waits for the slowest of its round.
        on_error
            ``"record"``: a trial that fails is recorded and the study goes on; ``"raise"``: its error ends the study.

        Returns
        -------
        Result
            What it came to, as text.

        Raises
        ------
        ValueError
            If an argument breaks a rule above.
        TypeError
            If the study has no objective.
        RuntimeError
            If the study is still running, or the first five trials all failed.
        """
        return self.start(
            trials,
            until=until,
            timeout=timeout,
            workers=workers,
            executor=executor,
            trial_timeout=trial_timeout,
            deterministic=deterministic,
            on_error=on_error,
        ).wait()

    def start(
        self,
        trials: int,
        *,
        until: Until = None,
        timeout: float | None = None,
        workers: int | None = None,
        executor: Any = None,
        trial_timeout: float | None = None,
        deterministic: bool = False,
        on_error: OnError = "record",
    ) -> Study:
        """Begin to try that many more settings and return at once; the arguments are those of `run`."""
        if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
            raise ValueError(f"the number of trials is a whole number from 1: got {trials!r}")
        if on_error not in ("record", "raise"):
            raise ValueError(f"on_error is 'record' or 'raise': got {on_error!r}")
        ending = read_until(until, self.history.goal, self.sampler)
        objective = self._needed_objective()
        self._check_over()
        if self._journal is not None:
            self._journal.check_open()
        self._way = {
            "workers": workers,
            "executor": executor,
            "trial_timeout": trial_timeout,
            "deterministic": deterministic,
            "on_error": on_error,
        }
        already = self._credit.runs(int(trials))
        left = int(trials) - already
        crew = open_crew(objective, workers, executor, trial_timeout) if left else None
        self._credit.take_runs(already)
        self._folders.forget_from(len(self.history))
        about = (left, on_error, ending, self.seed is not None, self.early_stopping, self._folders.home, already)
        asked = (self.history, self._begin, self._clock, self._expected_gain)
        if crew is None:
            self._run = run = Run(*about)
            self._launch(run.work(objective, *asked), timeout)
        else:
            self._run = crew_run = CrewRun(*about, trial_timeout=trial_timeout, deterministic=deterministic)
            self._launch(crew_run.work_with(crew, objective.metrics, *asked), timeout)
        return self

    def more(self, trials: int) -> Study:
        """Begin to try that many more settings the way the last run did, and return at once.

        With its workers or its executor, that is, and the same rules for a trial that takes too long or fails.

        Examples
        --------
        >>> study = Study(lambda x: -((x - 2) ** 2), {"x": (0.0, 5.0)}, seed=0)
        >>> _ = study.run(2, workers=2, executor="threads")
        >>> _ = study.more(3).wait()
        >>> len(study.trials)
        5
        """
        return self.start(trials, **self._way)

    # What came of it

    def confirm(self, top: int = 3, repeats: int = 5) -> Confirmation:
        """Measure the best trials again with new seeds: the best of many noisy scores is too good on average.

        It waits with a live panel. The repeats are no trials of the study. What was measured before a stop is kept in
        `confirmation`.

        Parameters
        ----------
        top
            How many trials, 1 or more; fewer where fewer count.
        repeats
            How often each, 2 or more.

        Returns
        -------
        Confirmation
            Score in the search, mean and 95 % interval of the repeats for each, and which trial is best now.

        Raises
        ------
        ValueError
            If a count is out of its range.
        TypeError
            If the study has no objective.
        RuntimeError
            If the study is still running, has several aims, or no trial that counts.
        """
        self._check_over()
        objective = self._needed_objective()
        is_seeded = self.seed is not None
        confirming = Confirming(objective, self.space, self.history, self._entropy, is_seeded, top, repeats)
        if self._run is not None:
            self._run.ended_early = self._reason
        self._confirming = confirming
        try:
            self._launch(confirming.work())
            self.wait()
        finally:
            self._confirming = None
            self._confirmation = confirming.result
        return confirming.result

    @property
    def confirmation(self) -> Confirmation | None:
        """What the last `confirm` came to, also one that was stopped; None before the first."""
        return self._confirmation

    def checkpoint(self, trial: Trial | int) -> Checkpoint:
        """What a trial has saved last with ``trial.save``: its ``load`` gives a net the state that it had then.

        Checkpoints are kept of the best three trials and of those that may still go on.

        Parameters
        ----------
        trial
            A trial of this study, or its number.

        Raises
        ------
        ValueError
            If there is none; it says why.
        """
        number = trial.number if isinstance(trial, Trial) else trial
        return self._folders.checkpoint(self.history, number, self._needed_checkpoints())

    def plot(self, name: str = "history", **settings: Any) -> Any:
        """Draw one of the pictures by name, as ``plot("contour", x="lr", y="width")``: a matplotlib figure.

        Raises
        ------
        ValueError
            If there is no such picture, or it has no such setting: the error lists the known ones.
        """
        return upstairs.ask("plot")(name, self, **settings)

    def __repr__(self) -> str:
        """Facts only: the same before and after a run that changes nothing."""
        return text.printable(f"{self.heading}. {self._outcome()}")

    @property
    def heading(self) -> str:
        """What is searched, and how: the same before, while and after it runs."""
        over = "" if self.objective is None else f"{self.objective.name} over "
        earlier = f"; knows {text.plural(len(self.history.prior), 'earlier trial')}" if self.history.prior else ""
        describe = getattr(self.sampler, "describe", None)
        how = self.sampler_name if describe is None else describe(self.space)
        return f"Study({over}{', '.join(self.space.names)}; {how}{earlier})"

    def _needed_objective(self) -> Objective:
        if self.objective is None:
            raise TypeError(
                "a study runs its objective: this one was made with None; use ask() and tell(), or make it with one"
            )
        return self.objective

    def _keep(self, event: Event) -> None:
        super()._keep(event)
        if isinstance(event, TrialEnded):
            self._folders.tidy(self.history, event.number, self._needed_checkpoints)

    def _needed_checkpoints(self) -> Collection[int]:
        """The numbers of the trials that the sampler may have a next one go on from."""
        return self.sampler.parents(self.history) if isinstance(self.sampler, HasParents) else ()

    def status(self) -> Status:
        """What is going on, in words."""
        state, run, confirming = self.state, self._run, self._confirming
        if state in ("idle", "over") or (run is None and confirming is None):
            failure = f" Ended by an error: {type(self._failure).__name__}." if self._failure is not None else ""
            return Status(state, self._outcome() + failure, 0.0 if run is None else run.share(self.history))
        if confirming is not None:
            return Status(state, confirming.words(state), confirming.share)
        assert run is not None
        words = self._waits_for_the_disk or run.words(state, self.history, self._clock())
        return Status(state, words, run.share(self.history))

    def _outcome(self) -> str:
        already = 0 if self._run is None else self._run.already
        return sentences.outcome(
            self.history, self._reason if self.is_over else None, len(self.history.waiting), already
        )

    @property
    def _reason(self) -> str | None:
        """What ended the last run before its number of trials."""
        return self._time_is_up or (self._run.ended_early if self._run is not None else None)
