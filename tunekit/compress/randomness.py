"""A stream of random numbers of its own for work that pauses, so that the caller's stream is not disturbed."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np

Given = TypeVar("Given")
Final = TypeVar("Final")


def own_stream(work: Generator[Given, None, Final], seed: int) -> Generator[Given, None, Final]:
    """Run a generator with Python's, numpy's and torch's global generators seeded for it alone.

    Each time it yields, the caller's states are put back, and its own are kept for its next turn: what a dropout layer
    draws depends on the seed only, however often the work rests and whatever is drawn meanwhile.

    Parameters
    ----------
    work
        The generator; whatever is thrown in at a yield reaches it.
    seed
        0 to 2**31 - 1.

    Examples
    --------
    >>> def draws():
    ...     yield random.random()
    ...     yield random.random()
    >>> first = list(own_stream(draws(), 0))
    >>> stream = own_stream(draws(), 0)
    >>> second = [next(stream), random.random() and next(stream)]
    >>> first == second
    True
    """
    own = _seeded(seed)
    thrown: BaseException | None = None
    try:
        while True:
            outside = _states()
            _restore(own)
            try:
                given = next(work) if thrown is None else work.throw(thrown)
            except StopIteration as end:
                final: Final = end.value
                return final
            finally:
                own = _states()
                _restore(outside)
            thrown = None
            try:
                yield given
            except GeneratorExit:
                raise
            except BaseException as error:  # handed on to the work, which knows what to do with it
                thrown = error
    finally:
        work.close()


def _seeded(seed: int) -> tuple[Any, ...]:
    import torch

    outside = _states()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed a GPU for the caller, too
    own = _states()
    _restore(outside)
    return own


def _states() -> tuple[Any, ...]:
    import torch

    return random.getstate(), np.random.get_state(), torch.get_rng_state()


def _restore(states: tuple[Any, ...]) -> None:
    import torch

    random.setstate(states[0])
    np.random.set_state(states[1])
    torch.set_rng_state(states[2])
