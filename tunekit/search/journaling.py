"""A study's journal: what is written of it, and how it is read into a study that goes on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from tunekit.core import text
from tunekit.core.events import (
    EndState,
    Event,
    SettingsEnqueued,
    TrialEnded,
    TrialMeasured,
    TrialReported,
    TrialStarted,
)
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History
from tunekit.core.journal import JournalError, JournalFile, Record
from tunekit.core.trial import Trial
from tunekit.core.values import Foreign, decode, encode, figures
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

# A trial in which the process has died so often is not run again: it may be what kills it.
_DEATHS = 3
_DIED = "ProcessDied"


def journal_path(given: str | os.PathLike[str]) -> Path:
    """The path of a journal.

    Raises
    ------
    TypeError
        If it is no path.
    """
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"a journal is the path of a file, as in 'runs/digits.jsonl': got {text.value(given)}")
    return Path(given).expanduser()


# What is written


def about(space: Space, goal: Goal, seed: int | None, entropy: int, sampler: str) -> Record:
    """What a journal is of."""
    return {
        "goal": {
            "aims": [{"metric": aim.metric, "maximize": aim.maximize} for aim in goal.aims],
            "limits": [{"metric": each.metric, "low": each.low, "high": each.high} for each in goal.limits],
        },
        "space": {name: _described(space[name]) for name in space},
        "seed": seed,
        "entropy": entropy,
        "sampler": sampler,
    }


def _described(parameter: Parameter) -> Record:
    when = None if parameter.when is None else {name: encode(value) for name, value in parameter.when.items()}
    if isinstance(parameter, Choice):
        return {"kind": "choice", "values": [_encoded(value, parameter) for value in parameter.values], "when": when}
    assert isinstance(parameter, (Float, Int))
    kind = "float" if isinstance(parameter, Float) else "int"
    bounds = {"low": parameter.low, "high": parameter.high, "log": parameter.log, "step": parameter.step}
    return {"kind": kind, **bounds, "when": when}


def _encoded(value: Any, parameter: Parameter | None) -> Any:
    if isinstance(parameter, Choice):
        known = parameter
        return encode(value, lambda each: _place(known, each))
    return encode(value)


def _place(choice: Choice, value: Any) -> int | None:
    return next((place for place, known in enumerate(choice.values) if known is value), None)


def record_of(event: Event, space: Space) -> Record:
    """A line for an event."""

    def settings(params: Mapping[str, Any]) -> Record:
        return {name: _encoded(value, space[name]) for name, value in params.items()}

    match event:
        case TrialReported(number, metrics):
            return {"reported": number, "metrics": metrics}
        case TrialStarted(number, params, seed, parent, enqueued):
            record: Record = {"started": number, "params": settings(params), "seed": seed}
            record |= {} if parent is None else {"parent": parent}
            return record | ({"enqueued": True} if enqueued else {})
        case TrialEnded(number, state, metrics, seconds, error):
            ended = {"ended": number, "state": state, "metrics": metrics, "seconds": seconds}
            return ended if error is None else ended | {"error": error}
        case TrialMeasured(number, metrics):
            return {"measured": number, "metrics": metrics}
        case SettingsEnqueued(params):
            return {"enqueued": settings(params)}
    raise AssertionError("progress leaves no trace")


# What is read


def space_of(described: Any) -> Space:
    """The space that a journal describes; values that only its own program has are words.

    Raises
    ------
    ValueError
        If it describes none.
    """
    if not isinstance(described, dict):
        raise ValueError("a space has parameters by name")
    return Space({name: _parameter(each) for name, each in described.items()})


def _parameter(described: Any) -> Parameter:
    match described:
        case {"kind": "choice", "values": list(values), "when": dict() | None as when}:
            return Choice(*(decode(value) for value in values), when=_conditions(when))
        case {"kind": "float" | "int" as kind, "low": low, "high": high, "log": bool(log), "step": step, "when": when}:
            make = Float if kind == "float" else Int
            return make(low, high, log=log, step=step, when=_conditions(when))
    raise ValueError("a parameter has a kind and its bounds or values")


def _conditions(when: Any) -> dict[str, Any] | None:
    return None if when is None else {str(name): decode(value) for name, value in dict(when).items()}


def goal_of(described: Any) -> Goal:
    """The goal that a journal describes.

    Raises
    ------
    ValueError
        If it describes none.
    """
    match described:
        case {"aims": [*aims], "limits": [*limits]} if aims:
            return Goal(
                *(Aim(str(each["metric"]), bool(each["maximize"])) for each in aims),
                limits=tuple(Limit(str(each["metric"]), each["low"], each["high"]) for each in limits),
            )
    raise ValueError("a goal has aims")


class Reader:
    """Reads the lines of a journal as events.

    Parameters
    ----------
    path
        The file, for the errors.
    space
        The study's own space, whose values settings are.
    """

    def __init__(self, path: Path, space: Space) -> None:
        self._path = path
        self._space = space
        self._line = 1
        self._running: set[int] = set()
        # how often the process died while a trial ran
        self.deaths: dict[int, int] = {}
        # whether the last line says that nothing runs
        self.is_resting = False

    @property
    def running(self) -> set[int]:
        """The trials that have begun and not ended."""
        return set(self._running)

    def events(self, records: Iterable[Record]) -> Iterator[Event]:
        """What these lines say.

        Raises
        ------
        JournalError
            With the line and what is wrong with it.
        """
        for record in records:
            self._line += 1
            try:
                event = self._event(record)
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
                raise self.damaged(error) from error
            if event is not None:
                yield event

    def damaged(self, error: Exception) -> JournalError:
        """The error for the line that was read last."""
        return JournalError(
            f"{self._path} is damaged in line {self._line}: {text.printable(str(error)[:300])}. It is left as it is"
        )

    def _event(self, record: Record) -> Event | None:
        self.is_resting = False
        match record:
            case {"reported": number, "metrics": metrics}:
                return TrialReported(_number(number), figures(metrics))
            case {"started": number, "params": params, "seed": seed}:
                self._running.add(_number(number))
                parent = record.get("parent")
                return TrialStarted(
                    number,
                    self._settings(params),
                    None if seed is None else _number(seed),
                    None if parent is None else _number(parent),
                    record.get("enqueued") is True,
                )
            case {"ended": number, "state": state, "metrics": metrics, "seconds": seconds}:
                if state not in get_args(EndState):
                    raise ValueError(f"a trial ends {text.listed(get_args(EndState))}: got {str(state)[:40]!r}")
                self._running.discard(_number(number))
                error = record.get("error")
                if error is not None and not isinstance(error, str):
                    raise ValueError("an error is text")
                spent = figures({"seconds": seconds})["seconds"]
                return TrialEnded(number, state, figures(metrics), spent, error)
            case {"measured": number, "metrics": metrics}:
                return TrialMeasured(_number(number), figures(metrics))
            case {"enqueued": params}:
                return SettingsEnqueued(self._settings(params))
            case {"opened": dict()}:
                self.died()
                return None
            case {"rests": True}:
                self.is_resting = True
                return None
        raise ValueError("a line says what happened")

    def died(self) -> None:
        """The process that wrote has gone while these trials ran."""
        for number in self._running:
            self.deaths[number] = self.deaths.get(number, 0) + 1
        self._running.clear()

    def _settings(self, given: Any) -> dict[str, Any]:
        if type(given) is not dict:
            raise ValueError("settings are values by name")
        return {name: self._value(name, decode(value)) for name, value in given.items()}

    def _value(self, name: str, value: Any) -> Any:
        parameter = self._space[name]
        if isinstance(value, Foreign) and isinstance(parameter, Choice):
            if value.place is None or not 0 <= value.place < parameter.count:
                raise ValueError(f"{name} has no value {value.words!r}")
            return parameter.values[value.place]
        complaint = parameter.complaint(value)
        if complaint:
            raise ValueError(f"{name} must be {complaint}: got {text.value(value)}")
        return value


def _number(given: Any) -> int:
    if type(given) is not int or given < 0:
        raise ValueError(f"a number counts from 0: got {str(given)[:40]!r}")
    return given


# A study that goes on


@dataclass
class Credit:
    """What a journal had when it was opened: the same cells, run again, find it done.

    Parameters
    ----------
    acts
        In the order of the journal: settings that were enqueued, trials that have ended.
    """

    acts: list[SettingsEnqueued | Trial] = field(default_factory=list)

    def enqueued(self, params: Mapping[str, Any]) -> bool:
        """Whether these settings were enqueued before, once for each time."""
        for place, act in enumerate(self.acts):
            if isinstance(act, SettingsEnqueued) and act.params == params:
                del self.acts[place]
                return True
        return False

    def told(self, params: Mapping[str, Any]) -> Trial | None:
        """The trial that was told of with these settings, once for each."""
        for place, act in enumerate(self.acts):
            if isinstance(act, Trial) and _was_told(act) and act.params == params:
                del self.acts[place]
                return act
        return None

    def runs(self, count: int) -> int:
        """How many of so many trials were run before."""
        return len(self._runs()[:count])

    def take_runs(self, count: int) -> None:
        """These were asked for again; what stands before them in the journal is done with them."""
        places = self._runs()[:count]
        if places:
            del self.acts[: places[-1] + 1]

    def _runs(self) -> list[int]:
        return [place for place, act in enumerate(self.acts) if isinstance(act, Trial) and not _was_told(act)]


def _was_told(trial: Trial) -> bool:
    """Whether it was measured elsewhere: then it took no time here."""
    return trial.seconds == 0.0 and not trial.reports and not (trial.error or "").startswith(_DIED)


class StudyJournal:
    """The journal of one study.

    Parameters
    ----------
    path
        The file.
    space, goal, seed, entropy, sampler
        Those of the study; of a study without a seed the journal has the entropy that counts.
    is_busy
        Whether the study runs.

    Raises
    ------
    JournalError
        If the file is of another study, no journal, or damaged.
    JournalHeld
        If somebody else writes to it.
    """

    def __init__(
        self,
        path: Path,
        space: Space,
        goal: Goal,
        seed: int | None,
        entropy: int,
        sampler: str,
        is_busy: Callable[[], bool],
    ) -> None:
        self.path = path
        self._space = space
        mine = about(space, goal, seed, entropy, sampler)
        self._file = JournalFile(path, mine, is_busy)
        try:
            contents = self._file.contents
            _check_same(path, mine, contents.about)
            self.entropy = _number(contents.about["entropy"])
            self._reader = Reader(path, space)
            self.events = list(self._reader.events(contents.records))
            self._reader.died()
        except BaseException:
            self._file.release()
            raise

    def restore(self, history: History) -> Credit:
        """Tell a new history all that there is, and end what was running when the process died.

        Raises
        ------
        JournalError
            If the lines do not fit together.
        """
        try:
            history.apply_all(self.events)
        except ValueError as error:
            self._file.release()
            raise JournalError(
                f"{self.path} is damaged: {text.printable(str(error)[:300])}. It is left as it is"
            ) from error
        for trial in history:
            if trial.state == "running":
                end = self._end_of(trial)
                history.apply(end)
                self.keep(end)
                self.events.append(end)
        acts: list[SettingsEnqueued | Trial] = []
        frozen = {trial.number for trial in history if trial.state == "stopped"}
        for event in self.events:
            if isinstance(event, SettingsEnqueued):
                acts.append(event)
            elif isinstance(event, TrialEnded) and event.state != "stopped" and event.number not in frozen:
                acts.append(history[event.number])
        self.events = []
        return Credit(acts)

    def _end_of(self, trial: Trial) -> TrialEnded:
        deaths = self._reader.deaths.get(trial.number, 0)
        if deaths < _DEATHS:
            return TrialEnded(trial.number, "stopped", {}, 0.0)
        error = (
            f"{_DIED}: the process was killed {deaths} times while this trial ran, so it is not run again; "
            "enqueue() its settings to try them once more"
        )
        return TrialEnded(trial.number, "failed", {}, 0.0, error)

    def check_open(self) -> None:
        """Raise if another study of this process has taken the journal over.

        Raises
        ------
        RuntimeError
            That says so.
        """
        if not self._file.is_open:
            raise RuntimeError(
                f"the journal {self.path} goes on in a newer study of this process: use that one; this one can only be "
                "read"
            )

    def keep(self, event: Event) -> None:
        """Write an event down; at the end of a trial, until it is on the disk itself."""
        self._file.write(record_of(event, self._space), sync=isinstance(event, TrialEnded))

    def rest(self) -> None:
        """Say that nothing runs now, to whoever watches; all is on the disk itself then."""
        self._file.write({"rests": True})
        self._file.retry()

    def retry(self) -> None:
        """Write what the disk has refused."""
        self._file.retry()

    @property
    def trouble(self) -> str | None:
        """Why not all is written, in words; None where it is."""
        error = self._file.trouble
        if error is None:
            return None
        count = text.plural(self._file.unwritten, "event")
        return f"the journal cannot be written ({error.strerror or error}), {count} of it in memory alone"

    def release(self) -> None:
        """Let go of the file."""
        self._file.release()


def _check_same(path: Path, mine: Record, theirs: Record) -> None:
    """Raise if a journal is of another study."""
    differing = next((part for part in ("goal", "space", "seed") if mine[part] != theirs.get(part)), None)
    if differing is None:
        return
    if differing == "space" and isinstance(theirs.get("space"), dict):
        here, there = mine["space"], theirs["space"]
        names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
        what = f"the space differs in {text.listed(names)}" if names else "the order of the parameters differs"
    else:
        what = f"its {differing} is {str(theirs.get(differing))[:200]}, here it is {mine[differing]}"
    raise JournalError(
        f"a journal goes on with the study that it is of: {path} has another one; {text.printable(what)}. Make the "
        "study as it was, or choose another name for the journal"
    )
