"""The one live widget: buttons, progress, a sentence, one picture or two. It knows nothing of jobs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from tunekit.widgets import comms
from tunekit.widgets.page import PageWidget, script

_HERE = Path(__file__).parent


class Panel(PageWidget):
    """What the browser shows of a running job; all of its state travels in one message.

    Parameters
    ----------
    heading
        What is running: the name of the panel for whoever cannot see it.
    press
        Called with ``"pause"``, ``"resume"`` or ``"stop"`` when a button is pressed. It may be called on another
        thread, and should only set a flag.
    """

    _esm = script("panel")
    _css = _HERE / "panel.css"

    heading = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Unicode("running").tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    fraction = traitlets.Float(0.0).tag(sync=True)
    hint = traitlets.Unicode("").tag(sync=True)
    picture = traitlets.Bytes(b"").tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    beside = traitlets.Bytes(b"").tag(sync=True)
    beside_width = traitlets.Int(0).tag(sync=True)
    beside_alt = traitlets.Unicode("").tag(sync=True)

    def __init__(self, heading: str, press: Callable[[str], None]) -> None:
        super().__init__(heading=heading)
        self._press = press
        self.on_msg(self._receive)

    @property
    def hears_while_blocked(self) -> bool:
        """Whether a click reaches the kernel while a cell is running there."""
        return comms.hears_while_blocked(self)

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        pressed = content.get("press") if isinstance(content, dict) else None
        if pressed in ("pause", "resume", "stop"):
            self._press(pressed)
