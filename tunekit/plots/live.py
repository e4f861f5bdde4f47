"""The picture of a job that is going on: where it stands on the left, how it learns on the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.rows import Rows
from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots.curves import curves_data, draw_curves
from tunekit.plots.history import draw_history, history_data
from tunekit.plots.image import drawing
from tunekit.plots.theme import new_figure, wipe
from tunekit.plots.trade_off import TradeOffData, draw_trade_off, trade_off_data
from tunekit.search.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class LivePicture:
    """A figure and the words that stand for it where it cannot be seen."""

    figure: Figure
    alt: str


class LivePainter:
    """Draws one job again and again, on the same figure as long as it has the same parts.

    Parameters
    ----------
    job
        A study: best so far over trials, and the learning curves. A compression: bytes against score, and the curves.
        Where nothing reports its steps, there is one picture.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._figure: Figure | None = None
        self._axes: list[Axes] = []

    def paint(self) -> LivePicture:
        """Draw the job as it stands; the figure belongs to the painter until the next call."""
        history = self.job.history
        curves = curves_data(history)
        has_curves = bool(curves.all)
        with drawing:
            figure = self._canvas(2 if has_curves else 1)
            if isinstance(self.job, Study):
                scores = history_data(history)
                draw_history(self._axes[0], scores)
                title, points = scores.title, f"{text.plural(len(scores.numbers), 'score')} in the order of the trials"
                points += f", {scores.left_out}" if scores.left_out else ""
            else:
                sizes = _trade_off(self.job)
                draw_trade_off(self._axes[0], sizes)
                title, points = (
                    sizes.title,
                    f"{text.plural(len(sizes.points), 'net')}, file size against {sizes.metric}",
                )
            if has_curves:
                draw_curves(self._axes[1], curves)
                points += f". Learning curves: {curves.title}"
        return LivePicture(figure, text.printable(f"{title}. {points}."))

    def _canvas(self, columns: int) -> Figure:
        if self._figure is None or len(self._axes) != columns:
            self._figure, self._axes = new_figure(columns, again=True)
        for axes in self._axes:
            wipe(axes)
        return self._figure


def _trade_off(job: Job) -> TradeOffData:
    if isinstance(job, Rows):
        return trade_off_data(job.history, job.limits, job.best_number)
    return trade_off_data(job.history)
