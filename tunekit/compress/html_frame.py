"""What tables have in common as HTML: the frame in the theme's colours, the sentences below, the clock's figures."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tunekit.compress.latency import Latency
from tunekit.compress.table import milliseconds, quartiles

LEFT = ";text-align:left"
LINE = ";border-bottom:1px solid var(--jp-border-color2, #8888)"
_TABLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:4px 0 8px;"
    "color:var(--jp-content-font-color1, inherit);font-size:12px"
)
_WORDS = "color:var(--jp-content-font-color1, inherit);margin:0;padding-left:1.2em;max-width:62em"


def framed(kind: str, head: str, body: str, facts: Sequence[str], timed: Sequence[str]) -> str:
    """A table that reads on white and on dark, with the sentences below it.

    Parameters
    ----------
    kind
        The class of the whole.
    head, body
        Rows, as HTML.
    facts, timed
        Sentences for below the table: those that are the same each time, and those that the clock decides.

    Examples
    --------
    >>> "<li>1 &lt; 2</li>" in framed("tunekit-table", "", "", ["1 < 2"], [])
    True
    """
    words = "".join(f"<li>{html.escape(fact)}</li>" for fact in facts)
    words += "".join(f"<li>{by_the_clock(html.escape(one))}</li>" for one in timed)
    return (
        f'<div class="{kind}" style="overflow-x:auto"><table style="{_TABLE}"><thead>{head}</thead>'
        f'<tbody>{body}</tbody></table><ul style="{_WORDS}">{words}</ul></div>'
    )


def by_the_clock(shown: str) -> str:
    """Mark what the clock decides, and what is another one each time."""
    return f'<span class="tunekit-time">{shown}</span>'


def time_shown(time: Latency) -> str:
    """The median in milliseconds, which shows the quartiles under the pointer."""
    # no span inside: the clock's own span ends at the first end tag of one
    figure = (
        f'<i style="font-style:normal" title="{html.escape(quartiles(time))}">{html.escape(milliseconds(time))}</i>'
    )
    return by_the_clock(figure)
