"""Random search: each setting drawn on its own, uniformly from the unit cube."""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import islice
from operator import is_
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

# Of each history: its space, the settings whose keys are known, and the keys.
_Known = tuple[Space, list[Mapping[str, Any]], set[tuple[float, ...]]]
_known: WeakKeyDictionary[History, _Known] = WeakKeyDictionary()


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
    if space.is_endless:
        return space.sample(rng)
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


def tried_keys(space: Space, history: History) -> Set[tuple[float, ...]]:
    """The keys (`Space.key`) of all settings that were tried, running trials included.

    A key takes as long as a short sampler, so those of the last call are kept for as long as the history is.
    """
    tried = [trial.params for trial in history]
    known = _known.get(history)
    if known is None or known[0] is not space or not all(map(is_, known[1], tried)) or len(known[1]) > len(tried):
        known = _known[history] = (space, [], set())
    for params in tried[len(known[1]) :]:
        known[1].append(params)
        known[2].add(space.key(params))
    return known[2]
