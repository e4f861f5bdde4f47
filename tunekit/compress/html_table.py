"""The table as HTML: quiet, in the theme's own colours, and with the clock's figures marked as such."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tunekit.compress.html_frame import LEFT, LINE, framed, time_shown
from tunekit.compress.measurement import BATCHES, RUNTIMES
from tunekit.compress.table import Row, counts, runtimes, scale
from tunekit.core import text

_CELL = "padding:3px 5px;text-align:right;background:none;white-space:nowrap"
_STEP = ";white-space:normal;min-width:11em;max-width:22em"  # a step with many settings goes on below itself


def as_html(table: Sequence[Row], facts: Sequence[str] = (), timed: Sequence[str] = ()) -> str:
    """Write the table as HTML that reads on white and on dark, with the sentences below it.

    Whatever the clock decides stands in a span of class ``tunekit-time``; all else is the same each time.

    Parameters
    ----------
    table
        The rows.
    facts, timed
        Sentences for below the table: those that are the same each time, and those that the clock decides.

    Examples
    --------
    >>> "No rows yet" in as_html([])
    True
    """
    if not table:
        return "<p>No rows yet.</p>"
    body = "".join(_row(row, runtimes(table), scale(table)[1]) for row in table)
    return framed("tunekit-table", _header(table), body, facts, timed)


def _header(table: Sequence[Row]) -> str:
    """Two lines: the runtimes over their batch sizes, so that all fits on a page."""
    plain = [("row", ""), ("step", LEFT), (table[0].metric, "")]
    plain += [(f"ONNX, {scale(table)[0]}", ""), (f"bundle, {scale(table)[0]}", ""), ("non-zeros", ""), ("MACs", "")]
    first = "".join(
        f'<th scope="col" rowspan="2" style="{_CELL}{LINE};vertical-align:bottom{side}">{html.escape(name)}</th>'
        for name, side in plain
    )
    timed = runtimes(table)
    first += "".join(
        f'<th scope="colgroup" colspan="{len(BATCHES)}" style="{_CELL};text-align:center">{RUNTIMES[runtime]}, ms</th>'
        for runtime in timed
    )
    second = "".join(f'<th scope="col" style="{_CELL}{LINE}">batch {size}</th>' for _ in timed for size in BATCHES)
    return f"<tr>{first}</tr><tr>{second}</tr>"


def _row(row: Row, timed: Sequence[str], unit: float) -> str:
    weight = ";font-weight:600" if row.is_best and row.number else ""
    step = row.step + (" (best)" if row.is_best and row.number else "")
    start = f"{_cell(str(row.number), '')}{_cell(html.escape(step), weight + LEFT + _STEP)}"
    if row.score is None:
        reason = f"{row.state}: {row.reason}" if row.reason else row.state
        span = 5 + len(timed) * len(BATCHES)
        return f'<tr>{start}<td colspan="{span}" style="{_CELL}{LEFT}">{html.escape(reason)}</td></tr>'
    sizes = [text.number(size / unit) for size in (row.size, row.bundle)]
    shown = [str(row.score), *sizes, counts(row), text.counted(row.macs)]
    cells = "".join(_cell(html.escape(one), "") for one in shown)
    for runtime in timed:
        for size in BATCHES:
            time = row.latencies.get((runtime, size))
            cells += _cell("–" if time is None else time_shown(time), "")
    return f"<tr>{start}{cells}</tr>"


def _cell(shown: str, style: str) -> str:
    return f'<td style="{_CELL}{style}">{shown}</td>'
