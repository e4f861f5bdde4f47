"""A slider or a menu for each parameter of a space, all of them one widget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets

from tunekit.core import text
from tunekit.search.parameters import Choice
from tunekit.search.space import Space
from tunekit.widgets.dials import dial
from tunekit.widgets.page import PageWidget, script

_HERE = Path(__file__).parent


class Controls(PageWidget):
    """Holds settings of a space, which a person changes.

    Parameters
    ----------
    space
        Whose parameters.
    changed
        Called when a person has changed one, perhaps on another thread: it should only set a flag.
    """

    _esm = script("controls")
    _css = _HERE / "controls.css"

    dials: traitlets.List[Any] = traitlets.List().tag(sync=True)
    places: traitlets.List[Any] = traitlets.List().tag(sync=True)
    readouts: traitlets.List[Any] = traitlets.List().tag(sync=True)
    used: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, space: Space, changed: Callable[[], None]) -> None:
        super().__init__()
        self._space = space
        self._changed = changed
        self._dials = [dial(name, space[name]) for name in space]
        self._values = {each.name: each.values[len(each.values) // 2] for each in self._dials}
        self.dials = [each.described for each in self._dials]
        self.on_msg(self._receive)
        self._show()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that the controls stand for: those of the parameters that count."""
        settings: dict[str, Any] = {}
        for name in self._space:
            if self._space.is_active(name, settings):
                settings[name] = self._values[name]
        return settings

    def take(self, settings: Mapping[str, Any]) -> None:
        """Stand for these settings, to the last digit; what they leave out stays where it is."""
        self._values |= {name: value for name, value in settings.items() if name in self._values}
        self._show()

    def _show(self) -> None:
        settings = self.settings
        with self.hold_sync():
            self.places = [each.place_of(self._values[each.name]) for each in self._dials]
            self.used = [each.name in settings for each in self._dials]
            self.readouts = [self._readout(each.name, each.name in settings) for each in self._dials]

    def _readout(self, name: str, is_used: bool) -> str:
        if not is_used:
            return "not used"
        return "" if isinstance(self._space[name], Choice) else text.value(self._values[name])

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        match content:
            case {"turn": int(which), "to": int(place)} if 0 <= which < len(self._dials) and 0 <= place < len(
                self._dials[which].values
            ):
                self._values[self._dials[which].name] = self._dials[which].values[place]
                self._show()
                self._changed()
