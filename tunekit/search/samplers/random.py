"""Random search: each setting drawn on its own, uniformly from the unit cube."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.samplers.grid import enumerate_settings
from tunekit.search.space import Space

# Above this many settings a repeat is rare, and drawing again is cheaper than listing them.
_LISTED = 4096


@samplers.register("random")
class Random:
    """Draw settings at random; where there are few of them, none twice.

    References
    ----------
    Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012: with few important parameters
    among many, it beats a grid of the same size.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> from tunekit.core.history import History
    >>> Random().propose(Space(act=["relu", "gelu"]), History(Goal()), np.random.default_rng(0))
    {'act': 'gelu'}
    """

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """Settings that were not tried yet; None when there are none left."""
        return draw_untried(space, history, rng)


def draw_untried(space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
    """Settings drawn at random, different from all tried ones; None when there are none left."""
    if space.count is None:
        return space.sample(rng)
    tried = {space.key(trial.params) for trial in history}
    for _ in range(32):
        params = space.sample(rng)
        if space.key(params) not in tried:
            return params
    if space.count > _LISTED:
        return space.sample(rng)
    left = [params for params in enumerate_settings(space, points=_LISTED) if space.key(params) not in tried]
    return left[int(rng.integers(len(left)))] if left else None
