"""Edges of the space that hold the search back: where the best settings lie against a bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.draws import Draws
from tunekit.insight.limits import Limits, leading
from tunekit.insight.surrogate import Surrogate, surrogate
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

Array = NDArray[np.float64]

# How many of the best trials are looked at, and how near to a bound the best of them must lie, as a share of the range.
_LEADERS, _NEAR = 3, 0.1
# The share of drawn functions that must be best at the very bound, and the least that going there brings, as a share of
# the standard deviation of the scores.
_SURE, _LEAST_GAIN = 0.8, 0.02
# How many values of a number are compared.
_VALUES = 21


@dataclass(frozen=True, slots=True)
class Edge:
    """A bound of the space that is worth moving.

    Parameters
    ----------
    name
        Of the parameter.
    side
        Which bound.
    bound
        Its value.
    best
        The parameter's value in the best trial.
    share
        The share of all courses held possible that are best at the bound, with the best trial's other settings.
    """

    name: str
    side: Literal["low", "high"]
    bound: Any
    best: Any
    share: float

    @property
    def words(self) -> str:
        """What to do about it, in a sentence."""
        end = "lower" if self.side == "low" else "upper"
        return (
            f"The best {self.name}, {text.value(self.best)}, lies at the {end} end of its range: "
            f"let it go {'below' if self.side == 'low' else 'above'} {text.value(self.bound)}."
        )


def edges(history: History, space: Space, metric: str | None = None) -> tuple[Edge, ...]:
    """The bounds of numbers at which the best trials lie and towards which the surrogate still rises; surest first.

    Only trials that keep the limits are among the best, and at the bound the limits must be kept; while no trial keeps
    them there is no such bound.

    Raises
    ------
    ValueError
        As `surrogate`.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: x - (y - 0.5) ** 2, Space(x=(0.0, 1.0), y=(0.0, 1.0)), seed=0)
    >>> result = study.run(12)
    >>> [(edge.name, edge.side) for edge in edges(study.history, study.space)]
    [('x', 'high')]
    """
    learned = surrogate(history, space, metric)
    leaders = leading(history, learned, _LEADERS)
    if not len(leaders):
        return ()
    draws, limits = Draws.of(learned), Limits.of(history, space)
    found = [
        edge
        for dimension, name in enumerate(space.names)
        if not isinstance(space[name], Choice)
        for edge in [_edge(learned, draws, limits, leaders, dimension)]
        if edge is not None
    ]
    return tuple(sorted(found, key=lambda edge: -edge.share))


def _edge(learned: Surrogate, draws: Draws, limits: Limits, leaders: Array, dimension: int) -> Edge | None:
    encoding, name = learned.encoding, learned.space.names[dimension]
    parameter: Any = learned.space[name]
    best = leaders[0]
    if not encoding.is_active(best)[dimension]:
        return None
    side: Literal["low", "high"] = "low" if best[dimension] < 0.5 else "high"
    end = 0 if side == "low" else -1
    values = np.unique(encoding.settle(_line(best, dimension))[:, dimension])
    if abs(best[dimension] - values[end]) > _NEAR:
        return None
    leaders = np.array([leader for leader in leaders if encoding.is_active(leader)[dimension]])
    places = np.repeat(leaders[:, None], len(values), axis=1)
    places[:, :, dimension] = values
    flat = places.reshape(-1, encoding.dimensions)
    heights = draws.at(flat).reshape(len(draws), len(leaders), len(values))
    kept = limits.kept(flat).reshape(-1, len(leaders), len(values))
    leads = np.where(kept, heights, -np.inf).argmax(axis=2) == end % len(values)
    share = float(np.mean(leads & kept[:, :, end]))
    # what most likely breaks a limit is no place inside that is as good
    course = np.where(kept.mean(axis=(0, 1)) > 0.5, heights.mean(axis=(0, 1)), -np.inf)
    inside = np.abs(values - values[end]) >= _NEAR
    gain = course[end] - course[inside].max() if inside.any() else 0.0
    if share < _SURE or gain < _LEAST_GAIN:
        return None
    limit = parameter.low if side == "low" else parameter.high
    return Edge(name, side, limit, parameter.from_unit(float(best[dimension])), share)


def _line(place: Array, dimension: int) -> Array:
    line = np.repeat(place[None], _VALUES, axis=0)
    line[:, dimension] = np.linspace(0.0, 1.0, _VALUES)
    return line
