"""All combinations of listed values, in order: what a grid tries, and what is left of a small space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

# The place of a parameter in the unit cube where it does not count: that of `Space.to_unit`.
_ABSENT = 0.5


class Combinations:
    """Every combination of some values of each parameter, each once, the last parameter changing fastest.

    A parameter that does not count beside the values before it is left out, and does not multiply. Nothing is listed:
    a grid of a billion settings costs as much as the settings that are read.

    Parameters
    ----------
    space
        Whose parameters they are.
    values
        The values of each parameter of the space, by name, in the order in which they are tried.

    Examples
    --------
    >>> from tunekit.search.parameters import Choice, Float
    >>> space = Space(norm=Choice(True, False), momentum=Float(0, 1, when={"norm": True}))
    >>> combinations = Combinations(space, {"norm": [True, False], "momentum": [0.0, 1.0]})
    >>> combinations.count
    3
    >>> list(combinations)
    [{'norm': True, 'momentum': 0.0}, {'norm': True, 'momentum': 1.0}, {'norm': False}]
    """

    def __init__(self, space: Space, values: Mapping[str, Sequence[Any]]) -> None:
        self.space = space
        self.values = [values[name] for name in space]
        self._names = space.names
        self._places: list[dict[int, float]] = [{} for _ in space]
        self._conditional = [space[name].when is not None for name in space]

    @property
    def count(self) -> int:
        """How many there are, without walking through them."""
        last_use = self._last_uses()
        # how many ways lead to each set of earlier values that later conditions ask for
        ways: dict[tuple[tuple[int, int], ...], int] = {(): 1}
        for position, values in enumerate(self.values):
            onward: dict[tuple[tuple[int, int], ...], int] = {}
            for chosen, number in ways.items():
                kept = tuple((p, digit) for p, digit in chosen if last_use[p] > position)
                if not self._counts(position, {self._names[p]: self.values[p][digit] for p, digit in chosen}):
                    steps = {kept: 1}
                elif last_use[position] > position:
                    steps = {(*kept, (position, digit)): 1 for digit in range(len(values))}
                else:
                    steps = {kept: len(values)}
                for after, factor in steps.items():
                    onward[after] = onward.get(after, 0) + number * factor
            ways = onward
        return sum(ways.values())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The settings, in order."""
        for _, params in self._walk():
            yield dict(params)

    def untried(self, tried: Set[tuple[float, ...]]) -> Iterator[dict[str, Any]]:
        """The settings whose key (`Space.key`) is not among these, in order."""
        for key, params in self._walk():
            if tuple(key) not in tried:
                yield dict(params)

    def _walk(self) -> Iterator[tuple[list[float], dict[str, Any]]]:
        """The key of each settings and they themselves; both are changed in place on the way."""
        digits: list[int | None] = []  # the index of each value; None where the parameter does not count
        key: list[float] = []
        params: dict[str, Any] = {}

        def add(digit: int | None) -> None:
            position = len(digits)
            digits.append(digit)
            if digit is None:
                key.append(_ABSENT)
            else:
                params[self._names[position]] = self.values[position][digit]
                key.append(self._place(position, digit))

        while True:
            while len(digits) < len(self.values):
                add(0 if self._counts(len(digits), params) else None)
            yield key, params
            # like a counter: drop the last ones that are at their end, and move the one before them on
            while digits:
                digit = digits.pop()
                key.pop()
                params.pop(self._names[len(digits)], None)
                if digit is not None and digit + 1 < len(self.values[len(digits)]):
                    add(digit + 1)
                    break
            else:
                return

    def _place(self, position: int, digit: int) -> float:
        """The place of a value in the unit interval, as it stands in `Space.key`."""
        known = self._places[position]
        if digit not in known:
            place = self.space[self._names[position]].to_unit(self.values[position][digit])
            known[digit] = float(np.round(np.clip(place, 0.0, 1.0), 12))
        return known[digit]

    def _counts(self, position: int, params: Mapping[str, Any]) -> bool:
        return not self._conditional[position] or self.space.is_active(self._names[position], params)

    def _last_uses(self) -> list[int]:
        """For each parameter, the position of the last one whose condition asks for it; its own where none does."""
        last = list(range(len(self._names)))
        for position, name in enumerate(self._names):
            for other in self.space[name].when or {}:
                last[self._names.index(other)] = position
        return last


def all_values(parameter: Parameter) -> Sequence[Any] | None:
    """Every value of a parameter, in order; None where there is no end of them.

    Examples
    --------
    >>> list(all_values(Int(16, 64, step=16)))
    [16, 32, 48, 64]
    """
    if isinstance(parameter, Choice):
        return parameter.values
    if isinstance(parameter, Int):
        return range(parameter.low, parameter.high + 1, parameter.step or 1)
    if isinstance(parameter, Float) and parameter.count is not None:
        return [parameter.from_unit((step + 0.5) / parameter.count) for step in range(parameter.count)]
    return None


def all_combinations(space: Space) -> Combinations | None:
    """All settings of a space; None where there is no end of them."""
    values = {name: all_values(space[name]) for name in space}
    finite = {name: listed for name, listed in values.items() if listed is not None}
    return Combinations(space, finite) if len(finite) == len(values) else None
