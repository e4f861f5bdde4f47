"""The front of a study with several aims: which trials no other one beats, in its first two aims."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.goal import Aim
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.scales import scale
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room
from tunekit.search.parameters import Float

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FrontData:
    """What the picture shows.

    Parameters
    ----------
    across, up
        The metrics of the second and of the first aim.
    front
        The trials that no other one beats, each as its values of the two, in their own units; by ``across``.
    others
        The other trials that keep the limits, the same.
    outside
        The trials that break a limit, the same.
    steps
        How matplotlib draws the edge of what is beaten, ``"steps-pre"`` or ``"steps-post"``; None with more than two
        aims, where there is no such edge in the plane.
    title
        The finding.
    originals
        Where each trial is a net that was compressed, what it was before, the same.
    corner
        The values of the two that the hypervolume is measured from: the worst of each among the complete trials. None
        without a front in the plane.
    hypervolume
        What the front covers from that corner, in the product of their units; 0 without a front in the plane.
    """

    across: str
    up: str
    front: Points
    others: Points
    outside: Points
    steps: str | None
    title: str
    originals: Points = ()
    corner: tuple[float, float] | None = None
    hypervolume: float = 0.0


def front_data(history: History) -> FrontData:
    """Compute what the picture shows from a history."""
    aims = history.goal.aims
    if len(aims) < 2:
        return FrontData("", aims[0].metric, (), (), (), None, f"One aim, {aims[0].metric}, has a best and no front")
    up, across = aims[:2]

    def points(trials: list[Trial]) -> Points:
        return tuple((trial.metrics[across.metric], trial.metrics[up.metric]) for trial in trials)

    front, feasible = history.front, history.feasible
    on_front, counting = {trial.number for trial in front}, {trial.number for trial in feasible}
    return FrontData(
        across.metric,
        up.metric,
        tuple(sorted(points(front))),
        points([trial for trial in feasible if trial.number not in on_front]),
        points([trial for trial in history.complete if trial.number not in counting]),
        None if len(aims) > 2 else "steps-pre" if across.maximize else "steps-post",
        _title(history),
        _originals(history, across.metric, up.metric),
        _corner(history, across, up) if front and len(aims) == 2 else None,
        history.hypervolume() if len(aims) == 2 else 0.0,
    )


def _corner(history: History, across: Aim, up: Aim) -> tuple[float, float]:
    """The worst value of each of the two among the complete trials."""
    return (
        min((trial.metrics[across.metric] for trial in history.complete), key=across.gain),
        min((trial.metrics[up.metric] for trial in history.complete), key=up.gain),
    )


def _originals(history: History, across: str, up: str) -> Points:
    """A pipeline says of each net what it was before it was compressed."""
    names = (f"original_{across}", f"original_{up}")
    known = [trial.metrics for trial in history.complete if all(name in trial.metrics for name in names)]
    return tuple(sorted({(metrics[names[0]], metrics[names[1]]) for metrics in known}))


def _title(history: History) -> str:
    front, aims = history.front, history.goal.aims
    if not front:
        return "None within the limits yet" if history.complete else "No trial complete yet"
    title = f"Front of {text.plural(len(front), 'trial')}"
    if len(front) > 1:
        metric = history.goal.metric
        values = sorted(trial.metrics[metric] for trial in front)
        title += f", {metric} from {' to '.join(text.told_apart(values[0], values[-1]))}"
    if len(aims) > 2:
        return f"{title} (2 of {len(aims)} aims)"
    return title


def draw_front(axes: Axes, data: FrontData) -> None:
    """Draw it: the front in the accent colour, the others in grey, hollow outside of the limits, originals crosses."""
    label(axes, data.title, data.across, data.up)
    everything = (*data.front, *data.others, *data.outside, *data.originals)
    if not everything:
        hide(axes)
        return
    values = [across for across, _ in everything]
    if data.originals and min(values) > 0:  # they are several times larger
        axes.set_xscale("log")
        low, high = (10**bound for bound in room([math.log10(value) for value in values]))
        axes.set_xlim(low, high)
        marks = scale(data.across, Float(low, high, log=True)).ticks
        axes.set_xticks([low * (high / low) ** at for at, _ in marks], [written for _, written in marks])
        axes.minorticks_off()
    else:
        axes.set_xlim(*room(values))
    axes.set_ylim(*room([up for _, up in everything]))
    for points, fill in ((data.others, "full"), (data.outside, "none")):
        axes.plot(*_columns(points), "o", color=QUIET, markersize=3.5, fillstyle=fill)
    axes.plot(*_columns(data.originals), "x", color=QUIET, markersize=4.5, label="before compression")
    if data.originals:
        axes.legend(loc="lower right", fontsize=8, frameon=False, labelcolor=QUIET, handletextpad=0.2)
    if data.corner is not None and data.steps is not None:
        axes.fill(*_columns(_covered(data.front, data.corner, data.steps)), color=ACCENT, alpha=0.12, linewidth=0)
        if data.hypervolume:
            _name_volume(axes, data.corner, data)
    if data.steps is not None:
        axes.plot(*_columns(data.front), color=ACCENT, linewidth=1.6, drawstyle=data.steps, solid_capstyle="butt")
    axes.plot(*_columns(data.front), "o", color=ACCENT, markersize=5.5, markeredgewidth=0)


def _name_volume(axes: Axes, corner: tuple[float, float], data: FrontData) -> None:
    """Write how large what is covered is into its corner."""
    is_left, is_below = corner[0] <= data.front[0][0], corner[1] <= min(up for _, up in data.front)
    axes.annotate(
        f"hypervolume {text.number(data.hypervolume)}",
        corner,
        (4 if is_left else -4, 4 if is_below else -4),
        textcoords="offset points",
        ha="left" if is_left else "right",
        va="bottom" if is_below else "top",
        fontsize=7.5,
        color=ACCENT,
    )


def _covered(front: Points, corner: tuple[float, float], steps: str) -> Points:
    """The outline of what the front covers: along the steps between its trials, and by the corner back."""
    (first, start), (last, end) = front[0], front[-1]
    bends = [(left, high) if steps == "steps-pre" else (right, low) for (left, low), (right, high) in pairwise(front)]
    stairs = [point for pair in zip(front, bends, strict=False) for point in pair]
    if steps == "steps-pre":  # the corner is on the left
        return (corner, (corner[0], start), *stairs, (last, end), (last, corner[1]))
    return ((first, corner[1]), *stairs, (last, end), (corner[0], end), corner)


def _columns(points: Points) -> tuple[list[float], list[float]]:
    return [across for across, _ in points], [up for _, up in points]


@plots.register("front")
def plot_front(job: Job) -> Figure:
    """Draw the trials that no other one beats, in the first two aims."""
    figure, (axes,) = new_figure()
    draw_front(axes, front_data(job.history))
    return figure
