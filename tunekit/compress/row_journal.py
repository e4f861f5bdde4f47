"""The journal of a compression: what happened, and beside it the net of each row, to go on with after a kill."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress import row_files
from tunekit.compress.workshop import Made
from tunekit.core import text
from tunekit.core.events import Event, TrialEnded
from tunekit.core.history import History
from tunekit.core.journal import Contents, JournalError, JournalFile, Record, who
from tunekit.core.journal_lines import Reader, record_of

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.recipe import Step
    from tunekit.compress.task import Task


class RowJournal:
    """The journal of one compression, and the folder with its nets.

    Parameters
    ----------
    path
        The file; the nets lie beside it, in a folder of the same name that ends in ``.rows``.
    history
        That of a new compression: it is told all that the journal has.
    made
        Where the rows go that can be gone on from.
    original, task, seed
        What it is of.
    is_busy
        Whether the compression runs.

    Raises
    ------
    JournalError
        If the file is of another compression, no journal, or damaged.
    JournalHeld
        If somebody else writes to it.
    """

    def __init__(
        self,
        path: Path,
        history: History,
        made: dict[int, Made],
        original: Module,
        task: Task,
        seed: int,
        is_busy: Callable[[], bool],
    ) -> None:
        self.path = path
        # the folder of the process may be changed later
        self._rows = Path(os.path.abspath(path)).with_suffix(".rows")
        self._made = made
        self._history = history
        self._original = original
        self._mine = _about(original, task, seed)
        self._reader = Reader(path, _settings)
        self._missing: dict[int, str] = {}
        self._keys: dict[int, str] = {}
        self._unsaved: dict[int, Made] = {}
        self._unsaved_why: OSError | None = None
        self._file = JournalFile(path, self._mine, is_busy, self._accept)
        self._reader.opened(who())
        for trial in history:
            if trial.state == "running":
                end = TrialEnded(trial.number, "stopped", {}, 0.0)
                history.apply(end)
                self.keep(end)
            elif trial.state == "complete":
                self._restore(trial.number)

    def _accept(self, contents: Contents) -> None:
        theirs = contents.about
        if theirs.get("of") != "compression":
            raise JournalError(f"{self.path} is the journal of a study: choose another name for the compression's")
        differing = next((part for part in self._mine if self._mine[part] != theirs.get(part)), None)
        if differing is not None:
            raise JournalError(
                f"a journal goes on with the compression that it is of: {self.path} has another {differing}, "
                f"{text.printable(str(theirs.get(differing))[:80])}, here it is {self._mine[differing]}. Make the "
                "compression as it was, or choose another name for the journal"
            )
        try:
            self._history.apply_all(self._reader.events(contents.records))
        except JournalError:
            raise
        except ValueError as error:
            raise self._reader.damaged(error) from error

    def _folder(self, number: int) -> Path:
        return self._rows / f"{number:04d}"

    def _restore(self, number: int) -> None:
        try:
            stage, file, recipe, key = row_files.read(self._folder(number), self._original)
        except ValueError as error:
            self._missing[number] = str(error)
        else:
            self._made[number] = Made(stage, file, recipe)
            self._keys[number] = key

    def why_missing(self, number: int) -> str | None:
        """Why the net of a complete row is not there; None where it is."""
        why = self._missing.get(number)
        return None if why is None else f"its net cannot be read from {self._folder(number)}: {why}"

    def take(self, recipe: Sequence[Step]) -> int | None:
        """The row of an earlier process that this recipe has made; each is found once."""
        if not self._keys:
            return None
        wanted = row_files.known_by(recipe)
        number = next((number for number, key in self._keys.items() if key == wanted), None)
        if number is not None:
            del self._keys[number]
        return number

    # What a journaled job asks

    def check(self, event: Event) -> None:
        """Raise if another compression of this process has taken the journal over."""
        self.check_open()

    def check_open(self) -> None:
        """Raise a RuntimeError if another compression of this process has taken the journal over."""
        if not self._file.is_open:
            raise RuntimeError(
                f"the journal {self.path} goes on in a newer compression of this process: use that one; this one can "
                "only be read"
            )

    def keep(self, event: Event) -> None:
        """Write an event down; of a row that is complete its net before."""
        if isinstance(event, TrialEnded) and event.state == "complete":
            self._unsaved[event.number] = self._made[event.number]
            self._save()
        self._file.write(record_of(event, dict), sync=isinstance(event, TrialEnded))

    def _save(self) -> None:
        self._unsaved_why = None
        try:
            for number, made in list(self._unsaved.items()):
                row_files.write(self._folder(number), made.stage, made.file, made.recipe, self._original)
                del self._unsaved[number]
        except OSError as error:
            self._unsaved_why = error

    def rest(self) -> None:
        """Say that nothing runs now, to whoever watches; all is on the disk itself then."""
        self._file.write({"rests": True})
        self._file.retry()

    def retry(self) -> None:
        """Write what the disk has refused."""
        self._save()
        self._file.retry()

    @property
    def trouble(self) -> str | None:
        """Why not all is written, in words; None where it is."""
        error = self._file.trouble or self._unsaved_why
        if error is None:
            return None
        parts = [text.plural(self._file.unwritten, "event")] if self._file.unwritten else []
        parts += [text.plural(len(self._unsaved), "net")] if self._unsaved else []
        return f"the journal cannot be written ({error.strerror or error}), {' and '.join(parts)} of it in memory alone"

    def release(self) -> None:
        """Let go of the file."""
        self._file.release()


def _about(original: Module, task: Task, seed: int) -> Record:
    """What a journal is of: a compression with another model, seed or metric is another one."""
    return {
        "of": "compression",
        "model": row_files.fingerprint(original),
        "metric": task.metric_name,
        "seed": seed,
    }


def _settings(given: Any) -> dict[str, Any]:
    if type(given) is not dict or not isinstance(given.get("step"), str):
        raise ValueError("a row has a step")
    return given
