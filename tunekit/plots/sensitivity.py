"""The sensitivity of a net: what each layer by itself may lose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.rows import compression_of
from tunekit.plots.theme import QUIET, WARNING, hide, label, new_figure, room

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.compress.sensitivity import Sensitivity


# So many letters have room beside the end of a curve.
_FITTING = 8


@dataclass(frozen=True, slots=True)
class Curve:
    """One layer: the shares that were gone, and the change of the score with its interval at each."""

    name: str
    amounts: tuple[float, ...]
    changes: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SensitivityData:
    """What the picture shows: a curve for each layer, the place of the most fragile one, the finding."""

    metric: str
    granularity: str
    curves: tuple[Curve, ...]
    fragile: int | None
    title: str


def sensitivity_data(found: Sensitivity | None) -> SensitivityData:
    """Compute what the picture shows; None: nothing was measured."""
    if found is None or not found.layers:
        return SensitivityData("score", "weights", (), None, "Not measured yet: run sensitivity()")
    curves = tuple(
        Curve(
            layer.name,
            (0.0, *layer.amounts),
            (0.0, *(change.value for change in layer.changes)),
            (0.0, *(change.low for change in layer.changes)),
            (0.0, *(change.high for change in layer.changes)),
        )
        for layer in found.layers
    )
    worst = found.most_fragile
    place = None if worst is None else found.layers.index(worst)
    return SensitivityData(found.metric, found.granularity, curves, place, found.sentence().rstrip("."))


def draw_sensitivity(axes: Axes, data: SensitivityData) -> None:
    """Draw it: a grey line for each layer, the most fragile one in the warning colour with its interval and name."""
    label(axes, data.title, f"share of one layer's {data.granularity} that is gone, %", f"change of {data.metric}")
    if not data.curves:
        hide(axes)
        return
    values = [value for curve in data.curves for value in (*curve.lows, *curve.highs)]
    axes.set_xlim(0, 100)
    axes.set_ylim(*room(values))
    for place, curve in enumerate(data.curves):
        across = [100 * amount for amount in curve.amounts]
        is_fragile = place == data.fragile
        color = WARNING if is_fragile else QUIET
        axes.plot(across, curve.changes, color=color, linewidth=1.8 if is_fragile else 0.9)
        if is_fragile:
            axes.fill_between(across, curve.lows, curve.highs, color=color, alpha=0.25, linewidth=0)
            axes.annotate(
                curve.name,
                (across[-1], curve.changes[-1]),
                (4, 0) if len(curve.name) <= _FITTING else (0, -5),  # a long name goes on to the left, below the end
                textcoords="offset points",
                ha="left" if len(curve.name) <= _FITTING else "right",
                va="center" if len(curve.name) <= _FITTING else "top",
                fontsize=7,
                color=WARNING,
                parse_math=False,
            )


@plots.register("sensitivity")
def plot_sensitivity(job: Job) -> Figure:
    """Draw what each layer of a net by itself may lose."""
    figure, (axes,) = new_figure()
    draw_sensitivity(axes, sensitivity_data(compression_of(job, "sensitivity").last_sensitivity))
    return figure
