"""The contour: what two parameters together do to the metric, where all others stay as in the best trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.importance import importance
from tunekit.insight.observed import Observed, observed
from tunekit.insight.surrogate import LEAST, surrogate
from tunekit.plots import plots
from tunekit.plots.jobs import check_names, leading, shown_places, study_of, too_few
from tunekit.plots.scales import Scale, described, mark, scale
from tunekit.plots.theme import ACCENT, QUIET, WIDTH, hide, label, new_figure
from tunekit.search.space import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What is free at the left without words, and for each letter of them, in CSS pixels.
_MARGIN, _LETTER = 34, 7
Array = NDArray[np.float64]

# So many places along a number; one with at most so many values is drawn in cells.
_GRID, _CELLS = 25, 8
# Heights that differ by a smaller share are equal.
_ROUNDING = 1e-12
# So many shades, the best of them this opaque: the trials can still be seen on it.
_SHADES, _OPAQUE = 9, 0.55


@dataclass(frozen=True, slots=True, eq=False)
class ContourData:
    """What the picture shows.

    Parameters
    ----------
    metric
        What is expected, in its own unit.
    x, y
        The two axes, places from 0 to 1; None where there is nothing to show yet.
    columns, rows
        The places of the grid along each, shapes (c,) and (r,).
    mean
        The expected value, shape (r, c); NaN where one of the two does not count.
    is_smooth
        Whether both are numbers with many values.
    maximize
        Whether more is better.
    trials
        Where the trials lie, shape (n, 2); NaN where one of the two does not count.
    best
        Which of them is the best, or None.
    note
        What holds for the other parameters, in words.
    title
        The finding.
    """

    metric: str
    x: Scale | None
    y: Scale | None
    columns: Array
    rows: Array
    mean: Array
    is_smooth: bool
    maximize: bool
    trials: Array
    best: int | None
    note: str
    title: str


def contour_data(
    history: History, space: Space, x: str | None = None, y: str | None = None, metric: str | None = None
) -> ContourData:
    """Compute what the picture shows.

    Parameters
    ----------
    history, space
        Those of the study.
    x, y
        Two parameters; None: the most important ones.
    metric
        One of the metrics of the trials; None: the first aim.

    Raises
    ------
    ValueError
        If one of them is no parameter, or both are the same.
    """
    chosen = check_names(space, [name for name in (x, y) if name is not None])
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"a contour has two different parameters: got x={x!r} and y={y!r}")
    seen = observed(history, space, metric)
    if len(space) < 2:
        return _nothing(seen, "One parameter has no contour: plot('process') shows it")
    if seen.complete < LEAST:
        return _nothing(seen, too_few(seen))
    ranked = [one.name for one in importance(history, space, seen.metric).parameters]
    free = (name for name in ranked if name not in chosen)
    x = x or next(free)
    y = y or next(free)
    best = leading(history, seen)
    across, up = space.names.index(x), space.names.index(y)
    return _computed(history, space, seen, (across, up), best)


def _computed(history: History, space: Space, seen: Observed, axes: tuple[int, int], best: int) -> ContourData:
    learned = surrogate(history, space, seen.metric, overall=True)
    columns, rows = (_grid(learned.encoding.counts[axis]) for axis in axes)
    places = np.repeat(seen.places[best][None], len(columns) * len(rows), axis=0)
    places[:, axes[0]], places[:, axes[1]] = np.tile(columns, len(rows)), np.repeat(rows, len(columns))
    places = learned.encoding.settle(places)
    active = np.array([learned.encoding.is_active(place)[list(axes)].all() for place in places])
    mean = np.where(active, learned.at(places).mean, np.nan).reshape(len(rows), len(columns))
    names = [space.names[axis] for axis in axes]
    others = len(space) - 2
    return ContourData(
        seen.metric,
        scale(names[0], space[names[0]]),
        scale(names[1], space[names[1]]),
        columns,
        rows,
        mean,
        all(count is None or count > _CELLS for count in (learned.encoding.counts[axis] for axis in axes)),
        seen.maximize,
        np.stack([shown_places(history, space, seen, name) for name in names], axis=1),
        best,
        f"{text.plural(others, 'other')} as in trial {seen.numbers[best]}" if others else "",
        _title(space, names, seen, (columns, rows), mean),
    )


def _grid(count: int | None) -> Array:
    """The places that are looked at along a parameter with so many values; None: no end of them."""
    if count is None or count > _CELLS:
        return np.linspace(0.0, 1.0, _GRID)
    return (np.arange(count) + 0.5) / count


def _title(space: Space, names: list[str], seen: Observed, grid: tuple[Array, Array], mean: Array) -> str:
    if np.isnan(mean).all():
        return f"{names[0]} and {names[1]} never count together"
    values = mean if seen.maximize else -mean
    row, column = np.unravel_index(int(np.nanargmax(values)), mean.shape)
    x, y = float(grid[0][column]), float(grid[1][row])
    where = f"{names[0]} {described(space[names[0]], x, x)}, {names[1]} {described(space[names[1]], y, y)}"
    # with as many figures as tell it from the worst
    top, _ = text.told_apart(float(mean[row, column]), float(np.nanmin(values)) * (1 if seen.maximize else -1))
    return f"{seen.metric} {top} expected near {where}"


def _nothing(seen: Observed, title: str) -> ContourData:
    none = np.empty(0)
    return ContourData(
        seen.metric, None, None, none, none, np.empty((0, 0)), True, True, np.empty((0, 2)), None, "", title
    )


def draw_contour(axes: Axes, data: ContourData) -> None:
    """Draw it: the bluer, the better; the trials in grey, the best in a ring."""
    from matplotlib.colors import ListedColormap, to_rgba

    if data.x is None or data.y is None:
        label(axes, data.title, "", data.metric)
        hide(axes)
        return
    notes = "; ".join(note for note in (_shades(data), data.note) if note)
    label(axes, data.title, f"{data.x.name} ({notes})", data.y.name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    mark(axes.xaxis, data.x)
    mark(axes.yaxis, data.y)
    alphas = np.linspace(0.0, _OPAQUE, _SHADES)
    colors = ListedColormap([to_rgba(ACCENT, alpha) for alpha in alphas])
    goodness = np.ma.masked_invalid(data.mean if data.maximize else -data.mean)
    if goodness.count() and _differ(goodness.compressed()):
        if data.is_smooth:
            levels = np.linspace(goodness.min(), goodness.max(), _SHADES + 1)
            axes.contourf(data.columns, data.rows, goodness, levels, cmap=colors, antialiased=False)
            axes.contour(data.columns, data.rows, goodness, levels[1:-1], colors=QUIET, linewidths=0.4, alpha=0.7)
        else:
            axes.pcolormesh(_edges(data.columns), _edges(data.rows), goodness, cmap=colors, linewidth=0)
    axes.plot(data.trials[:, 0], data.trials[:, 1], "o", color=QUIET, markersize=3, markeredgewidth=0, clip_on=False)
    if data.best is not None:
        spot = data.trials[data.best]
        axes.plot(*spot, "o", color=ACCENT, markersize=6, markeredgewidth=0, clip_on=False)
        axes.plot(*spot, "o", color=QUIET, markersize=11, fillstyle="none", markeredgewidth=1.3, clip_on=False)


def _shades(data: ContourData) -> str:
    """What the shades stand for, in words: the heights of the palest and the bluest."""
    ends = [float(pick(data.mean)) for pick in (np.nanmin, np.nanmax)] if np.isfinite(data.mean).any() else [0.0, 0.0]
    if not _differ(np.array(ends)):
        return f"the bluer, the better the {data.metric}"
    pale, blue = text.told_apart(*(ends if data.maximize else reversed(ends)))
    return f"{data.metric} {pale} to {blue}, the bluer, the better"


def _edges(centers: Array) -> Array:
    """The edges of the cells around places from 0 to 1."""
    return np.concatenate([[0.0], (centers[1:] + centers[:-1]) / 2, [1.0]])


def _differ(values: Array) -> bool:
    """Whether there are heights to draw, beyond what rounding makes of equal ones."""
    return bool(np.ptp(values) > _ROUNDING * np.abs(values).max())


@plots.register("contour")
def plot_contour(job: Job, *, x: str | None = None, y: str | None = None, metric: str | None = None) -> Figure:
    """Draw what two parameters together do to a metric."""
    study = study_of(job, "contour")
    data = contour_data(study.history, study.space, x, y, metric)
    figure, (axes,) = new_figure(height=320)
    longest = max((len(label) for _, label in data.y.ticks), default=0) if data.y is not None else 0
    figure.subplots_adjust(left=(_MARGIN + _LETTER * longest) / WIDTH, right=1 - 20 / WIDTH)
    draw_contour(axes, data)
    return figure
