"""A panel to look around in: tabs that follow one job, before, while and after it runs.

One thread draws what the visible tab needs, and nothing else, from the latest state; what a person presses is only
noted where it arrives, and done by that thread. So no handler blocks, and a busy kernel hears all the same.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from tunekit.core import text
from tunekit.core.job import Job
from tunekit.core.surroundings import kernel_shell
from tunekit.widgets import comms
from tunekit.widgets.header import Header
from tunekit.widgets.live_view import WIDGET, Bundle, current_cell, final_bundle, publish
from tunekit.widgets.pace import Pace

# What changes by itself is shown at most four times a second, words alone as often as a core rests for it; what answers
# a person, at once.
_SECONDS_BETWEEN_LOOKS = 0.25
# While the job runs, the remaining time is written anew even if nothing else happens.
_SECONDS_BETWEEN_CLOCKS = 1.0
# Whoever drags a slider asks faster than anybody reads: thirty answers a second are enough.
_SECONDS_BETWEEN_ANSWERS = 0.03


class Tab(ABC):
    """One tab of an explorer.

    Subclasses make their widgets once, in the constructor, and change what these show in `refresh`. A handler of a
    widget sets plain attributes and calls ``explorer.wake()``, or hands what it wants done to ``explorer.act``.

    Parameters
    ----------
    explorer
        What it is a tab of; its ``job`` is what is shown.
    """

    title: ClassVar[str]
    # Whether most of its refreshes change words alone, in one message: then they come as often as words of a live view.
    is_brief: ClassVar[bool] = False

    def __init__(self, explorer: Explorer) -> None:
        self.explorer = explorer
        self.job = explorer.job

    @property
    @abstractmethod
    def widget(self) -> Any:
        """All that it shows, as one ipywidget; always the same one."""

    @abstractmethod
    def refresh(self) -> None:
        """Bring what is shown up to date. It is called on the render thread, and only while the tab is visible."""

    def close(self) -> None:  # noqa: B027 - a hook: most tabs have nothing but their widgets
        """Let go of what is more than a widget."""


class Explorer:
    """Tabs around one job, as an output of a cell.

    Parameters
    ----------
    job
        What is explored.
    tabs
        The kinds of its tabs, in order; each is called with this explorer.

    Attributes
    ----------
    version
        Another number after each change of the job.
    """

    def __init__(self, job: Job, tabs: Sequence[Callable[[Explorer], Tab]]) -> None:
        import ipywidgets

        self.job = job
        self.heading = text.printable(f"Explorer of {job.heading}")
        self.version = 0
        self._changed = threading.Event()
        self._changed.set()
        self._pressed = threading.Event()
        self._closing = threading.Event()
        self._pace = Pace()
        self._wishes: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._places: list[_Place] = []
        self._final: Bundle | None = None
        self._header = Header(self.heading, self._close_soon)
        self._tabs = [tab(self) for tab in tabs]
        self._book = ipywidgets.Tab([tab.widget for tab in self._tabs], titles=[tab.title for tab in self._tabs])
        self._book.observe(lambda _: self.wake(), "selected_index")
        self.widget = ipywidgets.VBox([self._header, self._book])
        self.widget.add_class("tunekit-explorer")
        comms.route_clicks_around(self.widget)
        self._unsubscribe = job.subscribe(self._note)
        self._thread = threading.Thread(target=self._render, daemon=True, name="tunekit-explorer")
        self._thread.start()

    # On any thread

    def _note(self) -> None:
        self.version += 1
        self._changed.set()

    def wake(self) -> None:
        """Have the visible tab brought up to date at once: somebody has pressed something."""
        self._changed.set()
        self._pressed.set()

    def act(self, wish: Callable[[], object]) -> None:
        """Have something done by the render thread; an error that it raises is shown as words."""
        self._wishes.put(wish)
        self.wake()

    def say(self, words: str) -> None:
        """Show a sentence under the heading, and have it read aloud; an empty one takes the last away."""
        self._header.notice = text.printable(words)

    @property
    def is_closed(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing.is_set()

    # On the kernel's main thread

    def show(self) -> None:
        """Show it in the current cell, once a cell."""
        here = _Place.here()
        if any(place.message == here.message for place in self._places):
            return
        for other in tuple(_open):
            other._leave_cell(here)
        self._places.append(here)
        if self.is_closed:
            self._thread.join()
            publish(*self._left(), here.key)
            return
        view = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        data, metadata = self._left() if self.job.history.has_complete else ({"text/plain": self._words}, {})
        publish(data | {WIDGET: view}, metadata, here.key)
        _open.add(self)

    def _ipython_display_(self) -> None:
        self.show()

    def close(self) -> None:
        """Close it, and leave words and a picture where it was; no thread and no comm is left."""
        self._close_soon()
        self._thread.join()
        self._leave()

    def _leave_cell(self, here: _Place) -> None:
        """The cell has been run again: what it showed is gone, and so is an explorer that is shown nowhere else."""
        kept = [place for place in self._places if place.cell != here.cell or place.message == here.message]
        if len(kept) < len(self._places):
            self._places = kept
            if not kept:
                self._close_soon()

    def _close_soon(self) -> None:
        self._closing.set()
        self.wake()

    # On the render thread

    def _render(self) -> None:
        while True:
            self._changed.wait(None if self.job.is_over else _SECONDS_BETWEEN_CLOCKS)
            self._changed.clear()
            if self._closing.is_set():
                break
            self._do_what_was_wished()
            visible = self._tabs[self._book.selected_index or 0]
            self._in_words(visible.refresh)
            if not self._closing.is_set():
                pause = self._pace.seconds() if visible.is_brief else _SECONDS_BETWEEN_LOOKS
                time.sleep(_SECONDS_BETWEEN_ANSWERS)
                self._pressed.wait(pause - _SECONDS_BETWEEN_ANSWERS)
                self._pressed.clear()
        self._unsubscribe()
        _open.discard(self)
        self._leave()
        comms.dispose(self.widget)
        for tab in self._tabs:
            tab.close()

    def _do_what_was_wished(self) -> None:
        while not self._wishes.empty():
            self.say("")
            self._in_words(self._wishes.get())

    def _in_words(self, work: Callable[[], object]) -> None:
        """Do it; where it fails, say so: a panel that stands still in silence helps nobody."""
        try:
            work()
        except Exception as error:
            self.say("".join(traceback.format_exception_only(error)).strip())

    # What is left

    @property
    def _words(self) -> str:
        return f"{self.heading}. It needs its kernel: run this cell again."

    def _left(self) -> Bundle:
        if self._final is None and self.job.history.has_complete:
            final = final_bundle(self._words, self.job)
            if not self.is_closed:
                return final
            self._final = final
        return ({"text/plain": self._words}, {}) if self._final is None else self._final

    def _leave(self) -> None:
        for place in self._places:
            publish(*self._left(), place.key, update=True)


class _Place:
    """An output that shows an explorer: its display id, the cell that it is in, and the message that ran the cell."""

    def __init__(self, cell: str | None, message: str | None) -> None:
        self.key = uuid.uuid4().hex
        self.cell = cell
        self.message = message

    @classmethod
    def here(cls) -> _Place:
        shell = kernel_shell()
        parent = shell.get_parent() if shell is not None else {}
        message = current_cell()
        # a front end that does not name its cells: then each run is taken for a cell of its own
        return cls(parent.get("metadata", {}).get("cellId", message), message)


_open: set[Explorer] = set()
