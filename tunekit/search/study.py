"""The study: tries settings of a space on an objective, one trial after the other, and keeps what each came to."""

from __future__ import annotations

import statistics
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tunekit.core import seeds, text, upstairs
from tunekit.core.events import Event, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.job import Job, Result, Status, StopRequested, Work
from tunekit.core.trial import Trial
from tunekit.search.objective import Context, Objective
from tunekit.search.samplers import Sampler, resolve
from tunekit.search.space import Space

OnError = Literal["record", "raise"]

# When the first trials all fail the mistake is in the code, not in the settings.
_HOPELESS = 5


@dataclass
class _Run:
    """What one call of `Study.start` was asked for."""

    target: int
    on_error: OnError
    ended_early: str | None = None


class Study(Job):
    """Search a space for the settings that make an objective best.

    Parameters
    ----------
    objective
        A function of the settings. It returns a number or a dict of numbers; or it is a generator that yields one after
        each step, which gives live curves and lets pause and stop act at once. Where it has a parameter named
        ``trial``, it gets the trial's number and seed.
    space
        A `Space`, or a mapping that makes one.
    maximize, minimize
        The metric to go for, by name. A plain number is that metric. Neither given: maximize ``"score"``.
    sampler
        ``"bayes"`` (a Gaussian process, bayes_opt's), ``"random"``, ``"grid"``, or an object with ``propose``.
    seed
        A whole number makes the study the same each time: the proposals, and the random numbers that the objective
        draws from Python, numpy and torch. None: new ones each time.

    Raises
    ------
    TypeError
        If the objective cannot be called with the settings of the space.
    ValueError
        If a name or a bound is wrong.

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
        objective: Callable[..., Any],
        space: Space | Mapping[str, Any],
        *,
        maximize: str | None = None,
        minimize: str | None = None,
        sampler: str | Sampler = "bayes",
        seed: int | None = None,
    ) -> None:
        super().__init__(_goal(maximize, minimize))
        self.space = space if isinstance(space, Space) else Space(space)
        self.objective = Objective(objective, self.space, self.history.goal.metric)
        self.sampler_name, self.sampler = resolve(sampler)
        self.seed = seeds.check(seed)
        self._entropy = self.seed if self.seed is not None else int(np.random.SeedSequence().generate_state(1)[0])
        self._run: _Run | None = None
        self._trial_began = 0.0

    # To run it

    def run(self, trials: int, *, timeout: float | None = None, on_error: OnError = "record") -> Result:
        """Try that many more settings, and wait for it with a live panel.

        Parameters
        ----------
        trials
            How many more trials, 1 or more; a trial that was cut off is run again first and counts as one.
        timeout
            Seconds after which no further step begins, or None.
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
        RuntimeError
            If the study is still running, or the first five trials all failed.
        """
        return self.start(trials, timeout=timeout, on_error=on_error).wait()

    def start(self, trials: int, *, timeout: float | None = None, on_error: OnError = "record") -> Study:
        """Begin to try that many more settings and return at once; the arguments are those of `run`."""
        if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
            raise ValueError(f"the number of trials is a whole number from 1: got {trials!r}")
        if on_error not in ("record", "raise"):
            raise ValueError(f"on_error is 'record' or 'raise': got {on_error!r}")
        if self.is_over:
            self._run = _Run(self._finished + int(trials), on_error)
        self._launch(self._work(), timeout)
        return self

    # What came of it

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials so far, the running one included."""
        return tuple(self.history)

    @property
    def best(self) -> Trial:
        """The best complete trial.

        Raises
        ------
        RuntimeError
            If no trial is complete yet.
        """
        best = self.history.best
        if best is None:
            raise RuntimeError(f"the best trial is one that is complete: there is none yet among {len(self.history)}")
        return best

    def plot(self, name: str = "history") -> Any:
        """Draw one of the pictures, by name; the figure is matplotlib's own.

        Raises
        ------
        ValueError
            If there is no picture of that name: the error lists the known ones.
        """
        return upstairs.ask("plot")(name, self)

    def __repr__(self) -> str:
        """Facts only: the same before and after a run that changes nothing."""
        return f"{self.heading}. {self._outcome()}"

    @property
    def heading(self) -> str:
        """What is searched, and how: the same before, while and after it runs."""
        return f"Study({self.objective.name} over {', '.join(self.space.names)}; {self.sampler_name})"

    # The work

    @property
    def _finished(self) -> int:
        return sum(trial.state in ("complete", "failed") for trial in self.history)

    def _work(self) -> Work:
        run = self._run
        assert run is not None
        while self._finished < run.target:
            number = self._next_number()
            again = self.history[number].params if number < len(self.history) else None
            params = again if again is not None else self._propose(number)
            if params is None:
                run.ended_early = "every setting has been tried"
                return
            yield from self._try(number, params, run.on_error)
            if not self.history.complete and self._finished == _HOPELESS:
                raise RuntimeError(_hopeless(self.history[number]))

    def _next_number(self) -> int:
        """The number of a trial that was cut off, or else the next new one."""
        cut_off = (trial.number for trial in self.history if trial.state == "stopped")
        return next(cut_off, len(self.history))

    def _propose(self, number: int) -> Mapping[str, Any] | None:
        return self.sampler.propose(self.space, self.history, seeds.generator(self._entropy, number))

    def _try(self, number: int, params: Mapping[str, Any], on_error: OnError) -> Iterator[Event]:
        """One trial, from its start to its end; a stop between two steps ends it and goes on outwards."""
        seed = None if self.seed is None else seeds.trial_seed(self.seed, number)
        self._trial_began = began = self._clock()
        metrics: Mapping[str, float] = {}
        try:
            yield TrialStarted(number, params, seed)
            with seeds.seeded(seed):
                for metrics, final in self.objective.steps(params, Context(number, seed)):
                    if not final:
                        yield TrialReported(number, metrics)
        except StopRequested:
            yield TrialEnded(number, "stopped", {}, self._clock() - began)
            raise
        except Exception as error:
            if on_error == "raise":
                yield TrialEnded(number, "failed", {}, self._clock() - began, _told(error))
                raise
            yield TrialEnded(number, "failed", {}, self._clock() - began, _told(error))
        else:
            yield TrialEnded(number, "complete", metrics, self._clock() - began)

    # The sentences

    def status(self) -> Status:
        """What is going on, in words."""
        state = self.state
        if self._run is None or state in ("idle", "over"):
            failure = f" Ended by an error: {type(self._failure).__name__}." if self._failure is not None else ""
            fraction = 0.0 if self._run is None or self._run.target == 0 else self._finished / self._run.target
            return Status(state, self._outcome() + failure, fraction)
        done, target = self._finished, self._run.target
        where = self._where() and f", {self._where()}"
        words = {
            "running": f"{done} of {target} done{where}",
            "pausing": f"Pausing at {done} of {target} after this step{where}",
            "paused": f"Paused at {done} of {target}{where}; nothing is lost, Resume goes on from here",
            "stopping": f"Stopping after this step; {text.plural(done, 'finished trial')} kept",
        }[state]
        parts = [words, self._best_words()]
        remaining = self._remaining()
        parts += [f"about {text.duration(remaining)} left"] if state == "running" and remaining is not None else []
        return Status(state, "; ".join(part for part in parts if part) + ".", done / target)

    def _where(self) -> str:
        """Where the running trial is; nothing between two trials."""
        running = next((trial for trial in self.history if trial.state == "running"), None)
        if running is None:
            return ""
        step = f" at step {len(running.reports)}" if running.reports else ""
        return f"trial {running.number}{step}"

    def _best_words(self) -> str:
        best = self.history.best
        if best is None:
            return "no score yet"
        metric = self.history.goal.metric
        return f"best {metric} {text.number(best.metrics[metric])} at trial {best.number}"

    def _remaining(self) -> float | None:
        """Seconds until the target, from the median of the trials so far; None before the first has ended."""
        spent = [trial.seconds for trial in self.history if trial.seconds is not None and trial.state != "stopped"]
        if not spent or self._run is None:
            return None
        running = self._clock() - self._trial_began if self.history[-1].state == "running" else 0.0
        return max(0.0, statistics.median(spent) * (self._run.target - self._finished) - running)

    def _outcome(self) -> str:
        if not self.history:
            return "No trial yet."
        counts = {state: sum(t.state == state for t in self.history) for state in ("complete", "failed", "stopped")}
        told = [f"{count} {state}" for state, count in counts.items() if count]
        trials = text.plural(len(self.history), "trial")
        everything = counts["complete"] == len(self.history)
        words = f"{trials}, all complete." if everything and len(self.history) > 1 else f"{trials}: {', '.join(told)}."
        best = self.history.best
        if best is not None:
            metric = self.history.goal.metric
            words += f" Best {metric} {text.number(best.metrics[metric])} at trial {best.number}"
            words += f": {text.settings(best.params)}."
        reason = self._time_is_up or (self._run.ended_early if self._run is not None else None)
        if reason and self.is_over:
            words += f" Ended because {reason}."
        if counts["stopped"]:
            words += " The trial that was cut off is run again first when the study goes on."
        return words


def _goal(maximize: str | None, minimize: str | None) -> Goal:
    if maximize is not None and minimize is not None:
        raise ValueError(
            f"a study goes for one metric: got maximize={maximize!r} and minimize={minimize!r}; leave one of them out"
        )
    metric = maximize if minimize is None else minimize
    if metric is not None and (not isinstance(metric, str) or not metric):
        raise ValueError(f"the metric to go for is one name, and several are not there yet: got {metric!r}")
    return Goal(Aim(metric or "score", maximize=minimize is None))


def _told(error: Exception) -> str:
    """The traceback from the objective on, without the frames that led there."""
    frames = error.__traceback__
    package = __name__.partition(".")[0]
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def _hopeless(trial: Trial) -> str:
    return (
        f"the first {_HOPELESS} trials all failed, so the study stopped: the mistake is likely in the objective. "
        f"The last one said: {trial.reason}. Look at study.trials[{trial.number}].error, "
        "or call run(..., on_error='raise') to land in a debugger"
    )
