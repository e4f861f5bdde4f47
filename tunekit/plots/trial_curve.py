"""The learning curve of one trial, beside that of the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room, whole_numbers

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class TrialCurveData:
    """What the picture shows.

    Parameters
    ----------
    metric
        What was reported, in its own unit: the score, or else what the trial reported first.
    curve
        The trial's value after each step; empty where it reported none.
    best
        That of the best trial; empty where it is this one, or reported none.
    is_best
        Whether it is the best trial.
    title
        The finding.
    """

    metric: str
    curve: tuple[float, ...]
    best: tuple[float, ...]
    is_best: bool
    title: str


def trial_curve_data(history: History, number: int) -> TrialCurveData:
    """Compute what the picture shows of a trial."""
    trial, leader = history[number], history.best
    names = [history.goal.metric, *(name for report in trial.reports for name in report)]
    metric = next((name for name in names if any(name in report for report in trial.reports)), names[0])
    curve = tuple(report[metric] for report in trial.reports if metric in report)
    is_best = leader is not None and leader.number == number
    others = () if leader is None or is_best else leader.reports
    best = tuple(report[metric] for report in others if metric in report)
    return TrialCurveData(metric, curve, best, is_best, _title(number, curve, best, is_best))


def _title(number: int, curve: tuple[float, ...], best: tuple[float, ...], is_best: bool) -> str:
    if not curve:
        return f"Trial {number} reported no step"
    there = best[min(len(curve), len(best)) - 1] if best else curve[-1]
    own, beside = text.told_apart(curve[-1], there)
    title = f"Trial {number}: {own} after {text.plural(len(curve), 'step')}"
    if is_best:
        return f"{title}, the best"
    return f"{title}; the best had {beside} there" if best else title


def trial_curve(history: History, number: int) -> Figure:
    """Draw it: the best in the accent colour, the trial in grey."""
    data = trial_curve_data(history, number)
    figure, (axes,) = new_figure(height=190)
    label(axes, data.title, "step", data.metric)
    whole_numbers(axes)
    if not data.curve:
        hide(axes)
        return figure
    axes.set_xlim(0.8, max(len(data.curve), len(data.best), 2) + 0.2)
    axes.set_ylim(*room([*data.curve, *data.best]))
    axes.plot(range(1, len(data.best) + 1), data.best, color=ACCENT, linewidth=1.2)
    color = ACCENT if data.is_best else QUIET
    axes.plot(range(1, len(data.curve) + 1), data.curve, "o-", color=color, linewidth=1.8, markersize=3.5)
    return figure
