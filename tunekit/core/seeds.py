"""Randomness that can be repeated: one generator for each (seed, trial number), and seeded surroundings."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def generator(seed: int, number: int) -> np.random.Generator:
    """Return the generator of one trial: the same for the same pair, independent between pairs.

    Parameters
    ----------
    seed
        The seed of the job, 0 or more.
    number
        The number of the trial, 0 or more.

    Examples
    --------
    >>> bool(generator(0, 3).random() == generator(0, 3).random())
    True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))


def trial_seed(seed: int, number: int) -> int:
    """Return the seed that a trial's own randomness gets, 0 to 2**31 - 1."""
    return int(np.random.SeedSequence(seed, spawn_key=(number, 1)).generate_state(1)[0] >> 1)


def check(seed: int | None) -> int | None:
    """Return the seed if it is one.

    Raises
    ------
    ValueError
        If it is neither None nor a whole number from 0.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"a seed is a whole number from 0, or None for a new one each time: got {seed!r}")
    return int(seed)


def sow(seed: int | None) -> None:
    """Seed Python's, numpy's and torch's global generators; with None none of them.

    A plain training function draws its weights and batches from the global generators; so a trial is the same whatever
    ran before it. torch is seeded only where somebody has imported it.
    """
    if seed is None:
        return
    random.seed(seed)
    np.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None and torch.accelerator.is_available():
        torch.manual_seed(seed)
    elif torch is not None:
        # torch.manual_seed looks for every kind of accelerator first: 0.2 ms each time
        torch.default_generator.manual_seed(seed)


@contextmanager
def preserved() -> Iterator[None]:
    """Give the global generators of Python, numpy and torch their state back afterwards."""
    torch = sys.modules.get("torch")
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch_state = torch.get_rng_state() if torch is not None else None
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if torch is not None and torch_state is not None:
            torch.set_rng_state(torch_state)


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Seed the global generators inside, and give them back their state afterwards; with None nothing is touched."""
    if seed is None:
        yield
        return
    with preserved():
        sow(seed)
        yield
