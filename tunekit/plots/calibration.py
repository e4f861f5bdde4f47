"""The calibration of several models: how sure they are against how often they are right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.plots.comparison import comparison_plots
from tunekit.plots.theme import HEIGHT, QUIET, WARNING, WIDTH, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.insight.comparison import Comparison

# A dot of the bin with the most examples has this size, in points; the area is the share of the examples.
_LARGEST = 9.0
_SMALLEST = 2.5
# So many have room side by side on a page.
_ABREAST = 2
_TICKS = (0, 0.25, 0.5, 0.75, 1)


@dataclass(frozen=True, slots=True)
class Dot:
    """The examples that a model is about equally sure of.

    Parameters
    ----------
    sure, right, low, high
        The mean probability of the answers, the share of right ones, and its 95 % interval; 0 to 1.
    count
        The number of examples.
    is_off
        Whether the probability lies outside of the interval.
    """

    sure: float
    right: float
    low: float
    high: float
    count: int
    is_off: bool


@dataclass(frozen=True, slots=True)
class CalibrationData:
    """What the picture shows of one model: its name, a dot for each bin with examples, the finding."""

    name: str
    dots: tuple[Dot, ...]
    title: str


def calibration_data(comparison: Comparison) -> tuple[CalibrationData, ...]:
    """Compute what the picture shows, for each model.

    Raises
    ------
    ValueError
        If the outputs are not classes.
    """
    _ = comparison.disagreements  # says why where there are no classes
    return tuple(
        CalibrationData(
            row.name,
            tuple(
                Dot(
                    each.confidence,
                    each.accuracy.value,
                    each.accuracy.low,
                    each.accuracy.high,
                    each.accuracy.count,
                    each.is_off,
                )
                for each in row.calibration.bins
            ),
            f"{row.name}: {row.calibration.words}",
        )
        for row in comparison.rows
        if row.calibration is not None
    )


def draw_calibration(axes: Axes, data: CalibrationData, *, is_first: bool = True) -> None:
    """Draw it: a dot with its interval for each bin, those off the diagonal in the warning colour."""
    label(axes, data.title, "how sure it is", "share of right answers" if is_first else "", data.name)
    axes.plot([0, 1], [0, 1], linestyle=(0, (4, 4)), color=QUIET, linewidth=0.8)
    axes.set(xlim=(0, 1.03), ylim=(-0.03, 1.06), xticks=_TICKS, yticks=_TICKS)
    most = max(dot.count for dot in data.dots)
    for dot in data.dots:
        color = WARNING if dot.is_off else QUIET
        size = max(_SMALLEST, _LARGEST * (dot.count / most) ** 0.5)
        axes.plot([dot.sure, dot.sure], [dot.low, dot.high], color=color, linewidth=1.0, solid_capstyle="butt")
        axes.plot(dot.sure, dot.right, "o", color=color, markersize=size, markeredgewidth=0)


@comparison_plots.register("calibration")
def plot_calibration(comparison: Comparison) -> Figure:
    """Draw how well the probabilities of each model say how often it is right."""
    data = calibration_data(comparison)
    rows = math.ceil(len(data) / _ABREAST)
    figure, several = new_figure(_ABREAST, WIDTH, HEIGHT * rows, rows)
    for axes in several[len(data) :]:
        axes.remove()
    for place, (axes, each) in enumerate(zip(several, data, strict=False)):
        draw_calibration(axes, each, is_first=place % _ABREAST == 0)
    return figure
