"""A search without a study: ask a sampler, check what it says, tell it a score."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tunekit.core import seeds, text
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.search.parameters import Choice, Int
from tunekit.search.samplers import Sampler
from tunekit.search.space import Space

Metrics = Mapping[str, float]
Objective = Callable[[Space, Mapping[str, Any]], Metrics | None]


def smooth(space: Space, params: Mapping[str, Any]) -> Metrics:
    """A score with one peak, between -d and 0."""
    return {"score": -float(np.sum((space.to_unit(params) - 0.3) ** 2))}


def ask(sampler: Sampler, space: Space, history: History, seed: int = 0) -> Mapping[str, Any] | None:
    """What the sampler proposes as the history's next trial; a warning on the way is an error.

    Raises
    ------
    AssertionError
        If it is not a setting of the space, or a value has another type than the space gives it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = sampler.propose(space, history, seeds.generator(seed, len(history)))
    if params is not None:
        check(space, params)
    return params


def check(space: Space, params: Mapping[str, Any]) -> None:
    """Raise if these are not settings as the space itself would give them: names, bounds, steps and exact types."""
    try:
        space.check(params)
    except ValueError as error:
        raise AssertionError(f"a proposal is a setting of the space: got {dict(params)}; {error}") from error
    for name, value in params.items():
        parameter = space[name]
        if isinstance(parameter, Choice):
            continue  # its own check looks at the type
        wanted = int if isinstance(parameter, Int) else float
        assert type(value) is wanted, (
            f"a value has the type that the space gives it: {name} is a plain {wanted.__name__}, "
            f"got {text.value(value)} of type {type(value).__name__}; take it from space.from_unit(place)"
        )


def tell(history: History, params: Mapping[str, Any], metrics: Metrics | None, state: str = "complete") -> None:
    """Add a trial that has ended: complete with these metrics, or failed where there are none."""
    number = len(history)
    history.apply(TrialStarted(number, params))
    if state == "stopped":
        history.apply(TrialEnded(number, "stopped", {}, 0.0))
    elif metrics is None:
        history.apply(TrialEnded(number, "failed", {}, 0.0, "RuntimeError: as the test wants it"))
    else:
        history.apply(TrialEnded(number, "complete", metrics, 0.0))


def play(
    sampler: Sampler,
    space: Space,
    trials: int,
    objective: Objective = smooth,
    *,
    history: History | None = None,
    seed: int = 0,
) -> History:
    """That many more trials of a search, or fewer where the sampler has no more.

    Parameters
    ----------
    sampler, space
        Who searches what.
    trials
        How many more.
    objective
        Called with space and settings; it gives the metrics, or None for a trial that fails.
    history
        The history to go on with; None: a new one, for the largest ``"score"``.
    seed
        The seed of the generators.

    Examples
    --------
    >>> from tunekit.search.samplers.random import Random
    >>> len(play(Random(), Space(x=(0.0, 1.0)), 3))
    3
    """
    history = History(Goal()) if history is None else history
    for _ in range(trials):
        params = ask(sampler, space, history, seed)
        if params is None:
            break
        tell(history, params, objective(space, params))
    return history
