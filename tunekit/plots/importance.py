"""The importance of the parameters: how the variance of the metric divides among them, and how far that is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.importance import Importance, importance
from tunekit.insight.observed import observed
from tunekit.insight.surrogate import LEAST
from tunekit.plots import plots
from tunekit.plots.fitting import fit_name, words
from tunekit.plots.jobs import study_of, too_few
from tunekit.plots.theme import ACCENT, QUIET, WIDTH, hide, label, new_figure
from tunekit.search.space import Space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# So many bars have room; more of them are the least important ones.
_BARS = 10
# What is left of the bars for their names, in CSS pixels.
_NAMES = 150


@dataclass(frozen=True, slots=True)
class Bar:
    """One parameter: its share alone, its share together with others, and the 95 % interval of that; 0 to 1."""

    name: str
    alone: float
    total: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ImportanceData:
    """What the picture shows: the metric; the bars, the strongest first; whether they are told apart; the finding."""

    metric: str
    bars: tuple[Bar, ...]
    is_known: bool
    title: str


def importance_data(history: History, space: Space, metric: str | None = None) -> ImportanceData:
    """Compute what the picture shows.

    Parameters
    ----------
    history, space
        Those of the study.
    metric
        One of the metrics of the trials; None: the first aim.
    """
    seen = observed(history, space, metric)
    if seen.complete < LEAST:
        return ImportanceData(seen.metric, (), False, too_few(seen))
    found = importance(history, space, seen.metric)
    bars = tuple(
        Bar(one.name, one.first.value, one.total.value, one.total.low, one.total.high) for one in found.parameters
    )
    return ImportanceData(seen.metric, bars[:_BARS], found.is_known, _title(found))


def _title(found: Importance) -> str:
    first = found.parameters[0]
    if len(found.parameters) == 1:
        return f"All depends on {first.name}, the only parameter"
    if not found.is_known:
        return f"Not known yet what matters most for {found.metric}; {found.trials} trials so far"
    return f"{first.name} matters most: {round(100 * first.total.value)} % of the variance of {found.metric}"


def draw_importance(axes: Axes, data: ImportanceData) -> None:
    """Draw it: a bar for each parameter, the part that it explains alone darker, with the interval of the whole."""
    label(axes, data.title, f"share of the variance of {data.metric}, % (dark: alone; light: with others)", "")
    if not data.bars:
        hide(axes)
        return
    rows = range(len(data.bars))
    axes.set_ylim(len(data.bars) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_yticks(rows, [fit_name(axes, words(bar.name), 8, _NAMES - 14) for bar in data.bars])
    for name in axes.get_yticklabels():
        name.set_parse_math(False)
    for row, bar in zip(rows, data.bars, strict=True):
        color = ACCENT if row == 0 and data.is_known else QUIET
        alone = min(bar.alone, bar.total)
        axes.barh(row, 100 * alone, 0.5, color=color, linewidth=0)
        axes.barh(row, 100 * (bar.total - alone), 0.5, left=100 * alone, color=color, alpha=0.4, linewidth=0)
        axes.plot([100 * bar.low, 100 * bar.high], [row, row], color=color, linewidth=1.0, solid_capstyle="butt")
        axes.plot([100 * bar.low, 100 * bar.high], [row, row], "|", color=color, markersize=7, markeredgewidth=1.0)


@plots.register("importance")
def plot_importance(job: Job, *, metric: str | None = None) -> Figure:
    """Draw how the variance of a metric divides among the parameters."""
    study = study_of(job, "importance")
    data = importance_data(study.history, study.space, metric)
    figure, (axes,) = new_figure(height=min(400, 100 + 26 * max(len(data.bars), 3)))
    figure.subplots_adjust(left=_NAMES / WIDTH, right=1 - 20 / WIDTH)
    draw_importance(axes, data)
    return figure
