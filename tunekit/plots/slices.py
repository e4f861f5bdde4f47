"""Slices: what each parameter by itself does to the metric, with what is not known of it, and the trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.effects import Effect, effect
from tunekit.insight.importance import importance
from tunekit.insight.observed import observed
from tunekit.insight.surrogate import LEAST
from tunekit.plots import plots
from tunekit.plots.jobs import check_names, shown_places, study_of, too_few
from tunekit.plots.outliers import beyond, kept_range, reaching
from tunekit.plots.scales import Scale, described, mark, scale
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# So many parameters are shown, and so many beside each other.
_SLICES, _COLUMNS = 6, 3
# A parameter with a smaller share of the variance, and surely no larger one than the second, hardly matters.
_LITTLE, _SURELY = 0.05, 0.15


@dataclass(frozen=True, slots=True)
class Slice:
    """One parameter.

    Parameters
    ----------
    scale
        Its axis, places from 0 to 1.
    is_choice
        Whether its values have no order.
    places, mean, low, high
        The course of the metric along it, averaged over the other parameters, with the 95 % interval; of equal length.
    across, up
        The trials: their places, NaN where the parameter does not count, and values; of equal length.
    title
        The finding.
    """

    scale: Scale
    is_choice: bool
    places: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    across: tuple[float, ...]
    up: tuple[float, ...]
    title: str


@dataclass(frozen=True, slots=True)
class SlicesData:
    """What the picture shows.

    Parameters
    ----------
    metric
        In whose unit all values are.
    slices
        The parameters, the most important one first.
    low, high
        Between which values the picture reaches.
    note
        How many scores are beyond it, in words.
    title
        The finding where there is no slice yet.
    """

    metric: str
    slices: tuple[Slice, ...]
    low: float
    high: float
    note: str
    title: str


def slices_data(
    history: History, space: Space, names: Sequence[str] | None = None, metric: str | None = None
) -> SlicesData:
    """Compute what the picture shows.

    Parameters
    ----------
    history, space
        Those of the study.
    names
        The parameters; None: the most important ones.
    metric
        One of the metrics of the trials; None: the first aim.
    """
    seen = observed(history, space, metric)
    chosen = None if names is None else check_names(space, names)
    if seen.complete < LEAST:
        return SlicesData(seen.metric, (), 0.0, 1.0, "", too_few(seen))
    found = importance(history, space, seen.metric)
    names = chosen or [one.name for one in found.parameters[:_SLICES]]
    values = [float(value) for value in seen.values]
    low, high = kept_range(values, maximize=seen.maximize)
    slices = []
    for name in names:
        course = effect(history, space, name, seen.metric)
        total = found[name].total
        is_little = total.value < _LITTLE and total.high < _SURELY
        places = shown_places(history, space, seen, name)
        slices.append(
            Slice(
                scale(name, space[name], 4),
                isinstance(space[name], Choice),
                tuple(course.places.tolist()),
                tuple(course.mean.tolist()),
                tuple(course.low.tolist()),
                tuple(course.high.tolist()),
                tuple(places.tolist()),
                tuple(values),
                f"{name} hardly matters" if is_little else _title(course, space, maximize=seen.maximize),
            )
        )
    low, high = reaching(low, high, [value for one in slices for value in one.mean])
    return SlicesData(seen.metric, tuple(slices), low, high, beyond(values, low, high), "")


def _title(course: Effect, space: Space, *, maximize: bool) -> str:
    """Where the parameter is best, if the intervals tell the best from the worst."""
    sign = 1 if maximize else -1
    best, worst = (pick(range(len(course.mean)), key=lambda at: sign * course.mean[at]) for pick in (max, min))
    edges = (course.low[best], course.high[worst]) if maximize else (course.low[worst], course.high[best])
    if edges[0] <= edges[1]:
        return f"{course.name}: not clear yet"
    at, parameter = float(course.places[best]), space[course.name]
    return f"{course.name} best {'with' if isinstance(parameter, Choice) else 'near'} {described(parameter, at, at)}"


def draw_slice(axes: Axes, one: Slice, data: SlicesData, *, is_first: bool) -> None:
    """Draw one parameter: the trials in grey, the course in the accent colour, the interval as a band."""
    label(
        axes,
        one.title,
        one.scale.name + (f" ({data.note})" if data.note and is_first else ""),
        data.metric if is_first else "",
    )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(*room([data.low, data.high]))
    mark(axes.xaxis, one.scale)
    axes.plot(one.across, one.up, "o", color=QUIET, markersize=2.5, markeredgewidth=0)
    if one.is_choice:
        for at, low, high in zip(one.places, one.low, one.high, strict=True):
            axes.plot([at, at], [low, high], color=ACCENT, linewidth=1.6, solid_capstyle="butt")
        axes.plot(one.places, one.mean, "o", color=ACCENT, markersize=6, markeredgewidth=0)
    else:
        axes.fill_between(one.places, one.low, one.high, color=ACCENT, alpha=0.22, linewidth=0)
        axes.plot(one.places, one.mean, color=ACCENT, linewidth=1.8)


@plots.register("slices")
def plot_slices(job: Job, *, parameters: Sequence[str] | None = None, metric: str | None = None) -> Figure:
    """Draw what each parameter by itself does to a metric."""
    study = study_of(job, "slices")
    data = slices_data(study.history, study.space, parameters, metric)
    if not data.slices:
        figure, (axes,) = new_figure()
        label(axes, data.title, "", data.metric)
        hide(axes)
        return figure
    columns = min(_COLUMNS, len(data.slices))
    rows = math.ceil(len(data.slices) / columns)
    figure, panels = new_figure(columns, height=60 + 170 * rows, rows=rows)
    for place, axes in enumerate(panels):
        if place >= len(data.slices):
            axes.remove()
            continue
        draw_slice(axes, data.slices[place], data, is_first=place % columns == 0)
    return figure
