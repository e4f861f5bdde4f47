"""The tab of the settings: how the score depends on each, and what the best trials have in common."""

from __future__ import annotations

from contextlib import suppress

from tunekit.insight.surrogate import surrogate
from tunekit.search.study import Study
from tunekit.widgets.pictures_tab import PicturesTab


class SettingsTab(PicturesTab):
    """A picture of each parameter, or of all of them together."""

    title = "Settings"
    job: Study
    pictures = {"Each parameter": "slices", "All together": "parallel"}  # noqa: RUF012

    def prepare(self) -> None:
        """Learn from the trials; with too few of them the picture says so itself."""
        with suppress(ValueError):
            surrogate(self.job.history, self.job.space, overall=True)
