"""How long one batch takes, for several models in one run, so that they share the machine's good and bad moments."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tunekit.core import text
from tunekit.core.events import Progressed

Key = TypeVar("Key", bound=Hashable)

# A block of calls this long is far above the clock's own grain, and short enough to pause between two.
_BLOCK = 0.004
_WARM_UP = 0.01
_LEAST = 3


@dataclass(frozen=True, slots=True, repr=False)
class Latency:
    """The time of one batch, in seconds.

    Parameters
    ----------
    median, low, high
        The median and the quartiles over blocks of calls.
    seconds
        How long was measured altogether.

    Examples
    --------
    >>> Latency(0.00123, 0.00118, 0.0013, seconds=0.15)
    1.23 ms (1.18 ms to 1.30 ms)
    """

    median: float
    low: float
    high: float
    seconds: float

    def __repr__(self) -> str:
        """The median and the quartiles."""
        return f"{text.latency(self.median)} ({text.latency(self.low)} to {text.latency(self.high)})"


def compare(
    calls: Mapping[Key, Callable[[], object]], seconds: float = 0.15
) -> Generator[float, None, dict[Key, Latency]]:
    """Time several calls in turn, a few milliseconds each, round after round.

    Measured one after the other, the first model may get a cool and the last a busy machine; in turn, all get the same.

    Parameters
    ----------
    calls
        What to time, by any key.
    seconds
        How long each is timed altogether; a slow one is called at least three times.

    Yields
    ------
    float
        The share that is done, 0 to 1, after each call or block of calls: a job may rest there.

    Returns
    -------
    dict
        The latency of each, by the same keys.

    Examples
    --------
    >>> from tunekit.compress.latency import compare, finish
    >>> finish(compare({"sum": lambda: sum(range(1000))}, seconds=0.01))["sum"].median < 1
    True
    """
    blocks: dict[Key, int] = {}
    for key, call in calls.items():
        blocks[key] = _warm_up(call)
        yield 0.0
    taken: dict[Key, list[float]] = {key: [] for key in calls}
    spent = dict.fromkeys(calls, 0.0)
    open_keys = list(calls)
    while open_keys:
        for key in open_keys:
            call, block = calls[key], blocks[key]
            call()  # not timed: it finds the caches as the model before has left them
            began = time.perf_counter()
            for _ in range(block):
                call()
            elapsed = time.perf_counter() - began
            taken[key].append(elapsed / block)
            spent[key] += elapsed
            yield min(1.0, sum(min(value, seconds) for value in spent.values()) / (seconds * len(calls)))
        open_keys = [key for key in open_keys if spent[key] < seconds or len(taken[key]) < _LEAST]
    return {key: _summary(taken[key], spent[key]) for key in calls}


def finish(comparison: Generator[float, None, dict[Key, Latency]]) -> dict[Key, Latency]:
    """Run a comparison to its end without resting."""
    while True:
        try:
            next(comparison)
        except StopIteration as end:
            result: dict[Key, Latency] = end.value
            return result


def told(
    comparison: Generator[float, None, dict[Key, Latency]], words: str, *, has_share: bool = False
) -> Generator[Progressed, None, dict[Key, Latency]]:
    """Run a comparison and say so, in place of the bare shares that it yields.

    Parameters
    ----------
    comparison
        What `compare` returned.
    words
        For the person who waits.
    has_share
        Whether the comparison is all that is left of the step: then its share is the step's.
    """
    while True:
        try:
            share = next(comparison)
        except StopIteration as end:
            result: dict[Key, Latency] = end.value
            return result
        yield Progressed(words, share if has_share else None)


def _warm_up(call: Callable[[], object]) -> int:
    """Return how many calls make up one block."""
    call()
    began, shortest = time.perf_counter(), float("inf")
    while (start := time.perf_counter()) - began < _WARM_UP:
        call()
        shortest = min(shortest, time.perf_counter() - start)
    return max(1, round(_BLOCK / shortest))


def _summary(samples: list[float], spent: float) -> Latency:
    low, median, high = np.percentile(samples, [25, 50, 75])
    return Latency(float(median), float(low), float(high), spent)
