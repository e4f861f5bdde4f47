"""How far a study is, and the buttons that have it try more."""

from __future__ import annotations

from typing import Any

from tunekit.search.study import Study
from tunekit.widgets import as_shown
from tunekit.widgets.explorer import Explorer
from tunekit.widgets.progress_tab import ProgressTab

# The counts that a press is enough for, and that of the number field.
_AT_ONCE = (10, 50)
_AT_FIRST, _AT_MOST = 20, 100_000


class StudyProgressTab(ProgressTab):
    """The progress of a study, and below it how to go on."""

    job: Study

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._more = [
            ipywidgets.Button(description=f"Run {count} more", tooltip=f"Try {count} more settings")
            for count in _AT_ONCE
        ]
        self._count = ipywidgets.BoundedIntText(_AT_FIRST, min=1, max=_AT_MOST, description="More trials")
        self._run = ipywidgets.Button(description="Run more", tooltip="Try as many more settings as the field says")
        for button, count in zip(self._more, _AT_ONCE, strict=True):
            button.on_click(lambda _, count=count: self._begin(count))
        self._run.on_click(lambda _: self._begin(self._count.value))
        self._row = ipywidgets.HBox([*self._more, self._count, self._run])
        self._row.add_class("tunekit-row")
        self._all = ipywidgets.VBox([super().widget, self._row])

    @property
    def widget(self) -> Any:
        """The panel, and a row of buttons."""
        return self._all

    def refresh(self) -> None:
        """Show how far it is; more can be asked for where nothing runs."""
        for control in (*self._more, self._count, self._run):
            control.disabled = not self.job.is_over
        super().refresh()

    def _begin(self, count: int) -> None:
        def begin() -> None:
            with as_shown():
                self.job.more(count)

        self.explorer.act(begin)
