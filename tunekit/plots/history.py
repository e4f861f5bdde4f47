"""The scores of all trials in order, and the best so far: of the first aim, where there are several."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.observed import observed
from tunekit.insight.random_band import random_band
from tunekit.insight.surrogate import LEAST
from tunekit.plots import plots
from tunekit.plots.outliers import beyond, kept_range
from tunekit.plots.theme import ACCENT, QUIET, WARNING, hide, label, new_figure, reach, room, whole_numbers
from tunekit.search.space import Space
from tunekit.search.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# What a title says of how a search stands to random ones.
_BESIDE = {"ahead of": "better than", "within": "like", "behind": "worse than"}


@dataclass(frozen=True, slots=True)
class HistoryData:
    """What the picture shows.

    Parameters
    ----------
    metric
        The name of the score, in its own unit.
    numbers, scores
        The number and score of each complete trial that keeps the limits; same length, in order.
    best
        The best score up to each of them.
    best_number
        The number of the best trial, or None.
    outside_numbers, outside_scores
        The number and score of each complete trial that breaks a limit; same length, in order.
    failed
        The numbers of the failed trials.
    low, high
        The scores between which the picture reaches: one that diverged does not flatten the others. 0 without a score.
    title
        The finding.
    random_numbers, random_low, random_high
        What the best would be after so many trials at random: the bounds that hold 95 % of such searches, at the number
        of each trial that has ended; of equal length, empty where that is not asked for or not known.
    """

    metric: str
    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[float, ...]
    best_number: int | None
    outside_numbers: tuple[int, ...]
    outside_scores: tuple[float, ...]
    failed: tuple[int, ...]
    low: float
    high: float
    title: str
    random_numbers: tuple[int, ...] = ()
    random_low: tuple[float, ...] = ()
    random_high: tuple[float, ...] = ()

    @property
    def left_out(self) -> str:
        """How many scores are beyond the picture, in words; empty where there is none."""
        return beyond([*self.scores, *self.outside_scores], self.low, self.high)


def history_data(history: History) -> HistoryData:
    """Compute what the picture shows from a history."""
    goal = history.goal
    scored = [(trial, score) for trial in history.complete if (score := goal.score(trial)) is not None]
    # read after the scores, for a trial may end meanwhile
    feasible = {trial.number for trial in history.feasible}
    counting = [(trial.number, score) for trial, score in scored if trial.number in feasible]
    outside = [(trial.number, score) for trial, score in scored if trial.number not in feasible]
    best: list[float] = []
    for _, score in counting:
        best.append(score if not best or goal.aim.better(score, best[-1]) else best[-1])
    leader = counting[best.index(best[-1])] if counting else None
    failed = tuple(trial.number for trial in history if trial.state == "failed")
    everything = [score for _, score in scored]
    low, high = kept_range(everything, maximize=goal.aim.maximize) if everything else (0.0, 0.0)
    # with as many figures as tell it from the worst
    shown = text.told_apart(leader[1], min(everything, key=goal.aim.gain))[0] if leader else ""
    return HistoryData(
        goal.metric,
        tuple(number for number, _ in counting),
        tuple(score for _, score in counting),
        tuple(best),
        leader[0] if leader else None,
        tuple(number for number, _ in outside),
        tuple(score for _, score in outside),
        failed,
        low,
        high,
        _title(history, leader[0] if leader else None, shown),
    )


def beside_random(data: HistoryData, history: History, space: Space) -> HistoryData:
    """The same with what random search would have come to; as it is where too few trials tell, or there are limits.

    It takes seconds where there are many trials: a picture that is drawn again and again goes without.
    """
    seen = observed(history, space)
    if seen.complete < LEAST or not data.best or history.goal.limits:
        return data
    ended = [trial.number for trial in history if trial.state in ("complete", "failed", "halted")]
    band = random_band(history, space, trials=len(ended))
    low, high = (tuple(map(float, each)) for each in (band.low, band.high))
    stands = band.beside(data.best[-1], history.goal.aim)
    least, most = text.told_apart(low[-1], high[-1])
    best = text.told_apart(data.best[-1], low[-1])[0]
    if stands != "within":
        best, least, most = text.told_apart(data.best[-1], low[-1], high[-1])
    said = f"{_title(history, data.best_number, best)}; {_BESIDE[stands]} random search ({least} to {most})"
    return replace(data, title=said, random_numbers=tuple(ended), random_low=low, random_high=high)


def _title(history: History, leader: int | None, score: str) -> str:
    metric = history.goal.metric
    if leader is None:
        return f"No {metric} within the limits yet" if history.complete else "No score yet"
    best = f"{metric} {score}, at trial {leader}"
    if len(history.goal.aims) == 1:
        return f"Best {best}"
    return f"Front of {text.plural(len(history.front), 'trial')}; best {best}"


def draw_history(axes: Axes, data: HistoryData) -> None:
    """Draw it: trials in grey, hollow outside of the limits, the best so far in the accent colour, failures below."""
    label(axes, data.title, f"trial ({data.left_out})" if data.left_out else "trial", data.metric)
    whole_numbers(axes)
    everything = (*data.scores, *data.outside_scores)
    if not everything and not data.failed:
        hide(axes)
    last = max((*data.numbers, *data.outside_numbers, *data.failed, 1))
    reach(axes, (-0.5, last + 0.5), room([data.low, data.high]) if everything else None)
    if data.left_out:
        _mark_left_out(axes, data)
    if not everything:
        axes.tick_params(left=False, labelleft=False)
    if data.random_numbers:
        axes.fill_between(data.random_numbers, data.random_low, data.random_high, color=QUIET, alpha=0.2, linewidth=0)
    if data.outside_scores:
        axes.plot(data.outside_numbers, data.outside_scores, "o", color=QUIET, markersize=3.5, fillstyle="none")
    if data.scores:
        axes.plot(data.numbers, data.scores, "o", color=QUIET, markersize=3.5, markeredgewidth=0)
        axes.plot(data.numbers, data.best, color=ACCENT, linewidth=1.6, drawstyle="steps-post", solid_capstyle="butt")
        place = data.numbers.index(data.best_number) if data.best_number is not None else 0
        axes.plot(data.numbers[place], data.scores[place], "o", color=ACCENT, markersize=6.5, markeredgewidth=0)
    if data.failed:
        bottom = axes.get_ylim()[0]
        axes.plot(data.failed, [bottom] * len(data.failed), "x", color=WARNING, markersize=5, clip_on=False)


def _mark_left_out(axes: Axes, data: HistoryData) -> None:
    """An arrow at the edge for each score that is beyond it."""
    numbers, scores = (*data.numbers, *data.outside_numbers), (*data.scores, *data.outside_scores)
    points = list(zip(numbers, scores, strict=True))
    below = [number for number, score in points if score < data.low]
    above = [number for number, score in points if score > data.high]
    for edge, out, marker in zip(axes.get_ylim(), (below, above), "v^", strict=True):
        if out:
            axes.plot(out, [edge] * len(out), marker, color=QUIET, markersize=4, markeredgewidth=0, clip_on=False)


@plots.register("history")
def plot_history(job: Job, *, random: bool = True) -> Figure:
    """Draw the scores of all trials in order, and the best so far; grey: what random search would have come to."""
    data = history_data(job.history)
    if random and isinstance(job, Study):
        data = beside_random(data, job.history, job.space)
    figure, (axes,) = new_figure()
    draw_history(axes, data)
    return figure
