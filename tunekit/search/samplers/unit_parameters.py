"""tunekit's parameters as bayes_opt sees them: places in the unit cube, moved to their values inside the kernel.

bayes_opt knows no log scale, and switches to a search that takes seconds a proposal as soon as one parameter is not
continuous. Here every parameter lives in the unit interval of its own scale and calls itself continuous; what kind it
is, the surrogate knows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# A subclass of FloatParameter, because bayes_opt warns of every other kind at each construction.
from bayes_opt.parameter import FloatParameter
from numpy.typing import NDArray

from tunekit.search.parameters import Parameter
from tunekit.search.space import Space


class UnitParameter(FloatParameter):
    """A parameter of any kind, as a place in the unit interval.

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


def of(space: Space) -> dict[str, Any]:
    """The parameters of a space, for the ``pbounds`` of a bayes_opt optimizer."""
    return {name: UnitParameter(name, space[name]) for name in space}
