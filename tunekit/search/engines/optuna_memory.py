"""An optuna study that follows a history, trial by trial, in one fixed way: so it can be lost and built anew."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tunekit.core.extras import needed
from tunekit.core.goal import Goal
from tunekit.search.engines import optuna_space
from tunekit.search.engines.told import Seeds, Told
from tunekit.search.space import Space


class Sources(Protocol):
    """Where the sampler of each trial comes from."""

    @property
    def has_memory(self) -> bool:
        """Whether what it proposes depends on what it was asked before, and not only on the trials."""

    def sampler(self, seed: int, current: Any) -> Any:
        """The sampler that is asked for the next trial, given that trial's seed and the sampler before."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """A new sampler for each trial, from the trial's seed: for those that remember nothing but the trials."""

    make: Callable[[int], Any]
    has_memory = False

    def sampler(self, seed: int, current: Any) -> Any:
        """A new one."""
        return self.make(seed)


@dataclass(frozen=True, slots=True)
class Lasting:
    """One sampler for all trials, whose randomness and notes go on from trial to trial.

    Parameters
    ----------
    original
        The sampler, which stays as it is: a copy is asked.
    """

    original: Any
    has_memory = True

    def sampler(self, seed: int, current: Any) -> Any:
        """The one before; a copy of the original at the beginning."""
        return copy.deepcopy(self.original) if current is None else current


@dataclass(frozen=True, slots=True)
class _Asked:
    trial: Any
    params: dict[str, Any]
    seed: int


class Memory:
    """An optuna study that knows the first trials of a history.

    Parameters
    ----------
    space, goal, seeds
        What it is about; another study has another memory.
    sources
        Where the samplers come from.
    """

    def __init__(self, space: Space, goal: Goal, seeds: Seeds, sources: Sources) -> None:
        optuna = needed("optuna")
        self.space = space
        self.goal = goal
        self.seeds = seeds
        self.sources = sources
        self.trials: list[Told] = []
        self._asked: _Asked | None = None
        self._sampler: Any = None
        # losses: less is better, whatever the goal says
        self._study = optuna.create_study(
            storage=optuna.storages.InMemoryStorage(),
            sampler=optuna.samplers.RandomSampler(),
            directions=["minimize"] * len(goal.aims),
        )
        # a grid stops its study at the end, which optuna allows within its own loop alone
        self._study.stop = _go_on

    def fits(self, space: Space, goal: Goal, seeds: Seeds, settled: Sequence[Told]) -> bool:
        """Whether all that it knows is still so; ``settled`` are the trials up to the first whose end is to come."""
        return (
            self.space is space
            and self.goal == goal
            and self.seeds.entropy == seeds.entropy
            and self.trials == settled[: len(self.trials)]
        )

    def copy(self) -> Memory:
        """The same, to go on from without this one."""
        other = copy.copy(self)
        other.trials = list(self.trials)
        # one call, so that what they share stays shared
        other._study, other._sampler, other._asked = copy.deepcopy((self._study, self._sampler, self._asked))
        return other

    def follow(self, trials: Sequence[Told]) -> None:
        """Learn of the next trials."""
        for trial in trials:
            if self.sources.has_memory and trial.number is not None and self._asked is None:
                self._asked = self._ask(seed=0)  # as it was asked then
            if self._asked is not None and self._asked.params == trial.params:
                self._end(self._asked.trial, trial)
            else:
                self._pass_over()
                self._add(trial)
            self._asked = None
            self.trials.append(trial)

    def ask(self, seed: int) -> dict[str, Any]:
        """Settings for the next trial."""
        if self._asked is None or not (self.sources.has_memory or self._asked.seed == seed):
            self._pass_over()
            self._asked = self._ask(seed)
        return dict(self._asked.params)

    def _ask(self, seed: int) -> _Asked:
        self._sampler = self._study.sampler = self.sources.sampler(seed, self._sampler)
        trial = self._study.ask()
        return _Asked(trial, optuna_space.suggest(trial, self.space), seed)

    def _pass_over(self) -> None:
        """End a trial that nobody tried."""
        if self._asked is not None:
            self._study.tell(self._asked.trial, state=needed("optuna.trial").TrialState.FAIL)
            self._asked = None

    def _end(self, trial: Any, told: Told) -> None:
        if told.pending:
            return
        if told.losses is None:
            self._study.tell(trial, state=needed("optuna.trial").TrialState.FAIL)
            return
        trial.set_user_attr("excesses", list(told.excesses or ()))
        self._study.tell(trial, list(told.losses))

    def _add(self, told: Told) -> None:
        """Tell of a trial that optuna was not asked for."""
        optuna = needed("optuna.trial")
        state = optuna.TrialState
        excesses = list(told.excesses or ())
        self._study.add_trial(
            optuna.create_trial(
                params=optuna_space.encode(self.space, told.params),
                distributions=optuna_space.distributions(self.space, told.params),
                values=None if told.losses is None else list(told.losses),
                state=state.RUNNING if told.pending else state.FAIL if told.losses is None else state.COMPLETE,
                user_attrs={"excesses": excesses},
                # where optuna keeps what a constraints_func came to
                system_attrs={"constraints": excesses} if excesses else {},
            )
        )


def _go_on() -> None:
    """The study says when it ends."""
