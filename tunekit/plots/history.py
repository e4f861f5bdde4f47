"""The scores of all trials in order, and the best so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, WARNING, hide, label, new_figure, room, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class HistoryData:
    """What the picture shows.

    Parameters
    ----------
    metric
        The name of the score, in its own unit.
    numbers, scores
        Each complete trial's number and score; same length, in order.
    best
        The best score up to each of them.
    best_number
        The number of the best trial, or None.
    failed
        The numbers of the failed trials.
    title
        The finding.
    """

    metric: str
    numbers: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[float, ...]
    best_number: int | None
    failed: tuple[int, ...]
    title: str


def history_data(history: History) -> HistoryData:
    """Compute what the picture shows from a history."""
    goal = history.goal
    numbers: list[int] = []
    scores: list[float] = []
    best: list[float] = []
    for trial in history:
        score = goal.score(trial)
        if score is not None:
            numbers.append(trial.number)
            scores.append(score)
            best.append(score if not best or goal.aim.better(score, best[-1]) else best[-1])
    leader = history.best
    title = (
        f"Best {goal.metric} {text.number(best[-1])}, at trial {leader.number}"
        if leader is not None
        else "No score yet"
    )
    failed = tuple(trial.number for trial in history if trial.state == "failed")
    return HistoryData(
        goal.metric, tuple(numbers), tuple(scores), tuple(best), leader.number if leader else None, failed, title
    )


def draw_history(axes: Axes, data: HistoryData) -> None:
    """Draw it: trials in grey, the best so far in the accent colour, failures at the lower edge."""
    label(axes, data.title, "trial", data.metric)
    whole_numbers(axes)
    if not data.scores and not data.failed:
        hide(axes)
    last = max((*data.numbers, *data.failed, 1))
    axes.set_xlim(-0.5, last + 0.5)
    if data.scores:
        axes.set_ylim(*room(data.scores))
        axes.plot(data.numbers, data.scores, "o", color=QUIET, markersize=3.5, markeredgewidth=0)
        axes.plot(data.numbers, data.best, color=ACCENT, linewidth=1.6, drawstyle="steps-post", solid_capstyle="butt")
        place = data.numbers.index(data.best_number) if data.best_number is not None else 0
        axes.plot(data.numbers[place], data.scores[place], "o", color=ACCENT, markersize=6.5, markeredgewidth=0)
    if data.failed:
        bottom = axes.get_ylim()[0]
        axes.plot(data.failed, [bottom] * len(data.failed), "x", color=WARNING, markersize=5, clip_on=False)


@plots.register("history")
def plot_history(job: Job) -> Figure:
    """Draw the scores of all trials in order, and the best so far."""
    figure, (axes,) = new_figure()
    draw_history(axes, history_data(job.history))
    return figure
