"""Pictures: the data first, then a matplotlib figure. A title states what was found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tunekit.core.job import Job

plots: Registry[Callable[[Any], Any]] = Registry("plot")


def plot(name: str, job: Job) -> Figure:
    """Draw the picture of that name.

    Parameters
    ----------
    name
        A registered plot: ``"history"``, ``"curves"``, ``"front"``, ``"lineage"``, ``"sensitivity"``, ``"trade_off"``.
    job
        The study or compression to draw.

    Raises
    ------
    ValueError
        If there is no plot of that name.
    """
    # the modules register themselves; they are read when the first name is looked up
    from tunekit.plots import curves, front, history, lineage, sensitivity, trade_off  # noqa: F401

    figure: Figure = plots[name](job)
    return figure
