"""Functions whose sensitivity indices are known: what importance is measured on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

Array = NDArray[np.float64]
# What counts as reaching the top, as for PED-ANOVA.
_TOP = 0.1


@dataclass(frozen=True)
class Problem:
    """A space, a function of columns of values, and on how fine a grid its indices are computed.

    Parameters
    ----------
    space
        Its parameters without effect stand last.
    value
        Of one array for each parameter that has an effect, a category by its number; they are broadcast.
    grid
        How many values each of those has on the grid.
    """

    space: Space
    value: Callable[..., Any]
    grid: tuple[int, ...]

    def __call__(self, params: Mapping[str, Any]) -> float:
        """The value at settings."""
        columns = []
        for name in self.space.names[: len(self.grid)]:
            parameter = self.space[name]
            columns.append(parameter.values.index(params[name]) if isinstance(parameter, Choice) else params[name])
        return float(self.value(*columns))


def _unit_space(count: int) -> Space:
    return Space({f"x{number}": Float(0.0, 1.0) for number in range(count)})


def _ishigami(*units: Any) -> Any:
    """Ishigami and Homma 1990, with a = 7 and b = 0.1, on the unit cube."""
    x, y, z = (math.pi * (2 * unit - 1) for unit in units)
    return np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def _g(*units: Any) -> Any:
    """Sobol's g-function of six variables, of which the last two explain a ten-thousandth; Saltelli and Sobol' 1995."""
    return math.prod((abs(4 * x - 2) + a) / (1 + a) for x, a in zip(units, (0.0, 1.0, 4.5, 9.0), strict=True))


def _typed(rate: Any, optimizer: Any, depth: Any, norm: Any) -> Any:
    """Like an accuracy: the best rate depends on the optimizer, and without a norm it must be met twice as well."""
    place = np.array([-1.5, -2.0, -2.75])[optimizer]
    sharp = np.array([0.35, 0.8])[norm]
    return np.exp(-sharp * (np.log10(rate) - place) ** 2) - 0.05 * abs(depth - 3) - 0.1 * norm


_TYPED_SPACE = Space(
    rate=Float(1e-4, 1e-1, log=True),
    optimizer=Choice("sgd", "momentum", "adam"),
    depth=Int(1, 5),
    norm=Choice(True, False),
    width=Int(8, 256, log=True),
    shuffle=Choice(True, False),
)

PROBLEMS = {
    "ishigami": Problem(_unit_space(3), _ishigami, (60, 60, 60)),
    "g": Problem(_unit_space(6), _g, (28, 28, 28, 28)),
    "typed": Problem(_TYPED_SPACE, _typed, (1000, 3, 5, 2)),
}


@cache
def truth(name: str) -> tuple[Array, Array, Array]:
    """First-order and total indices, and what PED-ANOVA looks for, each of shape (d,).

    The last is the first-order index of the indicator of the top tenth, as a share of the sum over the parameters.
    """
    problem = PROBLEMS[name]
    axes: list[Any] = []
    for parameter, count in zip(map(problem.space.__getitem__, problem.space.names), problem.grid, strict=False):
        units = (np.arange(count) + 0.5) / count
        values = [parameter.from_unit(float(unit)) for unit in units]
        axes.append(np.arange(count) if isinstance(parameter, Choice) else np.array(values))
    values = np.asarray(problem.value(*np.ix_(*axes)), dtype=np.float64)
    dead = np.zeros(len(problem.space) - values.ndim)
    first, total = indices(values)
    reach = indices((values >= np.quantile(values, 1 - _TOP)).astype(np.float64))[0]
    return np.append(first, dead), np.append(total, dead), np.append(reach / reach.sum(), dead)


def indices(values: Array) -> tuple[Array, Array]:
    """First-order and total indices of a function on a full grid, one axis for each parameter.

    Examples
    --------
    >>> first, total = indices(np.add.outer(np.arange(3.0), 2 * np.arange(3.0)))
    >>> first.tolist(), total.tolist()
    ([0.2, 0.8], [0.2, 0.8])
    """
    everything = values.var()
    rest = [tuple(other for other in range(values.ndim) if other != axis) for axis in range(values.ndim)]
    first = np.array([values.mean(axis=others).var() for others in rest])
    total = np.array([values.var(axis=axis).mean() for axis in range(values.ndim)])
    return first / everything, total / everything
