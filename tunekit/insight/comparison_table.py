"""The table of a comparison: data first, then text and HTML; and what it says in sentences."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tunekit.compress.html_frame import LEFT, LINE, framed, time_shown
from tunekit.compress.latency import Latency
from tunekit.compress.measurement import BATCHES
from tunekit.compress.score import Score
from tunekit.core import text
from tunekit.insight.calibration import Calibration
from tunekit.insight.disagreements import Disagreements

_NONE = "–"
_CELL = "padding:3px 7px;text-align:right;background:none;white-space:nowrap"
# Names of models and runtimes stand at the left, all figures at the right.
_WORDY = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One model.

    Parameters
    ----------
    name, runtime
        The caller's name for it, and what computes its answers.
    score
        The task's metric with its 95 % interval.
    change
        How the score differs from the first model's on the same examples, paired, with its 95 % interval; None for the
        first.
    agreement
        The share of examples on which it answers as the first does, with Wilson's 95 % interval; None for the first,
        and where there are no classes.
    calibration
        None where there are no classes.
    file_bytes
        The size of its ONNX file; None where there is none.
    latencies
        By batch size, in seconds; empty where nothing was timed.
    """

    name: str
    runtime: str
    score: Score
    change: Score | None = None
    agreement: Score | None = None
    calibration: Calibration | None = None
    file_bytes: int | None = None
    latencies: Mapping[int, Latency] = field(default_factory=dict)


def header(rows: Sequence[Row], metric: str, *, clock: bool) -> list[str]:
    """The names of the columns, with their units."""
    times = [f"batch {size}, ms" for size in BATCHES] if clock and rows[0].latencies else []
    return ["model", "runs in", metric, "change", "same answer", "calibration error", "file, kB", *times]


def cells(row: Row, *, clock: bool) -> list[str]:
    """What stands in the columns of a model."""
    change = row.change
    shown = [
        text.printable(row.name),
        row.runtime,
        str(row.score),
        _NONE
        if change is None
        else f"{text.signed(change.value)} [{text.signed(change.low)}, {text.signed(change.high)}]",
        _NONE if row.agreement is None else text.share(row.agreement.value),
        _NONE if row.calibration is None else text.number(row.calibration.error),
        _NONE if row.file_bytes is None else text.number(row.file_bytes / 1000),
    ]
    times = [text.number(1000 * row.latencies[size].median) for size in BATCHES] if clock and row.latencies else []
    return shown + times


def as_text(rows: Sequence[Row], metric: str, *, clock: bool) -> str:
    """Write the table as aligned text; without the clock's columns it is the same on every machine."""
    lines = [header(rows, metric, clock=clock), *(cells(row, clock=clock) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < _WORDY else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def as_html(rows: Sequence[Row], metric: str, facts: Sequence[str], timed: Sequence[str]) -> str:
    """Write the table as HTML that reads on white and on dark, with the sentences below it.

    Whatever the clock decides stands in a span of class ``tunekit-time``; all else is the same each time.
    """
    names = "".join(
        f'<th scope="col" style="{_CELL}{LINE}{LEFT if place < _WORDY else ""}">{html.escape(name)}</th>'
        for place, name in enumerate(header(rows, metric, clock=True))
    )
    body = "".join(f"<tr>{_html_cells(row)}</tr>" for row in rows)
    return framed("tunekit-comparison", f"<tr>{names}</tr>", body, facts, timed)


def _html_cells(row: Row) -> str:
    name, *plain = cells(row, clock=False)
    shown = f'<th scope="row" style="{_CELL}{LEFT}">{html.escape(name)}</th>'
    for place, cell in enumerate(plain, start=1):
        shown += f'<td style="{_CELL}{LEFT if place < _WORDY else ""}">{html.escape(cell)}</td>'
    for size in BATCHES if row.latencies else ():
        shown += f'<td style="{_CELL}">{time_shown(row.latencies[size])}</td>'
    return shown


def facts_of(rows: Sequence[Row], metric: str, where: str, differ: Disagreements | None) -> list[str]:
    """What is the same each time, in sentences.

    Parameters
    ----------
    rows
        The table.
    metric
        Its name.
    where
        What the data are called, as in ``"validation examples"``.
    differ
        Where the models do not answer the same; None where there are no classes.
    """
    first = text.printable(rows[0].name)
    facts = [
        f"Scores are from {rows[0].score.count:,} {where}, with 95 % intervals; a change is paired, on the same "
        f"examples, against {first}."
    ]
    for row in rows[1:]:
        assert row.change is not None
        low, high = row.change.low, row.change.high
        seen = "no difference is seen" if low <= 0 <= high else f"it scores {'higher' if low > 0 else 'lower'}"
        facts.append(
            f"{text.printable(row.name)} against {first}: {metric} {text.signed(row.change.value)} "
            f"[{text.signed(low)}, {text.signed(high)}]; {seen}."
        )
    if differ is None:
        return [*facts, "No calibration and no disagreements: the outputs are not probabilities of classes."]
    facts.append(text.printable(differ.sentence()))
    known = [(text.printable(row.name), row.calibration) for row in rows if row.calibration is not None]
    said = "; ".join(
        f"{name} {text.number(one.error)} (chance alone up to {text.number(one.by_chance)}), {one.words}"
        for name, one in known
    )
    return [*facts, f"Calibration error, the distance of what a model believes from how often it is right: {said}."]


def timed_of(rows: Sequence[Row]) -> list[str]:
    """What the clock decides, in sentences."""
    if not rows[0].latencies:
        return []
    first, said = rows[0], []
    for row in rows[1:]:
        words = [
            f"{_speed(first.latencies[size], row.latencies[size])} with {what}"
            for size, what in ((1, "one example"), (32, "32 examples"))
        ]
        names = f"{text.printable(row.name)} beside {text.printable(first.name)}"
        other = "" if row.runtime == first.runtime else f", and it runs in {row.runtime}, not in {first.runtime}"
        said.append(f"{names}: {' and '.join(words)}{other}.")
    if any(row.runtime != first.runtime for row in rows):
        said.append(
            "Where the runtimes differ, a difference in speed is theirs as well: lab[0] of a Compression runs the "
            "uncompressed net in onnxruntime."
        )
    return [*said, "Latencies are medians for one batch on this CPU; all models were timed in turn, in one run."]


def _speed(before: Latency, after: Latency) -> str:
    """Quartiles that overlap are no difference."""
    if after.low <= before.high and before.low <= after.high:
        return "as fast"
    faster = after.median < before.median
    return f"{before.median / after.median:.1f}x faster" if faster else f"{after.median / before.median:.1f}x slower"
