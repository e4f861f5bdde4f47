"""A figure as a small PNG: few colours, transparent, two pixels a point."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.plots.palette import of_few_colours
from tunekit.plots.theme import DOTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Fonts and other caches of matplotlib are shared between figures: one thread draws at a time.
drawing = threading.RLock()


@dataclass(frozen=True, slots=True)
class Image:
    """A PNG with the size that it should have on the page.

    Parameters
    ----------
    data
        The bytes of the file.
    width, height
        CSS pixels: half of the pixels in the file.
    """

    data: bytes
    width: int
    height: int

    @property
    def size(self) -> dict[str, int]:
        """The size on the page, as the metadata of a notebook output has it."""
        return {"width": self.width, "height": self.height}


def png(figure: Figure, final: bool = False) -> Image:
    """Draw a figure.

    Parameters
    ----------
    figure
        A figure on an Agg canvas.
    final
        Whether it stays in the file: compressed harder, which takes 40 ms instead of 4.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with drawing:
        canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
        canvas.draw()
        small = of_few_colours(np.asarray(canvas.buffer_rgba()))
    file = io.BytesIO()
    small.save(file, format="PNG", compress_level=9 if final else 1)
    return Image(file.getvalue(), round(small.width * 100 / DOTS), round(small.height * 100 / DOTS))
