"""A picture on the page: a PNG with the words that stand for it where it cannot be seen."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import traitlets

from tunekit.core import text
from tunekit.plots.image import drawing, png
from tunekit.widgets.page import PageWidget, script
from tunekit.widgets.rest import Rest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Picture(PageWidget):
    """Shows a figure, and draws it only where it is another one."""

    _esm = script("picture")

    picture = traitlets.Bytes(b"").tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)

    def __init__(self) -> None:
        super().__init__()
        self._rest = Rest()

    def paint(self, version: Hashable, draw: Callable[[], tuple[Figure, str]], *, in_a_hurry: bool) -> None:
        """Show what `draw` gives: a figure and its words.

        Parameters
        ----------
        version
            What the figure depends on, not None: nothing is drawn where it is that of the last one.
        draw
            Called under the lock of all drawing.
        in_a_hurry
            Whether nobody else needs the cores; otherwise an old picture may stay for a while.
        """
        if not self._rest.is_due(version, in_a_hurry):
            return
        with self._rest, drawing:
            figure, alt = draw()
            image = png(figure)
        self.show(image.data, image.width, alt)

    def show(self, data: bytes, width: int, alt: str) -> None:
        """Show a PNG of so many CSS pixels' width, and the words that stand for it."""
        self.update(picture=data, width=width, alt=text.printable(alt))

    def clear(self) -> None:
        """Show nothing."""
        self._rest = Rest()
        self.update(picture=b"", alt="")
