"""How often a picture of something that runs is drawn: seldom enough not to slow it down."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable

# After a picture the painter rests this many times as long as it took: it uses 1 % of one core at most.
_REST = 99


class Rest:
    """Says when a picture is to be drawn anew; drawing it is done within, ``with rest:``.

    Examples
    --------
    >>> rest = Rest()
    >>> rest.is_due("one trial"), rest.is_due("one trial")
    (True, True)
    >>> with rest:
    ...     pass
    >>> rest.is_due("one trial"), rest.is_due("two trials", in_a_hurry=True)
    (False, True)
    """

    def __init__(self) -> None:
        self._drawn: Hashable = None
        self._wanted: Hashable = None
        self._next = 0.0
        self._began = (0.0, 0.0)

    def is_due(self, version: Hashable, in_a_hurry: bool = False) -> bool:
        """Whether there is something new to draw, and time for it.

        Parameters
        ----------
        version
            What the picture depends on, not None; nothing is due where the last one was of the same.
        in_a_hurry
            Whether nobody else needs the cores: then there is no rest.
        """
        self._wanted = version
        left = self.seconds_until_due(version)
        return left <= 0 or (in_a_hurry and math.isfinite(left))

    def seconds_until_due(self, version: Hashable) -> float:
        """How long it rests yet before that is drawn, 0 or more; infinite where the last one was of the same."""
        return math.inf if version == self._drawn else max(0.0, self._next - time.perf_counter())

    def __enter__(self) -> None:
        self._began = time.thread_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        busy, passed = (now - then for now, then in zip(_now(), self._began, strict=True))
        self._drawn = self._wanted
        self._next = time.perf_counter() + _REST * min(busy, passed)


def _now() -> tuple[float, float]:
    return time.thread_time(), time.perf_counter()
