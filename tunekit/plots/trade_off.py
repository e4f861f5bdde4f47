"""The trade-off of a compression: the bytes of each net's file against its score, with the interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.bytes_axis import BytesAxis
from tunekit.plots.fitting import above, across, width
from tunekit.plots.rows import compression_of
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, reach, room

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.compress.limits import Limits

# So many sizes have room for their names side by side.
_NAMED = 4
# What a name below a point takes, as a share of the height.
_NAME = 0.08
# How large names are, in points, and how high a line of them is, in CSS pixels.
_LETTERS, _LINE = 7, 11
# Where the least score may be written, as shares of the width, and how far from a point that has to be.
_PLACES = (0.5, 0.65, 0.35, 0.8, 0.2)
_BESIDE = 0.02
# Names of what lies farther right than this share of the width end there.
_FAR = 0.54


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
    """What the picture shows.

    Parameters
    ----------
    metric
        The metric's name.
    points
        The nets in the order of the recipe.
    smallest
        The place of the smallest of them; None without any.
    best
        The place of the best one, where it is known.
    most_bytes, floor
        The size and the score that a budget allows; None where there is none.
    title
        The finding.
    """

    metric: str
    points: tuple[Point, ...]
    smallest: int | None
    best: int | None
    most_bytes: float | None
    floor: float | None
    title: str

    @property
    def accented(self) -> int | None:
        """The place of the best one, or of the smallest where that is not known."""
        return self.smallest if self.best is None else self.best

    @property
    def axis(self) -> BytesAxis:
        """Where the bytes stand, those of the nets and of the budget."""
        sizes = [*(point.size for point in self.points), *([] if self.most_bytes is None else [self.most_bytes])]
        return BytesAxis(min(sizes), max(sizes))


def trade_off_data(history: History, limits: Limits | None = None, best: int | None = None) -> TradeOffData:
    """Compute what the picture shows from the history of a compression.

    Parameters
    ----------
    history
        Its rows.
    limits
        The budget in figures, where one was searched for.
    best
        The number of the best row, where it is known.
    """
    metric = history.goal.metric
    trials = [trial for trial in history.complete if "size" in trial.metrics]
    points = tuple(_point(trial, metric) for trial in trials)
    most_bytes, floor = (None, None) if limits is None else (limits.most.get("size"), limits.floor)
    if not points:
        return TradeOffData(metric, (), None, None, most_bytes, floor, "Nothing measured yet")
    smallest = min(range(len(points)), key=lambda place: points[place].size)
    place = next((place for place, trial in enumerate(trials) if trial.number == best), None)
    chosen = points[smallest if place is None else place]
    title = _title(metric, points, chosen)
    if limits is not None:
        is_within = place is not None and limits.hold(trials[place].metrics)
        title = f"Within the budget: {title}" if is_within else "No row is within the budget"
    return TradeOffData(metric, points, smallest, place, most_bytes, floor, title)


def _title(metric: str, points: Sequence[Point], chosen: Point) -> str:
    original = points[0]
    if chosen.size < original.size:
        times = f"{original.size / chosen.size:.1f}x smaller" if chosen.size else f"{text.size(original.size)} → 0 B"
        return f"{times}; {_change(metric, original, chosen)}"
    smaller = [point for point in points if point.size < original.size]
    best = max(smaller or points, key=lambda point: point.score)
    change = _change(metric, original, best)
    if smaller:
        return f"Smaller costs: {change}"
    return f"{change}; no smaller file yet" if best.score > original.score else "No smaller file yet"


def _change(metric: str, before: Point, after: Point) -> str:
    return f"{metric} {' → '.join(text.told_apart(before.score, after.score))}"


def _point(trial: Trial, metric: str) -> Point:
    figures = trial.metrics
    score = figures[metric]
    low, high = figures.get(f"{metric}_low", score), figures.get(f"{metric}_high", score)
    return Point(str(trial.params.get("step", trial.number)), figures["size"], score, low, high)


def draw_trade_off(axes: Axes, data: TradeOffData) -> None:
    """Draw it: each net with its interval and its name, the best one in the accent colour, the budget as lines."""
    label(axes, data.title, "file, kB", data.metric)
    if not data.points:
        hide(axes)
        return
    axis = data.axis
    for place, point in enumerate(data.points):
        at = axis.at(point.size)
        # above all others: one that is as large and as good may lie at the same place
        look: dict[str, Any] = {"color": ACCENT, "zorder": 3} if place == data.accented else {"color": QUIET}
        axes.plot([at, at], [point.low, point.high], linewidth=1.2, solid_capstyle="butt", **look)
        axes.plot(at, point.score, "o", markersize=5.5, markeredgewidth=0, **look)
    low, high = min(point.low for point in data.points), max(point.high for point in data.points)
    bottom, top = room([low, high, *([] if data.floor is None else [data.floor])])
    names_at = _names(data)
    below = _NAME * (top - bottom) if any(one.is_below for one in names_at) else 0.0
    reach(axes, axis.ends, (bottom - below, top))
    axis.mark(axes)
    _draw_budget(axes, data)
    _draw_names(axes, names_at, data)


def _draw_names(axes: Axes, names_at: Sequence[_Name], data: TradeOffData) -> None:
    """Write the names as long as none lies on another, the most important first, clear of other nets' intervals."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    wide, high = across(axes) / (right - left), above(axes) / (top - bottom)
    axis = data.axis
    bars = [
        (wide * (axis.at(one.size) - left), high * (one.low - bottom), high * (one.high - bottom))
        for one in data.points
    ]
    taken: list[_Box] = []
    for one in names_at:
        # right-aligned near the right edge, so that no name leaves the picture; the best below, so that none meet;
        # beside the middle of its interval, where the limit of the bytes may run as a line
        side, aside = ("right", 0) if one.across - left > _FAR * (right - left) else ("left", 3)
        long, at = width(axes, one.words, _LETTERS), wide * (one.across - left)
        places = []
        for is_below in (one.is_below, not one.is_below):
            height, offset = (one.low, -3) if is_below else (one.high, 3)
            start, up = at + aside - (long if side == "right" else 0), high * (height - bottom) + offset
            box = _Box(start, up - (_LINE if is_below else 0), start + long, up + (0 if is_below else _LINE))
            if not any(box.meets(name) for name in taken):
                is_clear = not any(box.is_crossed(*bar) for bar in bars if bar[0] != at)
                places.append((not is_clear, is_below, height, offset, box))
        if not places:
            continue
        _, is_below, height, offset, box = min(places, key=lambda place: place[0])
        taken.append(box)
        axes.annotate(
            one.words,
            (one.across, height),
            (aside, offset),
            textcoords="offset points",
            ha=side,
            va="top" if is_below else "bottom",
            fontsize=_LETTERS,
            color=QUIET,
            parse_math=False,
        )


