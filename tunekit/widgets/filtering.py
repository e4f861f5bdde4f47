"""What a person types to see some rows of a table: comparisons, states, and words that stand somewhere in a row."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_COMPARISON = re.compile(r"^(?P<name>.+?)\s*(?P<sign><=|>=|!=|==|<|>|=)\s*(?P<value>.*)$", re.DOTALL)
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Parameters
    ----------
    number
        What it is known by.
    cells
        What stands in each column.
    values
        By what each is compared: a number, a word, or None where there is nothing.
    more
        What is not in the table and yet can be looked for.
    """

    number: int
    cells: tuple[str, ...]
    values: tuple[float | str | None, ...]
    more: str = ""

    @property
    def words(self) -> str:
        """All that can be looked for, in small letters."""
        return "\n".join((*self.cells, self.more)).casefold()


def filtered(rows: Sequence[Row], columns: Sequence[str], wanted: str) -> list[Row]:
    """The rows that a person wants to see.

    Parameters
    ----------
    rows
        All.
    columns
        The names of their columns.
    wanted
        What must hold, all of it, separated by commas: ``lr>0.01`` compares a column (``<``, ``<=``, ``>``, ``>=``,
        ``=``, ``!=``), and anything else stands somewhere in the row, in small letters or large.

    Examples
    --------
    >>> rows = [Row(0, ("0.1", "relu"), (0.1, "relu")), Row(1, ("0.01", "gelu"), (0.01, "gelu"))]
    >>> [row.number for row in filtered(rows, ["lr", "act"], "lr > 0.05, RELU")]
    [0]
    >>> [row.number for row in filtered(rows, ["lr", "act"], "act != relu")]
    [1]
    """
    tests = [_test(part.strip(), columns) for part in wanted.split(",") if part.strip()]
    return [row for row in rows if all(test(row) for test in tests)]


def _test(part: str, columns: Sequence[str]) -> Callable[[Row], bool]:
    found = _COMPARISON.match(part)
    place = None if found is None else _place(found["name"], columns)
    if found is None or place is None:
        return lambda row: part.casefold() in row.words
    compare, wanted = _SIGNS[found["sign"]], found["value"].strip().strip("'\"")
    number = _number(wanted)

    def holds(row: Row) -> bool:
        value = row.values[place]
        if value is None:
            return False
        if isinstance(value, str):
            return compare(value.casefold(), wanted.casefold())
        return number is not None and compare(value, number)

    return holds


def _place(name: str, columns: Sequence[str]) -> int | None:
    exact = [place for place, column in enumerate(columns) if column == name]
    close = [place for place, column in enumerate(columns) if column.casefold() == name.casefold()]
    return next(iter(exact + close), None)


def _number(words: str) -> float | None:
    try:
        return float(words)
    except ValueError:
        return None


def in_order(rows: Sequence[Row], place: int, descending: bool) -> list[Row]:
    """The rows by one of their columns: numbers before words, and last those where there is nothing.

    Parameters
    ----------
    place
        The column's.
    descending
        Whether the largest comes first.

    Examples
    --------
    >>> rows = [Row(0, ("",), (None,)), Row(1, ("2",), (2.0,)), Row(2, ("1",), (1.0,))]
    >>> [row.number for row in in_order(rows, 0, descending=True)]
    [1, 2, 0]
    """
    numbers = [row for row in rows if isinstance(row.values[place], (int, float))]
    words = [row for row in rows if isinstance(row.values[place], str)]
    nothing = [row for row in rows if row.values[place] is None]
    numbers.sort(key=lambda row: row.values[place], reverse=descending)  # type: ignore[arg-type, return-value]
    words.sort(key=lambda row: str(row.values[place]).casefold(), reverse=descending)
    return [*numbers, *words, *nothing]
