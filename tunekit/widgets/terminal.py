"""The view in a terminal: one line that says what is going on."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.core.job import Job


class TerminalLine:
    """Writes the status of a job over itself on the error stream, so that a script's own output stays clean.

    Parameters
    ----------
    job
        What is running.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._shown = ""

    def tick(self) -> None:
        """Write what is going on, where it has changed."""
        words = text.printable(self.job.status().words).replace("\n", " ")
        if words != self._shown:
            self._shown = words
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{words[:width]:<{width}}")
            sys.stderr.flush()

    def finish(self) -> None:
        """Clear the line: the result is the caller's to print."""
        if self._shown:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r{'':<{width}}\r")
            sys.stderr.flush()
            self._shown = ""