class _Box(NamedTuple):
    """Where words are, in CSS pixels from the corner of the picture."""

    left: float
    bottom: float
    right: float
    top: float

    def meets(self, other: _Box) -> bool:
        """Whether they lie on those."""
        is_beside = self.left < other.right and other.left < self.right
        return is_beside and self.bottom < other.top and other.bottom < self.top

    def is_crossed(self, at: float, low: float, high: float) -> bool:
        """Whether an upright line goes through them."""
        return self.left < at < self.right and low < self.top and self.bottom < high


def _draw_budget(axes: Axes, data: TradeOffData) -> None:
    """The most bytes and the least score that are allowed, as lines with their figures at the ends."""
    look: dict[str, Any] = {"color": QUIET, "linewidth": 0.8, "linestyle": (0, (4, 3))}
    words: dict[str, Any] = {"fontsize": _LETTERS, "color": QUIET, "textcoords": "offset points"}
    if data.floor is not None:
        axes.plot(axes.get_xlim(), [data.floor, data.floor], **look)
        said = f"at least {text.number(data.floor)}"
        clear: dict[str, Any] = {"xycoords": axes.get_yaxis_transform(), "ha": "center", "va": "top"}
        axes.annotate(said, (_clear(axes, data, said), data.floor), (0, -3), **clear, **words)
    if data.most_bytes is not None:
        at = data.axis.at(data.most_bytes)
        axes.plot([at, at], axes.get_ylim(), **look)
        axes.annotate(f"at most {text.size(data.most_bytes)}", (at, axes.get_ylim()[0]), (3, 3), **words)


def _clear(axes: Axes, data: TradeOffData, said: str) -> float:
    """Where below the least score words meet the fewest intervals, as a share of the width: in the middle, at best."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    half = width(axes, said, _LETTERS) / across(axes) / 2
    low = (data.floor or 0.0) - (top - bottom) * _LINE / above(axes)
    axis = data.axis
    crossing = [
        (axis.at(point.size) - left) / (right - left)
        for point in data.points
        if point.low < (data.floor or 0.0) and point.high > low
    ]
    return min(_PLACES, key=lambda place: sum(abs(place - at) < half + _BESIDE for at in crossing))


class _Name(NamedTuple):
    """What stands at the nets of one size, at its place along the axis: above their intervals, or below them."""

    words: str
    across: float
    low: float
    high: float
    is_below: bool


def _names(data: TradeOffData) -> list[_Name]:
    """One label for the nets that have the same size, since they stand on one line; without their arguments.

    The best one, or the smallest, comes first, then the original. Of many nets only those are named: more names would
    lie on each other.
    """
    accented = None if data.accented is None else data.points[data.accented].size
    original = data.points[0].size
    is_crowded = len({point.size for point in data.points}) > _NAMED
    gathered: dict[float, list[Point]] = {}
    for point in data.points:
        if not is_crowded or point.size in (original, accented):
            gathered.setdefault(point.size, []).append(point)
    return [
        _Name(
            ", ".join(dict.fromkeys(point.name.partition("(")[0] for point in gathered[size])),
            data.axis.at(size),
            min(point.low for point in gathered[size]),
            max(point.high for point in gathered[size]),
            size == accented and len(gathered) > 1 and not is_crowded,
        )
        for size in sorted(gathered, key=lambda size: (size != accented, size != original))
    ]


@plots.register("trade_off")
def plot_trade_off(job: Job) -> Figure:
    """Draw the bytes of each net's file against its score, with the interval, and the budget that was searched for."""
    figure, (axes,) = new_figure()
    lab = compression_of(job, "trade_off")
    draw_trade_off(axes, trade_off_data(lab.history, lab.limits, lab.best_number))
    return figure
