"""Parallel coordinates: each trial a line through its settings to its score; what the best ones have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.fitting import fit_name, words
from tunekit.plots.jobs import check_names, study_of
from tunekit.plots.outliers import beyond, kept_range
from tunekit.plots.scales import Scale, described, place, scale, written
from tunekit.plots.theme import ACCENT, QUIET, WARNING, WIDTH, hide, label, new_figure
from tunekit.search.space import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More axes than this are too narrow to read.
_AXES = 8
# More grey lines than this are one grey area.
_OTHERS = 150
# The best so many are told apart from the others.
_LEADERS = 5
# Where the best ones lie in less than this share of a range, they agree on it.
_AGREED = 0.35
# Where a parameter that does not count is drawn, below its axis.
_ABSENT = -0.16
# What is free at both sides, and what is left for the axes, in CSS pixels.
_MARGIN = 56
_WIDTH = WIDTH - 2 * _MARGIN

Line = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class ParallelData:
    """What the picture shows.

    Parameters
    ----------
    scales
        An axis for each parameter, and the metric's last.
    leaders, others
        The trials that have a score, the best ones and some of the rest: for each axis the place from 0 to 1, None
        where the parameter does not count; the best is the first.
    failed
        The failed ones, without the last axis.
    note
        That less is better, how many scores are beyond the picture, and what is not drawn.
    title
        The finding.
    """

    scales: tuple[Scale, ...]
    leaders: tuple[Line, ...]
    others: tuple[Line, ...]
    failed: tuple[Line, ...]
    note: str
    title: str


def parallel_data(history: History, space: Space, names: Sequence[str] | None = None) -> ParallelData:
    """Compute what the picture shows from a history.

    Parameters
    ----------
    history, space
        Those of the study.
    names
        The parameters, in the order of their axes. None: those of the space; of many, those on which the best agree.
    """
    aim = history.goal.aim
    complete = history.complete
    leaders = (history.front if len(history.goal.aims) > 1 else _by_score(history, history.feasible))[:_LEADERS]
    if names is None:
        names = [name for name, _ in sorted(_widths(space, leaders).items(), key=lambda pair: pair[1])]
        names = [name for name in space.names if name in names[:_AXES]]
    else:
        names = check_names(space, names)
    scores = [trial.metrics[aim.metric] for trial in complete]
    low, high = kept_range(scores, maximize=aim.maximize) if scores else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5

    def line(trial: Trial) -> Line:
        settings = tuple(place(space[name], trial.params, name) for name in names)
        if trial.state == "failed":
            return settings
        return (*settings, (min(high, max(low, trial.metrics[aim.metric])) - low) / (high - low))

    ahead = {trial.number for trial in leaders}
    others = [trial for trial in complete if trial.number not in ahead]
    drawn = others[:: 1 + (len(others) - 1) // _OTHERS] if others else []
    notes = [
        "" if aim.maximize else f"less {words(aim.metric)} is better",
        beyond(scores, low, high),
        f"{len(names)} of {len(space)} parameters are shown" if len(names) < len(space) else "",
        f"{len(drawn)} of {len(others):,} other trials are drawn" if len(drawn) < len(others) else "",
    ]
    return ParallelData(
        (*(scale(name, space[name]) for name in names), _metric_scale(aim.metric, low, high)),
        tuple(line(trial) for trial in leaders),
        tuple(line(trial) for trial in drawn),
        tuple(line(trial) for trial in history if trial.state == "failed")[-_OTHERS:],
        "; ".join(note for note in notes if note),
        _title(history, space, leaders),
    )


def _by_score(history: History, trials: list[Trial]) -> list[Trial]:
    aim = history.goal.aim
    return sorted(trials, key=lambda trial: -aim.gain(trial.metrics[aim.metric]))


def _metric_scale(metric: str, low: float, high: float) -> Scale:
    from matplotlib.ticker import MaxNLocator

    ends = tuple(text.told_apart(low, high))
    ticks = [float(value) for value in MaxNLocator(nbins=4).tick_values(low, high) if low <= value <= high]
    return Scale(metric, tuple(((value - low) / (high - low), written(value)) for value in ticks), ends)


def _widths(space: Space, trials: Sequence[Trial]) -> dict[str, float]:
    """How far apart the values of some trials lie, for each parameter, 0 to 1; those that not all of them have last."""
    widths = {}
    for name in space.names:
        places = [at for trial in trials if (at := place(space[name], trial.params, name)) is not None]
        widths[name] = max(places) - min(places) if places and len(places) == len(trials) else 2.0
    return widths


def _title(history: History, space: Space, leaders: Sequence[Trial]) -> str:
    if not leaders:
        failed = sum(trial.state == "failed" for trial in history)
        if history.complete:
            return "None within the limits yet"
        return f"No score yet; {failed:,} failed" if failed else "No score yet"
    if len(history.complete) < 2 * len(leaders):
        return f"{text.plural(len(history.complete), 'trial')}: too few to see what the best have in common"
    agreed = sorted((width, name) for name, width in _widths(space, leaders).items() if width < _AGREED)[:2]
    if not agreed:
        return f"{_subject(history, leaders)} of {text.plural(len(history.complete), 'trial')} agree on no parameter"
    said = []
    for _, name in agreed:
        places = [place(space[name], trial.params, name) or 0.0 for trial in leaders]
        said.append(f"{name} {described(space[name], min(places), max(places))}")
    return f"{_subject(history, leaders)} {'has' if len(leaders) == 1 else 'have'} {', '.join(said)}"


def _subject(history: History, leaders: Sequence[Trial]) -> str:
    """The trials that a title speaks of."""
    if len(history.goal.aims) > 1:
        if len(leaders) == 1:
            return "The only trial on the front"
        all_of_it = len(history.front)
        return f"The {all_of_it} on the front" if len(leaders) == all_of_it else f"{len(leaders)} on the front"
    return "The best one" if len(leaders) == 1 else f"The best {len(leaders)}"


def draw_parallel(axes: Axes, data: ParallelData) -> None:
    """Draw it: a line for each trial, the best ones in the accent colour, failed ones in the warning colour."""
    from matplotlib.collections import LineCollection

    label(axes, data.title, data.note, "")
    hide(axes)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    count = len(data.scales)
    has_absent = any(at is None for line in (*data.leaders, *data.others, *data.failed) for at in line)
    axes.set_xlim(0, count - 1)
    axes.set_ylim(_ABSENT - 0.08 if has_absent else -0.1, 1.1)
    kinds = (
        (data.others, QUIET, 0.6, 0.45),
        (data.failed, WARNING, 0.8, 0.8),
        (data.leaders[1:], ACCENT, 1.1, 0.9),
        (data.leaders[:1], ACCENT, 2.2, 1.0),
    )
    for lines, color, width, alpha in kinds:
        axes.add_collection(LineCollection(_segments(lines), colors=color, linewidths=width, alpha=alpha))
    if data.failed:
        ends = [_ABSENT if line[-1] is None else line[-1] for line in data.failed]
        axes.plot([count - 2] * len(ends), ends, "x", color=WARNING, markersize=5)
    axes.tick_params(labelbottom=True)
    each = _WIDTH / (count - 1) - 8
    rooms = [min(each, 2 * _MARGIN - 8) if at in (0, count - 1) else each for at in range(count)]
    names = [fit_name(axes, words(one.name), 8, room) for one, room in zip(data.scales, rooms, strict=True)]
    axes.set_xticks(range(count), names)
    for name in axes.get_xticklabels():
        name.set_parse_math(False)
    for across, one in enumerate(data.scales):
        absent = has_absent and any(_lacks(line, across) for line in (*data.leaders, *data.others, *data.failed))
        _draw_scale(axes, across, one, absent=absent)


def _draw_scale(axes: Axes, across: int, one: Scale, *, absent: bool) -> None:
    """One axis: the ends of a number's range beyond it, where no line is; the categories beside it."""
    axes.plot([across, across], [0, 1], color=QUIET, linewidth=0.8)
    marks = [(up, "" if one.ends else value, (5, 6)) for up, value in one.ticks]
    for up, value, way in zip((0.0, 1.0), one.ends, (-7, 7), strict=True) if one.ends else ():
        marks.append((up, value, (0, way)))
    if absent:
        marks.append((_ABSENT, "not used", (5, 0)))
    for up, value, offset in marks:
        axes.plot(across, up, "_", color=QUIET, markersize=4, markeredgewidth=0.8, clip_on=False)
        axes.annotate(
            value,
            (across, up),
            offset,
            textcoords="offset points",
            ha="left" if offset[0] else "center",
            va="center",
            fontsize=7,
            color=QUIET,
            parse_math=False,
            annotation_clip=False,
        )


def _lacks(line: Line, across: int) -> bool:
    return across < len(line) and line[across] is None


def _segments(lines: Sequence[Line]) -> list[np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    return [
        np.array([(across, _ABSENT if up is None else up) for across, up in enumerate(line)], dtype=np.float64).reshape(
            -1, 2
        )
        for line in lines
    ]


@plots.register("parallel")
def plot_parallel(job: Job, *, parameters: Sequence[str] | None = None) -> Figure:
    """Draw each trial as a line through its settings to its score."""
    study = study_of(job, "parallel")
    figure, (axes,) = new_figure(height=270)
    figure.subplots_adjust(left=_MARGIN / WIDTH, right=1 - _MARGIN / WIDTH)
    draw_parallel(axes, parallel_data(study.history, study.space, parameters))
    return figure
