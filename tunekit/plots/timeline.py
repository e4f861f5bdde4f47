"""The timeline of a job: when each trial ran, beside which others, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, WARNING, hide, label, new_figure, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A trial that ends later than the next one begins by less than this, in seconds, ran before it: clocks are read one
# after the other.
_SLACK = 0.005
# A pause in which nothing ran is left out where it is longer than this share of all the rest, and than this in seconds.
_LONG, _SECONDS = 0.2, 1.0
# What is kept of a pause that is left out, and what is free at the end of each bar so that two are told apart: shares
# of the width.
_KEPT, _FREE = 0.02, 0.002
_UNITS = (("seconds", 1.0), ("minutes", 60.0), ("hours", 3600.0))
_TICKED = 12  # so many rows have room for their numbers


@dataclass(frozen=True, slots=True)
class Bar:
    """One trial: its row from 0, its start and end in seconds of the picture, its state, and whether it is the best."""

    number: int
    row: int
    start: float
    end: float
    state: str
    is_best: bool


@dataclass(frozen=True, slots=True)
class TimelineData:
    """What the picture shows.

    Parameters
    ----------
    bars
        The trials whose times are known, by their start.
    rows
        How many rows there are: as many as trials ran at a time at most.
    breaks
        Where a pause was left out, in seconds of the picture.
    busy
        The share of the time of all rows in which a trial ran, 0 to 1.
    title
        The finding.
    said
        The same without a time.
    """

    bars: tuple[Bar, ...]
    rows: int
    breaks: tuple[float, ...]
    busy: float
    title: str
    said: str


def timeline_data(history: History) -> TimelineData:
    """Compute what the picture shows from a history."""
    trials = list(history)
    spans = _spans(trials)
    if not spans:
        title = "When these trials ran is not known" if trials else "No trial yet"
        return TimelineData((), 0, (), 0.0, title, title)
    best = history.best
    spans, breaks = _without_pauses(spans)
    rows = _rows([(start, end) for _, start, end in spans])
    bars = tuple(
        Bar(trial.number, row, start, end, trial.state, best is not None and trial.number == best.number)
        for (trial, start, end), row in zip(spans, rows, strict=True)
    )
    count = max(rows) + 1
    length = max(bar.end for bar in bars)
    busy = sum(bar.end - bar.start for bar in bars) / (count * length) if length else 0.0
    said = f"When {text.plural(len(bars), 'trial')} ran"
    title = f"{text.plural(count, 'worker')} busy {100 * busy:.0f} % of {text.duration(length)}"
    failed, halted = (sum(bar.state == state for bar in bars) for state in ("failed", "halted"))
    for number, state in ((halted, "halted"), (failed, "failed")):
        counted = f"; {number:,} {state}" if number else ""
        title += counted
        said += counted
    return TimelineData(bars, count, breaks, busy, title, said)


_Span = tuple[Trial, float, float]


def _spans(trials: Iterable[Trial]) -> list[_Span]:
    """Start and end of the trials, by their start; one that runs reaches to the last moment that is known of."""
    known = [(trial, trial.began) for trial in trials if trial.began is not None]
    moments = [began + (trial.seconds or 0.0) for trial, began in known]
    last = max(moments, default=0.0)
    ends = [last if trial.seconds is None else end for (trial, _), end in zip(known, moments, strict=True)]
    spans = [(trial, began, end) for (trial, began), end in zip(known, ends, strict=True)]
    return sorted(spans, key=lambda span: (span[1], span[0].number))


def _without_pauses(spans: Sequence[_Span]) -> tuple[list[_Span], tuple[float, ...]]:
    """The same from 0 on, without the long pauses in which nothing ran; and where those were."""
    gaps: list[tuple[float, float]] = []  # from, length
    reached = spans[0][1]
    for _, start, end in spans:
        if start > reached:
            gaps.append((reached, start - reached))
        reached = max(reached, end)
    whole = reached - spans[0][1]
    running = whole - sum(length for _, length in gaps)
    left_out = [(since, length - _KEPT * running) for since, length in gaps if length > max(_SECONDS, _LONG * running)]

    def moved(moment: float) -> float:
        return moment - spans[0][1] - sum(length for since, length in left_out if since < moment)

    breaks = tuple(moved(since) + _KEPT * running / 2 for since, _ in left_out)
    return [(trial, moved(start), moved(end)) for trial, start, end in spans], breaks


def _rows(spans: Sequence[tuple[float, float]]) -> list[int]:
    """For each span, by their starts, the first row that is free then."""
    ends: list[float] = []
    rows: list[int] = []
    for start, end in spans:
        row = next((row for row, busy_until in enumerate(ends) if busy_until <= start + _SLACK), len(ends))
        ends[row : row + 1] = [end]
        rows.append(row)
    return rows


def draw_timeline(axes: Axes, data: TimelineData) -> None:
    """Draw it: a bar for each trial, the best in the accent colour, failed ones in the warning colour."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    length = max((bar.end for bar in data.bars), default=0.0) or 1.0
    unit, seconds = next((unit for unit in _UNITS if length < 150 * unit[1]), _UNITS[-1])
    pauses = ", pauses left out" if data.breaks else ""
    label(axes, data.title, f"{unit}{pauses} (blue: best, orange: failed, light: halted)", "worker")
    if not data.bars:
        hide(axes)
        return
    axes.set_xlim(0, length * 1.005)
    axes.set_ylim(data.rows - 0.5, -0.5)
    step = 1 + (data.rows - 1) // _TICKED
    axes.set_yticks(range(0, data.rows, step), [str(row + 1) for row in range(0, data.rows, step)])
    axes.xaxis.set_major_locator(MultipleLocator(_round_step(length / seconds) * seconds))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / seconds:g}"))
    for bars, look in _looks(data.bars):
        for row in sorted({bar.row for bar in bars}):
            pieces = [
                (bar.start, max(bar.end - bar.start - _FREE * length, _FREE * length)) for bar in bars if bar.row == row
            ]
            axes.broken_barh(pieces, (row - 0.36, 0.72), **look)
    for moment in data.breaks:
        axes.axvline(moment, color=QUIET, linewidth=0.8, linestyle=(0, (1, 2)))


def _round_step(length: float) -> float:
    """The distance between ticks: a round number that fits four to ten times."""
    power = 10.0 ** math.floor(math.log10(length / 5))
    return next(step * power for step in (1, 2, 5, 10) if length / (step * power) <= 6)


def _looks(bars: Sequence[Bar]) -> list[tuple[list[Bar], dict[str, Any]]]:
    """The bars of each kind, and how they look."""

    def of(*states: str) -> list[Bar]:
        return [bar for bar in bars if bar.state in states and not bar.is_best]

    return [
        (of("complete"), {"color": QUIET, "linewidth": 0}),
        (of("halted"), {"facecolor": QUIET, "alpha": 0.45, "linewidth": 0}),
        (of("running", "stopped"), {"facecolor": "none", "edgecolor": QUIET, "linewidth": 0.8}),
        (of("failed"), {"color": WARNING, "linewidth": 0}),
        ([bar for bar in bars if bar.is_best], {"color": ACCENT, "linewidth": 0}),
    ]


@plots.register("timeline")
def plot_timeline(job: Job) -> Figure:
    """Draw when each trial ran, beside which others, and how it ended."""
    data = timeline_data(job.history)
    figure, (axes,) = new_figure(height=min(420, 120 + 26 * max(data.rows, 3)))
    draw_timeline(axes, data)
    say(figure, data.said)
    return figure
