"""Where no net keeps a budget: the nearest one that can be had, between what scores well and what costs little."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunekit.compress.randomness import own_stream
from tunekit.core.seeds import trial_seed

if TYPE_CHECKING:
    from tunekit.compress.findings import Findings
    from tunekit.compress.limits import Limits
    from tunekit.compress.racing import Race
    from tunekit.compress.shapes import Shape
    from tunekit.core.events import Event
    from tunekit.core.history import History

# How many budgets between the two are tried: each halves, in proportion, what lies between them.
_ATTEMPTS = 3
# What costs this much less is worth another attempt.
_WORTH = 1.15
# Above what was the nearest when nothing was trained: no clock is exact, and channels are whole.
_ROOM = 1.1

Shapes = Generator["Event", None, tuple[list["Shape"], list["Shape"]]]


@dataclass(slots=True)
class Nearing:
    """Tries looser and looser budgets, or tighter ones, until the nearest one that can be kept is known.

    Parameters
    ----------
    race, history, findings
        Those of the search, which found nothing that keeps the budget.
    shapes
        Called with how many times the costs of the budget are allowed; finds shapes that keep them, and others.
    quantized
        Called with a row, its shape and the same number; quantizes that row, and returns the rows that came of it.
    """

    race: Race
    history: History
    findings: Findings
    shapes: Callable[[float], Shapes]
    quantized: Callable[[int, Shape, float], Generator[Event, None, list[int]]]

    def work(self) -> Generator[Event, None, None]:
        """Search, until what keeps the drop and what does not are close to one another."""
        lost = self._least()
        for attempt in range(_ATTEMPTS):
            kept = self._kept()
            is_first = attempt == 0 and not self.findings.fitting
            allowed = _ROOM * lost if is_first else math.sqrt(lost * kept)
            if allowed * _WORTH > kept or self.findings.ran_out:
                return
            yield from self._try(allowed)
            if self._kept() > allowed:
                lost = allowed

    def _least(self) -> float:
        """How many times the budget costs what is known to be too little: that itself, or more where nothing has it."""
        sought = self.findings.sought
        if self.findings.fitting or not self.findings.others or sought is None:
            return 1.0
        return min(sought.worst(shape.figures) for shape in self.findings.others)

    def _kept(self) -> float:
        """How many times the budget costs the row that costs least of those that keep the drop."""
        limits = self._limits
        rows = [trial.metrics for trial in self.history if trial.state == "complete"]
        measured = [figures for figures in rows if limits.are_known(figures)]
        return min(limits.worst(figures) for figures in measured if limits.score_holds(figures))

    @property
    def _limits(self) -> Limits:
        assert self.findings.limits is not None  # a search has measured the original
        return self.findings.limits

    def _try(self, allowed: float) -> Generator[Event, None, None]:
        """Train the best of what costs so many times the budget."""
        shapes = self._measured(allowed)
        if not shapes:
            shapes, _ = yield from own_stream(self.shapes(allowed), trial_seed(self.race.shop.seed, 0))
        begun = yield from self.race.heats(shapes)
        if not begun:
            return
        first = begun[:1]
        if self.race.way is None:
            ways = next(iter((yield from self.race.in_each_way(first, begun))))
        else:
            ways = [replace(first[0], way=self.race.way)]
        done = yield from self.race.to_the_end(ways)
        yield from self.quantized(done.row, done.shape, allowed)

    def _measured(self, allowed: float) -> list[Shape]:
        """What was measured when the budget was looked for, and costs about so many times of it; the least cut."""
        sought = self.findings.sought
        if sought is None:
            return []
        known = [shape for shape in self.findings.others if sought.are_known(shape.figures)]
        costs = [(sought.worst(shape.figures), shape) for shape in known]
        near = [(times, shape) for times, shape in costs if allowed / _WORTH <= times <= allowed]
        return [shape for _, shape in sorted(near, key=lambda pair: -pair[0])[:1]]
