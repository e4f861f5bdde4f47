"""Words as HTML: what is the user's is escaped, and control characters stand by their codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from tunekit.core import text


def shown(words: str) -> str:
    """Words as they stand in HTML.

    Examples
    --------
    >>> shown("<b>")
    '&lt;b&gt;'
    """
    return escape(text.printable(words))


def paragraph(words: str, *, is_news: bool = False) -> str:
    """A sentence; news are read aloud when they change.

    Examples
    --------
    >>> paragraph("Written: <b>.", is_news=True)
    '<p class="tunekit-said" role="status">Written: &lt;b&gt;.</p>'
    """
    role = ' role="status"' if is_news else ""
    return f'<p class="tunekit-said"{role}>{shown(words)}</p>'


def facts(title: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values under a title; nothing where there are none."""
    rows = "".join(f"<div><dt>{shown(name)}</dt><dd>{shown(value)}</dd></div>" for name, value in pairs)
    return f"<section><h5>{shown(title)}</h5><dl>{rows}</dl></section>" if pairs else ""


def error_box(error: str) -> str:
    """A traceback in full; a box that scrolls can be reached by the keyboard, and has a name."""
    return f'<pre class="tunekit-error" tabindex="0" role="region" aria-label="Error">{shown(error)}</pre>'


def button(words: str, tooltip: str, press: Callable[[], None]) -> Any:
    """A button of ipywidgets."""
    import ipywidgets

    made = ipywidgets.Button(description=words, tooltip=tooltip)
    made.on_click(lambda _: press())
    return made
