"""What our own widgets have in common: a script with what all scripts share, one message for a change, a clean end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget

from tunekit.widgets import comms

_HERE = Path(__file__).parent


def script(name: str) -> str:
    """The module of that name, as it is sent to the page.

    Examples
    --------
    >>> script("picture").rstrip().endswith("export default { render };")
    True
    """
    return "\n".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("page", name))


class PageWidget(anywidget.AnyWidget):
    """A widget with a script of its own."""

    def update(self, **state: Any) -> None:
        """Set what changed, in one message."""
        with self.hold_sync():
            for name, value in state.items():
                setattr(self, name, value)

    def dispose(self) -> None:
        """Close it and what came with it: no comm is left."""
        comms.dispose(self)
