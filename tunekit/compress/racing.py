"""Which of the nets that cost little enough is the best: all are trained a little, fewer and fewer of them on."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunekit.compress.ways import FASTER, RATE, SLOWER, Entrant, Way
from tunekit.core.events import Event

if TYPE_CHECKING:
    from tunekit.compress.findings import Findings
    from tunekit.compress.recipe import Step
    from tunekit.compress.shapes import Shape
    from tunekit.compress.workshop import Workshop
    from tunekit.core.history import History

# Epochs of the rounds: all shapes, those that may be the best, and to the end.
_SHORT, _MIDDLE, _LONG = 4, 4, 16
# Where the first round leaves even the best far below the score that must be kept, that is the one that recovers
# fastest, which says little of where it ends: so many are trained on, so long, before any is left out.
_RECOVERING, _RECOVERY = 4, 8
# How many may be the best, and are trained to the end one after the other before the budget is given up.
_FINALISTS = 2
# In how many ways the best shape is trained to the end.
_WAYS = 2
# Of the time that is left, what one training may take: the rest is for what comes after it.
_SHARE_OF_TIME = 0.5


@dataclass(slots=True)
class Race:
    """Trains the nets that may be the best, and makes rows of them.

    Parameters
    ----------
    shop
        Makes and measures rows; the original is in it.
    history
        The rows so far.
    clock
        Seconds without pauses.
    findings
        Told what was tried, and when the time was over.
    deadline
        The time of the clock by which the search is to be over.
    way
        The best of those that were tried; None before that.
    """

    shop: Workshop
    history: History
    clock: Callable[[], float]
    findings: Findings
    deadline: float = math.inf
    way: Way | None = None

    def chain(self, after: int, steps: Sequence[Step]) -> Generator[Event, None, int | None]:
        """Do steps one after the other, as one row; return its number, None where it failed.

        A row of the same recipe that is there already is what would come out: a search that was stopped goes on.
        """
        before, number = self.shop.made[after], len(self.history)
        recipe = (*before.recipe, *steps)
        known = next((row for row, made in self.shop.made.items() if made.recipe == recipe), None)
        if known is not None:
            return known
        made = yield from self.shop.trial(number, steps, before.stage, recipe, self.clock)
        self.findings.tried += (number,)
        return None if made is None else number

    def heats(self, shapes: Sequence[Shape]) -> Generator[Event, None, list[Entrant]]:
        """Train every shape a little; return the few that may be the best, the best first."""
        entrants: list[Entrant] = []
        for shape in shapes:
            if self.clock() > self.deadline:
                self.findings.ran_out = True
                break
            row = yield from self.chain(0, shape.trained(_SHORT, self._usual.learning_rate))
            if row is not None:
                entrants.append(Entrant(row, shape, self._usual))
        ranked = self._best(entrants)
        if len(ranked) > 1 and self._is_far(ranked[0].row):
            ranked = yield from self._recovered(ranked[:_RECOVERING])
        return self._finalists(ranked)

    def _is_far(self, row: int) -> bool:
        """Whether a row misses the score that must be kept by more than the split may be wrong by."""
        limits = self.findings.limits
        return limits is not None and self.history[row].metrics[f"{limits.metric}_high"] < limits.floor

    def _recovered(self, entrants: Sequence[Entrant]) -> Generator[Event, None, list[Entrant]]:
        """Train each on at a fast rate, and return them by their scores; one that loses by that stays as it was."""
        if self.shop.task.fit is not None or any(one.shape.is_packed for one in entrants):
            return list(entrants)
        faster = yield from self._all_further([replace(one, way=Way(FASTER)) for one in entrants], _RECOVERY)
        after = {id(one.shape): one for one in faster}
        return self._best([self._best([one, after[id(one.shape)]])[0] for one in entrants])

    def middle(self, finalists: list[Entrant]) -> Generator[Event, None, list[Entrant]]:
        """Train on where there are several; return them with their new rows, the best first."""
        if len(finalists) < 2:
            return finalists
        return (yield from self._all_further(finalists, _MIDDLE))

    def in_each_way(
        self, ranked: list[Entrant], begun: Sequence[Entrant]
    ) -> Generator[Event, None, list[list[Entrant]]]:
        """Train the first one in each way, from the row that it had before the middle round.

        Returns
        -------
        list[list[Entrant]]
            The first one in its best ways, then each of the others in the best of all.
        """
        if not ranked or self.shop.task.fit is not None or ranked[0].shape.is_packed:
            return [[one] for one in ranked]
        first, *others = ranked
        tried = self._best((yield from self._tried(next(one for one in begun if one.shape is first.shape))))
        if not tried:
            return [[one] for one in ranked]
        self.way = tried[0].way
        return [tried[:_WAYS], *([replace(one, way=tried[0].way)] for one in others)]

    def to_the_end(self, ways: Sequence[Entrant]) -> Generator[Event, None, Entrant]:
        """Train one shape to the end in each of its ways, since a few epochs say little about many; return the best.

        That may be one from before: more training is not always better.
        """
        ends = yield from self._all_further(ways, _LONG)
        return self._best([*ends, *ways])[0]

    def from_scratch(self, done: Entrant) -> Generator[Event, None, int | None]:
        """Train the same shape anew, as long as any row of it; return the row. Zeros and shared values are no shape."""
        self.findings.control = None  # that of an earlier finalist says nothing about this one
        if done.shape.is_packed:
            return None
        epochs = self._longest(self.shop.made[done.row].recipe[:1])
        if self._affordable(done.row, epochs) < epochs:
            self.findings.ran_out = True
            return None
        fresh = yield from self.chain(done.row, done.way.from_scratch(epochs))
        if fresh is not None:
            self.findings.control = (fresh, done.row)
        return fresh

    def _longest(self, start: tuple[Step, ...]) -> int:
        """The most epochs that a row with such a start was trained for; a control that is there already is not one."""
        recipes = [made.recipe for made in self.shop.made.values() if made.recipe[: len(start)] == start]
        return max(
            sum(int(getattr(step, "epochs", 0)) for step in recipe)
            for recipe in recipes
            if not any(getattr(step, "fresh", False) for step in recipe)
        )

    def merit(self, row: int) -> tuple[float, float]:
        """What rows are compared by: the score, and of equal ones the smaller file."""
        figures = self.history[row].metrics
        return figures[self.shop.task.metric_name], -figures["size"]

    @property
    def _usual(self) -> Way:
        """How nets are trained before anything is known; the task's own loop has a rate of its own."""
        return Way(RATE if self.shop.task.fit is None else SLOWER)

    def _tried(self, start: Entrant) -> Generator[Event, None, list[Entrant]]:
        """Train a row in one way after the other: at several rates, then at the best of them with a teacher."""
        tried: list[Entrant] = []

        def attempt(way: Way) -> Generator[Event, None, None]:
            one = yield from self._further(replace(start, way=way), _MIDDLE)
            if one.row != start.row:
                tried.append(one)

        def rate() -> float:
            return self._best(tried)[0].way.learning_rate if tried else RATE

        yield from attempt(Way(RATE))
        yield from attempt(Way(FASTER))
        if rate() != FASTER:
            yield from attempt(Way(SLOWER))
        if self.shop.is_classification:
            yield from attempt(Way(rate(), is_taught=True))
        return tried

    def _all_further(self, entrants: Sequence[Entrant], epochs: int) -> Generator[Event, None, list[Entrant]]:
        """Train each on, and return them by their scores, the best first."""
        ends: list[Entrant] = []
        for one in entrants:
            end = yield from self._further(one, epochs)
            ends.append(end)
        return self._best(ends)

    def _further(self, one: Entrant, epochs: int) -> Generator[Event, None, Entrant]:
        """Train on, as long as the time allows; return it with the row that came of that, the same where none did.

        Zeros and shared values are found anew in more epochs: what they are decides more than what is trained later.
        """
        affordable = self._affordable(one.row, epochs)
        if not affordable:
            self.findings.ran_out = True
            return one
        if one.shape.is_packed:
            following = yield from self.chain(0, one.shape.trained(affordable, one.way.learning_rate))
        else:
            following = yield from self.chain(one.row, one.way.steps(affordable))
        return one if following is None else replace(one, row=following)

    def _best(self, entrants: Sequence[Entrant]) -> list[Entrant]:
        """By their scores, the best first; of equal ones the smaller file, and the one that has a teacher."""
        return sorted(entrants, key=lambda one: (*self.merit(one.row), one.way.is_taught), reverse=True)

    def _finalists(self, ranked: Sequence[Entrant]) -> list[Entrant]:
        """The best few: those that may well be as good as the first one, as far as the split can tell."""
        if not ranked:
            return []
        metric = self.shop.task.metric_name
        first = self.history[ranked[0].row].metrics[metric]
        close = [one for one in ranked if self.history[one.row].metrics[f"{metric}_high"] >= first]
        return close[:_FINALISTS]

    def _affordable(self, row: int, epochs: int) -> int:
        """How many epochs there is time for, judged by what those of this row have taken."""
        if not math.isfinite(self.deadline):
            return epochs
        trained = sum(int(getattr(step, "epochs", 0)) for step in self.shop.made[row].recipe[-1:])
        seconds = (self.history[row].seconds or 0.0) / max(1, trained)
        left = _SHARE_OF_TIME * (self.deadline - self.clock())
        return min(epochs, int(left / seconds)) if seconds > 0 and left > 0 else 0
