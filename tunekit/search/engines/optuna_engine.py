"""optuna's samplers as samplers of a study: by name, or an object that a person has made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tunekit.core.extras import needed
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.search.engines.optuna_memory import Fresh, Lasting, Memory, Sources
from tunekit.search.engines.quiet import quiet
from tunekit.search.engines.told import Seeds, Told, check_one_aim, told, told_in_order
from tunekit.search.samplers.random import draw_untried, tried_keys
from tunekit.search.space import Space


def _limits(goal: Goal) -> dict[str, Any]:
    return {"constraints_func": excesses} if goal.limits else {}


def excesses(trial: Any) -> Any:
    """What optuna asks of a trial whose limits count: how far it is outside of each."""
    return trial.user_attrs["excesses"]


# Each name, and how its sampler is made from a seed, the space and the goal.
_Make = Callable[[Any, int, Space, Goal], Any]
_MAKERS: dict[str, _Make] = {
    "cmaes": lambda optuna, seed, space, goal: optuna.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "gp": lambda optuna, seed, space, goal: optuna.GPSampler(seed=seed, **_limits(goal)),
    "nsgaii": lambda optuna, seed, space, goal: optuna.NSGAIISampler(seed=seed, **_limits(goal)),
    "nsgaiii": lambda optuna, seed, space, goal: optuna.NSGAIIISampler(seed=seed, **_limits(goal)),
    "qmc": lambda optuna, seed, space, goal: optuna.QMCSampler(seed=seed, scramble=True),
    "random": lambda optuna, seed, space, goal: optuna.RandomSampler(seed=seed),
    # grouped: parameters that count together are modelled together
    "tpe": lambda optuna, seed, space, goal: optuna.TPESampler(
        seed=seed,
        multivariate=True,
        group=any(space[name].when is not None for name in space),
        constant_liar=True,
        **_limits(goal),
    ),
}
NAMES = tuple(_MAKERS)

# A Gaussian process takes time with the cube of its points: so many it is told of, half of them the best.
_MOST = {"gp": 200}

# These remember what they were asked, such as generations: it is found again by asking once more for all trials.
_HAVE_MEMORY = {"cmaes", "nsgaii", "nsgaiii", "qmc"}


def named(name: str) -> OptunaNamed:
    """The engine of that name; the package is imported, so that a missing one is told at once."""
    needed("optuna")
    return OptunaNamed(name)


def _select(trials: list[Told], most: int | None) -> list[Told]:
    """At most so many of the trials that have ended, the best by the first aim and the latest; all that have not."""
    ended = [place for place, trial in enumerate(trials) if trial.losses is not None]
    if most is None or len(ended) <= most:
        return trials
    best = sorted(ended, key=lambda place: trials[place].losses or ())[: most // 2]
    kept = {*best, *ended[-(most - most // 2) :]}
    return [trial for place, trial in enumerate(trials) if place in kept or trial.pending]


class OptunaEngine(ABC):
    """Keeps a live optuna study beside the history, and builds it anew from the history where it has lost it."""

    def __init__(self) -> None:
        self._memory: Memory | None = None

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """What optuna suggests; where that was tried already, settings drawn at random; None when all were tried."""
        seeds = Seeds(rng)
        with quiet("optuna"):
            params = self._ask(space, history, seeds)
        if space.key(params) in tried_keys(space, history):
            return draw_untried(space, history, rng)
        return params

    def _ask(self, space: Space, history: History, seeds: Seeds) -> dict[str, Any]:
        trials = _select(told(history) if self._knows_limits else told_in_order(history), self._most)
        settled = next((place for place, trial in enumerate(trials) if trial.pending), len(trials))
        memory = self._memory
        if memory is None or not memory.fits(space, history.goal, seeds, trials[:settled]):
            memory = self._memory = Memory(space, history.goal, seeds, self._sources(space, history.goal, seeds))
        try:
            memory.follow(trials[len(memory.trials) : settled])
            if settled < len(trials):  # what is known of running trials changes: it is followed on a copy
                memory = memory.copy()
                memory.follow(trials[settled:])
            return memory.ask(seeds.current)
        except BaseException:
            self._memory = None
            raise

    @property
    def _most(self) -> int | None:
        """How many trials it is told of at most."""
        return None

    @property
    def _knows_limits(self) -> bool:
        """Whether the sampler asks how far a trial is outside of the limits."""
        return True

    @abstractmethod
    def _sources(self, space: Space, goal: Goal, seeds: Seeds) -> Sources:
        """Where the samplers for this search come from."""


class OptunaNamed(OptunaEngine):
    """A sampler of optuna by name, seeded by the study.

    Parameters
    ----------
    name
        ``"tpe"``, ``"gp"``, ``"cmaes"``, ``"nsgaii"``, ``"nsgaiii"``, ``"qmc"`` or ``"random"``.

    Notes
    -----
    A failed trial is told as the worst so far. Limits are told as constraints; CMA-ES, which knows none, is told that
    what breaks one is worse than all that keeps them. ``"gp"`` is told of 200 trials at most: the best and the latest.

    References
    ----------
    Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019.

    Examples
    --------
    >>> from tunekit.core.history import History
    >>> params = OptunaNamed("tpe").propose(Space(lr=(1e-4, 0.1, "log")), History(Goal()), np.random.default_rng(0))
    >>> 1e-4 <= params["lr"] <= 0.1
    True
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    @property
    def _most(self) -> int | None:
        return _MOST.get(self.name)

    @property
    def _knows_limits(self) -> bool:
        return self.name != "cmaes"

    def _sources(self, space: Space, goal: Goal, seeds: Seeds) -> Sources:
        if self.name == "cmaes":
            check_one_aim(goal, "optuna:cmaes")
        samplers = needed("optuna.samplers")

        def make(seed: int) -> Any:
            return _MAKERS[self.name](samplers, seed, space, goal)

        return Lasting(make(seeds.entropy)) if self.name in _HAVE_MEMORY else Fresh(make)


class OptunaObject(OptunaEngine):
    """A sampler object of optuna that a person has made, such as ``optuna.samplers.TPESampler(n_startup_trials=5)``.

    The object itself is never used up: a copy of it is. It visits the settings that optuna's own loop would visit with
    it, as far as the object is seeded; a study that goes on elsewhere asks a copy for all earlier trials again.

    Parameters
    ----------
    sampler
        Any ``optuna.samplers.BaseSampler``.

    Examples
    --------
    >>> import optuna
    >>> from tunekit.search.study import Study
    >>> sampler = optuna.samplers.TPESampler(seed=1)
    >>> Study(lambda x: x, Space(x=(0, 9)), sampler=sampler).run(3).words
    '3 trials, all complete. Best score 7.00 at trial 1: x=7.'
    """

    def __init__(self, sampler: Any) -> None:
        super().__init__()
        self.sampler = sampler

    def _sources(self, space: Space, goal: Goal, seeds: Seeds) -> Sources:
        return Lasting(self.sampler)
