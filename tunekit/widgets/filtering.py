"""What a person types to see some rows of a table: comparisons, states, and words that stand somewhere in a row."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tunekit.core import text

# What holds together: quoted or bracketed words, and a comma between two digits, as the table itself writes thousands.
_PART = re.compile(r"""(?:'[^']*'|"[^"]*"|\([^()]*\)|\[[^\[\]]*\]|(?<=\d),(?=\d)|[^,])+""")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")
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
        ``=``, ``!=``), and anything else stands somewhere in the row, in small letters or large. Numbers may have
        commas, ``size>12,300`` or ``lr>0,01``.

    Examples
    --------
    >>> rows = [Row(0, ("0.1", "relu"), (0.1, "relu")), Row(1, ("0.01", "gelu"), (0.01, "gelu"))]
    >>> [row.number for row in filtered(rows, ["lr", "act"], "lr > 0.05, RELU")]
    [0]
    >>> [row.number for row in filtered(rows, ["lr", "act"], "act != relu")]
    [1]
    """
    tests = [_test(part, columns) for part in _parts(wanted)]
    return [row for row in rows if all(test(row) for test in tests)]


def misread(rows: Sequence[Row], columns: Sequence[str], wanted: str) -> str:
    """Why what a person wants holds for no row, where it looks mistyped; empty where it does not.

    Parameters
    ----------
    rows, columns, wanted
        As for `filtered`.

    Examples
    --------
    >>> rows = [Row(0, ("0", "0.1"), (0, 0.1))]
    >>> misread(rows, ["trial", "rate"], "rte > 0.05")
    "There is no column 'rte': did you mean 'rate'? The columns are 'trial', 'rate'."
    >>> misread(rows, ["trial", "rate"], "rate > 0.05"), misread(rows, ["trial", "rate"], "rate > high")
    ('', "'rate' is a number: got 'high'.")
    """
    for part in _parts(wanted):
        found = _COMPARISON.match(part)
        if found is None or any(part.casefold() in row.words for row in rows):
            continue
        name, value = found["name"], _value(found["value"])
        place = _place(name, columns)
        if place is None:
            near = difflib.get_close_matches(name.casefold(), [column.casefold() for column in columns], n=1)
            meant = [column for column in columns if near and column.casefold() == near[0]]
            guess = f": did you mean {meant[0]!r}?" if meant else "."
            return text.printable(f"There is no column {name!r}{guess} The columns are {text.listed(columns)}.")
        if _number(value) is None and all(isinstance(row.values[place], (int, float, type(None))) for row in rows):
            return text.printable(f"{columns[place]!r} is a number: got {value!r}.")
    return ""


def _parts(wanted: str) -> list[str]:
    return [part.strip() for part in _PART.findall(wanted) if part.strip()]


def _value(written: str) -> str:
    return written.strip().strip("'\"")


def _test(part: str, columns: Sequence[str]) -> Callable[[Row], bool]:
    found = _COMPARISON.match(part)
    place = None if found is None else _place(found["name"], columns)
    if found is None or place is None:
        return lambda row: part.casefold() in row.words
    compare, wanted = _SIGNS[found["sign"]], _value(found["value"])
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
    """A number with a point; commas stand between thousands, or a single one for the point."""
    words = words.replace(",", "") if _THOUSANDS.fullmatch(words) else re.sub(r"^([^,.]*),([^,.]*)$", r"\1.\2", words)
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
