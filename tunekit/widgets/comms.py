"""What widgets have between kernel and page: how clicks come while a cell runs, and how nothing of them is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def hears_while_blocked(widget: Any) -> bool:
    """Whether a click reaches the kernel while a cell is running there.

    It does where the kernel has subshells (ipykernel 7). Some 7.x route a click to the loop that last sent something,
    which is the busy one; `route_clicks_around` mends that.
    """
    return bool(getattr(getattr(widget.comm, "kernel", None), "_supports_kernel_subshells", False))


def route_clicks_around(root: Any) -> None:
    """Let clicks keep the subshell that the browser sends them to (ipykernel 7.4; no effect elsewhere)."""
    for widget in family(root):
        if getattr(widget.comm, "_reply_subshell_for", None) is not None:
            # private to ipykernel: with it, a click waits until the running cell has ended
            widget.comm._reply_subshell_for = None


def dispose(root: Any) -> None:
    """Close a widget and all that came with it: no comm is left."""
    for widget in tuple(family(root)):
        widget.close()


def family(root: Any) -> Iterator[Any]:
    """A widget, what it contains, and the layout and style that each has."""
    yield root
    for part in ("layout", "style"):
        if hasattr(getattr(root, part, None), "comm"):
            yield getattr(root, part)
    for child in getattr(root, "children", ()):
        yield from family(child)
