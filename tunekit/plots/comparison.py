"""The pictures of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tunekit.insight.comparison import Comparison

comparison_plots: Registry[Callable[[Any], Any]] = Registry("picture of a comparison")


def plot(name: str, comparison: Comparison) -> Figure:
    """Draw the picture of that name.

    Parameters
    ----------
    name
        ``"calibration"`` or ``"disagreements"``, or what else is registered.
    comparison
        What `compare` found.

    Raises
    ------
    ValueError
        If there is no picture of that name, or the outputs that were compared are not classes.
    """
    # the modules register themselves; they are read when the first name is looked up
    from tunekit.plots import calibration, disagreements  # noqa: F401

    figure: Figure = comparison_plots[name](comparison)
    return figure
