"""The tab that lists the trials, and shows all that is known of the one that was chosen."""

from __future__ import annotations

from typing import Any

from tunekit.core import text
from tunekit.core.trial import Trial
from tunekit.plots.trial_curve import trial_curve, trial_curve_data
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.picture import Picture
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import error_box, facts
from tunekit.widgets.table import Table
from tunekit.widgets.trial_rows import TrialRows


class TrialsTab(Tab):
    """A table of the trials, the best first, and the details of one."""

    title = "Trials"

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        aim = self.job.history.goal.aim
        self._rows = TrialRows()
        self._table = Table("trial", explorer.wake, (aim.metric, aim.maximize))
        self._details = ipywidgets.HTML()
        self._curve = Picture()
        self._all = ipywidgets.VBox([self._table, self._details, self._curve])

    @property
    def widget(self) -> Any:
        """The table, and below it the trial that was chosen."""
        return self._all

    def refresh(self) -> None:
        """Show the page of the table that is wanted, and the chosen trial as it stands."""
        history = self.job.history
        columns, rows = self._rows.read(history)
        self._table.show([column.name for column in columns], [column.is_numeric for column in columns], rows)
        number = self._table.chosen
        if not 0 <= number < len(history):
            return
        trial = history[number]
        self._details.value = details(trial)
        if trial.reports:
            best = history.best
            version = number, len(trial.reports), None if best is None else best.number
            in_a_hurry = is_at_rest(self.job) or trial.state != "running"
            self._curve.paint(version, lambda: self._draw(number), in_a_hurry=in_a_hurry)
        else:
            self._curve.clear()

    def _draw(self, number: int) -> tuple[Any, str]:
        history = self.job.history
        return trial_curve(history, number), f"Learning curve. {trial_curve_data(history, number).title}."


def details(trial: Trial) -> str:
    """All that is known of a trial, as HTML; what is the user's is escaped.

    Examples
    --------
    >>> "&lt;b&gt;" in details(Trial(3, {"<b>": 1}))
    True
    """
    parts = [f"<h4>Trial {trial.number}, {trial.state}</h4>"]
    run = [("duration", text.duration(trial.seconds))] if trial.seconds is not None else []
    run += [("goes on from", f"trial {trial.parent}")] if trial.parent is not None else []
    run += [("seed", str(trial.seed))] if trial.seed is not None else []
    figures = trial.metrics or (trial.reports[-1] if trial.reports else {})
    parts.append(facts("Settings", [(name, text.value(value)) for name, value in trial.params.items()]))
    title = "Metrics" if trial.metrics else "Metrics so far"
    parts.append(facts(title, [(name, text.number(value)) for name, value in figures.items()]))
    parts.append(facts("Run", run))
    if trial.error:
        parts.append(error_box(trial.error))
    return f'<div class="tunekit-details">{"".join(parts)}</div>'
