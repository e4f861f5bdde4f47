"""The sensitivity of a net: what each layer by itself may lose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.rows import compression_of
from tunekit.plots.theme import QUIET, WARNING, hide, label, new_figure, room

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.compress.sensitivity import LayerSensitivity, Sensitivity


# What a layer may cost, to say how much of it may go.
_LITTLE = 0.01
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
    """What the picture shows.

    Parameters
    ----------
    metric, granularity
        What was scored, and what was taken away.
    curves
        One for each layer.
    fragile
        The place of the most fragile one; None where no difference is seen, or another one was asked for.
    chosen
        The place of the one that was asked for; None where none was.
    title
        The finding.
    """

    metric: str
    granularity: str
    curves: tuple[Curve, ...]
    fragile: int | None
    chosen: int | None
    title: str


def sensitivity_data(found: Sensitivity | None, layer: str | None = None) -> SensitivityData:
    """Compute what the picture shows.

    Parameters
    ----------
    found
        What was measured; None: nothing was.
    layer
        The name of the layer that is looked at; None: the most fragile one.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    if found is None or not found.layers:
        return SensitivityData("score", "weights", (), None, None, "Not measured yet: run sensitivity()")
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
    if layer is not None:
        names = [one.name for one in found.layers]
        if layer not in names:
            raise ValueError(f"unknown layer {layer!r}: those that were measured are {text.listed(names)}")
        chosen = names.index(layer)
        title = _of_one(found, found.layers[chosen])
        return SensitivityData(found.metric, found.granularity, curves, None, chosen, title)
    worst = found.most_fragile
    place = None if worst is None else found.layers.index(worst)
    return SensitivityData(found.metric, found.granularity, curves, place, None, found.sentence().rstrip("."))


def _of_one(found: Sensitivity, layer: LayerSensitivity) -> str:
    """Say what a layer may lose for little."""
    name = f"Layer {layer.name}" if layer.name.isdigit() else layer.name
    most = layer.most(_LITTLE)
    return f"{name} may lose {100 * most:.0f} % of its {found.granularity} for {_LITTLE:g} of {found.metric}"


def draw_sensitivity(axes: Axes, data: SensitivityData) -> None:
    """Draw it: a line for each layer, with interval and name the most fragile one, or the one that is looked at."""
    label(axes, data.title, f"share of one layer's {data.granularity} that is gone, %", f"change of {data.metric}")
    if not data.curves:
        hide(axes)
        return
    values = [value for curve in data.curves for value in (*curve.lows, *curve.highs)]
    axes.set_xlim(0, 100)
    axes.set_ylim(*room(values))
    for place, curve in enumerate(data.curves):
        across = [100 * amount for amount in curve.amounts]
        is_named = place in (data.fragile, data.chosen)
        color = WARNING if place == data.fragile else QUIET
        axes.plot(across, curve.changes, color=color, linewidth=1.8 if is_named else 0.9)
        if is_named:
            axes.fill_between(across, curve.lows, curve.highs, color=color, alpha=0.25, linewidth=0)
            axes.annotate(
                curve.name,
                (across[-1], curve.changes[-1]),
                (4, 0) if len(curve.name) <= _FITTING else (0, -5),  # a long name goes on to the left, below the end
                textcoords="offset points",
                ha="left" if len(curve.name) <= _FITTING else "right",
                va="center" if len(curve.name) <= _FITTING else "top",
                fontsize=7,
                color=color,
                parse_math=False,
            )


@plots.register("sensitivity")
def plot_sensitivity(job: Job, layer: str | None = None) -> Figure:
    """Draw what each layer of a net by itself may lose.

    Parameters
    ----------
    job
        A compression.
    layer
        The name of the layer that is looked at; None: the most fragile one.
    """
    figure, (axes,) = new_figure()
    draw_sensitivity(axes, sensitivity_data(compression_of(job, "sensitivity").last_sensitivity, layer))
    return figure
