"""The head of an explorer: what it is, what there is to say, and the button that closes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from tunekit.widgets.page import PageWidget, script

_HERE = Path(__file__).parent


class Header(PageWidget):
    """Names the explorer for whoever cannot see it, and brings the looks of all that is in it.

    Parameters
    ----------
    heading
        What is explored.
    close
        Called when the button is pressed, perhaps on another thread: it should only set a flag.
    """

    _esm = script("header")
    _css = _HERE / "explorer.css"

    heading = traitlets.Unicode("").tag(sync=True)
    notice = traitlets.Unicode("").tag(sync=True)

    def __init__(self, heading: str, close: Callable[[], None]) -> None:
        super().__init__(heading=heading)
        self._close = close
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if content == {"press": "close"}:
            self._close()
