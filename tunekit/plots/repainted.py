"""A canvas for a picture that is drawn again and again: what is the same as before is not drawn anew.

Titles, names and the figures at marks take most of the time of a small picture, and stay the same most of the time.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.text import Text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

# So many dots around the box of a title its letters may reach.
_AROUND = 2


class Repainted(FigureCanvasAgg):
    """Draws the very pixels that its figure has on any other canvas, but its titles and marks only when they change.

    Parameters
    ----------
    figure
        What it draws: pictures in which nothing reaches out over marks and titles.
    """

    def __init__(self, figure: Any) -> None:
        super().__init__(figure)
        self._kept: list[tuple[Hashable, Any]] = []

    def draw(self) -> None:
        """Draw the figure as it stands."""
        renderer: RendererAgg = self.get_renderer()  # type: ignore[no-untyped-call]
        axes = self.figure.axes
        boxes = (self.figure.bbox.bounds, *(one.get_position().bounds for one in axes))
        marks = [axis for one in axes for axis in (one.xaxis, one.yaxis) if axis.get_visible()]
        titles = [title for one in axes for title in _titles(one)]
        # the boxes of marks overlap, so they are one part; being all of the picture, it takes away what was there
        parts: list[tuple[Sequence[Artist], Hashable, Any]] = [(marks, tuple(map(_looks, marks)), self.figure.bbox)]
        for title in titles:
            look = title.get_text(), title.get_fontsize(), title.get_color()
            parts.append(([title], look, title.get_window_extent(renderer).padded(_AROUND)))
        looks = [(boxes, look) for _, look, _ in parts]
        kept = dict(enumerate(self._kept))
        self._kept = []
        for number, (artists, _, box) in enumerate(parts):
            if number not in kept or kept[number][0] != looks[number]:
                renderer.clear()
                for artist in artists:
                    artist.draw(renderer)
                kept[number] = looks[number], renderer.copy_from_bbox(box)
            self._kept.append(kept[number])
        for _, pixels in self._kept:
            renderer.restore_region(pixels)
        still = [artist for artists, _, _ in parts for artist in artists]
        for artist in still:
            artist.set_visible(False)
        try:
            self.figure.draw(renderer)
        finally:
            for artist in still:
                artist.set_visible(True)


def _titles(axes: Axes) -> list[Text]:
    written = [child for child in axes.get_children() if isinstance(child, Text) and child not in axes.texts]
    return [title for title in written if title.get_text() and title.get_visible()]


def _looks(axis: Axis) -> Hashable:
    """What the marks of an axis and its name depend on."""
    named, major = axis.get_label(), axis.major
    return (
        *axis.get_view_interval(),
        axis.get_scale(),
        named.get_text(),
        named.get_fontsize(),
        *map(_settings, (major.locator, major.formatter)),
        tuple(axis.get_tick_params().items()),
    )


def _settings(one: Any) -> Hashable:
    named = ((name, value) for name, value in vars(one).items() if name != "axis")
    return type(one), *((name, value.tobytes() if isinstance(value, np.ndarray) else value) for name, value in named)
