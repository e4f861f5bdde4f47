"""The tab that says which parameters matter, and what else the trials have shown."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tunekit.core import text
from tunekit.search.study import Study
from tunekit.widgets.explorer import Explorer
from tunekit.widgets.latest import Latest
from tunekit.widgets.pictures_tab import PicturesTab
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import shown


class ImportanceTab(PicturesTab):
    """Bars with intervals, and sentences."""

    title = "Importance"
    job: Study
    pictures = {"Importance": "importance"}  # noqa: RUF012

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._explained = Latest(lambda: str(self.job.explain()), explorer.wake)
        self._sentences = ipywidgets.HTML()
        self._both = ipywidgets.VBox([super().widget, self._sentences])

    @property
    def widget(self) -> Any:
        """The picture, and below it the sentences."""
        return self._both

    def refresh(self) -> None:
        """Show the newest picture and sentences that there are."""
        super().refresh()
        said = self._explained.ask(self.version, is_at_rest(self.job)) or text.sentence(self._explained.trouble)
        items = "".join(f"<li>{shown(sentence)}</li>" for sentence in said.splitlines())
        self._sentences.value = f'<ul class="tunekit-sentences">{items}</ul>' if items else ""

    def close(self) -> None:
        """Wait for what is being worked out."""
        super().close()
        self._explained.close()

    def prepare(self) -> None:
        """Divide the variance; with too few trials the picture says so itself."""
        with suppress(ValueError):
            self.job.importance()
