"""Views: how a job is shown while it runs and what is left of it in the saved notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tunekit.core.surroundings import kernel_shell

if TYPE_CHECKING:
    from tunekit.core.job import Job, View
    from tunekit.widgets.explorer import Explorer

_is_shown: ContextVar[bool] = ContextVar("_is_shown", default=False)


def open_view(job: Job) -> View | None:
    """Show a job that begins now: a live panel under the cell, or a line in the terminal; None where it is shown."""
    if _is_shown.get():
        return None
    if kernel_shell() is not None:
        from tunekit.widgets.live_view import LiveView

        return LiveView(job)
    from tunekit.widgets.terminal import TerminalLine

    return TerminalLine(job)


def show(job: Job) -> None:
    """Show a job in the current cell: live while it runs, as text and picture otherwise."""
    from tunekit.widgets.live_view import show

    show(job)


def explore(job: Job) -> Explorer:
    """Open an explorer of a job in the current cell.

    Raises
    ------
    RuntimeError
        Outside of a notebook.
    """
    if kernel_shell() is None:
        raise RuntimeError("an explorer is a panel in a notebook, and this is none: use plot() and explain() here")
    from tunekit.widgets.explorer import Explorer
    from tunekit.widgets.tabs import tabs_of

    explorer = Explorer(job, tabs_of(job))
    explorer.show()
    return explorer


@contextmanager
def as_shown() -> Iterator[None]:
    """Begin jobs within without opening a view: something shows them already."""
    token = _is_shown.set(True)
    try:
        yield
    finally:
        _is_shown.reset(token)
