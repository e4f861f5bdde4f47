"""The weights of a net: how they are distributed, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.layer_weights import LayerWeights, layer_weights
from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.rows import chosen_row, compression_of
from tunekit.plots.theme import ACCENT, QUIET, hide, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tunekit.compress.rows import Rows

_BINS = 80
# The picture spans all but this share at either end: one far outlier would press the rest into a line.
_OUTSIDE = 0.001
# Up to so many different values are drawn as lines, one each.
_FEW = 40


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the weights of one net are distributed.

    Parameters
    ----------
    edges, shares
        A histogram of those that are not zero: shape (bins + 1,) and (bins,), shares of all weights, 0 to 1.
    values
        The different values other than zero and their shares, where they are few; else none.
    zeros
        The share that is zero, 0 to 1.
    distinct
        How many different numbers stand for them in the file.
    count
        How many weights there are.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    values: tuple[tuple[float, float], ...]
    zeros: float
    distinct: int
    count: int


@dataclass(frozen=True, slots=True)
class WeightsData:
    """What the picture shows: the original, the row with its number (None where it is the original itself), a title."""

    before: Distribution | None
    after: Distribution | None
    row: int | None
    is_best: bool
    title: str


def weights_data(lab: Rows, row: int | None = None, layer: str | None = None) -> WeightsData:
    """Compute what the picture shows.

    Parameters
    ----------
    lab
        A compression.
    row
        The row to set against the original; None: the best one.
    layer
        The name of one layer, of which the row has at least a part; None: all.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    number = chosen_row(lab, row)
    if number is None:
        return WeightsData(None, None, None, False, "Not measured yet: run a recipe")
    old = _chosen(layer_weights(lab, 0), layer)
    new = _chosen(layer_weights(lab, number), layer) if number else []
    where = "" if layer is None else f"layer {layer}: " if layer.isdigit() else f"{layer}: "
    values = [held.values for held in (*old, *new)]
    if not values:
        return WeightsData(None, None, None, False, "No weights in layers")
    edges = _edges(np.concatenate(values))
    before, after = (_distribution(held, edges) if held else None for held in (old, new))
    told = after if after is not None else before
    assert told is not None
    title = f"{where}{_share(told.zeros)} of {text.counted(told.count)} weights are zero; {told.distinct:,} values"
    if after is not None and before is not None:
        title += f", before {before.distinct:,}"
    return WeightsData(before, after, number or None, number == lab.best_number, title)


def _chosen(held: Sequence[LayerWeights], layer: str | None) -> list[LayerWeights]:
    if layer is None:
        return list(held)
    found = [one for one in held if one.name == layer or one.name.startswith(f"{layer}.")]
    if not found:
        raise ValueError(f"unknown layer {layer!r}: those with weights are {text.listed(one.name for one in held)}")
    return found


def _edges(values: NDArray[np.float32]) -> NDArray[np.float64]:
    low, high = np.quantile(values, [_OUTSIDE, 1 - _OUTSIDE])
    most = max(abs(float(low)), abs(float(high))) or 1.0
    return np.linspace(-most, most, _BINS + 1)


def _distribution(held: Sequence[LayerWeights], edges: NDArray[np.float64]) -> Distribution:
    values = np.concatenate([one.values for one in held])
    others = values[values != 0]
    counted, _ = np.histogram(np.clip(others, edges[0], edges[-1]), edges)
    different, times = np.unique(others, return_counts=True)
    few = zip(different, times, strict=True) if len(different) <= _FEW else ()
    return Distribution(
        tuple(edges.tolist()),
        tuple((counted / values.size).tolist()),
        tuple((float(value), float(count / values.size)) for value, count in few),
        float(np.mean(values == 0)),
        sum(one.distinct for one in held),
        int(values.size),
    )


def _share(value: float) -> str:
    return f"{100 * value:.1f} %" if 0 < value < 0.1 else f"{100 * value:.0f} %"


def _meaning(data: WeightsData) -> str:
    return "" if data.row is None else f" (outline: original, filled: row {data.row})"


def draw_weights(axes: Axes, data: WeightsData) -> None:
    """Draw it: the original as an outline, the row filled, in the accent colour if it is the best; zeros in words."""
    label(axes, data.title, f"value of a weight other than zero{_meaning(data)}", "share of all weights, %")
    if data.before is None:
        hide(axes)
        return
    axes.stairs([100 * share for share in data.before.shares], data.before.edges, color=QUIET, linewidth=1.0)
    highest = max(data.before.shares)
    if data.after is not None:
        color = ACCENT if data.is_best else QUIET
        if data.after.values:
            for value, share in data.after.values:
                axes.plot([value, value], [0, 100 * share], color=color, linewidth=1.4, solid_capstyle="butt")
            highest = max(highest, *(share for _, share in data.after.values))
        else:
            shares = [100 * share for share in data.after.shares]
            axes.stairs(shares, data.after.edges, color=color, alpha=0.75, fill=True)
            highest = max(highest, *data.after.shares)
    axes.set_xlim(data.before.edges[0], data.before.edges[-1])
    axes.set_ylim(0, 108 * highest or 1)


@plots.register("weights")
def plot_weights(job: Job, row: int | None = None, layer: str | None = None) -> Figure:
    """Draw how the weights are distributed, in the original (outline) and in a row (filled).

    Parameters
    ----------
    job
        A compression.
    row
        The number of a row; None: the best one.
    layer
        The name of one layer; None: all.
    """
    figure, (axes,) = new_figure()
    draw_weights(axes, weights_data(compression_of(job, "weights"), row, layer))
    return figure
