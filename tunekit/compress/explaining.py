"""What was tried and what it bought, in words with figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tunekit.compress.ratios import SAME, factor
from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.sensitivity import Sensitivity
    from tunekit.compress.table import Row

_FEWEST, _MOST = 5, 10


def explain(rows: Sequence[Row], verdict: str | None, sensitivity: Sensitivity | None) -> list[str]:
    """Return five to ten sentences, the most useful first; fewer before anything was tried.

    Parameters
    ----------
    rows
        The table, the original first.
    verdict
        What a search within a budget came to; None where there was none.
    sensitivity
        What single layers may lose; None where that was not measured.
    """
    complete = [row for row in rows if row.score is not None]
    if not complete:
        return ["Nothing has been run yet."]
    if len(rows) == 1 and verdict is None:
        return ["Nothing has been tried on the original yet.", *_figures(complete[0], sensitivity)]
    said = [] if verdict is None else [verdict]
    best = next((row for row in complete if row.is_best and row.number), None)
    if verdict is None and best is not None:
        said.append(f"Row {best.number} is the best: {_bought(complete[0], best)}.")
    elif verdict is None:
        said.append("Nothing that was tried is smaller and as good as the original.")
    by_number = {row.number: row for row in complete}
    steps = [(by_number[row.parent], row) for row in complete[1:] if row.parent in by_number]
    said += [f"{_name(row)} {_words(parent, row)}." for parent, row in sorted(steps, key=_usefulness)]
    if sensitivity is not None and sensitivity.layers:
        said.insert(min(2, len(said)), sensitivity.sentence())
    failed = [row for row in rows if row.state == "failed"]
    if failed:
        said.insert(min(2, len(said)), f"Row {failed[-1].number}, {failed[-1].step}, failed: {failed[-1].reason}.")
    said += islice(_figures(complete[0], sensitivity), max(0, _FEWEST - len(said)))
    return said[:_MOST]


def _figures(original: Row, sensitivity: Sensitivity | None) -> Iterator[str]:
    """What is known where little was tried, and what is not."""
    score = original.score
    assert score is not None
    yield (
        f"The original has a file of {text.size(original.size)}, {text.counted(original.macs)} operations and "
        f"{original.metric} {text.number(score.value)}."
    )
    low, high = text.told_apart(score.low, score.high)
    yield f"That {original.metric} is from {text.plural(score.count, 'example')}: its 95 % interval is {low} to {high}."
    if sensitivity is None:
        yield "What each layer may lose is not measured yet: sensitivity() measures it."


def _name(row: Row) -> str:
    return f"{row.step} (row {row.number}, after row {row.parent})"


def _words(parent: Row, row: Row) -> str:
    """What one row is beside the one that it was made of."""
    bought = _factors(parent, row)
    change = _change(parent, row)
    if not bought:
        return f"changed neither the file nor the operations; {change}"
    return f"made {bought}; {change}"


def _bought(original: Row, row: Row) -> str:
    return f"{_factors(original, row) or 'as large as the original'}; {_change(original, row)}"


def _factors(before: Row, after: Row) -> str:
    found = {
        "the file": factor(before.size, after.size),
        "the bundle": factor(before.bundle, after.bundle),
        "the operations": factor(before.macs, after.macs, "fewer", "more"),
    }
    return ", ".join(f"{name} {said}" for name, said in found.items() if said != SAME)


def _change(before: Row, after: Row) -> str:
    assert before.score is not None
    assert after.score is not None
    change = round(after.score.value - before.score.value, 6)
    if not change:
        return f"{after.metric} as before, {text.number(after.score.value)}"
    verb = "rose" if change > 0 else "fell"
    return f"{after.metric} {verb} by {text.number(abs(change))} to {text.number(after.score.value)}"


def _usefulness(pair: tuple[Row, Row]) -> tuple[float, int]:
    """What changed the file most comes first."""
    parent, row = pair
    return row.size / max(1, parent.size), row.number
