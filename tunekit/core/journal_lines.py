"""The lines of a journal: what is written of each event, and how it is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
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
from tunekit.core.journal import JournalError, Record
from tunekit.core.values import figures

Settings = Callable[[Mapping[str, Any]], Record]


def record_of(event: Event, settings: Settings) -> Record:
    """A line for an event.

    Parameters
    ----------
    event
        What happened.
    settings
        Writes a trial's params as plain values.
    """
    match event:
        case TrialReported(number, metrics):
            return {"reported": number, "metrics": metrics}
        case TrialStarted(number, params, seed, parent, enqueued, began):
            record: Record = {"started": number, "params": settings(params), "seed": seed}
            record |= {} if parent is None else {"parent": parent}
            record |= {} if began is None else {"at": began}
            return record | ({"enqueued": True} if enqueued else {})
        case TrialEnded(number, state, metrics, seconds, error):
            ended = {"ended": number, "state": state, "metrics": metrics, "seconds": seconds}
            return ended if error is None else ended | {"error": error}
        case TrialMeasured(number, metrics):
            return {"measured": number, "metrics": metrics}
        case SettingsEnqueued(params):
            return {"enqueued": settings(params)}
    raise AssertionError("progress leaves no trace")


class Reader:
    """Reads the lines of a journal as events.

    Parameters
    ----------
    path
        The file, for the errors.
    settings
        Reads the params that `record_of` has written; raises where they are none.
    """

    def __init__(self, path: Path, settings: Callable[[Any], dict[str, Any]]) -> None:
        self._path = path
        self._settings = settings
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
                parent, began = record.get("parent"), record.get("at")
                return TrialStarted(
                    number,
                    self._settings(params),
                    None if seed is None else number_of(seed),
                    None if parent is None else number_of(parent),
                    record.get("enqueued") is True,
                    None if began is None else figures({"at": began})["at"],
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
