"""Population-based training: members train side by side, the weak take over from the strong, settings move on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping import Verdict
from tunekit.search.samplers import Offspring, samplers
from tunekit.search.samplers.legs import Legs, Standing, own_steps
from tunekit.search.samplers.perturbing import explored
from tunekit.search.samplers.random import draw_untried
from tunekit.search.space import Space

# So many trials that should have gone on from another one and all failed: the mistake is in the objective.
_HOPELESS = 3


@samplers.register("population")
@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Train members side by side; after each leg of a few steps the weakest take over the nets of the strongest.

    A trial is one leg of one member. The first ``members`` trials begin with settings drawn at random. Each further one
    goes on with a member whose leg has ended, the least trained first. One that is in the lower quantile of all that
    came as far takes over the checkpoint of a random one in the upper quantile, and explores: each of its settings is
    drawn anew with probability ``resample``, or else moved by one of the ``factors``. The others go on as they were. A
    member whose leg failed makes it again with the checkpoint of one of the best. Where all trainings have come to
    their end, or there are more workers than members, another population begins.

    The objective is a generator that calls ``trial.load(model, optimizer)`` before its first step and
    ``trial.save(model, optimizer)`` before each ``yield``. Settings that change the shape of the net cannot move while
    it trains: leave them out of the space. One that does not yield is searched at random. The sampler ends the legs
    itself: it takes no ``early_stopping`` beside it. Nobody waits: with several workers a member is compared with those
    that came as far by then. The settings of the best trial are those of its last leg; what it was trained with before
    are those of its parents: ``study.plot("lineage")`` shows them, and ``study.checkpoint(study.best)`` holds the net
    itself.

    Parameters
    ----------
    members
        How many train side by side, 2 or more.
    steps
        The steps of a leg, 1 or more: enough for a change of settings to show.
    quantile
        The share of the members that is replaced, and from which they are, above 0 to 0.5.
    resample
        The probability with which a setting is drawn anew, 0 to 1; the values of a `Choice` move in no other way.
    factors
        What a number is multiplied by on a log scale. Without one it moves by the same share of half its range: 0.8 and
        1.2 by a tenth of the range down and up. Whole numbers and steps move by one at least.

    Raises
    ------
    ValueError
        If an option breaks a rule above.

    References
    ----------
    Jaderberg, Dalibard, Osindero, Czarnecki, Donahue, Razavi, Vinyals, Green, Dunning, Simonyan, Fernando and
    Kavukcuoglu, "Population Based Training of Neural Networks", 2017: truncation selection and the constants. There a
    number is multiplied by its factor on every scale, and stays where it is at 0.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> def train(lr, trial):
    ...     state = {"left": 1.0}
    ...     for step in range(trial.load(state), 20):
    ...         state["left"] *= 1 - lr
    ...         trial.save(state)
    ...         yield 1 - state["left"]
    >>> study = Study(train, {"lr": (1e-4, 1e-1, "log")}, sampler=Population(members=4, steps=2), seed=0)
    >>> _ = study.run(20)
    >>> len(study.best.reports), study.best.parent is not None
    (10, True)
    """

    members: int = 8
    steps: int = 3
    quantile: float = 0.25
    resample: float = 0.25
    factors: tuple[float, float] = (0.8, 1.2)

    def __post_init__(self) -> None:
        _check_whole(self.members, 2, "members")
        _check_whole(self.steps, 1, "steps")
        if not _is_number(self.quantile) or not 0 < self.quantile <= 0.5:
            raise ValueError(f"the quantile of a population is above 0 and at most 0.5: got quantile={self.quantile!r}")
        if not _is_number(self.resample) or not 0 <= self.resample <= 1:
            raise ValueError(f"resample is a probability, 0 to 1: got resample={self.resample!r}")
        factors = self.factors
        if not isinstance(factors, tuple) or len(factors) != 2 or not all(_is_number(f) and f > 0 for f in factors):
            raise ValueError(f"the factors of a population are two numbers above 0: got factors={factors!r}")

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The next leg of a member, or a new member; None when every setting has been tried, without any leg.

        Raises
        ------
        RuntimeError
            If the objective cannot go on from a checkpoint: all trials that should have failed.
        """
        _check_hope(history)
        legs = Legs.of(history, self.members, self.steps)
        free = [tip for tip in legs.tips() if tip.kind in ("standing", "failed")]
        if legs.is_founding or not free:
            return self._founder(space, history, rng)
        turn = min(free, key=lambda tip: (tip.level, tip.trial.number))
        better = self._better(legs, turn)
        if better:
            parent = better[int(rng.integers(len(better)))].trial
            params = explored(space, parent.params, rng, self.resample, self.factors)
            return Offspring(params, parent.number)
        if turn.kind == "failed":
            return self._founder(space, history, rng)
        return Offspring(turn.trial.params, turn.trial.number)

    def decide(self, history: History, trial: Trial) -> Verdict:
        """``"finish"`` at the end of a leg: so many steps after the checkpoint that it went on from."""
        return "finish" if own_steps(history, trial) >= self.steps else "go"

    def parents(self, history: History) -> set[int]:
        """The trials that a next one may go on from: where the members stand, and the best that came as far."""
        legs = Legs.of(history, self.members, self.steps)
        tips = legs.tips()
        needed = {tip.trial.number for tip in tips if tip.kind == "standing"}
        for cycle in {tip.cycle for tip in tips}:
            levels = legs.levels(cycle)
            least = min(tip.level for tip in tips if tip.cycle == cycle)
            if legs.is_founding and cycle == max(tip.cycle for tip in tips):
                least = 0  # who still comes may take over from the very first
            for level in levels:
                if level >= least:
                    cohort = legs.cohort(cycle, level)
                    # a rank can only fall while others come as far, the count can only rise
                    count = max(1, self._count(max(len(cohort), self.members)))
                    needed |= {standing.trial.number for standing in cohort[:count]}
        return needed

    def _founder(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        params = draw_untried(space, history, rng)
        if params is None and any(trial.reports for trial in history):
            return space.sample(rng)  # few settings: two members have the same, and other random numbers
        return params

    def _better(self, legs: Legs, turn: Standing) -> list[Standing]:
        """Those that a member is to take over from; empty where it goes on by itself."""
        cohort = legs.cohort(turn.cycle, turn.level)
        if turn.kind == "failed":
            levels = legs.levels(turn.cycle)
            cohort = cohort or (legs.cohort(turn.cycle, min(levels)) if levels else [])
            return cohort[: max(1, self._count(len(cohort)))]
        count = self._count(len(cohort))
        if not any(standing is turn for standing in cohort[len(cohort) - count :]):
            return []
        return [standing for standing in cohort[:count] if standing.gain > turn.gain]

    def _count(self, cohort: int) -> int:
        """How many of so many are in a quantile."""
        return int(self.quantile * cohort) or int(cohort >= self.members)


def _check_hope(history: History) -> None:
    children = [trial for trial in history if trial.parent is not None and trial.state != "running"]
    if len(children) < _HOPELESS or any(trial.state != "failed" for trial in children):
        return
    raise RuntimeError(
        f"the first {len(children)} trials that went on from another one all failed, so the study stopped: a member of "
        f"a population goes on from a checkpoint. The last one said: {children[-1].reason}"
    )


def _check_whole(value: object, least: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"the {name} of a population are a whole number from {least}: got {name}={text.value(value)}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and math.isfinite(value)
