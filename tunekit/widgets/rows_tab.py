"""The tab that lists the rows of a compression as they are made, and shows all that is known of one."""

from __future__ import annotations

from typing import Any

from tunekit.compress import recipe as recipes
from tunekit.compress import table
from tunekit.compress.rows import Rows
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.net_rows import net_details, net_rows
from tunekit.widgets.table import Table


class RowsTab(Tab):
    """A table of the rows in the order in which they were made, and the details of one."""

    title = "Rows"
    job: Rows

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._table = Table("row", explorer.wake, ("row", False))
        self._details = ipywidgets.HTML()
        self._all = ipywidgets.VBox([self._table, self._details])

    @property
    def widget(self) -> Any:
        """The table, and below it the row that was chosen."""
        return self._all

    def refresh(self) -> None:
        """Show the rows as they stand, and the chosen one."""
        nets = table.rows(self.job)
        self._table.show(*net_rows(nets, self.job.task.metric_name))
        number = self._table.chosen
        if 0 <= number < len(nets):
            trial = self.job.history[number]
            steps = recipes.from_records(trial.params.get("recipe", []))
            self._details.value = net_details(nets[number], trial, [repr(step) for step in steps])
