"""The tab with the picture of bytes against the score, and the best row in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tunekit.compress import table
from tunekit.compress.limits import CALLED, METRICS, WRITTEN, Limits
from tunekit.compress.rows import Rows
from tunekit.compress.table import Row
from tunekit.core import text
from tunekit.plots.theme import new_figure
from tunekit.plots.trade_off import draw_trade_off, trade_off_data
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.picture import Picture
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import paragraph


class TradeOffTab(Tab):
    """What each row costs against what it scores, with the budget."""

    title = "Trade-off"
    job: Rows

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._words, self._budget = ipywidgets.HTML(), ipywidgets.HTML()
        self._picture = Picture()
        self._all = ipywidgets.VBox([self._words, self._budget, self._picture])

    @property
    def widget(self) -> Any:
        """The words, and the picture."""
        return self._all

    def refresh(self) -> None:
        """Say which row is the best, and draw what there is where it is new."""
        nets = table.rows(self.job)
        best = next((net for net in nets if net.is_best), None)
        limits = self.job.limits
        figures: Mapping[str, float] = {} if best is None else self.job.history[best.number].metrics
        self._words.value = paragraph(best_in_words(nets, best), is_news=True)
        self._budget.value = "" if limits is None else paragraph(budget_in_words(limits, figures))
        version = len(self.job.history.complete), self.job.best_number, limits
        self._picture.paint(version, self._draw, in_a_hurry=is_at_rest(self.job))

    def _draw(self) -> tuple[Any, str]:
        data = trade_off_data(self.job.history, self.job.limits, self.job.best_number)
        figure, (axes,) = new_figure()
        draw_trade_off(axes, data)
        return figure, f"{data.title}. {text.plural(len(data.points), 'net')}, file size against {data.metric}."


def best_in_words(nets: list[Row], best: Row | None) -> str:
    """Say what the best row costs, and what it is worth.

    Examples
    --------
    >>> best_in_words([], None)
    'Nothing measured yet: run a recipe.'
    """
    if best is None or best.score is None:
        return "Nothing measured yet: run a recipe."
    original = nets[0]
    what = f"{best.metric} {best.score}"
    if not best.number:
        return f"The original is the best row so far: ONNX file {text.size(best.size)}, {what}."
    smaller = f", {original.size / best.size:.1f}x smaller" if best.size else ""
    words = f"Best is row {best.number}, {best.step}: ONNX file {text.size(best.size)}{smaller}; {what}"
    if best.change is not None:
        change = best.change
        low, high = text.signed(change.low), text.signed(change.high)
        words += f", on the same examples {text.signed(change.value)} [{low}, {high}] against the original"
    return f"{words}; bundle {text.size(best.bundle)}; {text.counted(best.macs)} MACs."


def budget_in_words(limits: Limits, figures: Mapping[str, float]) -> str:
    """Say what a budget allows, and what of it the best row uses.

    Examples
    --------
    >>> budget_in_words(Limits("accuracy", 0.9, {"size": 1000.0}), {"size": 800.0, "accuracy": 0.95})
    'Budget: file at most 1.00 kB (row has 800 B), accuracy at least 0.900 (row has 0.950).'
    """

    def has(name: str, written: Callable[[float], str]) -> str:
        return f" (row has {written(figures[name])})" if name in figures else ""

    parts = [
        f"{CALLED[name]} at most {WRITTEN[name](most)}{has(METRICS[name], WRITTEN[name])}"
        for name, most in limits.most.items()
    ]
    parts.append(f"{limits.metric} at least {text.number(limits.floor)}{has(limits.metric, text.number)}")
    return f"Budget: {', '.join(parts)}."
