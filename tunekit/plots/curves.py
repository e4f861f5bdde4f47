"""The learning curves: what each trial reported after each of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, reach, room, whole_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More grey lines than this are one grey area, and cost time to draw.
_OTHERS = 40


@dataclass(frozen=True, slots=True)
class CurvesData:
    """What the picture shows.

    Parameters
    ----------
    metric
        The name of the score, in its own unit.
    best
        The curve of the best trial: the score after each step; empty where there is none.
    running
        The curves of the trials that run now.
    others, halted
        The curves of the other trials, newest last: of those that ended by themselves, and of those that early stopping
        has ended.
    title
        The finding.
    """

    metric: str
    best: tuple[float, ...]
    running: tuple[tuple[float, ...], ...]
    others: tuple[tuple[float, ...], ...]
    halted: tuple[tuple[float, ...], ...]
    title: str

    @property
    def all(self) -> tuple[tuple[float, ...], ...]:
        """Every curve of the picture; one without a value is none."""
        return tuple(curve for curve in (self.best, *self.running, *self.others, *self.halted) if curve)


def has_curves(history: History) -> bool:
    """Whether any trial has reported its score, so that there is something to see."""
    return any(_has_curve(trial, history.goal.metric) for trial in history)


def curves_data(history: History) -> CurvesData:
    """Compute what the picture shows from a history."""
    metric = history.goal.metric
    trials = [trial for trial in history if _has_curve(trial, metric)]
    leader = history.best
    running = [trial for trial in trials if trial.state == "running"]
    halted = [trial for trial in trials if trial.state == "halted"]
    others = [trial for trial in trials if trial.state not in ("running", "halted") and trial is not leader]
    return CurvesData(
        metric,
        () if leader is None else _curve(leader, metric),
        tuple(_curve(trial, metric) for trial in running),
        tuple(_curve(trial, metric) for trial in others[-_OTHERS:]),
        tuple(_curve(trial, metric) for trial in halted[-_OTHERS:]),
        _title(history, leader, running, len(halted)),
    )


def _title(history: History, leader: Trial | None, running: list[Trial], halted: int) -> str:
    aim = history.goal.aim
    scored = [trial for trial in running if aim.metric in trial.reports[-1]]
    if scored:
        ahead = max(scored, key=lambda trial: aim.gain(trial.reports[-1][aim.metric]))
        lead = "" if len(running) == 1 else f", ahead of {text.plural(len(running) - 1, 'other')} now"
        figure = text.number(ahead.reports[-1][aim.metric])
        return f"{_name(ahead)}: {figure} after {text.plural(len(ahead.reports), 'step')}{lead}"
    early = f"; {halted} halted" if halted else ""
    if leader is not None and leader.reports:
        return f"{_name(leader)} learned {'' if len(history.goal.aims) == 1 else f'{aim.metric} '}best{early}"
    ended = [trial for trial in history if _has_curve(trial, aim.metric)]
    if ended:
        return f"{_name(ended[-1])}: {text.number(_curve(ended[-1], aim.metric)[-1])} at the end"
    return "No step reported yet"


def _name(trial: Trial) -> str:
    """Name a step of a recipe by its kind, and another trial by its number."""
    return str(trial.params.get("step", f"Trial {trial.number}")).partition("(")[0]


def _has_curve(trial: Trial, metric: str) -> bool:
    return any(metric in report for report in trial.reports)


def _curve(trial: Trial, metric: str) -> tuple[float, ...]:
    return tuple(report[metric] for report in trial.reports if metric in report)


def draw_curves(axes: Axes, data: CurvesData) -> None:
    """Draw it: the best in the accent colour, running ones dotted, others thin and grey, a cross where one halted."""
    label(axes, data.title, "step", data.metric)
    whole_numbers(axes)
    if not data.all:
        hide(axes)
        return
    longest = max(map(len, data.all))
    reach(axes, (0.8, max(longest, 2) + 0.2), room([value for curve in data.all for value in curve]))
    quiet = (*data.others, *data.halted)
    # all of a kind as one line with gaps: dozens of lines take ten times as long
    axes.plot(*_joined(quiet), "-", color=QUIET, linewidth=0.7)
    if points := [curve for curve in quiet if len(curve) == 1]:
        axes.plot(*_ends(points), ".", color=QUIET)
    if data.halted:
        axes.plot(*_ends(data.halted), "x", color=QUIET, markersize=4.5, markeredgewidth=1.0)
    _draw(axes, data.best, "-", color=ACCENT, linewidth=1.8, marker="o", markersize=3.5)
    for curve in data.running:
        _draw(axes, curve, ":", color=QUIET, linewidth=1.8, marker="o", markersize=3.5)


def _joined(curves: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Steps and scores of several curves, one after the other with a gap between."""
    across = [step for curve in curves for step in (*range(1, len(curve) + 1), math.nan)]
    return across, [score for curve in curves for score in (*curve, math.nan)]


def _ends(curves: Sequence[Sequence[float]]) -> tuple[list[int], list[float]]:
    return [len(curve) for curve in curves], [curve[-1] for curve in curves]


def _draw(axes: Axes, curve: tuple[float, ...], style: str, **look: Any) -> None:
    axes.plot(range(1, len(curve) + 1), curve, style, **look)


@plots.register("curves")
def plot_curves(job: Job) -> Figure:
    """Draw what each trial reported after each of its steps."""
    figure, (axes,) = new_figure()
    draw_curves(axes, curves_data(job.history))
    return figure
