"""Sobol search: the points of one scrambled Sobol sequence, which fill the space more evenly than chance does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.samplers.random import draw_untried, tried_keys
from tunekit.search.space import Space

# How many points of the sequence are looked at for settings that were not tried yet. Where so many in a row repeat,
# the space is small and nearly used up, and a random draw from what is left fills it as evenly.
_LOOKED_AT = 32


@samplers.register("sobol")
class Sobol:
    """Go along one scrambled Sobol sequence; where there are few settings, try none twice.

    All trials of a study belong to the same sequence: its scrambling follows from the study's seed, and the number of
    trials so far says which point is next.

    References
    ----------
    Sobol, "On the distribution of points in a cube and the approximate evaluation of integrals", USSR Computational
    Mathematics and Mathematical Physics 1967. Owen, "Scrambling Sobol' and Niederreiter-Xing points", Journal of
    Complexity 1998: scrambled, the points stay evenly spread and no longer lie on the bounds.

    Examples
    --------
    >>> from tunekit.core import seeds
    >>> from tunekit.core.events import TrialStarted
    >>> from tunekit.core.goal import Goal
    >>> from tunekit.core.history import History
    >>> space, history = Space(lr=(0.0, 1.0)), History(Goal())
    >>> for number in range(4):
    ...     params = Sobol().propose(space, history, seeds.generator(0, number))
    ...     history.apply(TrialStarted(number, params))
    >>> sorted(int(4 * trial.params["lr"]) for trial in history)  # one in each quarter
    [0, 1, 2, 3]
    """

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The first settings from the next point on that were not tried yet; None when there are none left."""
        tried = tried_keys(space, history)
        for point in scrambled_points(len(space), len(history), _LOOKED_AT, sequence_seed(rng)):
            params = space.from_unit(point)
            if space.key(params) not in tried:
                return params
        return draw_untried(space, history, rng)


def sequence_seed(rng: np.random.Generator) -> int:
    """The seed that a study's generators have in common, whatever the trial: 0 to 2**128 - 1."""
    # the generator of one trial differs from that of another in its spawn key only
    words = np.random.SeedSequence(getattr(rng.bit_generator.seed_seq, "entropy", 0)).generate_state(4)
    return int.from_bytes(words.tobytes(), "little")


def scrambled_points(dimensions: int, start: int, count: int, seed: int) -> NDArray[np.float64]:
    """Points of the scrambled Sobol sequence of that seed.

    Parameters
    ----------
    dimensions
        The d of the unit cube, 1 to 21,201.
    start
        The index of the first point, from 0.
    count
        How many points, 1 or more.
    seed
        Any whole number from 0; the same one gives the same sequence.

    Returns
    -------
    array of shape (count, d)
        Numbers from 0 up to and without 1.

    Examples
    --------
    >>> whole = scrambled_points(2, start=0, count=5, seed=0)
    >>> bool((scrambled_points(2, start=3, count=2, seed=0) == whole[3:]).all())
    True
    """
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, seed=np.random.default_rng(seed))
    if start:
        sequence.fast_forward(start)
    # scipy warns where the first draw is no power of two
    points = sequence.random(1 << (count - 1).bit_length())[:count]
    return np.asarray(points, dtype=np.float64)
