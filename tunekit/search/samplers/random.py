"""Random search: each setting drawn on its own, uniformly from the unit cube."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.samplers.combinations import all_combinations
from tunekit.search.space import Space

# So many draws that repeat in a row, and the settings that are left are few: they are listed instead.
_DRAWS = 32
# How many of the settings that are left are listed at most, to draw one of them.
_LISTED = 4096

# Each history's keys as they were last computed, beside the settings that they were computed from.
_Keys = list[tuple[Mapping[str, Any], tuple[float, ...]]]
_known: WeakKeyDictionary[History, tuple[Space, _Keys]] = WeakKeyDictionary()


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
    tried = tried_keys(space, history)
    for _ in range(_DRAWS):
        params = space.sample(rng)
        if space.key(params) not in tried:
            return params
    combinations = all_combinations(space)
    if combinations is None:
        return params  # there is no end of other settings, but hardly any of the draws are among them
    left = list(islice(combinations.untried(tried), _LISTED))
    return left[int(rng.integers(len(left)))] if left else None


def tried_keys(space: Space, history: History) -> set[tuple[float, ...]]:
    """The keys (`Space.key`) of all settings that were tried, running trials included.

    A key takes as long as a short sampler, so those of the last call are kept for as long as the history is.
    """
    space_then, keys = _known.get(history, (space, []))
    keys = list(keys) if space_then is space else []
    for trial in history:
        if trial.number == len(keys):
            keys.append((trial.params, space.key(trial.params)))
        elif keys[trial.number][0] is not trial.params:
            keys[trial.number] = (trial.params, space.key(trial.params))
    _known[history] = (space, keys)
    return {key for _, key in keys}
