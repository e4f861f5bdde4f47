"""The search for the best net within a budget: cheap things first, training only for what is small enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunekit.compress.finding import Search
from tunekit.compress.limits import limits_of
from tunekit.compress.packing import Packing
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.randomness import own_stream
from tunekit.compress.sharing import Share
from tunekit.compress.ways import FASTER, RATE, SLOWER, Entrant, Way
from tunekit.compress.workshop import Made
from tunekit.core.events import Event
from tunekit.core.job import StopRequested
from tunekit.core.seeds import trial_seed

if TYPE_CHECKING:
    from tunekit.compress.budget import Budget
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.sensitivity import Sensitivity
    from tunekit.compress.shapes import Shape
    from tunekit.compress.stage import Stage
    from tunekit.compress.workshop import Workshop
    from tunekit.core.history import History

# Epochs of the rounds: all shapes, those that may be the best, and to the end.
_SHORT, _MIDDLE, _LONG = 4, 4, 16
# How many may be the best, and are trained to the end one after the other before the budget is given up.
_FINALISTS = 2
# In how many ways the best shape is trained to the end.
_WAYS = 2
# Bits of shared values that are tried without any training, the least loss first.
_BITS_ALONE = (6, 5, 4, 3)
# Of the time that is left, what one training may take: the rest is for what comes after it.
_SHARE_OF_TIME = 0.5
# What the bar of a search counts: quantizing, measuring shapes, four rounds of training, the control.
_PHASES = 8


@dataclass(slots=True)
class Findings:
    """What a search has found out so far.

    Parameters
    ----------
    limits
        The budget in figures; None until the original is measured.
    fitting, others
        Shapes that keep the costs, and those that come near.
    sensitivity
        What single layers may lose of their channels; None where that was not measured.
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
    sensitivity: Sensitivity | None = None
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
        yield from self._timed([0])
        if self._limits.hold(self._history[0].metrics):
            found.is_within = True
            return
        try:
            yield from self._search()
        except StopRequested:
            found.was_stopped = True
            raise
        yield from self._timed()

    @property
    def _limits(self) -> Limits:
        limits = self.findings.limits
        assert limits is not None  # the original is timed before anything else
        return limits

    def _timed(self, rows: Sequence[int] | None = None) -> Generator[Event, None, None]:
        """Time rows in turn, the original among them: a share of its latency is one of what it takes now."""
        yield from self._shop.time_rows(rows)
        metric, figures = self._shop.task.metric_name, self._history[0].metrics
        self.findings.limits = limits_of(self.budget, metric, figures)

    def _search(self) -> Generator[Event, None, None]:
        self._phase = 1
        alone = yield from self._untrained()
        if self._is_kept(*alone):
            return  # nothing is nearer to the original than the original's own weights
        self._phase = 2
        found = self.findings
        fitting, others = yield from own_stream(self._shapes(), trial_seed(self._shop.seed, 0))
        found.fitting, found.others = tuple(fitting), tuple(others)
        found.ran_out = self._clock() > self._deadline
        self._phase = 3
        entrants: list[Entrant] = []
        for shape in fitting:
            if self._clock() > self._deadline:
                found.ran_out = True
                break
            row = yield from self._chain(0, shape.trained(_SHORT, self._usual.learning_rate))
            if row is not None:
                entrants.append(Entrant(row, shape, self._usual))
        finalists = yield from self._ranked(self._finalists(self._best(entrants)))
        self._phase = 6
        for place, ways in enumerate(finalists):
            # a few epochs said little about many: the best ways go on to the end
            done = (yield from self._all_further(ways, _LONG))[0]
            made = yield from self._quantized(done.row, done.shape)
            if found.ran_out:
                return
            if place == 0 or self._is_kept(done.row, *made):
                # where little is left of a net, its own weights may be no better a start than random ones
                self._phase = 7
                made += yield from self._from_scratch(done)
            if self._is_kept(done.row, *made):
                return

    def _is_kept(self, *rows: int) -> bool:
        return any(self._limits.hold(self._history[row].metrics) for row in rows)

    def _ranked(self, finalists: list[Entrant]) -> Generator[Event, None, list[list[Entrant]]]:
        """Train them on to see which shape is best, and that one in each way; return all, each in its best ways."""
        begun = finalists
        self._phase = 4
        if len(finalists) > 1:
            finalists = yield from self._all_further(finalists, _MIDDLE)
        if not finalists or self._shop.task.fit is not None or finalists[0].shape.is_packed:
            return [[one] for one in finalists]
        self._phase = 5
        first, *others = finalists
        tried = self._best((yield from self._tried(next(one for one in begun if one.shape is first.shape))))
        if not tried:
            return [[one] for one in finalists]
        return [tried[:_WAYS], *([replace(one, way=tried[0].way)] for one in others)]

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
        if self._shop.is_classification:
            yield from attempt(Way(rate(), is_taught=True))
        return tried

    @property
    def _usual(self) -> Way:
        """How nets are trained before anything is known; the task's own loop has a rate of its own."""
        return Way(RATE if self._shop.task.fit is None else SLOWER)

    def _shapes(self) -> Generator[Event, None, tuple[list[Shape], list[Shape]]]:
        """Those that cost little enough, and those that come near."""
        made, limits = self._shop.made[0], self._limits
        costs = limits.without("bundle")
        context = self._shop.context(0, made.stage, self._clock, trial_seed(self._shop.seed, 0))
        fitting: list[Shape] = []
        others: list[Shape] = []
        if costs.most:
            figures = self._history[0].metrics
            looking = Search(made.stage, context, costs, figures, made.file, self._deadline)
            fitting, others = yield from looking.find()
            self.findings.sensitivity = looking.sensitivity
        if "bundle" not in limits.most or (costs.most and not fitting):
            return fitting, others
        return (yield from Packing(made.stage, context, limits, self._bundle_bytes).find(fitting))

    def _bundle_bytes(self, stage: Stage, steps: Sequence[Step]) -> int:
        """About: the figures that stand in it are the original's."""
        made = Made(stage, self._shop.file(stage), tuple(steps))
        return self._shop.bundle_bytes(made, self._history[0].metrics)

    # Rows

    def _untrained(self) -> Generator[Event, None, list[int]]:
        """What needs no training: int8 alone; for a bundle, shared values alone."""
        made: list[int] = []
        limits = self._limits
        if limits.without("bundle").most:
            made = yield from self._quantized(0, None)
        if "bundle" not in limits.most:
            return made
        for bits in _BITS_ALONE:
            row = yield from self._chain(0, [Share(bits)])
            if row is None:
                continue
            made.append(row)
            figures = self._history[row].metrics
            if limits.costs_hold(figures) or not limits.score_holds(figures):
                break  # fewer bits are smaller, and worse
        return made

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
            following = yield from self._chain(0, one.shape.trained(affordable, one.way.learning_rate))
        else:
            following = yield from self._chain(one.row, one.way.steps(affordable))
        return one if following is None else replace(one, row=following)

    def _quantized(self, row: int, shape: Shape | None) -> Generator[Event, None, list[int]]:
        """Quantize a row in the form that is chosen by itself, and in others where that one breaks the budget."""
        network = self._shop.made[row].stage.network
        if shape is not None and shape.is_packed and self._limits.hold(self._history[row].metrics):
            return []
        known = [] if shape is None or shape.form == "float" else [shape.form]
        # the form that was timed comes first where time counts; else the one that is the fastest
        first = [*known, "auto"] if "latency" in self._limits.most else ["auto", *known]
        modes = [*first, "static", "weights"]
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
            yield from self._timed([0, number])
            # where both miss the score, another form will not be so much better
            is_lost = not any(self._limits.score_holds(self._history[one].metrics) for one in (row, number))
            if self._limits.hold(self._history[number].metrics) or shape is None or is_lost:
                break
        return made

    def _from_scratch(self, done: Entrant) -> Generator[Event, None, list[int]]:
        """Train the same shape anew for as long, the control; return the rows. Zeros and shared values are no shape."""
        self.findings.control = None  # that of an earlier finalist says nothing about this one
        if done.shape.is_packed:
            return []
        epochs = sum(int(getattr(step, "epochs", 0)) for step in self._shop.made[done.row].recipe)
        affordable = self._affordable(done.row, epochs)
        if affordable < epochs:
            self.findings.ran_out = True
            return []
        fresh = yield from self._chain(done.row, done.way.from_scratch(epochs))
        if fresh is None:
            return []
        self.findings.control = (fresh, done.row)
        if self._merit(fresh) <= self._merit(done.row):
            return [fresh]
        return [fresh, *(yield from self._quantized(fresh, done.shape))]

    # What decides

    def _best(self, entrants: Sequence[Entrant]) -> list[Entrant]:
        """By their scores, the best first; of equal ones the smaller file, and the one that has a teacher."""
        return sorted(entrants, key=lambda one: (*self._merit(one.row), one.way.is_taught), reverse=True)

    def _finalists(self, ranked: Sequence[Entrant]) -> list[Entrant]:
        """The best few: those that may well be as good as the first one, as far as the split can tell."""
        if not ranked:
            return []
        metric = self._shop.task.metric_name
        first = self._history[ranked[0].row].metrics[metric]
        close = [one for one in ranked if self._history[one.row].metrics[f"{metric}_high"] >= first]
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
