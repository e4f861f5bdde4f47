"""Grid search: every combination of a few values of each parameter, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tunekit.core.history import History
from tunekit.search.parameters import Choice, Parameter
from tunekit.search.samplers import samplers
from tunekit.search.samplers.combinations import Combinations, all_values
from tunekit.search.samplers.random import tried_keys
from tunekit.search.space import Space

# How many values of a parameter are taken where nothing else is said.
_POINTS = 5


@samplers.register("grid")
class Grid:
    """Try every combination, the last parameter changing fastest; stop when all are tried.

    Parameters
    ----------
    points
        How many values of a number with more than that are taken, evenly over its scale (a log scale in even ratios),
        both bounds among them. At least 1; 1 is the middle. By name, ``{"lr": 7}``, for some parameters; the others
        take 5. A `Choice` is always taken whole.

    Raises
    ------
    ValueError
        If there is less than one point, or a name is not in the space or is a `Choice`.

    Examples
    --------
    >>> space = Space(lr=(1e-3, 1e-1, "log"), act=["relu", "gelu"])
    >>> grid = Grid(points=3)
    >>> grid.size(space)
    6
    >>> [params["lr"] for params in grid.settings(space)]
    [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]
    """

    def __init__(self, points: int | Mapping[str, int] = _POINTS) -> None:
        for name, count in points.items() if isinstance(points, Mapping) else [(None, points)]:
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
                where = "points" if name is None else f"points[{name!r}]"
                raise ValueError(f"a grid takes at least one value of each parameter: got {where}={count!r}")
        self.points = points

    def size(self, space: Space) -> int:
        """How many settings there are in the grid, before any is tried."""
        return self._combinations(space).count

    def describe(self, space: Space) -> str:
        """What is ahead, in words: the size."""
        return f"grid of {self.size(space):,}"

    def settings(self, space: Space) -> Iterator[dict[str, Any]]:
        """All settings of the grid, in the order in which they are tried."""
        return iter(self._combinations(space))

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The first settings of the grid that were not tried yet; None when all were."""
        return next(self._combinations(space).untried(tried_keys(space, history)), None)

    def _combinations(self, space: Space) -> Combinations:
        points = self.points if isinstance(self.points, Mapping) else dict.fromkeys(space, self.points)
        for name in points:
            parameter = space[name]
            if isinstance(self.points, Mapping) and isinstance(parameter, Choice):
                raise ValueError(
                    f"a grid takes a Choice whole, its values have no scale: got points={{{name!r}: {points[name]}}}; "
                    "leave it out, or give the space a Choice of fewer values"
                )
        return Combinations(space, {name: _values(space[name], points.get(name, _POINTS)) for name in space})


def _values(parameter: Parameter, points: int) -> Sequence[Any]:
    """Up to that many values of a parameter, evenly over its scale."""
    if parameter.count is not None and (isinstance(parameter, Choice) or parameter.count <= points):
        return all_values(parameter) or ()
    places = [0.5] if points == 1 else np.linspace(0.0, 1.0, points).tolist()
    # places close to each other can stand for the same whole number
    return list(dict.fromkeys(parameter.from_unit(place) for place in places))
