"""Pictures: the data first, then a matplotlib figure. A title states what was found."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tunekit.core.job import Job

plots: Registry[Callable[..., Any]] = Registry("plot")


def registered() -> list[str]:
    """The names of all plots."""
    # the modules register themselves
    from tunekit.plots import (  # noqa: F401
        confusion,
        contour,
        curves,
        front,
        history,
        importance,
        layers,
        lineage,
        parallel,
        process,
        sensitivity,
        slices,
        timeline,
        trade_off,
        weights,
    )

    return list(plots)


def plot(name: str, job: Job, **settings: Any) -> Figure:
    """Draw the picture of that name.

    Parameters
    ----------
    name
        A registered plot. Of any job: ``"history"``, ``"curves"``, ``"timeline"``, ``"lineage"``, ``"front"``. Of a
        study: ``"parallel"``, ``"importance"``, ``"slices"``, ``"contour"``, ``"process"``. Of a compression:
        ``"trade_off"``, ``"layers"``, ``"weights"``, ``"confusion"``, ``"sensitivity"``.
    job
        The study or compression to draw.
    **settings
        What the plot lets one choose, by name.

    Raises
    ------
    ValueError
        If there is no plot of that name, it has no such setting, or it is for other jobs.
    """
    registered()
    draw = plots[name]
    known = list(inspect.signature(draw).parameters)[1:]
    for setting in settings:
        if setting not in known:
            raise ValueError(
                f"unknown setting {setting!r} of the plot {name!r}: the known ones are {text.listed(known)}"
            )
    figure: Figure = draw(job, **settings)
    return figure
