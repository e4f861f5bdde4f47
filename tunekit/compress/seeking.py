"""The search for the best net within a budget: cheap things first, training only for what is small enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress import shapes
from tunekit.compress.distill import Distill
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.limits import limits_of
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.randomness import own_stream
from tunekit.core.events import Event
from tunekit.core.job import StopRequested
from tunekit.core.seeds import trial_seed

if TYPE_CHECKING:
    from tunekit.compress.budget import Budget
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.shapes import Shape
    from tunekit.compress.workshop import Workshop
    from tunekit.core.history import History

# Epochs of the rounds: all shapes, those that may be the best, and to the end.
_SHORT, _MIDDLE, _LONG = 4, 8, 20
# How many may be the best, and are trained to the end one after the other before the budget is given up.
_FINALISTS = 2
# Of the time that is left, what one training may take: the rest is for what comes after it.
_SHARE_OF_TIME = 0.5
# What the bar of a search counts: quantizing, measuring shapes, three rounds of training, the control.
_PHASES = 7


@dataclass(slots=True)
class Findings:
    """What a search has found out so far.

    Parameters
    ----------
    limits
        The budget in figures; None until the original is measured.
    fitting, others
        Shapes that keep the costs, and those that come near.
    tried
        The numbers of the rows that were made on the way, in order.
    control
        The row of the same shape trained from scratch, beside the row that it is compared with; None where that was not
        tried.
    is_within
        Whether the original itself keeps the budget.
    ran_out, was_stopped
        Whether the time was over before the search was, and whether somebody stopped it.
    """

    limits: Limits | None = None
    fitting: tuple[Shape, ...] = ()
    others: tuple[Shape, ...] = ()
    tried: tuple[int, ...] = ()
    control: tuple[int, int] | None = None
    is_within: bool = False
    ran_out: bool = False
    was_stopped: bool = False


class Seeker:
    """Looks for the best net within a budget, and makes rows of all that it trains.

    Parameters
    ----------
    budget
        What the net may cost.
    shop
        Makes and measures rows; the original is in it.
    history
        The rows so far.
    clock
        Seconds without pauses.
    """

    def __init__(self, budget: Budget, shop: Workshop, history: History, clock: Callable[[], float]) -> None:
        self.budget = budget
        self.findings = Findings()
        self._shop, self._history, self._clock = shop, history, clock
        self._deadline = math.inf
        self._phase = 0

    @property
    def fraction(self) -> float:
        """About how much of the search is done, 0 to 1: what comes yet depends on what is found."""
        return min(1.0, self._phase / _PHASES)

    def work(self) -> Generator[Event, None, None]:
        """Search, and time all rows in the end.

        Raises
        ------
        ValueError
            If the budget contradicts the net's score.
        """
        self._deadline = self._clock() + self.budget.seconds
        found = self.findings
        yield from self._shop.time_rows([0])
        found.limits = limits = limits_of(self.budget, self._shop.task.metric_name, self._history[0].metrics)
        if limits.hold(self._history[0].metrics):
            found.is_within = True
            return
        try:
            yield from self._search(limits)
        except StopRequested:
            found.was_stopped = True
            raise
        yield from self._shop.time_rows()

    def _search(self, limits: Limits) -> Generator[Event, None, None]:
        self._phase = 1
        alone = yield from self._quantized(0, None)
        if any(limits.hold(self._history[row].metrics) for row in alone):
            return  # nothing is nearer to the original than the original's own weights
        self._phase = 2
        found = self.findings
        stage = self._shop.made[0].stage
        seed = trial_seed(self._shop.seed, 0)
        context = self._shop.context(0, stage, self._clock, seed)
        looking = shapes.find(stage, context, limits, self._history[0].metrics, self._shop.made[0].file, self._deadline)
        fitting, others = yield from own_stream(looking, seed)
        found.fitting, found.others = tuple(fitting), tuple(others)
        found.ran_out = self._clock() > self._deadline
        self._phase = 3
        entrants: list[tuple[int, Shape]] = []
        for shape in fitting:
            if self._clock() > self._deadline:
                found.ran_out = True
                break
            row = yield from self._chain(0, shapes.trained(shape, _SHORT))
            if row is not None:
                entrants.append((row, shape))
        finalists = self._finalists(self._best(entrants))
        if len(finalists) > 1:
            self._phase = 4
            longer = []
            for row, shape in finalists:
                longer.append(((yield from self._further(row, _MIDDLE)), shape))
            finalists = self._best(longer)
        self._phase = 5
        for row, shape in finalists:
            done = yield from self._further(row, _LONG)
            made = yield from self._quantized(done, shape)
            if found.ran_out:
                return
            if any(limits.hold(self._history[one].metrics) for one in (done, *made)):
                self._phase = 6
                yield from self._from_scratch(done, shape)
                return

    # Rows

    def _chain(self, after: int, steps: Sequence[Step]) -> Generator[Event, None, int | None]:
        """Do steps one after the other, as one row; return its number, None where it failed.

        A row of the same recipe that is there already is what would come out: a search that was stopped goes on.
        """
        before, number = self._shop.made[after], len(self._history)
        recipe = (*before.recipe, *steps)
        known = next((row for row, made in self._shop.made.items() if made.recipe == recipe), None)
        if known is not None:
            return known
        made = yield from self._shop.trial(number, steps, before.stage, recipe, self._clock)
        self.findings.tried += (number,)
        return None if made is None else number

    def _further(self, row: int, epochs: int) -> Generator[Event, None, int]:
        """Train a row on, as long as the time allows; return the row that came of it, the same where none did."""
        affordable = self._affordable(row, epochs)
        if not affordable:
            self.findings.ran_out = True
            return row
        following = yield from self._chain(row, [self._learning(affordable)])
        return row if following is None else following

    def _learning(self, epochs: int) -> Step:
        if self._shop.task.fit is None and self._shop.is_classification:
            return Distill(epochs, control=False)
        return FineTune(epochs)

    def _quantized(self, row: int, shape: Shape | None) -> Generator[Event, None, list[int]]:
        """Quantize a row in the form that is chosen by itself, and in others where that one breaks the budget."""
        limits, network = self.findings.limits, self._shop.made[row].stage.network
        assert limits is not None
        modes = ["auto", *([shape.form] if shape is not None and shape.form != "float" else []), "static", "weights"]
        made: list[int] = []
        for mode in dict.fromkeys(modes):
            step = Quantize(mode)  # type: ignore[arg-type]
            try:
                step.check(network)
            except ValueError:  # it has no layer that could be stored in few bits
                return made
            number = yield from self._chain(row, [step])
            if number is None:
                continue
            made.append(number)
            yield from self._shop.time_rows([0, number])
            is_lost = not limits.score_holds(self._history[row].metrics)  # in no form it will be better
            if limits.hold(self._history[number].metrics) or shape is None or is_lost:
                break
        return made

    def _from_scratch(self, row: int, shape: Shape) -> Generator[Event, None, None]:
        """Train the same shape anew for as long: the control."""
        epochs = sum(int(getattr(step, "epochs", 0)) for step in self._shop.made[row].recipe)
        affordable = self._affordable(row, epochs)
        if affordable < epochs:
            self.findings.ran_out = True
            return
        fresh = yield from self._chain(row, [FineTune(epochs, fresh=True)])
        if fresh is None:
            return
        self.findings.control = (fresh, row)
        if self._merit(fresh) > self._merit(row):
            yield from self._quantized(fresh, shape)

    # What decides

    def _best(self, rows: Sequence[tuple[int, Shape]]) -> list[tuple[int, Shape]]:
        """The rows by their score, the best first; of equal ones the smaller file."""
        return sorted(rows, key=lambda pair: self._merit(pair[0]), reverse=True)

    def _finalists(self, ranked: Sequence[tuple[int, Shape]]) -> list[tuple[int, Shape]]:
        """The best few: those that may well be as good as the first one, as far as the split can tell."""
        if not ranked:
            return []
        metric = self._shop.task.metric_name
        first = self._history[ranked[0][0]].metrics[metric]
        close = [pair for pair in ranked if self._history[pair[0]].metrics[f"{metric}_high"] >= first]
        return close[:_FINALISTS]

    def _merit(self, row: int) -> tuple[float, float]:
        figures = self._history[row].metrics
        return figures[self._shop.task.metric_name], -figures["size"]

    def _affordable(self, row: int, epochs: int) -> int:
        """How many epochs there is time for, judged by what those of this row have taken."""
        if not math.isfinite(self._deadline):
            return epochs
        trained = sum(int(getattr(step, "epochs", 0)) for step in self._shop.made[row].recipe[-1:])
        seconds = (self._history[row].seconds or 0.0) / max(1, trained)
        left = _SHARE_OF_TIME * (self._deadline - self._clock())
        return min(epochs, int(left / seconds)) if seconds > 0 and left > 0 else 0
