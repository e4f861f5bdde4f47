"""Samplers: who says what to try next.

A sampler is a pure function of the space, the history and a generator that is seeded by the study's seed and the
trial's number. What it remembers, it may lose: a study that was stopped and goes on proposes what the undisturbed one
would have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.registry import Registry
from tunekit.search.space import Space


class Offspring(dict[str, Any]):
    """Settings to try next, from the checkpoint of another trial on.

    Parameters
    ----------
    params
        The settings by name.
    parent
        The number of the trial whose checkpoint it goes on from; None: it begins from nothing.
    """

    def __init__(self, params: Mapping[str, Any], parent: int | None = None) -> None:
        super().__init__(params)
        self.parent = parent


class Sampler(Protocol):
    """What the study asks of a sampler."""

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """Settings to try next, `Offspring` where they have a parent; None when every setting has been tried."""


@runtime_checkable
class HasParents(Protocol):
    """A sampler whose trials go on from the checkpoints of others, as those of a population do."""

    def parents(self, history: History) -> Collection[int]:
        """The numbers of the trials that a next one may go on from: their checkpoints are kept."""


samplers: Registry[Callable[[], Sampler]] = Registry("sampler")


def resolve(sampler: Any) -> tuple[str, Sampler]:
    """The sampler of that name, or the object itself, with the name to show.

    Parameters
    ----------
    sampler
        A name; a name with a package before it, such as ``"optuna:tpe"`` or ``"hyperopt:tpe"``; a sampler object of
        optuna; a configured ``bayes_opt.BayesianOptimization``; or any object with ``propose``.

    Raises
    ------
    ValueError
        If nothing has that name.
    TypeError
        If it is an object that cannot propose.
    ModuleNotFoundError
        If the package of that name is not installed.
    """
    from tunekit.search import engines

    if isinstance(sampler, str) and ":" in sampler:
        return sampler, engines.named(sampler)
    if isinstance(sampler, str):
        # the modules register themselves; they are read when the first name is looked up
        from tunekit.search.samplers import bayes, grid, population, random, sobol  # noqa: F401

        return sampler, samplers[sampler]()
    adopted = engines.adopted(sampler)
    if adopted is not None:
        return adopted
    if not callable(getattr(sampler, "propose", None)):
        raise TypeError(
            f"a sampler is a name or an object with propose(space, history, rng): got {text.value(sampler)}"
        )
    return type(sampler).__name__.lower(), sampler
