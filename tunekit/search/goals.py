"""Reading what a study goes for: the metrics to maximize and to minimize, and the bounds that metrics must keep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tunekit.core.goal import Aim, Goal, Limit

Names = str | Sequence[str] | None
Bounds = tuple[float | None, float | None]


def read_goal(maximize: Names = None, minimize: Names = None, constraints: Mapping[str, Bounds] | None = None) -> Goal:
    """The goal that these arguments of a study say.

    Parameters
    ----------
    maximize, minimize
        A metric's name, or several. Neither given: maximize ``"score"``.
    constraints
        ``{"size_kb": (None, 100)}``: the lowest and the highest value of a metric that is allowed, both included; None
        where there is no bound.

    Raises
    ------
    ValueError
        If a name is no word or stands twice, or a bound is no finite number, or excludes everything or nothing.

    Examples
    --------
    >>> [aim.metric for aim in read_goal("accuracy", ["size_kb", "ms"]).aims]
    ['accuracy', 'size_kb', 'ms']
    """
    up, down = _names("maximize", maximize), _names("minimize", minimize)
    everything = [*up, *down]
    for name in everything:
        if everything.count(name) > 1:
            raise ValueError(
                f"a metric is an aim once, in maximize= or in minimize=: {name!r} stands there twice; leave one out"
            )
    if constraints is not None and not isinstance(constraints, Mapping):
        raise ValueError(f"constraints are bounds by metric, such as {{'size_kb': (None, 100)}}: got {constraints!r}")
    aims = [*(Aim(name, True) for name in up), *(Aim(name, False) for name in down)]
    return Goal(*aims, limits=tuple(_limit(name, bounds) for name, bounds in (constraints or {}).items()))


def _names(argument: str, given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(names, Sequence) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{argument}= is the name of a metric, or several in a list: got {given!r}")
    return list(names)


def _limit(name: Any, bounds: Any) -> Limit:
    if not isinstance(name, str) or not name:
        raise ValueError(f"a constraint bounds a metric by its name: got {name!r}")
    rule = f"the constraint of {name!r} is a pair (low, high) with None for no bound"
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError(f"{rule}: got {bounds!r}; write (None, 100) or (0.9, None)")
    for bound in bounds:
        if bound is not None and not is_finite_number(bound):
            raise ValueError(f"{rule}, of finite numbers: got {bound!r}")
    low, high = (None if bound is None else float(bound) for bound in bounds)
    if low is None and high is None:
        raise ValueError(f"{rule}, and bounds something: got (None, None); give a bound, or leave it out")
    if low is not None and high is not None and low > high:
        raise ValueError(f"{rule}, low <= high: got {bounds!r}; did you mean ({bounds[1]!r}, {bounds[0]!r})?")
    return Limit(name, low, high)


def is_finite_number(value: Any) -> bool:
    """Whether it is a number of Python or numpy, finite and no truth value."""
    kinds = (int, float, np.integer, np.floating)
    return isinstance(value, kinds) and not isinstance(value, bool) and math.isfinite(value)
