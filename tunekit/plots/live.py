"""The pictures of a job that is going on: where it stands, and beside it how it learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.rows import Rows
from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots.curves import curves_data, draw_curves, has_curves
from tunekit.plots.history import draw_history, history_data
from tunekit.plots.image import drawing
from tunekit.plots.theme import WIDTH, new_figure, wipe
from tunekit.plots.trade_off import draw_trade_off, trade_off_data
from tunekit.search.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The most pictures that one job has.
_PLACES = 2


@dataclass(frozen=True, slots=True)
class LivePicture:
    """A figure and the words that stand for it where it cannot be seen."""

    figure: Figure
    alt: str


class LivePainter:
    """Draws the pictures of one job again and again, each on a figure of its own: one at a time costs half of both.

    Parameters
    ----------
    job
        A study: best so far over trials, and the learning curves. A compression: bytes against score, and the curves.
        Where nothing reports its steps, there is one picture.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._kept: dict[tuple[int, int], tuple[Figure, Axes]] = {}

    @property
    def count(self) -> int:
        """How many pictures the job has now: 1 or 2, side by side in the width of one."""
        return _count(self.job)

    def paint(self, place: int = 0) -> LivePicture:
        """Draw the picture at a place from the left as the job stands; the figure is drawn anew by the next call."""
        with drawing:
            key = place, self.count
            if key not in self._kept:
                figure, (axes,) = new_figure(width=WIDTH // self.count, again=True)
                self._kept[key] = figure, axes
            figure, axes = self._kept[key]
            wipe(axes)
            return LivePicture(figure, text.printable(f"{_draw(self.job, place, axes)}."))


def live_picture(job: Job) -> LivePicture:
    """Draw all pictures of a job as it stands, side by side on one new figure."""
    with drawing:
        figure, axes = new_figure(_count(job))
        said = [_draw(job, place, one) for place, one in enumerate(axes)]
        return LivePicture(figure, text.printable(f"{'. '.join(said)}."))


def _count(job: Job) -> int:
    return _PLACES if has_curves(job.history) else 1


def _draw(job: Job, place: int, axes: Axes) -> str:
    """Draw one picture; return what it shows in words."""
    if place:
        curves = curves_data(job.history)
        draw_curves(axes, curves)
        return f"Learning curves: {curves.title}"
    if isinstance(job, Study):
        scores = history_data(job.history)
        draw_history(axes, scores)
        left_out = f", {scores.left_out}" if scores.left_out else ""
        return f"{scores.title}. {text.plural(len(scores.numbers), 'score')} in the order of the trials{left_out}"
    limited = (job.limits, job.best_number) if isinstance(job, Rows) else ()
    sizes = trade_off_data(job.history, *limited)
    draw_trade_off(axes, sizes)
    return f"{sizes.title}. {text.plural(len(sizes.points), 'net')}, file size against {sizes.metric}"
