"""What an engine is told of a history: a loss for each aim, less is better, never NaN."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.censored import Expectation

# The seeds of most engines are 32 bits, some of them signed.
_SEEDS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Told:
    """One trial, as an engine is told of it.

    Parameters
    ----------
    number
        The trial's number; None for a trial of an earlier study.
    params
        Its settings by name.
    losses
        A number for each aim, less is better; of a failed trial the worst so far; of a halted one what the complete
        trials before it let expect. None while it runs, and for a trial that failed before any was complete.
    excesses
        For each limit how far it is outside, 0 or less inside; None where ``losses`` is None.
    pending
        Whether its end is yet to come.
    """

    number: int | None
    params: Mapping[str, Any]
    losses: tuple[float, ...] | None
    excesses: tuple[float, ...] | None
    pending: bool


def told(history: History) -> list[Told]:
    """The trials in order, those of an earlier study first.

    Examples
    --------
    >>> from tunekit.core.events import TrialEnded, TrialStarted
    >>> history = History(Goal())
    >>> for number, score in enumerate([0.9, 0.7]):
    ...     history.apply(TrialStarted(number, {"lr": 0.1}))
    ...     history.apply(TrialEnded(number, "complete", {"score": score}, 1.0))
    >>> history.apply(TrialStarted(2, {"lr": 0.2}))
    >>> history.apply(TrialEnded(2, "failed", {}, 1.0, "boom"))
    >>> [trial.losses for trial in told(history)]
    [(-0.9,), (-0.7,), (-0.7,)]
    """
    found: list[Told] = []
    worst: tuple[float, ...] | None = None
    furthest: tuple[float, ...] | None = None
    # only by trials that came before, so that what was told once stays as it was
    expectation = Expectation(history.goal)
    for place, trial in enumerate([*history.prior, *history]):
        number = None if place < len(history.prior) else trial.number
        pending = trial.state in ("running", "stopped")
        losses, excesses = (None, None) if pending else _figures(history.goal, trial, expectation)
        expectation.learn(trial)
        if losses is not None and excesses is not None:
            worst = losses if worst is None else tuple(map(max, worst, losses))
            furthest = excesses if furthest is None else tuple(map(max, furthest, excesses))
        elif not pending:
            losses, excesses = worst, furthest
        found.append(Told(number, trial.params, losses, excesses, pending))
    return found


def told_in_order(history: History) -> list[Told]:
    """The same for engines that know no limits: what breaks one is worse than all that keeps them.

    Where there are limits, a loss tells the order and no more: -1 to 1 by the first aim for trials that keep them, 1 to
    2 by how far they are outside for the others.

    References
    ----------
    Deb, "An efficient constraint handling method for genetic algorithms", Computer Methods in Applied Mechanics and
    Engineering 2000: feasible before infeasible, those by how little they break.
    """
    trials = told(history)
    if not history.goal.limits:
        return trials
    bounds = [max(abs(limit.low or 0.0), abs(limit.high or 0.0)) or 1.0 for limit in history.goal.limits]
    kept = (t.losses[0] for t in trials if t.losses is not None and not any(e > 0 for e in t.excesses or ()))
    scale = abs(next(kept, 1.0)) or 1.0
    ordered = []
    for trial in trials:
        if trial.losses is not None and trial.excesses is not None:
            outside = sum(max(0.0, excess) / bound for excess, bound in zip(trial.excesses, bounds, strict=True))
            loss = trial.losses[0]
            rank = 1.0 + outside / (1.0 + outside) if outside else loss / (scale + abs(loss))
            trial = replace(trial, losses=(rank,))
        ordered.append(trial)
    return ordered


def _figures(
    goal: Goal, trial: Trial, expectation: Expectation
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    expected = expectation.of(trial)
    if expected is not None:
        trial = replace(trial, state="complete", metrics=expected)
    gains = goal.gains(trial)
    return None if gains is None else tuple(-gain for gain in gains), goal.excesses(trial)


def check_one_aim(goal: Goal, name: str) -> None:
    """Raise if there is more than one metric to go for.

    Raises
    ------
    ValueError
        If there is: with the engines that know how.
    """
    if len(goal.aims) > 1:
        raise ValueError(
            f"{name} goes for one metric: this study has {len(goal.aims)} aims; use 'optuna:tpe', 'optuna:nsgaii' or "
            "'optuna:gp', or bound the others with constraints="
        )


class Seeds:
    """The seeds of an engine: one for each trial, and one for the whole study.

    Parameters
    ----------
    rng
        The generator of the trial that is to be proposed, as the study gives it.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        sequence: Any = rng.bit_generator.seed_seq
        self.entropy = int(np.random.SeedSequence(sequence.entropy).generate_state(1)[0]) % _SEEDS
        self.current = int(rng.integers(_SEEDS))
