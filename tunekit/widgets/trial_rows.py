"""The trials of a job as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.widgets.filtering import Row

_FIRST, _LAST = ("trial",), ("state", "duration")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its name, and whether its values are numbers."""

    name: str
    is_numeric: bool


class TrialRows:
    """Reads a history again and again, and what has not changed since, only once.

    Examples
    --------
    >>> from tunekit.core.events import TrialStarted
    >>> from tunekit.core.goal import Goal
    >>> history = History(Goal())
    >>> history.apply(TrialStarted(0, {"lr": 0.1}))
    >>> columns, rows = TrialRows().read(history)
    >>> [column.name for column in columns], rows[0].cells
    (['trial', 'score', 'lr', 'state', 'duration'], ('0', '', '0.100', 'running', ''))
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Trial, Row]] = {}
        self._names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def read(self, history: History) -> tuple[list[Column], list[Row]]:
        """The columns, and a row for each trial in order: number, metrics, settings, state, duration in seconds."""
        trials = list(history)
        metrics = tuple(dict.fromkeys([*history.goal.metrics, *(name for trial in trials for name in trial.metrics)]))
        settings = tuple(dict.fromkeys(name for trial in trials for name in trial.params))
        if self._names != (metrics, settings):
            self._names = (metrics, settings)
            self._known = {}
        rows = [self._row(trial) for trial in trials]
        names = [*_FIRST, *metrics, *settings, *_LAST]
        return [Column(name, _is_numeric(rows, place)) for place, name in enumerate(names)], rows

    def _row(self, trial: Trial) -> Row:
        known = self._known.get(trial.number)
        if known is not None and known[0] is trial:
            return known[1]
        row = _row_of(trial, *self._names)
        self._known[trial.number] = trial, row
        return row


def _row_of(trial: Trial, metrics: Sequence[str], settings: Sequence[str]) -> Row:
    figures = trial.metrics or (trial.reports[-1] if trial.reports else {})
    shown = [str(trial.number)]
    shown += [text.number(figures[name]) if name in figures else "" for name in metrics]
    shown += [text.value(trial.params[name]) if name in trial.params else "" for name in settings]
    shown += [trial.state, "" if trial.seconds is None else text.duration(trial.seconds)]
    values: list[float | str | None] = [trial.number, *(figures.get(name) for name in metrics)]
    values += [_comparable(trial.params[name]) if name in trial.params else None for name in settings]
    values += [trial.state, trial.seconds]
    return Row(trial.number, tuple(map(text.printable, shown)), tuple(values), trial.error or "")


def _comparable(setting: Any) -> float | str:
    if isinstance(setting, str):
        return setting
    return setting if isinstance(setting, (int, float)) and not isinstance(setting, bool) else text.value(setting)


def _is_numeric(rows: Sequence[Row], place: int) -> bool:
    return not any(isinstance(row.values[place], str) for row in rows)
