"""A run whose trials are with a crew of workers, several at a time: the same events, as they come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from tunekit.core import job, text
from tunekit.core.events import EndState, Event, Progressed, TrialEnded, TrialReported
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.executors.crew import GUARD, Assignment, Crew, Ended, Message, Reported
from tunekit.search.failures import check_hope
from tunekit.search.run import Run, end_of

# How long a person waits at most for the flags to be looked at while no worker says anything.
_SECONDS_BETWEEN_LOOKS = 0.05
# A worker that does not end its trial within this time after a stop is abandoned: a process is killed.
_SECONDS_OF_GRACE = 2.0
# So many workers in a row that die before their trial has begun, and it is not the trial: none can start.
_FALSE_STARTS = 3

# More running trials than this are counted, not named.
_NAMED = 7


class TrialFailed(RuntimeError):
    """A trial failed in a worker: the message is the traceback from there."""


@dataclass
class _Flight:
    """A trial that is with a worker."""

    trial: Trial
    began: float
    waits: bool = False
    end: EndState = "stopped"
    false_starts: int = 0


@dataclass
class CrewRun(Run):
    """What one call of `Study.run` was asked for, where several workers do it.

    Parameters
    ----------
    trial_timeout
        The seconds after which a trial is ended as failed, pauses left out; None: never.
    deterministic
        Whether trials begin in rounds, all proposed before any of them has ended, and are compared with those of
        earlier rounds only: then the study does not depend on which worker is the fastest.
    """

    trial_timeout: float | None = None
    deterministic: bool = False
    _flights: dict[int, _Flight] = field(default_factory=dict)
    _done: int = 0

    def work_with(
        self,
        crew: Crew,
        wanted: Sequence[str],
        history: History,
        begin: Callable[[], Trial | None],
        clock: Callable[[], float],
        expected_gain: Callable[[], float | None],
    ) -> job.Work:
        """Run the trials.

        Parameters
        ----------
        crew
            The workers; they are let go at the end.
        wanted
            The metrics that a complete trial has.
        history, begin, clock, expected_gain
            As in `Run.work`.

        Raises
        ------
        RuntimeError
            If the first trials all failed, or no worker could start.
        """
        began = clock()
        self._done = self.already
        first = len(history) - self.already - (0 if history.cut_off is None else _count_cut_off(history))
        compared, round_end = history, 0
        with closing(crew):
            try:
                while True:
                    room = crew.capacity - len(self._flights)
                    if self.deterministic and not self._flights:
                        round_start = self._done // crew.capacity * crew.capacity
                        round_end = round_start + crew.capacity
                        compared = history.before(first + round_start)
                        room = round_end - self._done
                    elif self.deterministic:
                        room = 0
                    for _ in range(min(room, self.left - len(self._flights))):
                        self.ended_early = self.ending.reason(history, clock() - began, expected_gain)
                        trial = None if self.ended_early else begin()
                        if trial is None:
                            self.ended_early = self.ended_early or "every setting has been tried"
                            break
                        self._flights[trial.number] = _Flight(trial, clock())
                        yield Progressed(f"Trial {trial.number} begins")  # a pause or a stop acts before it does
                        self._assign(crew, trial)
                    if not self._flights:
                        return
                    message = crew.receive(_SECONDS_BETWEEN_LOOKS)
                    if message is None:
                        yield Progressed(self._doing())
                    else:
                        yield from self._take(message, crew, wanted, history, compared, clock)
                    yield from self._overdue(crew, history, clock)
            except (job.StopRequested, Exception):
                yield from self._wind_up(crew, clock)
                raise

    def _assign(self, crew: Crew, trial: Trial) -> None:
        crew.assign(Assignment(trial.number, trial.params, trial.seed, trial.parent, self.home))

    def _take(
        self,
        message: Message,
        crew: Crew,
        wanted: Sequence[str],
        history: History,
        compared: History,
        clock: Callable[[], float],
    ) -> Iterator[Event]:
        """What a message comes to, while the run goes on."""
        flight = self._flights.get(message.number)
        if flight is None:
            return
        if isinstance(message, Reported):
            flight.waits = True
            yield TrialReported(message.number, message.metrics)
            verdict = "go" if message.replayed else self.verdict(compared, history[message.number])
            if verdict != "go":
                flight.end = end_of(verdict, message.metrics, wanted)
            self._answer(crew, flight, go=verdict == "go")
        elif isinstance(message, Ended):
            if message.state == "ended":
                reports = history[message.number].reports
                yield self._close(message.number, flight.end, reports[-1], message.seconds)
            else:
                yield self._close(message.number, message.state, message.metrics, message.seconds, message.error)
            self._check(message.error, history)
        elif message.began:
            yield self._close(message.number, "failed", {}, clock() - flight.began, f"WorkerDied: {message.why}")
            self._check(f"WorkerDied: {message.why}", history)
        else:
            flight.false_starts += 1
            if flight.false_starts >= _FALSE_STARTS:
                raise RuntimeError(
                    f"no worker could start: {message.why}; their output may say more. {GUARD[0].upper()}{GUARD[1:]}"
                )
            self._assign(crew, flight.trial)

    def _answer(self, crew: Crew, flight: _Flight, *, go: bool) -> None:
        flight.waits = False
        crew.answer(flight.trial.number, go)

    def _close(
        self, number: int, state: EndState, metrics: Mapping[str, float], seconds: float, error: str | None = None
    ) -> TrialEnded:
        """The end of a trial that is with nobody any more."""
        del self._flights[number]
        if state != "stopped":
            self.left -= 1
            self._done += 1
        kept = metrics if state in ("complete", "halted") else {}
        return TrialEnded(number, state, kept, seconds, error)

    def _check(self, error: str | None, history: History) -> None:
        if error is not None and self.on_error == "raise":
            raise TrialFailed(f"a trial failed in a worker:\n{error}")
        check_hope(history)

    def _overdue(self, crew: Crew, history: History, clock: Callable[[], float]) -> Iterator[Event]:
        """End the trials that take too long."""
        limit = self.trial_timeout
        if limit is None:
            return
        for number, flight in tuple(self._flights.items()):
            spent = clock() - flight.began
            if spent > limit:
                crew.abandon(number)
                error = f"TrialTimeout: it took longer than the {text.duration(limit)} of trial_timeout"
                yield self._close(number, "failed", {}, spent, error)
                self._check(error, history)

    def _wind_up(self, crew: Crew, clock: Callable[[], float]) -> Iterator[Event]:
        """End what still runs: at its next step, or by force. What ends of itself meanwhile counts as it is."""
        for flight in self._flights.values():
            if flight.waits:
                self._answer(crew, flight, go=False)
        deadline = time.perf_counter() + _SECONDS_OF_GRACE
        while self._flights and (left := deadline - time.perf_counter()) > 0:
            message = crew.receive(left)
            if message is None or message.number not in self._flights:
                continue
            flight = self._flights[message.number]
            if isinstance(message, Reported):
                yield TrialReported(message.number, message.metrics)
                self._answer(crew, flight, go=False)
            elif isinstance(message, Ended) and message.state != "ended":
                yield self._close(message.number, message.state, message.metrics, message.seconds, message.error)
            else:
                yield self._close(message.number, "stopped", {}, clock() - flight.began)
        for number, flight in tuple(self._flights.items()):
            crew.abandon(number)
            yield self._close(number, "stopped", {}, clock() - flight.began)

    def _doing(self) -> str:
        return f"{text.plural(len(self._flights), 'trial')} running"

    def _where(self, history: History) -> str:
        """Which trials run, and how far each is, after a comma."""
        if not self._flights:
            return ""
        if len(self._flights) == 1:
            number = next(iter(self._flights))
            step = len(history[number].reports)
            return f", trial {number}" + (f" at step {step}" if step else "")
        steps = [len(history[number].reports) for number in sorted(self._flights)]
        numbers = sorted(self._flights)
        named = f"trials {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
        where = f", {named if len(numbers) < _NAMED else text.plural(len(numbers), 'trial')} running"
        if not any(steps):
            return where
        return where + (
            f" at step {steps[0]}" if min(steps) == max(steps) else f" at steps {min(steps)} to {max(steps)}"
        )

    def _remaining(self, history: History, now: float) -> float | None:
        """Seconds until the end, from the median of the trials so far, shared among the workers."""
        alone = super()._remaining(history, now)
        width = max(1, len(self._flights))
        return None if alone is None else alone / min(width, max(1, self.left))


def _count_cut_off(history: History) -> int:
    return sum(trial.state == "stopped" for trial in history)
