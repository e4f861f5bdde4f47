"""Views: how a job is shown while it runs and what is left of it in the saved notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tunekit.core.surroundings import kernel_shell

if TYPE_CHECKING:
    from tunekit.core.job import Job, View


def open_view(job: Job) -> View:
    """Show a job that begins now: a live panel under the cell, or a line in the terminal."""
    if kernel_shell() is not None:
        from tunekit.widgets.live_view import LiveView

        return LiveView(job)
    from tunekit.widgets.terminal import TerminalLine

    return TerminalLine(job)


def show(job: Job) -> None:
    """Show a job in the current cell: live while it runs, as text and picture otherwise."""
    from tunekit.widgets.live_view import show

    show(job)
