"""The tab that shows how far a job is, with its picture, and has the buttons that pause, resume and stop it."""

from __future__ import annotations

from typing import Any

from tunekit.core import text
from tunekit.core.job import Job
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.live_pictures import LivePictures
from tunekit.widgets.panel import Panel


class ProgressTab(Tab):
    """What the live view shows, of any job, at any time."""

    title = "Progress"
    is_brief = True

    def __init__(self, explorer: Explorer) -> None:
        super().__init__(explorer)
        self._panel = Panel("Progress", self._press)
        self._pictures = LivePictures(self.job)

    @property
    def widget(self) -> Any:
        """The panel of the live view."""
        return self._panel

    def refresh(self) -> None:
        """Write the words, and draw the picture where it is old and the work leaves time."""
        status = self.job.status()
        words: dict[str, Any] = {
            "state": status.state,
            "words": text.printable(status.words),
            "fraction": status.fraction,
        }
        self._panel.update(**words, **self._pictures.due(self.explorer.version, in_a_hurry=is_at_rest(self.job)))

    def _press(self, button: str) -> None:
        {"pause": self.job.pause, "resume": self.job.resume, "stop": self.job.stop}[button]()
        self.explorer.wake()


def is_at_rest(job: Job) -> bool:
    """Whether there is no work that drawing would slow down."""
    return job.is_over or job.state == "paused"
