"""A job that writes down what happens, and rests while the disk takes nothing."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tunekit.core import text
from tunekit.core.events import Event
from tunekit.core.job import Job, Result


class Journal(Protocol):
    """Where a job writes its events."""

    def check(self, event: Event) -> None:
        """Raise if an event cannot be written so that it could be read again."""

    def check_open(self) -> None:
        """Raise a RuntimeError if another job of this process has taken the journal over."""

    def keep(self, event: Event) -> None:
        """Write an event down."""

    def rest(self) -> None:
        """Say that nothing runs now."""

    def retry(self) -> None:
        """Write what the disk has refused."""

    @property
    def trouble(self) -> str | None:
        """Why not all is written, in words; None where it is."""


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


def busy(job: Job) -> Callable[[], bool]:
    """Return what says whether a job runs, and does not keep it alive."""
    me = weakref.ref(job)

    def is_busy() -> bool:
        there = me()
        return there is not None and not there.is_over

    return is_busy


class JournaledJob(Job):
    """A job with a journal, where it was given one.

    Each event is written as it happens. Where the disk refuses it, the job pauses, and goes on by itself once it takes
    it: nothing is lost meanwhile.
    """

    _journal: Journal | None = None

    def _record(self, event: Event) -> None:
        if self._journal is not None:
            self._journal.check(event)
        super()._record(event)

    def _keep(self, event: Event) -> None:
        if self._journal is None:
            return
        self._journal.keep(event)
        if self._trouble is not None:
            self._complain()
            self.pause()

    @property
    def _trouble(self) -> str | None:
        """Why the journal lacks something that has happened, in words."""
        return None if self._journal is None else self._journal.trouble

    @property
    def _waits_for_the_disk(self) -> str | None:
        """Why it rests, where the disk is the reason."""
        if self._trouble is None or self.state not in ("pausing", "paused"):
            return None
        return f"Paused: {self._trouble}. Nothing is lost: it goes on by itself when the disk takes it."

    def _rest_on(self) -> None:
        """Once in a while as it rests: where the disk was the reason, see whether it takes more now."""
        if self._journal is not None and self._journal.trouble is not None:
            self._journal.retry()
            if self._journal.trouble is None:
                self.resume()

    def _settle(self) -> None:
        if self._journal is not None:
            self._journal.rest()

    def _result(self) -> Result:
        self._complain()
        return super()._result()

    def _complain(self) -> None:
        """Warn of what is not on the disk, where nothing runs that would say so by resting."""
        if self._trouble is not None and self.is_over:
            warnings.warn(f"{self._trouble}: it is lost when this process ends", stacklevel=4)
