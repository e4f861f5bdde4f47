"""What one parameter does to a metric: on average over the others, or at settings of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.decomposition import backgrounds, marginal
from tunekit.insight.doubt import views
from tunekit.insight.draws import Draws
from tunekit.insight.surrogate import surrogate
from tunekit.search.space import Space
from tunekit.search.surrogate.encoding import Encoding

Array = NDArray[np.float64]

# How many values of a number are shown at most; how many places stand for the other parameters; among how many
# those are looked for in which a conditional parameter counts.
_VALUES, _OTHERS, _LOOKED_AT = 25, 128, 4096


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """The course of a metric along one parameter.

    Parameters
    ----------
    name
        Of the parameter.
    metric
        Of what.
    values
        Of the parameter, g of them, in its order.
    places
        Where these lie in the unit interval, shape (g,).
    mean, low, high
        The expected value at each and the bounds of its 95 % interval, shape (g,), in the metric's own unit.
    """

    name: str
    metric: str
    values: tuple[Any, ...]
    places: Array
    mean: Array
    low: Array
    high: Array

    @property
    def span(self) -> float:
        """How far the expected value goes along the parameter, in the metric's own unit."""
        return float(np.ptp(self.mean))


def effect(history: History, space: Space, name: str, metric: str | None = None) -> Effect:
    """What a parameter does on average over all settings of the others, with what is not known of it.

    A parameter that counts only under a condition is looked at where it counts.

    Parameters
    ----------
    history, space
        The trials, and where their settings come from.
    name
        Of the parameter.
    metric
        One of the metrics of the trials; None: the first aim.

    Raises
    ------
    ValueError
        As `surrogate`, and if there is no such parameter.

    References
    ----------
    Friedman, "Greedy Function Approximation: A Gradient Boosting Machine", Annals of Statistics 2001, for partial
    dependence.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: 3 * x + y, Space(x=(0.0, 1.0), y=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(12)
    >>> effect(study.history, study.space, "x").mean[[0, -1]].round(1).tolist()
    [0.5, 3.5]
    """
    learned = surrogate(history, space, metric, overall=True)
    dimension = _place(space, name)
    places, others = _along(learned.encoding, dimension), _where_it_counts(learned.encoding, dimension)
    courses = [
        learned.scale.undo(marginal(Draws.of(view).at, dimension, places, others)).mean(axis=2)
        for view in views(learned)
    ]
    ends = np.array([np.quantile(course, [0.025, 0.975], axis=0) for course in courses])
    mean, low, high = courses[0].mean(axis=0), ends[:, 0].min(axis=0), ends[:, 1].max(axis=0)
    return Effect(name, learned.metric, _values(space, name, places), places, mean, low, high)


def slice_at(
    history: History,
    space: Space,
    name: str,
    params: Mapping[str, Any],
    metric: str | None = None,
    *,
    noise: bool = False,
) -> Effect:
    """What a parameter does while all others stay at given settings.

    Parameters
    ----------
    history, space, name, metric
        As for `effect`.
    params
        Settings of the space.
    noise
        Whether the intervals are those of one new trial; False: of the mean of very many.

    Raises
    ------
    ValueError
        As `effect`; if these are no settings of the space, or the parameter does not count in them.
    """
    learned = surrogate(history, space, metric, overall=True)
    dimension = _place(space, name)
    here = space.to_unit(params)
    if not space.is_active(name, params):
        raise ValueError(
            f"{name} counts only where {space[name].when}: got {text.settings(params)}; give settings in which it does"
        )
    places = _along(learned.encoding, dimension)
    asked = np.repeat(here[None], len(places), axis=0)
    asked[:, dimension] = places
    found = learned.at(asked, noise=noise)
    return Effect(name, learned.metric, _values(space, name, places), places, found.mean, found.low, found.high)


def _place(space: Space, name: str) -> int:
    space[name]  # an unknown name lists the known ones
    return space.names.index(name)


def _along(encoding: Encoding, dimension: int) -> Array:
    """Places of values along one dimension, in order, shape (g,)."""
    count = encoding.counts[dimension]
    if count is not None and (count <= _VALUES or encoding.is_choice[dimension]):
        return encoding.alternatives(dimension)
    places = np.full((_VALUES, encoding.dimensions), 0.5)
    even = np.linspace(0.0, 1.0, _VALUES)
    if count is None:
        return even
    parameter: Any = encoding.space[encoding.space.names[dimension]]
    places = np.unique(np.clip(parameter.snap(even), 0.0, 1.0))
    return np.asarray(places)


def _values(space: Space, name: str, places: Array) -> tuple[Any, ...]:
    return tuple(space[name].from_unit(float(place)) for place in places)


def _where_it_counts(encoding: Encoding, dimension: int) -> Array:
    """Places of the other parameters, shape (m, d): those with which a parameter counts."""
    if not encoding.space[encoding.space.names[dimension]].when:
        return backgrounds(encoding.dimensions, _OTHERS)
    many = encoding.settle(backgrounds(encoding.dimensions, _LOOKED_AT))
    counts = np.array([encoding.is_active(place)[dimension] for place in many])
    return many[counts][:_OTHERS] if counts.any() else many[:_OTHERS]
