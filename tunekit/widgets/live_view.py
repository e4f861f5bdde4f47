"""A running job in a notebook: one live panel, which becomes text and final picture when the job ends.

Each place where the job is shown has a display id. While the job runs, the output there is the widget's view; when it
ends, that very output is replaced by the picture, and the widget is closed. So the saved file reads well without a
kernel, and no widget, thread or comm is left.
"""

from __future__ import annotations

import base64
import threading
import uuid
from typing import Any

from tunekit.core import text
from tunekit.core.job import Job
from tunekit.core.surroundings import kernel_shell
from tunekit.plots.image import Image, png
from tunekit.plots.live import live_picture
from tunekit.widgets import comms
from tunekit.widgets.live_pictures import LivePictures
from tunekit.widgets.pace import Pace
from tunekit.widgets.panel import Panel

WIDGET = "application/vnd.jupyter.widget-view+json"
# What a cell shows, by MIME type, and the metadata of it.
Bundle = tuple[dict[str, Any], dict[str, Any]]

# A waiting cell writes the remaining time anew even if nothing else happens.
_SECONDS_BETWEEN_CLOCKS = 1.0

_USE_THE_SQUARE = (
    "This cell is busy until the run ends, and this kernel hears no button before: "
    "press ■ in the notebook's toolbar to stop. What is finished is kept."
)


class LiveView:
    """Shows a job from its start to its end.

    Parameters
    ----------
    job
        What begins now.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.heading = text.printable(job.heading)
        self._pictures = LivePictures(job)
        self._places: list[str] = []
        self._cell: str | None = None
        self._changed = threading.Event()
        self._changed.set()
        self._pressed = threading.Event()
        self._unsubscribe = job.subscribe(self._changed.set)
        self._final: Bundle | None = None
        self._panel = Panel(self.heading, self._press)
        comms.route_clicks_around(self._panel)
        self._panel.update(**self._words())
        self.show()
        self._thread = threading.Thread(target=self._render, daemon=True, name="tunekit-view")
        self._thread.start()

    # On the kernel's main thread

    def show(self) -> None:
        """Show it in the current cell, once a cell."""
        cell = current_cell()
        if self.is_in(cell):
            return
        self._cell = cell
        place = uuid.uuid4().hex
        self._places.append(place)
        if self._final is None:
            view = {"version_major": 2, "version_minor": 0, "model_id": self._panel.model_id}
            publish({"text/plain": self.heading, WIDGET: view}, {}, place)
        else:
            publish(*self._final, place)

    def is_in(self, cell: str | None) -> bool:
        """Whether that cell, the running one, shows it already."""
        return cell is not None and cell == self._cell

    def tick(self) -> None:
        """Say how to stop where the buttons are dead, because the waiting cell blocks the kernel."""
        if not self._panel.hears_while_blocked and self._final is None and not self._panel.hint:
            self._panel.update(hint=_USE_THE_SQUARE)

    def finish(self) -> None:
        """Wait for the final picture, and put it into its place once more from the cell that waits.

        A headless run (nbclient) hears only of updates that come from the cell that it is running.
        """
        self._thread.join()
        self._leave()

    # On whatever thread the click arrives

    def _press(self, button: str) -> None:
        {"pause": self.job.pause, "resume": self.job.resume, "stop": self.job.stop}[button]()
        self._pressed.set()

    # On the render thread

    def _render(self) -> None:
        self._pictures.warm_up()
        pace, version = Pace(), 0
        while not self.job.is_over:
            if self._changed.wait(min(self._pictures.seconds_until_due(version), _SECONDS_BETWEEN_CLOCKS)):
                self._changed.clear()
                version += 1
            if self.job.is_over:
                break
            # while it rests there is no work to slow down
            pictures = self._pictures.due(version, in_a_hurry=self.job.state == "paused")
            self._panel.update(**self._words(), **pictures)
            self._pressed.wait(pace.seconds())  # what answers a press travels at once
            self._pressed.clear()
        self._unsubscribe()
        self._final = final_bundle(self.heading, self.job)
        self._leave()
        self._panel.dispose()

    def _words(self) -> dict[str, Any]:
        status = self.job.status()
        return {"state": status.state, "words": text.printable(status.words), "fraction": status.fraction}

    def _leave(self) -> None:
        assert self._final is not None
        for place in self._places:
            publish(*self._final, place, update=True)


def picture_bundle(words: str, image: Image, alt: str) -> Bundle:
    """A notebook output that reads well in any front end: text, and the picture at its size.

    An HTML page made of the notebook says `alt` where the picture cannot be seen.
    """
    data = base64.b64encode(image.data).decode("ascii")
    return {"text/plain": words, "image/png": data}, {"image/png": {**image.size, "alt": text.printable(alt)}}


def final_bundle(words: str, job: Job) -> Bundle:
    """What a job leaves: words, and its picture as it stands, without the room that a growing one keeps."""
    painted = live_picture(job)
    return picture_bundle(words, png(painted.figure, final=True), painted.alt)


def show(job: Job) -> None:
    """Show a job in the current cell: live while it runs, as text and picture otherwise."""
    view = job.view
    if isinstance(view, LiveView) and not job.is_over:
        view.show()
        return
    if not job.is_over and kernel_shell() is not None:
        LiveView(job)  # an explorer has begun it
        return
    if isinstance(view, LiveView) and view.is_in(current_cell()):
        return  # the cell that ran it shows it already
    bundle = getattr(job, "bundle", None)
    if callable(bundle):
        publish(bundle(), {}, None)
    elif job.history.complete and kernel_shell() is not None:
        publish(*final_bundle(text.printable(job.heading), job), None)
    else:
        publish({"text/plain": repr(job)}, {}, None)


def publish(data: dict[str, Any], metadata: dict[str, Any], place: str | None, update: bool = False) -> None:
    """Send an output to the current cell, or to the place of that display id."""
    from IPython.display import display, update_display

    if update:
        update_display(data, display_id=place, metadata=metadata, raw=True)
    elif place is None:
        display(data, metadata=metadata, raw=True)
    else:
        display(data, metadata=metadata, raw=True, display_id=place)


def current_cell() -> str | None:
    """The id of the message that the running cell came with."""
    shell = kernel_shell()
    parent = shell.get_parent() if shell is not None else {}
    message: str | None = parent.get("header", {}).get("msg_id")
    return message
