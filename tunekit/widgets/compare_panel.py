"""The widget that asks models side by side. It knows none: it shows what it is given, and tells what is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from tunekit.widgets.page import PageWidget, script

_HERE = Path(__file__).parent


class ComparePanel(PageWidget):
    """What the browser shows of a comparison: an input, a chooser of examples, a column of bars for each model.

    Parameters
    ----------
    heading
        What is compared: the name of the panel for whoever cannot see it.
    ask
        Called with what is asked, and the bytes that came with it. It may be called on another thread.
    facts
        The traits below that stay as they are.
    """

    _esm = script("compare")
    _css = _HERE / "compare.css"

    heading = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)  # "image", "text", "sound", or nothing to be seen
    takes_new = traitlets.Bool(False).tag(sync=True)  # whether one may draw, type or record
    canvas = traitlets.Dict().tag(sync=True)  # height, width, colours, and whether the paper is light
    rate = traitlets.Int(0).tag(sync=True)  # samples a second of a sound
    choices: traitlets.List[Any] = traitlets.List().tag(sync=True)  # [index, words, group] of each example
    reply = traitlets.Dict().tag(sync=True)  # what the models answered last, and to which question
    pixels = traitlets.Bytes(b"").tag(sync=True)  # the chosen picture, row by row
    words = traitlets.Unicode("").tag(sync=True)  # the chosen text
    sound = traitlets.Bytes(b"").tag(sync=True)  # the chosen sound, as a WAV file

    def __init__(self, heading: str, ask: Callable[[dict[str, Any], bytes], None], **facts: Any) -> None:
        super().__init__(heading=heading, **facts)
        self._ask = ask
        self.on_msg(self._receive)

    def _receive(self, _widget: Any, content: Any, buffers: Any) -> None:
        if isinstance(content, dict) and content.get("ask") in ("example", "text", "drawing", "sound", "keep"):
            self._ask(content, bytes(buffers[0]) if buffers else b"")
