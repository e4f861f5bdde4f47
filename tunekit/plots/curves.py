"""The learning curves: what each trial reported after each of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room, whole_numbers

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
    best, current
        The curve of the best trial and of the running one: the score after each step; empty where there is none.
    others
        The curves of the other trials, newest last.
    title
        The finding.
    """

    metric: str
    best: tuple[float, ...]
    current: tuple[float, ...]
    others: tuple[tuple[float, ...], ...]
    title: str


def curves_data(history: History) -> CurvesData:
    """Compute what the picture shows from a history."""
    metric = history.goal.metric
    trials = [trial for trial in history if trial.reports]
    leader = history.best
    running = next((trial for trial in reversed(trials) if trial.state == "running"), None)
    if running is not None:
        steps = text.plural(len(running.reports), "step")
        title = f"{_name(running)}: {text.number(_curve(running, metric)[-1])} after {steps}"
    elif leader is not None and leader.reports:
        title = f"{_name(leader)} learned {'' if len(history.goal.aims) == 1 else f'{metric} '}best"
    elif trials:
        title = f"{_name(trials[-1])}: {text.number(_curve(trials[-1], metric)[-1])} at the end"
    else:
        title = "No step reported yet"
    others = [trial for trial in trials if trial is not running and trial is not leader][-_OTHERS:]
    return CurvesData(
        metric,
        _curve(leader, metric),
        _curve(running, metric),
        tuple(_curve(trial, metric) for trial in others),
        title,
    )


def _name(trial: Trial) -> str:
    """Name a step of a recipe by its kind, and another trial by its number."""
    return str(trial.params.get("step", f"Trial {trial.number}")).partition("(")[0]


def _curve(trial: Trial | None, metric: str) -> tuple[float, ...]:
    return () if trial is None else tuple(report[metric] for report in trial.reports if metric in report)


def draw_curves(axes: Axes, data: CurvesData) -> None:
    """Draw it: the best in the accent colour, the running one dashed, the others thin and grey."""
    label(axes, data.title, "step", data.metric)
    whole_numbers(axes)
    everything = [value for curve in (*data.others, data.best, data.current) for value in curve]
    if not everything:
        hide(axes)
        return
    longest = max(len(curve) for curve in (*data.others, data.best, data.current))
    axes.set_xlim(0.8, max(longest, 2) + 0.2)
    axes.set_ylim(*room(everything))
    for curve in data.others:
        axes.plot(range(1, len(curve) + 1), curve, color=QUIET, linewidth=0.7, marker="." if len(curve) == 1 else "")
    for curve, style in ((data.best, "-"), (data.current, ":")):
        color = ACCENT if style == "-" else QUIET
        axes.plot(range(1, len(curve) + 1), curve, style, color=color, linewidth=1.8, marker="o", markersize=3.5)


@plots.register("curves")
def plot_curves(job: Job) -> Figure:
    """Draw what each trial reported after each of its steps."""
    figure, (axes,) = new_figure()
    draw_curves(axes, curves_data(job.history))
    return figure
