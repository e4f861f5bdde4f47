"""A figure as a small PNG: few colours, transparent, two pixels a point."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    from PIL import Image as Pillow

    with drawing:
        canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
        canvas.draw()
        width, height = canvas.get_width_height(physical=True)
        pixels = Pillow.frombuffer("RGBA", (width, height), bytes(canvas.buffer_rgba()))
    # 64 colours with transparency: a third of the bytes of full colour, and nothing to see of it
    small = pixels.quantize(64, method=Pillow.Quantize.FASTOCTREE)
    file = io.BytesIO()
    small.save(file, format="PNG", compress_level=9 if final else 1)
    return Image(file.getvalue(), round(width * 100 / DOTS), round(height * 100 / DOTS))
