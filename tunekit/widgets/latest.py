"""Results that take seconds: worked out on a thread of their own, always from the newest state, never twice at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from tunekit.core import text

Result = TypeVar("Result")

# While something runs it rests this many times as long as the last result took: a tenth of one core at most.
_REST = 9


class Latest(Generic[Result]):
    """The newest result of a function, which is called anew where what it depends on has changed.

    Parameters
    ----------
    work_out
        The function; what it raises is kept as `trouble`.
    done
        Called after each time, on the thread that worked: it should only set a flag.

    Examples
    --------
    >>> latest = Latest(lambda: 6 * 7, done=lambda: None)
    >>> _ = latest.ask("version 1")  # nothing yet, mostly
    >>> latest.close()
    >>> latest.ask("version 1")
    42
    """

    def __init__(self, work_out: Callable[[], Result], done: Callable[[], None]) -> None:
        self._work_out = work_out
        self._done = done
        self._thread: threading.Thread | None = None
        self._result: Result | None = None
        self._version: object = None
        self._next = 0.0
        self.trouble = ""

    def ask(self, version: object, in_a_hurry: bool = False) -> Result | None:
        """The newest result, or None before the first; where it is old, another one is begun.

        Parameters
        ----------
        version
            What the result depends on, not None: compared with ``!=``.
        in_a_hurry
            Whether nobody else needs the cores; otherwise it rests for a while after each result.
        """
        is_due = in_a_hurry or time.perf_counter() >= self._next
        if version != self._version and is_due and not self.is_busy:
            self._thread = threading.Thread(target=self._work, args=(version,), daemon=True, name="tunekit-insight")
            self._thread.start()
        return self._result

    @property
    def newest(self) -> Result | None:
        """The newest result; None before the first."""
        return self._result

    @property
    def is_busy(self) -> bool:
        """Whether a result is being worked out."""
        return self._thread is not None

    def close(self) -> None:
        """Wait for what is being worked out."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self, version: object) -> None:
        began = time.perf_counter()
        try:
            self._result, self.trouble = self._work_out(), ""
        except Exception as error:  # too few trials, or a state that changed meanwhile: words for the person who waits
            self._result, self.trouble = None, text.printable(str(error))
        self._version = version
        self._next = time.perf_counter() + _REST * (time.perf_counter() - began)
        self._thread = None
        self._done()
