"""tunekit's parameters as bayes_opt sees them: places in the unit cube, rounded inside the kernel.

bayes_opt knows no log scale, and switches to a search that takes seconds a proposal as soon as one parameter is not
continuous. Here every parameter lives in the unit interval of its own scale and calls itself continuous; the kernel
sees each place moved to that of the value that it stands for, so the surrogate is constant where the value is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from bayes_opt.parameter import BayesParameter, FloatParameter
from numpy.typing import NDArray

from tunekit.search.parameters import Choice, Parameter
from tunekit.search.space import Space

Array = NDArray[np.float64]

# Two different categories are one unit apart, like the two ends of a number's range.
_ONE_HOT = 1 / np.sqrt(2)


# Subclasses of FloatParameter, because bayes_opt warns of every other kind at each construction.
class UnitParameter(FloatParameter):
    """A float or an integer, as a place in the unit interval.

    Parameters
    ----------
    name
        The parameter's name.
    parameter
        What it stands for.
    """

    def __init__(self, name: str, parameter: Parameter) -> None:
        super().__init__(name, (0.0, 1.0))
        self.parameter = parameter

    def to_param(self, value: Any) -> float:
        """The place, as a plain number."""
        return float(np.clip(np.asarray(value).reshape(-1)[0], 0.0, 1.0))

    def kernel_transform(self, value: NDArray[Any]) -> NDArray[Any]:
        """Places of any shape, each moved to the place of its value."""
        return self.parameter.snap(np.clip(value, 0.0, 1.0))


class OneHotParameter(FloatParameter):
    """A choice of k values, as k numbers of which the largest tells the value; outside it is one place again.

    Parameters
    ----------
    name
        The parameter's name.
    count
        How many values there are: k.
    """

    def __init__(self, name: str, count: int) -> None:
        BayesParameter.__init__(self, name, np.tile([0.0, 1.0], (count, 1)))
        self.count = count

    @property
    def dim(self) -> int:
        """How many numbers it takes: k."""
        return self.count

    def random_sample(self, n_samples: int, random_state: Any) -> Array:
        """Values drawn with equal probability: shape (n_samples, k)."""
        return np.asarray(np.eye(self.count)[random_state.randint(self.count, size=n_samples)])

    def to_float(self, value: Any) -> Any:
        """The k numbers of a place: a single 1 among zeros."""
        return np.eye(self.count)[min(self.count - 1, int(value * self.count))]

    def to_param(self, value: Any) -> float:
        """The place of the value with the largest number."""
        return float((int(np.argmax(value)) + 0.5) / self.count)

    def kernel_transform(self, value: NDArray[Any]) -> NDArray[Any]:
        """Rows of k numbers, each as a pure one-hot row of length sqrt(1/2)."""
        rows = np.atleast_2d(value)
        return np.asarray(np.eye(self.count)[np.argmax(rows, axis=-1)] * _ONE_HOT)


def of(space: Space) -> dict[str, Any]:
    """The parameters of a space, for the ``pbounds`` of a bayes_opt optimizer."""
    return {name: _of(name, space[name]) for name in space}


def _of(name: str, parameter: Parameter) -> BayesParameter:
    if isinstance(parameter, Choice):
        return OneHotParameter(name, parameter.count)
    return UnitParameter(name, parameter)


def spread(space: Space, unit: Array) -> dict[str, float]:
    """A place of the unit cube, shape (d,), by name as bayes_opt registers it."""
    return dict(zip(space.names, unit.tolist(), strict=True))
