"""The trade-off of a compression: the bytes of each net's file against its score, with the interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# So many sizes have room for their names side by side.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Point:
    """One net: its step, the bytes of its file, its score and the score's 95 % interval."""

    name: str
    size: float
    score: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TradeOffData:
    """What the picture shows: the nets in the order of the recipe, the metric's name, the place of the smallest."""

    metric: str
    points: tuple[Point, ...]
    smallest: int | None
    title: str


def trade_off_data(history: History) -> TradeOffData:
    """Compute what the picture shows from the history of a compression."""
    metric = history.goal.metric
    points = tuple(_point(trial, metric) for trial in history.complete if "size" in trial.metrics)
    if not points:
        return TradeOffData(metric, (), None, "Nothing measured yet")
    smallest = min(range(len(points)), key=lambda place: points[place].size)
    small, original = points[smallest], points[0]
    title = (
        f"{original.size / small.size:.1f}x smaller; {metric} {original.score:.3f} → {small.score:.3f}"
        if small.size < original.size
        else f"No smaller file yet: {text.size(original.size)}"
    )
    return TradeOffData(metric, points, smallest, title)


def _point(trial: Trial, metric: str) -> Point:
    figures = trial.metrics
    score = figures[metric]
    low, high = figures.get(f"{metric}_low", score), figures.get(f"{metric}_high", score)
    return Point(str(trial.params.get("step", trial.number)), figures["size"], score, low, high)


def draw_trade_off(axes: Axes, data: TradeOffData) -> None:
    """Draw it: each net with its interval and its name, the smallest in the accent colour."""
    label(axes, data.title, "file, kB", data.metric)
    if not data.points:
        hide(axes)
        return
    sizes = [point.size / 1000 for point in data.points]
    for place, (point, size) in enumerate(zip(data.points, sizes, strict=True)):
        color = ACCENT if place == data.smallest else QUIET
        axes.plot([size, size], [point.low, point.high], color=color, linewidth=1.2, solid_capstyle="butt")
        axes.plot(size, point.score, "o", color=color, markersize=5.5, markeredgewidth=0)
    low, high = min(point.low for point in data.points), max(point.high for point in data.points)
    axes.set_ylim(*room([low, high]))
    axes.set_xlim(0, max(sizes) * 1.12)
    for names, size, low, high, is_smallest in _names(data):
        # right-aligned near the right edge, so that no name leaves the picture; the smallest below, so that none meet
        side = "right" if size > 0.6 * max(sizes) else "left"
        height, offset, edge = (low, -3, "top") if is_smallest else (high, 3, "bottom")
        axes.annotate(
            names,
            (size, height),
            (0, offset),
            textcoords="offset points",
            ha=side,
            va=edge,
            fontsize=7,
            color=QUIET,
            parse_math=False,
        )


def _names(data: TradeOffData) -> list[tuple[str, float, float, float, bool]]:
    """One label for the nets that have the same size, since they stand on one line; without their arguments.

    Of many nets only the original and the smallest are named: more names would lie on each other.
    """
    smallest = None if data.smallest is None else data.points[data.smallest].size
    is_crowded = len({point.size for point in data.points}) > _NAMED
    gathered: dict[float, list[Point]] = {}
    for point in data.points:
        if not is_crowded or point.size in (data.points[0].size, smallest):
            gathered.setdefault(point.size, []).append(point)
    return [
        (
            ", ".join(dict.fromkeys(point.name.partition("(")[0] for point in same)),
            size / 1000,
            min(point.low for point in same),
            max(point.high for point in same),
            size == smallest and len(gathered) > 1,
        )
        for size, same in gathered.items()
    ]


@plots.register("trade_off")
def plot_trade_off(job: Job) -> Figure:
    """Draw the bytes of each net's file against its score, with the interval."""
    figure, (axes,) = new_figure()
    draw_trade_off(axes, trade_off_data(job.history))
    return figure
