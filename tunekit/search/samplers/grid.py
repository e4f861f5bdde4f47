"""Grid search: every combination of a few values of each parameter, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.space import Space


@samplers.register("grid")
class Grid:
    """Try every combination, the last parameter changing fastest; stop when all are tried.

    Parameters
    ----------
    points
        How many values of a parameter with more than that are taken, evenly over its scale (a log scale in even
        ratios), both bounds among them. At least 1; 1 is the middle.

    Examples
    --------
    >>> space = Space(lr=(1e-3, 1e-1, "log"), act=["relu", "gelu"])
    >>> [params["lr"] for params in Grid(points=3).settings(space)]
    [0.001, 0.001, 0.01, 0.01, 0.1, 0.1]
    """

    def __init__(self, points: int = 5) -> None:
        if isinstance(points, bool) or not isinstance(points, int) or points < 1:
            raise ValueError(f"a grid takes at least one value of each parameter: got points={points!r}")
        self.points = points

    def settings(self, space: Space) -> Iterator[dict[str, Any]]:
        """All settings of the grid, in the order in which they are tried."""
        return enumerate_settings(space, self.points)

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The first settings of the grid that were not tried yet; None when all were."""
        tried = {space.key(trial.params) for trial in history}
        return next((params for params in self.settings(space) if space.key(params) not in tried), None)


def enumerate_settings(space: Space, points: int) -> Iterator[dict[str, Any]]:
    """Every combination of up to ``points`` values of each parameter, each once."""
    seen: set[tuple[float, ...]] = set()
    for place in product(*(_places(space, name, points) for name in space)):
        params = space.from_unit(place)
        key = space.key(params)
        if key not in seen:  # places that differ only where a parameter does not count are one setting
            seen.add(key)
            yield params


def _places(space: Space, name: str, points: int) -> list[float]:
    parameter = space[name]
    if parameter.count is not None and parameter.count <= points:
        low = parameter.to_unit(parameter.from_unit(0.0))
        if getattr(parameter, "log", False):
            values = range(parameter.from_unit(0.0), parameter.from_unit(1.0) + 1)
            return [parameter.to_unit(value) for value in values]
        return [low + step / parameter.count for step in range(parameter.count)]
    return [0.5] if points == 1 else np.linspace(0.0, 1.0, points).tolist()
