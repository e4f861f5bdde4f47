"""The lines of a study's journal: what is written of each event, and how it is read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

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
from tunekit.core.journal import JournalError, Record
from tunekit.core.values import Foreign, decode, encode, figures
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

# What is written


def about(space: Space, goal: Goal, seed: int | None, entropy: int, sampler: str) -> Record:
    """What a journal is of."""
    return {
        "goal": {
            "aims": [{"metric": aim.metric, "maximize": aim.maximize} for aim in goal.aims],
            "limits": [{"metric": each.metric, "low": each.low, "high": each.high} for each in goal.limits],
        },
        "space": {name: _described(space[name], space) for name in space},
        "seed": seed,
        "entropy": entropy,
        "sampler": sampler,
    }


def _described(parameter: Parameter, space: Space) -> Record:
    when: Record | None = None
    if parameter.when is not None:
        when = {other: _wanted(value, space[other]) for other, value in parameter.when.items()}
    if isinstance(parameter, Choice):
        return {"kind": "choice", "values": [_encoded(value, parameter) for value in parameter.values], "when": when}
    assert isinstance(parameter, (Float, Int))
    kind = "float" if isinstance(parameter, Float) else "int"
    bounds = {"low": parameter.low, "high": parameter.high, "log": parameter.log, "step": parameter.step}
    return {"kind": kind, **bounds, "when": when}


def _wanted(value: Any, parameter: Parameter) -> Any:
    return [_encoded(each, parameter) for each in value] if isinstance(value, list) else _encoded(value, parameter)


def _encoded(value: Any, parameter: Parameter) -> Any:
    if isinstance(parameter, Choice):
        choice = parameter
        return encode(value, lambda whole: _place(choice, whole))
    return encode(value.item() if isinstance(value, np.generic) else value)


def _place(choice: Choice, value: Any) -> int | None:
    same = (known is value or (type(known) is type(value) and bool(known == value)) for known in choice.values)
    return next((place for place, is_it in enumerate(same) if is_it), None)


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
        self._session: Any = None
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
            except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
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
                return TrialReported(number_of(number), figures(metrics))
            case {"started": number, "params": params, "seed": seed}:
                self._running.add(number_of(number))
                parent = record.get("parent")
                return TrialStarted(
                    number,
                    self._settings(params),
                    None if seed is None else number_of(seed),
                    None if parent is None else number_of(parent),
                    record.get("enqueued") is True,
                )
            case {"ended": number, "state": state, "metrics": metrics, "seconds": seconds}:
                if state not in get_args(EndState):
                    raise ValueError(f"a trial ends {text.listed(get_args(EndState))}: got {str(state)[:40]!r}")
                self._running.discard(number_of(number))
                error = record.get("error")
                if error is not None and not isinstance(error, str):
                    raise ValueError("an error is text")
                spent = figures({"seconds": seconds})["seconds"]
                return TrialEnded(number, state, figures(metrics), spent, error)
            case {"measured": number, "metrics": metrics}:
                return TrialMeasured(number_of(number), figures(metrics))
            case {"enqueued": params}:
                return SettingsEnqueued(self._settings(params))
            case {"opened": dict(by)}:
                self.opened(by)
                return None
            case {"rests": True}:
                self.is_resting = True
                return None
        raise ValueError("a line says what happened")

    def opened(self, by: Mapping[str, Any]) -> None:
        """Somebody has opened it: what still ran does not, and if that was another process, the one before has died."""
        if self._session is None or by.get("session") != self._session:
            for number in self._running:
                self.deaths[number] = self.deaths.get(number, 0) + 1
        self._running.clear()
        self._session = by.get("session")

    def _settings(self, given: Any) -> dict[str, Any]:
        if type(given) is not dict:
            raise ValueError("settings are values by name")
        params = {name: self._value(name, decode(value)) for name, value in given.items()}
        self._space.check(params)
        return params

    def _value(self, name: str, value: Any) -> Any:
        parameter = self._space[name]
        if isinstance(value, Foreign) and isinstance(parameter, Choice):
            if value.place is None or not 0 <= value.place < parameter.count:
                raise ValueError(f"{name} has no value {value.words!r}")
            return parameter.values[value.place]
        return value


def number_of(given: Any) -> int:
    """A whole number from 0.

    Raises
    ------
    ValueError
        If it is none.
    """
    if type(given) is not int or given < 0:
        raise ValueError(f"a number counts from 0: got {str(given)[:40]!r}")
    return given
