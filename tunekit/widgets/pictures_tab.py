"""A tab that shows one of several pictures of a job, which a menu chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from tunekit.core import text, upstairs
from tunekit.plots.image import drawing
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.latest import Latest
from tunekit.widgets.picture import Picture
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import paragraph


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, and the words that stand for it."""

    data: bytes
    width: int
    words: str


class PicturesTab(Tab):
    """Pictures that take a while: each is drawn on a thread of its own, and the last one stays meanwhile.

    Subclasses say in `pictures` what the menu calls each plot, and the plot's own name.
    """

    pictures: ClassVar[Mapping[str, str]]

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._drawn = {name: Latest(partial(self._draw, name), explorer.wake) for name in self.pictures.values()}
        self._menu: Any = None
        if len(self.pictures) > 1:
            self._menu = ipywidgets.Dropdown(options=list(self.pictures.items()), description="Picture")
            self._menu.observe(lambda _: explorer.wake(), "value")
        self._words = ipywidgets.HTML()
        self._picture = Picture()
        menu = [] if self._menu is None else [self._menu]
        self._all = ipywidgets.VBox([*menu, self._words, self._picture])
        self._shown: Drawn | None = None

    @property
    def widget(self) -> Any:
        """The menu and the picture."""
        return self._all

    def refresh(self) -> None:
        """Show the newest picture that there is, and have a newer one drawn."""
        drawn = self._drawn[next(iter(self.pictures.values())) if self._menu is None else self._menu.value]
        found = drawn.ask(self.version, is_at_rest(self.job))
        if found is None:
            self._words.value = paragraph(text.sentence(drawn.trouble) or "It is being drawn.")
            self._picture.clear()
        elif found is not self._shown:
            self._words.value = ""
            self._picture.show(found.data, found.width, found.words)
        self._shown = found

    def close(self) -> None:
        """Wait for what is being drawn."""
        for drawn in self._drawn.values():
            drawn.close()

    @property
    def version(self) -> object:
        """Another value where the pictures may be other ones: where another trial has ended."""
        return sum(trial.state != "running" for trial in self.job.history)

    def prepare(self) -> None:
        """Work out what takes long before anything is drawn: one thread draws at a time."""

    def _draw(self, name: str) -> Drawn:
        self.prepare()
        with drawing:
            figure = upstairs.ask("plot")(name, self.job)
            data, metadata = figure._repr_mimebundle_()
        return Drawn(data["image/png"], metadata["image/png"]["width"], data["text/plain"])
