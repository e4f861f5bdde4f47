"""The legs of a population: how far each trial came, which member it belongs to, and who came as far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tunekit.core.history import History
from tunekit.core.trial import Trial

Kind = Literal["running", "standing", "failed", "over"]


def own_steps(history: History, trial: Trial) -> int:
    """How many steps a trial made itself: those that it has not taken over from its parent.

    The curve of a trial begins with that of its parent, up to the checkpoint that it went on from.
    """
    return len(trial.reports) - inherited_steps(history, trial)


def inherited_steps(history: History, trial: Trial) -> int:
    """How many of a trial's reports are its parent's."""
    if trial.parent is None or trial.parent >= len(history):
        return 0
    theirs = history[trial.parent].reports
    if trial.reports[: len(theirs)] == theirs:  # it went on where the parent ended, as nearly all do
        return len(theirs)
    count = 0
    for mine, other in zip(trial.reports, theirs, strict=False):
        if mine != other:
            break
        count += 1
    return count


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where a trial is.

    Parameters
    ----------
    trial
        The trial.
    cycle
        The number of its population, from 0: as many as there are members begin together.
    kind
        ``"running"``; ``"standing"``: its leg has ended and the next can follow; ``"failed"``; ``"over"``: the training
        itself has come to its end.
    level
        The steps of training after its leg; before it, where the leg has not ended or has failed.
    gain
        The score there, signed so that more is better; minus infinity where there is none.
    """

    trial: Trial
    cycle: int
    kind: Kind
    level: int
    gain: float


@dataclass(frozen=True, slots=True)
class Legs:
    """All trials of a history as the legs of populations.

    Parameters
    ----------
    standings
        Where each trial is, by its number.
    members
        How many members a population has.
    is_founding
        Whether the newest population lacks members that begin from nothing.
    """

    standings: Sequence[Standing]
    members: int
    is_founding: bool

    @classmethod
    def of(cls, history: History, members: int, steps: int) -> Legs:
        """Read a history whose legs have so many steps."""
        aim = history.goal.aim
        found: list[Standing] = []
        founders = 0
        # where one had nothing left to do, there is nothing left for others that came as far
        end = math.inf
        for trial in history:
            parent = found[trial.parent] if trial.parent is not None and trial.parent < len(found) else None
            cycle = founders // members if parent is None else parent.cycle
            founders += parent is None
            own = own_steps(history, trial)
            if trial.state == "complete" and own == 0 and trial.reports:
                end = min(end, len(trial.reports))
            score = trial.reports[-1].get(aim.metric) if trial.reports else None
            gain = -math.inf if score is None else aim.gain(score)
            level, began = len(trial.reports), 0 if parent is None else parent.level
            kind: Kind
            if trial.state in ("running", "stopped"):
                kind, level = "running", began
            elif trial.state in ("complete", "halted") and own == steps and score is not None:
                kind = "standing"
            elif trial.state == "complete":
                kind = "over"
            else:
                kind, level, gain = "failed", began, -math.inf
            found.append(Standing(trial, cycle, kind, level, gain))
        return cls(tuple(_ended(one, end) for one in found), members, founders == 0 or founders % members > 0)

    def levels(self, cycle: int) -> set[int]:
        """How far legs of that population went."""
        return {one.level for one in self.standings if one.cycle == cycle and one.kind == "standing"}

    def cohort(self, cycle: int, level: int) -> list[Standing]:
        """The legs of that population that ended after so many steps of training, the best first."""
        there = [one for one in self.standings if (one.cycle, one.level, one.kind) == (cycle, level, "standing")]
        return sorted(there, key=lambda one: -one.gain)

    def tips(self) -> list[Standing]:
        """The newest leg of each member; those whose training is over are members no more.

        A trial with the settings of its parent is the parent's next leg. One with other settings has taken the place of
        the weakest that came as far.
        """
        tips: list[Standing] = []
        for one in self.standings:
            tips = [tip for tip in tips if tip.kind != "over"]
            gone = self._replaced(one, tips)
            tips = [tip for tip in tips if tip is not gone]
            tips.append(one)
        return [tip for tip in tips if tip.kind != "over"]

    def _replaced(self, one: Standing, tips: Sequence[Standing]) -> Standing | None:
        """Whose place among these a trial took when it began; None where it took a free one."""
        failed = [tip for tip in tips if tip.kind == "failed"]
        number = one.trial.parent
        if number is None:
            return failed[0] if failed and len(tips) >= self.members else None
        parent = self.standings[number]
        if parent in tips and parent.trial.params == one.trial.params:
            return parent
        weak = [tip for tip in tips if tip.level == parent.level and tip.kind == "standing" and tip is not parent]
        weak += [tip for tip in failed if tip.level <= parent.level]
        weak = [tip for tip in weak if tip.cycle == one.cycle]
        return min(weak, key=lambda tip: (tip.gain, tip.trial.number), default=None)


def _ended(one: Standing, end: float) -> Standing:
    if one.kind == "standing" and one.level >= end:
        return Standing(one.trial, one.cycle, "over", one.level, one.gain)
    return one
