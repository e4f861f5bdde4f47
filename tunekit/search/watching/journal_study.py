"""A study that another process writes to its journal, seen as it goes on there."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from tunekit.core import journal, text
from tunekit.core.events import Progressed
from tunekit.core.history import History
from tunekit.core.job import Work
from tunekit.core.journal import JournalError
from tunekit.core.journal_lines import Reader
from tunekit.core.locking import is_locked
from tunekit.search.journal_described import goal_of, settings_of, space_of
from tunekit.search.watching.watched_study import SECONDS_BETWEEN_LOOKS, Seen, WatchedStudy


class JournalStudy(WatchedStudy):
    """The study of a journal, as far as it is written: each look takes in what is new.

    Shown in a notebook while somebody runs it, it follows with the live panel until the run ends there, or its process
    does. The run does not notice, however many look on.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    JournalError
        If it is no journal, or damaged.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"there is no journal {path}: a study writes one where it is made with journal=")
        super().__init__(str(path))
        self.path = path
        self._begin_anew()
        self._looking = False
        self.refresh()

    @property
    def is_running(self) -> bool:
        """Whether a process holds it, and has not said that nothing runs there."""
        held = is_locked(self.path)  # asked first: what is written before it is let go of is read below
        self.refresh()
        return held and not self._reader.is_resting

    def refresh(self) -> None:
        """Take in what is new; every look at the trials does so by itself."""
        with self._writing:
            if self._looking:
                return
            self._looking = True
            try:
                self._read_on()
            finally:
                self._looking = False

    def _begin_anew(self) -> None:
        contents = journal.read(self.path)
        if contents.about.get("of") == "compression":
            raise JournalError(
                f"{self.path} is the journal of a compression: make it again with its model and task, as in "
                f"Compression(model, task, journal={str(self.path)!r}), and its rows are there"
            )
        try:
            self._space = space_of(contents.about["space"])
            self._history = History(goal_of(contents.about["goal"]))
            self.sampler_name = str(contents.about["sampler"])
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            why = text.printable(str(error)[:200])
            raise JournalError(f"{self.path} does not say what it is of: {why}") from error
        space = self._space
        self._reader = Reader(self.path, lambda given: settings_of(given, space))
        self._take(contents)

    def _read_on(self) -> None:
        size = self.path.stat().st_size
        if size < self._size:  # another study's
            self._begin_anew()
        elif size > self._size:
            self._take(journal.read(self.path, self._size))

    def _take(self, contents: journal.Contents) -> None:
        events = list(self._reader.events(contents.records))
        try:
            self._history.apply_all(events)
        except ValueError as error:
            raise self._reader.damaged(error) from error
        self._size = contents.size
        if events:
            self._notify()

    # To see it live

    def _following(self) -> Work:
        while True:
            goes_on = self.is_running
            yield Progressed("Following")
            if not goes_on:
                return
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _ipython_display_(self) -> None:
        if self.is_over and self.is_running:
            self.follow()
        else:
            super()._ipython_display_()

    # What is particular to a journal

    def _outcome(self) -> str:
        cut_off = sum(trial.state == "running" for trial in self._history)
        words = super()._outcome()
        if cut_off and self.is_over and not is_locked(self.path):
            words += " Nobody runs it: it was cut off, and goes on where the study is made again with this journal."
        return words

    def _look(self) -> Iterable[Seen]:
        return ()

    def _why_not(self) -> str:
        return (
            f"a watched journal can be read only: to go on with it, make the study again, with its objective and "
            f"journal={str(self.path)!r}, when nobody else holds it"
        )
