"""Named things that a person can choose or add: samplers, criteria, steps, plots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from tunekit.core.text import listed

Thing = TypeVar("Thing")


class Registry(Generic[Thing]):
    """A table of things by name.

    Registering a second thing under a name is an error; running the same notebook cell again is not: a thing that is
    defined under the same qualified name in the same module takes the place of its earlier self.

    Parameters
    ----------
    kind
        What is registered here, in one word, for the errors.

    Examples
    --------
    >>> shapes = Registry("shape")
    >>> @shapes.register("square")
    ... def square(side):
    ...     return side * side
    >>> shapes["square"](3)
    9
    >>> shapes["circle"]
    Traceback (most recent call last):
    ...
    ValueError: unknown shape 'circle': the known ones are 'square'
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._things: dict[str, Thing] = {}

    def register(self, name: str) -> Callable[[Thing], Thing]:
        """Give the decorated thing a name.

        Raises
        ------
        ValueError
            If something else has that name already.
        """

        def decorate(thing: Thing) -> Thing:
            present = self._things.get(name)
            if present is not None and _origin(present) != _origin(thing):
                raise ValueError(
                    f"a {self.kind} has one name: {name!r} is taken by {'.'.join(_origin(present))}; choose another"
                )
            self._things[name] = thing
            return thing

        return decorate

    def __getitem__(self, name: str) -> Thing:
        """The thing of that name; an unknown name lists the known ones."""
        if name not in self._things:
            raise ValueError(f"unknown {self.kind} {name!r}: the known ones are {listed(sorted(self._things))}")
        return self._things[name]

    def __repr__(self) -> str:
        """The names of what is there."""
        return f"Registry({self.kind}: {listed(self)})"

    def __contains__(self, name: object) -> bool:
        """Whether there is a thing of that name."""
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        """The names in alphabetical order."""
        return iter(sorted(self._things))

    def __len__(self) -> int:
        """How many things there are."""
        return len(self._things)


def _origin(thing: object) -> tuple[str, str]:
    return str(getattr(thing, "__module__", "")), str(getattr(thing, "__qualname__", repr(thing)))
