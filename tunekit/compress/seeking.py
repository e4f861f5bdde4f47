"""The search for the best net within a budget: cheap things first, training only for what is small enough."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from tunekit.compress.finding import Search
from tunekit.compress.findings import Findings
from tunekit.compress.limits import limits_of
from tunekit.compress.nearing import Nearing
from tunekit.compress.packing import Packing
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.racing import Race
from tunekit.compress.randomness import own_stream
from tunekit.compress.sharing import Share
from tunekit.compress.ways import Entrant
from tunekit.compress.workshop import Made
from tunekit.core.events import Event
from tunekit.core.job import StopRequested
from tunekit.core.seeds import trial_seed

if TYPE_CHECKING:
    from tunekit.compress.budget import Budget
    from tunekit.compress.limits import Limits
    from tunekit.compress.recipe import Step
    from tunekit.compress.shapes import Shape
    from tunekit.compress.stage import Stage
    from tunekit.compress.workshop import Workshop
    from tunekit.core.history import History

# Bits of shared values that are tried without any training, the least loss first.
_BITS_ALONE = (6, 5, 4, 3)
# What the bar of a search counts: quantizing, measuring shapes, four rounds of training, the control, and what is
# nearest to a budget that cannot be kept.
_PHASES = 9


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
        self._race = Race(shop, history, clock, self.findings)
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
        self._race.deadline = self._clock() + self.budget.seconds
        found = self.findings
        yield from self._timed([0])
        if self._limits.hold(self._history[0].metrics):
            found.is_within = True
            return
        try:
            if not (yield from self._search()):
                self._phase = 8
                yield from Nearing(self._race, self._history, found, self._shapes, self._quantized).work()
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

    def _search(self) -> Generator[Event, None, bool]:
        """Look for what keeps the budget; return whether something does."""
        self._phase = 1
        alone = yield from self._untrained()
        if self._is_kept(*alone):
            return True  # nothing is nearer to the original than the original's own weights
        self._phase = 2
        found = self.findings
        found.sought = self._limits
        fitting, others = yield from own_stream(self._shapes(), trial_seed(self._shop.seed, 0))
        found.fitting, found.others = tuple(fitting), tuple(others)
        found.ran_out = self._clock() > self._race.deadline
        self._phase = 3
        begun = yield from self._race.heats(fitting)
        self._phase = 4
        ranked = yield from self._race.middle(begun)
        self._phase = 5
        finalists = yield from self._race.in_each_way(ranked, begun)
        self._phase = 6
        near: list[Entrant] = []
        kept: Entrant | None = None
        for place, ways in enumerate(finalists):
            done = yield from self._race.to_the_end(ways)
            if kept is not None and self._race.merit(done.row) <= self._race.merit(kept.row):
                continue
            rows = yield from self._finished(done, is_first=place == 0)
            if self._is_kept(*rows):
                kept = done
            elif any(self._nearly_holds(row) for row in rows):
                near.append(done)
            # where time is limited, to find the first one has taken long enough
            if found.ran_out or (kept is not None and "latency" in self._limits.most):
                break
        if kept is not None or found.ran_out:
            return kept is not None
        if near:
            best = max(near, key=lambda one: self._race.merit(one.row))
            done = yield from self._race.to_the_end([best])
            if done.row != best.row:
                rows = yield from self._finished(done, is_first=False)
                return self._is_kept(*rows)
        return False

    def _finished(self, done: Entrant, *, is_first: bool) -> Generator[Event, None, list[int]]:
        """Quantize a net that was trained to the end, beside the same shape trained from scratch; return the rows."""
        rows = [done.row, *(yield from self._quantized(done.row, done.shape))]
        if self.findings.ran_out or not (is_first or self._leads(rows)):
            return rows
        # where little is left of a net, its own weights may be no better a start than random ones
        self._phase = 7
        fresh = yield from self._race.from_scratch(done)
        if fresh is not None and self._race.merit(fresh) > self._race.merit(done.row):
            rows += [fresh, *(yield from self._quantized(fresh, done.shape))]
        return rows

    def _nearly_holds(self, row: int) -> bool:
        """Whether a row costs little enough and misses the score by so little that the split can hardly tell."""
        limits, figures = self._limits, self._history[row].metrics
        return limits.costs_hold(figures) and figures[f"{limits.metric}_high"] >= limits.floor

    def _leads(self, rows: Sequence[int]) -> bool:
        """Whether the best of all rows that keep the budget is among these."""
        kept = [row for row in self._shop.made if self._is_kept(row)]
        return bool(kept) and max(kept, key=self._race.merit) in rows

    def _is_kept(self, *rows: int) -> bool:
        return any(self._limits.hold(self._history[row].metrics) for row in rows)

    def _shapes(self, allowed: float = 1.0) -> Generator[Event, None, tuple[list[Shape], list[Shape]]]:
        """Those that cost at most so many times what they may, and all others that were measured."""
        made, limits = self._shop.made[0], self._limits.looser(allowed)
        costs = limits.without("bundle")
        context = self._shop.context(0, made.stage, self._clock, trial_seed(self._shop.seed, 0))
        fitting: list[Shape] = []
        others: list[Shape] = []
        if costs.most:
            figures = self._history[0].metrics
            looking = Search(
                made.stage, context, costs, figures, made.file, self._race.deadline, one_is_enough=allowed > 1
            )
            fitting, others = yield from looking.find()
            self.findings.sensitivity = looking.sensitivity or self.findings.sensitivity
        if "bundle" not in limits.most or (costs.most and not fitting):
            return fitting, others
        return (yield from Packing(made.stage, context, limits, self._bundle_bytes).find(fitting))

    def _bundle_bytes(self, stage: Stage, steps: Sequence[Step]) -> int:
        """About: the figures that stand in it are the original's."""
        made = Made(stage, self._shop.file(stage), tuple(steps))
        return self._shop.bundle_bytes(made, self._history[0].metrics)

    def _untrained(self) -> Generator[Event, None, list[int]]:
        """What needs no training: int8 alone; for a bundle, shared values alone."""
        made: list[int] = []
        limits = self._limits
        if limits.without("bundle").most:
            made = yield from self._quantized(0, None)
        if "bundle" not in limits.most:
            return made
        for bits in _BITS_ALONE:
            row = yield from self._race.chain(0, [Share(bits)])
            if row is None:
                continue
            made.append(row)
            figures = self._history[row].metrics
            if limits.costs_hold(figures) or not limits.score_holds(figures):
                break  # fewer bits are smaller, and worse
        return made

    def _quantized(self, row: int, shape: Shape | None, allowed: float = 1.0) -> Generator[Event, None, list[int]]:
        """Quantize a row in the form that is chosen by itself, and in others where that one costs more than it may."""
        network = self._shop.made[row].stage.network
        if shape is not None and shape.is_packed and self._limits.looser(allowed).hold(self._history[row].metrics):
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
            number = yield from self._race.chain(row, [step])
            if number is None:
                continue
            made.append(number)
            yield from self._timed([0, number])
            # where both miss the score, another form will not be so much better
            is_lost = not any(self._limits.score_holds(self._history[one].metrics) for one in (row, number))
            limits = self._limits.looser(allowed)
            if limits.hold(self._history[number].metrics) or shape is None or is_lost:
                break
        return made
