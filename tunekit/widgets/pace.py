"""How often words travel to the page: often while a core rests, seldom where all of them are at work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

# Seconds between words. A person reads no faster than the one; but each change costs 6 ms of a processor, most of it
# the browser's, which draws its page anew. Where training has all the cores, its threads wait for one another: what is
# taken from one core is lost on all.
_OFTEN, _SELDOM = 0.1, 0.5
# A core rests where so much of one is free.
_FREE = 0.5
# Processor time is counted in hundredths of a second: what is shorter than this says too little.
_SHORTEST = 0.08


class Pace:
    """Says how long to wait before the next words.

    Parameters
    ----------
    idle
        Seconds for which the processors have rested so far, all of them together.
    clock
        The time, in seconds.

    Examples
    --------
    >>> Pace(lambda: 0.0).seconds()
    0.5
    """

    def __init__(self, idle: Callable[[], float] | None = None, clock: Callable[[], float] = time.perf_counter) -> None:
        self._idle, self._clock = idle or _idle, clock
        self._before = self._now()
        self._seconds = _SELDOM

    def seconds(self) -> float:
        """How long to wait, as the processors have been since this was asked last."""
        (before, then), (idle, now) = self._before, self._now()
        if now - then >= _SHORTEST:
            rests = (idle - before) / (now - then) >= _FREE
            self._seconds, self._before = _OFTEN if rests else _SELDOM, (idle, now)
        return self._seconds

    def _now(self) -> tuple[float, float]:
        return self._idle(), self._clock()


def _idle() -> float:
    """Of the processors that this process may use."""
    import psutil

    times = psutil.cpu_times(percpu=True)
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(times))
    return float(sum(one.idle for number, one in enumerate(times) if number in usable))
