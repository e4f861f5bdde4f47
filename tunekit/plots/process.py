"""The process: what is believed along one parameter, and where the next trial would improve most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.insight.importance import importance
from tunekit.insight.limits import Limits
from tunekit.insight.observed import Observed, observed
from tunekit.insight.possible import possible
from tunekit.insight.surrogate import LEAST, WIDE, Prediction, surrogate
from tunekit.plots import plots
from tunekit.plots.jobs import check_names, leading, shown_places, study_of, too_few
from tunekit.plots.outliers import beyond, kept_range, reaching
from tunekit.plots.scales import Scale, described, mark, scale
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure, room
from tunekit.search.parameters import Choice, Parameter
from tunekit.search.space import Space
from tunekit.search.surrogate.acquisitions import expected_improvement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# So many places along a number without steps.
_GRID = 121
# The smallest doubt and gain that are reckoned with, as a share of the scores' half range.
_LEAST_DOUBT = 1e-12
# A chance below this is none.
_SLIGHT = 0.001
# What a trial is worth.
_GAIN, _KEPT = "expected improvement", "chance to keep the limits"
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ProcessData:
    """What the picture shows.

    Parameters
    ----------
    metric
        In whose unit all values are.
    scale
        The axis of the parameter, places from 0 to 1; None where there is nothing to show yet.
    is_choice
        Whether its values have no order.
    places, mean, low, high
        What is expected along it, with the 95 % interval of the mean of many trials; of equal length.
    worth
        What a trial at each of the places is worth, 0 or more: the expected improvement over the best so far, where a
        trial that breaks the limits is none; while no trial keeps them, the chance that it does.
    worth_of
        What that is, in words.
    next_place
        Where it is largest; None where it is next to nothing everywhere.
    across, up
        The trials: their places, NaN where the parameter does not count, and values; of equal length.
    edges
        Between which values the picture reaches.
    note
        What holds for the other parameters, and how many scores are beyond the picture, in words.
    title
        The finding.
    """

    metric: str
    scale: Scale | None
    is_choice: bool
    places: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    worth: tuple[float, ...]
    worth_of: str
    next_place: float | None
    across: tuple[float, ...]
    up: tuple[float, ...]
    edges: tuple[float, float]
    note: str
    title: str


def process_data(history: History, space: Space, name: str | None = None, metric: str | None = None) -> ProcessData:
    """Compute what the picture shows.

    Parameters
    ----------
    history, space
        Those of the study.
    name
        A parameter; None: the most important one. All others stay as in the best trial.
    metric
        One of the metrics of the trials; None: the first aim.
    """
    chosen = None if name is None else check_names(space, [name])[0]
    seen = observed(history, space, metric)
    if seen.complete < LEAST:
        return _nothing(seen, too_few(seen))
    name = chosen or importance(history, space, seen.metric).parameters[0].name
    axis, parameter = space.names.index(name), space[name]
    learned = surrogate(history, space, seen.metric)
    if learned.is_flat:
        return _nothing(seen, f"All trials have the same {seen.metric}: nothing says where it is better")
    best = leading(history, seen)
    count = parameter.count
    along = np.linspace(0.0, 1.0, _GRID) if count is None or count > _GRID else (np.arange(count) + 0.5) / count
    along = np.unique(parameter.snap(along))
    places = np.repeat(seen.places[best][None], len(along), axis=0)
    places[:, axis] = along
    with np.errstate(over="ignore", invalid="ignore"):  # huge values overflow: what is finite is drawn
        found = learned.at(places, noise=False)
        worth, worth_of = _worth(history, space, seen, found, places)
    if not np.isfinite(worth).all():
        return _nothing(seen, f"The values of {seen.metric} are too far apart to say what is expected")
    found = _possible(found, seen)
    least = _SLIGHT if worth_of == _KEPT else 0.0
    place = float(along[int(np.argmax(worth))]) if worth.max() > least else None
    values = [float(value) for value in seen.values]
    low, high = reaching(*kept_range(values, maximize=seen.maximize), found.mean.tolist())
    notes = [
        f"{text.plural(len(space) - 1, 'other')} as in trial {seen.numbers[best]}" if len(space) > 1 else "",
        beyond(values, low, high),
    ]
    return ProcessData(
        seen.metric,
        scale(name, parameter, 6),
        isinstance(parameter, Choice),
        tuple(along.tolist()),
        tuple(found.mean.tolist()),
        tuple(found.low.tolist()),
        tuple(found.high.tolist()),
        tuple(worth.tolist()),
        worth_of,
        place,
        tuple(shown_places(history, space, seen, name).tolist()),
        tuple(values),
        (low, high),
        "; ".join(note for note in notes if note),
        _title(name, parameter, place, float(worth.max()), None if worth_of == _KEPT else seen.metric),
    )


def _title(name: str, parameter: Parameter, place: float | None, most: float, metric: str | None) -> str:
    """The finding; without a metric it is about the limits."""
    if metric is None:
        if place is None:
            return f"Hardly anything along {name} keeps the limits"
        return f"The limits are most likely kept at {name} {described(parameter, place, place)}: {text.share(most)}"
    if place is None:
        return f"No improvement is expected along {name}"
    where = described(parameter, place, place)
    return f"Most improvement is expected at {name} {where}: {text.number(most)} of {metric}"


def _nothing(seen: Observed, title: str) -> ProcessData:
    none: tuple[float, ...] = ()
    return ProcessData(
        seen.metric, None, False, none, none, none, none, none, _GAIN, None, none, none, (0.0, 1.0), "", title
    )


def _possible(found: Prediction, seen: Observed) -> Prediction:
    """The same within what the metric can come to at all."""
    low, high = possible(seen.metric, seen.values)
    mean, least, most = (np.clip(line, low, high) for line in (found.mean, found.low, found.high))
    return Prediction(mean, least, most, found.deviation)


def _worth(history: History, space: Space, seen: Observed, found: Prediction, places: Array) -> tuple[Array, str]:
    """What a trial at each place is worth, 0 or more, shape (n,), and what that is."""
    if not history.goal.limits:
        return _improvement(found, seen, seen.values), _GAIN
    kept = Limits.of(history, space).chance(places)
    # a halted trial is not known to keep them
    feasible = np.array([history.goal.is_feasible(history[int(number)]) for number in seen.numbers])
    if not feasible.any():
        return kept, _KEPT
    return kept * _improvement(found, seen, seen.values[feasible]), _GAIN


def _improvement(found: Prediction, seen: Observed, counting: Array) -> Array:
    """The expected improvement over the best of the values that count at each place, 0 or more, shape (n,)."""
    # half the range: the whole one of huge values overflows
    unit = float(seen.values.max() / 2 - seen.values.min() / 2) or float(np.abs(seen.values).max()) or 1.0
    deviation = found.deviation / unit
    # the squares in it overflow where values are huge and vanish where they are tiny: the interval has none
    from_interval = (found.high / unit - found.low / unit) / (2 * WIDE)
    deviation = np.where(np.isfinite(deviation) & (deviation > 0), deviation, from_interval)
    sign = 1.0 if seen.maximize else -1.0
    mean, deviation = sign * found.mean / unit, np.maximum(deviation, _LEAST_DOUBT)
    top = max(sign * bound for bound in possible(seen.metric, seen.values))
    gain, _, _ = expected_improvement(mean, deviation, float(np.max(sign * counting / unit)))
    if np.isfinite(top):  # what would lie above it is no gain
        gain = gain - expected_improvement(mean, deviation, top / unit)[0]
    # what rounding leaves of a difference is none
    return unit * np.where(gain > _LEAST_DOUBT, gain, 0.0)


def draw_process(axes: Axes, below: Axes, data: ProcessData) -> None:
    """Draw it: trials in grey, mean and band in the accent colour; below, how much better each place may be."""
    label(axes, data.title, "", data.metric)
    label(below, "", "" if data.scale is None else _across(data), "")
    if data.scale is None:
        hide(axes)
        hide(below)
        return
    for one in (axes, below):
        one.set_xlim(-0.02, 1.02)
        mark(one.xaxis, data.scale)
    axes.tick_params(labelbottom=False)
    below.tick_params(left=False, labelleft=False)
    below.annotate(data.worth_of, (0, 1), (6, -2), "axes fraction", "offset points", va="top", fontsize=7, color=QUIET)
    axes.set_ylim(*room(data.edges))
    # the name of what is drawn stands above it
    below.set_ylim(0, 1.3 * (1.0 if data.worth_of == _KEPT else max(data.worth)) or 1.0)
    if data.is_choice:
        for at, low, high in zip(data.places, data.low, data.high, strict=True):
            axes.plot([at, at], [low, high], color=ACCENT, linewidth=1.6, solid_capstyle="butt")
        axes.plot(data.places, data.mean, "o", color=ACCENT, markersize=6, markeredgewidth=0)
        below.bar(data.places, data.worth, 0.4 / len(data.places), color=QUIET, linewidth=0)
    else:
        axes.fill_between(data.places, data.low, data.high, color=ACCENT, alpha=0.22, linewidth=0)
        axes.plot(data.places, data.mean, color=ACCENT, linewidth=1.8)
        below.fill_between(data.places, 0, data.worth, color=QUIET, alpha=0.35, linewidth=0)
        below.plot(data.places, data.worth, color=QUIET, linewidth=1.2)
    axes.plot(data.across, data.up, "o", color=QUIET, markersize=3.5, markeredgewidth=0)
    if data.next_place is not None:
        for one in (axes, below):
            one.axvline(data.next_place, color=QUIET, linewidth=0.8, linestyle=(0, (2, 2)))


def _across(data: ProcessData) -> str:
    assert data.scale is not None
    return f"{data.scale.name} ({data.note})" if data.note else data.scale.name


@plots.register("process")
def plot_process(job: Job, *, parameter: str | None = None, metric: str | None = None) -> Figure:
    """Draw what is believed along one parameter, and where the next trial would improve most."""
    study = study_of(job, "process")
    figure, (axes, below) = new_figure(height=320, rows=2)
    upper, lower = axes.get_position(), below.get_position()
    middle = lower.y0 + 0.3 * (upper.y1 - lower.y0)
    below.set_position((lower.x0, lower.y0, lower.width, middle - lower.y0 - 0.03))
    axes.set_position((upper.x0, middle, upper.width, upper.y1 - middle))
    draw_process(axes, below, process_data(study.history, study.space, parameter, metric))
    return figure
