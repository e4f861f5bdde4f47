"""One run of an optuna study: its own loop of ask, try and tell, at whose steps a pause and a stop can act."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tunekit.core.events import Progressed
from tunekit.core.extras import needed
from tunekit.core.history import History
from tunekit.core.job import StopRequested, Work
from tunekit.search.engines.quiet import quiet
from tunekit.search.failures import check_hope, traceback_of
from tunekit.search.run import Run


class OptunaRun(Run):
    """What one call of ``run`` was asked for, and how far it is."""

    _stopped: str | None = None

    def drive(
        self,
        theirs: Any,
        objective: Callable[[Any], Any],
        history: Callable[[], History],
        clock: Callable[[], float],
        between_steps: Callable[[], None],
        errors: dict[int, str],
    ) -> Work:
        """Run the trials.

        Parameters
        ----------
        theirs, objective
            The optuna study and a function of its trials.
        history
            Looks at the trials.
        clock
            Seconds, pauses left out.
        between_steps
            Called where a trial reports a value; raises where the run is to end.
        errors
            Where the traceback of a failed trial is kept, by its number.

        Raises
        ------
        RuntimeError
            If the first trials all failed.
        """
        theirs.stop = self._stop  # optuna allows it within its own loop alone
        try:
            yield from self._trials(theirs, objective, history, clock, between_steps, errors)
        finally:
            del theirs.stop

    def _stop(self) -> None:
        self._stopped = "the study's stop() was called"

    def _trials(
        self,
        theirs: Any,
        objective: Callable[[Any], Any],
        history: Callable[[], History],
        clock: Callable[[], float],
        between_steps: Callable[[], None],
        errors: dict[int, str],
    ) -> Work:
        began = clock()
        while self.left:
            self.ended_early = self._stopped or self.ending.reason(history(), clock() - began, lambda: None)
            if self.ended_early:
                return
            with quiet("optuna"):
                trial = theirs.ask()
            _call_after_reports(trial, between_steps)
            self._number, self._trial_began = len(history()) - 1, clock()
            try:
                yield Progressed(f"Trial {trial.number} begins")
                self._try_one(theirs, objective, trial, errors)
            except StopRequested:
                errors[trial.number] = "stopped by hand: its settings are tried again first when the study goes on"
                _end(theirs, trial, "FAIL")
                with quiet("optuna"):
                    theirs.enqueue_trial(dict(trial.params))
                raise
            finally:
                self._number = None
            self.left -= 1
            check_hope(history())
            yield Progressed(f"Trial {trial.number} has ended")

    def _try_one(self, theirs: Any, objective: Callable[[Any], Any], trial: Any, errors: dict[int, str]) -> None:
        """Call the objective and tell what it came to."""
        try:
            value = objective(trial)
        except needed("optuna").TrialPruned:
            _end(theirs, trial, "PRUNED")
        except Exception as error:
            errors[trial.number] = traceback_of(error)
            _end(theirs, trial, "FAIL")
            if self.on_error == "raise":
                raise
        else:
            values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
            complaint = _complaint(values, len(theirs.directions))
            if complaint:
                errors[trial.number] = complaint
                _end(theirs, trial, "FAIL")
            else:
                with quiet("optuna"):
                    theirs.tell(trial, [float(number) for number in values])


def _complaint(values: Sequence[Any], count: int) -> str | None:
    """What is wrong with what the objective returned, by optuna's own rules."""
    if len(values) != count:
        return f"ValueError: an objective returns a value for each direction, {count} of them: got {len(values)}"
    for value in values:
        try:
            number = float(value)
        except (TypeError, ValueError):
            return f"TypeError: an objective returns numbers: got {value!r}"
        if math.isnan(number):
            return "ValueError: an objective returns numbers that are not NaN: got nan"
    return None


def _end(theirs: Any, trial: Any, state: str) -> None:
    with quiet("optuna"):
        theirs.tell(trial, state=needed("optuna.trial").TrialState[state])


def _call_after_reports(trial: Any, between_steps: Callable[[], None]) -> None:
    """Have a function called after each report of this very trial."""
    report = trial.report

    def reported(value: float, step: int) -> None:
        report(value, step)
        between_steps()

    trial.report = reported
