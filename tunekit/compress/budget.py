"""A budget: how small the file must be, and how much of the score it may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tunekit.core import text


class NotYetError(RuntimeError):
    """Something that is planned and not there."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a compressed model may cost.

    Parameters
    ----------
    size
        The largest file, as a share of the original's, above 0 to 1.
    drop
        The largest loss of the score against the original's, 0 or more, in the metric's own unit: 0.01 of accuracy is
        one point.

    Raises
    ------
    TypeError
        If a value is no number.
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> Budget(size=1/10, drop=0.01)
    Budget(size=0.1, drop=0.01)
    >>> Budget(size=10)
    Traceback (most recent call last):
    ...
    ValueError: a budget's size is a share of the original file, above 0 to 1: got 10; for a tenth write 1/10
    """

    size: float
    drop: float = 0.01

    def __post_init__(self) -> None:
        for name in ("size", "drop"):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"a budget's {name} is a number: got {text.value(value)}")
        if not 0 < self.size <= 1:
            raise ValueError(
                f"a budget's size is a share of the original file, above 0 to 1: got {self.size:g}; "
                "for a tenth write 1/10"
            )
        if not (self.drop >= 0 and math.isfinite(self.drop)):
            raise ValueError(
                f"a budget's drop is what the score may lose, a finite number from 0: got {self.drop:g}; "
                "for one point of accuracy write 0.01"
            )
