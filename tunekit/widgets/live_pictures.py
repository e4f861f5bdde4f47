"""The pictures of a running job on its panel, one drawn after the other so that no update takes long."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from tunekit.core.job import Job
from tunekit.plots.image import png
from tunekit.plots.live import LivePainter
from tunekit.widgets.rest import Rest

# The traits of a panel in which a picture travels: the left one, and the one beside it.
TRAITS = (("picture", "width", "alt"), ("beside", "beside_width", "beside_alt"))


class LivePictures:
    """Says what a panel has to show anew of a job.

    Parameters
    ----------
    job
        What is shown.
    """

    def __init__(self, job: Job) -> None:
        self._painter = LivePainter(job)
        self._rest = Rest()
        self._count = 0
        self._drawn: dict[int, Hashable] = {}

    def warm_up(self) -> None:
        """Draw once unseen: reading matplotlib and its fonts is not what a picture costs."""
        for place in range(self._painter.count):
            png(self._painter.paint(place).figure)

    def seconds_until_due(self, version: Hashable) -> float:
        """How long it rests yet before there is something to draw, 0 or more; infinite where all is drawn."""
        place = self._oldest(version)
        return float("inf") if place is None else self._rest.seconds_until_due((place, version))

    def due(self, version: Hashable, *, in_a_hurry: bool) -> dict[str, Any]:
        """Draw what is old, where there is time for it; return the traits of a panel that show it.

        Parameters
        ----------
        version
            What the pictures depend on, not None: nothing is drawn where it is that of the last ones.
        in_a_hurry
            Whether nobody else needs the cores: then all are drawn at once, else the one that is the oldest.
        """
        traits: dict[str, Any] = {}
        if self._count != self._painter.count:
            # they share the width, so all of them are other ones now
            self._count = self._painter.count
            self._drawn.clear()
        in_a_hurry |= not self._drawn
        while (place := self._oldest(version)) is not None and self._rest.is_due((place, version), in_a_hurry):
            with self._rest:
                painted = self._painter.paint(place)
                image = png(painted.figure)
            self._drawn.pop(place, None)
            self._drawn[place] = version  # the last of them is the newest
            traits |= dict(zip(TRAITS[place], (image.data, image.width, painted.alt), strict=True))
        return traits

    def _oldest(self, version: Hashable) -> int | None:
        """The place of the picture that was drawn the longest ago; None where all are of that version."""
        for place in range(self._count):
            if place not in self._drawn:
                return place
        return next((place for place, drawn in self._drawn.items() if drawn != version), None)
