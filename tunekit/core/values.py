"""Values as JSON and back: numbers to the last bit, tuples as tuples, and what is no JSON as words and a place."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from tunekit.core import text

# Of the text of an object so many characters are kept.
_SHOWN = 200
# Python reads and writes no longer whole numbers in decimal digits (4,300 of them).
_BITS = 14_000


@dataclass(frozen=True, slots=True, repr=False)
class Foreign:
    """A value that only its own program has: a class, a function, an object.

    Parameters
    ----------
    words
        What it was called.
    place
        Where it stood among the values of its parameter, or None.
    """

    words: str
    place: int | None

    def __repr__(self) -> str:
        """What it was called."""
        return self.words


def encode(value: Any, place_of: Callable[[Any], int | None] = lambda _: None) -> Any:
    """A value as what JSON has.

    Parameters
    ----------
    value
        Anything.
    place_of
        Where a value stands among those that its parameter may have, for what JSON has no word for.

    Examples
    --------
    >>> encode((1, 2.5)), encode((dict, 2.5), lambda _: 3)
    ({'tuple': [1, 2.5]}, {'object': "(<class 'dict'>, 2.5)", 'place': 3})
    """
    try:
        return _plain(value)
    except (_ForeignPart, RecursionError):  # one part makes the whole foreign: its place is known, a part's is not
        return {"object": text.value(value)[:_SHOWN], "place": place_of(value)}


class _ForeignPart(Exception):
    """There is something in a value that JSON has no word for."""


def _plain(value: Any) -> Any:
    kind = type(value)
    if value is None or kind in (bool, str) or (kind is int and value.bit_length() <= _BITS):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind is tuple:
        return {"tuple": [_plain(each) for each in value]}
    if kind is list:
        return [_plain(each) for each in value]
    raise _ForeignPart


def decode(given: Any) -> Any:
    """The value; a `Foreign` where only its own program has it.

    Raises
    ------
    ValueError
        If it is nothing that `encode` gives.
    """
    if given is None or isinstance(given, (bool, int, float, str)):
        return given
    if isinstance(given, list):
        return [decode(each) for each in given]
    match given:
        case {"tuple": list(each)} if len(given) == 1:
            return tuple(decode(part) for part in each)
        case {"float": "inf" | "-inf" | "nan" as words} if len(given) == 1:
            return float(words)
        case {"object": str(words), "place": int() | None as place} if len(given) == 2:
            return Foreign(words, place)
    raise ValueError(f"a value is JSON, a tuple or an object's name: got {str(given)[:_SHOWN]}")


def figures(given: Any) -> dict[str, float]:
    """Finite numbers by name.

    Raises
    ------
    ValueError
        If it is something else.
    """
    if type(given) is not dict:
        raise ValueError("figures are numbers by name")
    for name, value in given.items():
        if type(value) is not float:
            if type(value) is not int:
                raise ValueError(f"the figure {name!r} must be a number: got {str(value)[:_SHOWN]!r}")
            given[name] = value = _as_float(value)
        if not math.isfinite(value):
            raise ValueError(f"the figure {name!r} must be finite: got {value}")
    return given


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError("a figure must be finite") from error


def parse(words: str | bytes) -> Any:
    """Read JSON strictly.

    Raises
    ------
    ValueError
        If it is none: nesting without end, numbers without end, NaN and infinity are none.
    """
    try:
        return json.loads(words, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
