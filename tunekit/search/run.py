"""One run of a study: its trials one after the other, what ends it, and where it is, in words."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tunekit.core import job, seeds, text
from tunekit.core.events import EndState, Event, Progressed, TrialEnded, TrialReported
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search import sentences
from tunekit.search.context import Context
from tunekit.search.early_stopping import EarlyStopping, Verdict
from tunekit.search.ending import Ending
from tunekit.search.failures import check_hope, traceback_of
from tunekit.search.objective import Objective

OnError = Literal["record", "raise"]


@dataclass
class Run:
    """What one call of `Study.run` was asked for, and how far it is.

    Parameters
    ----------
    left
        How many trials are still to be run.
    on_error
        ``"record"``: a trial that fails is recorded and the run goes on; ``"raise"``: its error ends the run.
    ending
        What ends it before.
    is_seeded
        Whether its trials have seeds.
    early_stopping
        Who decides after each step whether a trial goes on; None: it does.
    home
        The folder in which each trial has one of its own for checkpoints; None: there is none.
    already
        How many trials of this call were in the journal when the study was opened.
    ended_early
        What did end it before, as it stands after "because".
    """

    left: int
    on_error: OnError
    ending: Ending
    is_seeded: bool
    early_stopping: EarlyStopping | None = None
    home: Path | None = None
    already: int = 0
    ended_early: str | None = None
    _number: int | None = None
    _trial_began: float = 0.0

    def work(
        self,
        objective: Objective,
        history: History,
        begin: Callable[[], Trial | None],
        clock: Callable[[], float],
        expected_gain: Callable[[], float | None],
    ) -> job.Work:
        """Run the trials.

        Parameters
        ----------
        objective, history
            Those of the study.
        begin
            Starts the next trial; None when every setting has been tried.
        clock
            Seconds, pauses left out.
        expected_gain
            Asks the sampler how much better the next trial may be.

        Raises
        ------
        RuntimeError
            If the first trials all failed.
        """
        began = clock()
        # once for all trials: to save and restore numpy's generator takes as long as a trial that does nothing; without
        # a seed the objective draws from the caller's own stream, which goes on
        with seeds.preserved() if self.is_seeded else nullcontext():
            while self.left:
                self.ended_early = self.ending.reason(history, clock() - began, expected_gain)
                trial = None if self.ended_early else begin()
                if trial is None:
                    self.ended_early = self.ended_early or "every setting has been tried"
                    return
                self._number, self._trial_began = trial.number, clock()
                try:
                    yield from self._try(trial, objective, history, clock)
                finally:
                    self._number = None
                self.left -= 1
                check_hope(history)

    def _try(self, trial: Trial, objective: Objective, history: History, clock: Callable[[], float]) -> Iterator[Event]:
        """One trial that has begun, to its end; a stop between two steps ends it and goes on outwards."""
        number, began = trial.number, self._trial_began
        context = Context(number, trial.seed, trial.parent, self.home)
        end: EndState = "complete"
        metrics: Mapping[str, float] = {}
        try:
            yield Progressed(f"Trial {number} begins")  # a pause or a stop acts before the objective does
            seeds.sow(trial.seed)
            with closing(objective.steps(trial.params, context)) as steps:
                for step in steps:
                    metrics = step.metrics
                    if step.kind == "final":
                        break
                    try:
                        yield TrialReported(number, metrics)
                    finally:
                        context.commit()
                    verdict = "go" if step.kind == "replayed" else self.verdict(history, history[number])
                    if verdict != "go":
                        end = end_of(verdict, metrics, objective.metrics)
                        break
            context.commit()
        except job.StopRequested:
            yield TrialEnded(number, "stopped", {}, clock() - began)
            raise
        except Exception as error:
            yield TrialEnded(number, "failed", {}, clock() - began, traceback_of(error))
            if self.on_error == "raise":
                raise
        else:
            yield TrialEnded(number, end, metrics, clock() - began)

    def verdict(self, history: History, trial: Trial) -> Verdict:
        """What early stopping says to the newest report of a running trial."""
        return "go" if self.early_stopping is None else self.early_stopping.decide(history, trial)

    def share(self, history: History) -> float:
        """How much of it is done, 0 to 1."""
        done = _ended(history)
        return done / (done + self.left) if done else 0.0

    def words(self, state: job.State, history: History, now: float) -> str:
        """Where it is, while it goes on.

        Parameters
        ----------
        state
            The state of the study: neither ``"idle"`` nor ``"over"``.
        history
            Its trials.
        now
            What the clock says.
        """
        done = _ended(history)
        target = done + self.left
        where = self._where(history)
        words = {
            "running": f"{done} of {target} done{where}",
            "pausing": f"Pausing at {done} of {target} after this step{where}",
            "paused": f"Paused at {done} of {target}{where}; nothing is lost, Resume goes on from here",
            "stopping": f"Stopping after this step; {text.plural(done, 'finished trial')} kept",
        }[state]
        remaining = self._remaining(history, now) if state == "running" else None
        parts = [words, sentences.leader(history)]
        parts += [] if remaining is None else [f"about {text.duration(max(1, round(remaining)))} left"]
        return f"{'; '.join(parts)}."

    def _where(self, history: History) -> str:
        """Where the running trial is, after a comma; nothing between two trials."""
        number = self._number
        if number is None:
            return ""
        reports = history[number].reports
        step = f" at step {len(reports)}" if reports else ""
        return f", trial {number}{step}"

    def _remaining(self, history: History, now: float) -> float | None:
        """Seconds until the end, from the median of the trials so far; None before the first has ended."""
        # a trial that was measured elsewhere has no time
        spent = [trial.seconds for trial in history if trial.seconds and trial.state != "stopped"]
        if not spent:
            return None
        running = now - self._trial_began if self._number is not None else 0.0
        return max(0.0, statistics.median(spent) * self.left - running)


def end_of(verdict: Verdict, metrics: Mapping[str, float], wanted: Sequence[str]) -> EndState:
    """How a trial ends that early stopping ended: complete only where its last report has all that is wanted."""
    return "complete" if verdict == "finish" and all(name in metrics for name in wanted) else "halted"


def _ended(history: History) -> int:
    return sum(trial.state not in ("running", "stopped") for trial in history)
