"""The three kinds of parameter: a float, an integer, a choice. Each maps its values to the unit interval and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text

Unit = NDArray[np.float64]


class Parameter(Protocol):
    """What the space asks of a parameter."""

    @property
    def when(self) -> Mapping[str, Any] | None:
        """The values of other parameters under which this one counts; None: always."""

    @property
    def count(self) -> int | None:
        """How many different values there are; None where there is no end of them."""

    def to_unit(self, value: Any) -> float:
        """The place of a value in the unit interval."""

    def from_unit(self, unit: float) -> Any:
        """The value at a place of the unit interval."""

    def snap(self, unit: Unit) -> Unit:
        """Each place moved to the place of the value that it stands for; any shape."""

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""


@dataclass(frozen=True, slots=True)
class Float:
    """A real number between two bounds, both included.

    Parameters
    ----------
    low, high
        The bounds, finite, ``low < high``, in the parameter's own unit.
    log
        Whether to search on a logarithmic scale; needs ``low > 0``.
    step
        The distance between two values, or None for all values. Not together with ``log``.
    when
        ``{"other": value}``: this parameter counts only where the other one has that value (a list: one of these).

    Raises
    ------
    ValueError
        If the bounds, the scale or the step break a rule above.

    Notes
    -----
    Values that a search proposes have at most twelve significant digits, so that they can be read, typed and stored
    without loss.

    Examples
    --------
    >>> lr = Float(1e-4, 1e-1, log=True)
    >>> lr.from_unit(0.5), round(lr.to_unit(1e-3), 3)
    (0.00316227766017, 0.333)
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: Mapping[str, Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Hold the rules before any work starts."""
        _check_bounds("Float", self.low, self.high, self.log)
        for name in ("low", "high"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.step is not None:
            _check_step("Float", self.low, self.high, self.step, self.log)

    @property
    def count(self) -> int | None:
        """How many different values there are; None without a step."""
        return None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9) + 1

    def to_unit(self, value: float) -> float:
        """The place of a value in the unit interval."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        if self.step is not None and self.count is not None:
            return (round((value - self.low) / self.step) + 0.5) / self.count
        return (value - self.low) / (self.high - self.low)

    def from_unit(self, unit: float) -> float:
        """The value at a place of the unit interval, within the bounds."""
        if self.step is None and unit in (0.0, 1.0):
            return self.high if unit else self.low  # a bound comes back with all its digits
        if self.log:
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        elif self.step is not None and self.count is not None:
            value = self.low + self.step * min(self.count - 1, int(unit * self.count))
        else:
            value = self.low + unit * (self.high - self.low)
        return min(self.high, max(self.low, float(f"{value:.12g}")))

    def snap(self, unit: Unit) -> Unit:
        """Each place moved to the place of its value."""
        return unit if self.count is None else _snap_to_bins(unit, self.count)

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        return _range_complaint(value, self.low, self.high, self.step, (int, float, np.floating, np.integer))


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number between two bounds, both included.

    Parameters
    ----------
    low, high
        The bounds, whole numbers, ``low < high``.
    log
        Whether to search on a logarithmic scale; needs ``low > 0``.
    step
        The distance between two values; 1 where it is None. Not together with ``log``.
    when
        ``{"other": value}``: this parameter counts only where the other one has that value (a list: one of these).

    Raises
    ------
    ValueError
        If the bounds, the scale or the step break a rule above.

    Examples
    --------
    >>> width = Int(16, 128, log=True)
    >>> width.from_unit(0.5), width.from_unit(width.to_unit(33))
    (45, 33)
    """

    low: int
    high: int
    log: bool = False
    step: int | None = None
    when: Mapping[str, Any] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Hold the rules before any work starts."""
        _check_bounds("Int", self.low, self.high, self.log)
        for name in ("low", "high"):
            bound = getattr(self, name)
            if bound != int(bound):
                raise ValueError(
                    f"the bounds of an Int are whole numbers: {name}={bound!r}; use Float for real numbers"
                )
            object.__setattr__(self, name, int(bound))
        if self.step is not None:
            _check_step("Int", self.low, self.high, self.step, self.log)
            if self.step != int(self.step):
                raise ValueError(f"the step of an Int is a whole number: got step={self.step!r}")

    @property
    def count(self) -> int:
        """How many different values there are."""
        return (self.high - self.low) // (self.step or 1) + 1

    def to_unit(self, value: int) -> float:
        """The place of a value in the unit interval: the middle of its share."""
        if self.log:
            low, high = self._log_edges()
            return (math.log(value) - low) / (high - low)
        return ((value - self.low) // (self.step or 1) + 0.5) / self.count

    def from_unit(self, unit: float) -> int:
        """The value at a place of the unit interval, within the bounds."""
        if self.log:
            low, high = self._log_edges()
            return min(self.high, max(self.low, round(math.exp(low + unit * (high - low)))))
        return self.low + (self.step or 1) * min(self.count - 1, int(unit * self.count))

    def snap(self, unit: Unit) -> Unit:
        """Each place moved to the place of its value."""
        if not self.log:
            return _snap_to_bins(unit, self.count)
        low, high = self._log_edges()
        values = np.clip(np.round(np.exp(low + unit * (high - low))), self.low, self.high)
        return np.asarray((np.log(values) - low) / (high - low), dtype=np.float64)

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        return _range_complaint(value, self.low, self.high, self.step, (int, np.integer))

    def _log_edges(self) -> tuple[float, float]:
        """Half a unit beyond the bounds, so that the first and the last value get their share of the scale."""
        return math.log(self.low - 0.5), math.log(self.high + 0.5)


@dataclass(frozen=True, slots=True, init=False)
class Choice:
    """One of several values of any kind: words, numbers, booleans, tuples, functions, classes.

    Parameters
    ----------
    *values
        The values, all different. A value comes back as what it went in as: `True` stays a bool, a tuple a tuple.
    when
        ``{"other": value}``: this parameter counts only where the other one has that value (a list: one of these).

    Raises
    ------
    ValueError
        If there is no value, or one twice.

    Examples
    --------
    >>> layers = Choice((64,), (64, 128))
    >>> layers.from_unit(0.9), layers.to_unit((64,))
    ((64, 128), 0.25)
    """

    values: tuple[Any, ...]
    when: Mapping[str, Any] | None = field(default=None, compare=False)

    def __init__(self, *values: Any, when: Mapping[str, Any] | None = None) -> None:
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "when", when)
        if not values:
            raise ValueError("a Choice needs at least one value: got none; write Choice('relu', 'gelu')")
        for place, value in enumerate(values):
            if value != value:
                raise ValueError(f"the values of a Choice must equal themselves: got {value!r}")
            if self._place(value) != place:
                raise ValueError(f"the values of a Choice are all different: {value!r} is there twice; leave one out")

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.values)

    def to_unit(self, value: Any) -> float:
        """The place of a value in the unit interval: the middle of its share."""
        place = self._place(value)
        if place is None:
            raise ValueError(f"the value must be {self.complaint(value)}: got {text.value(value)}")
        return (place + 0.5) / self.count

    def from_unit(self, unit: float) -> Any:
        """The value at a place of the unit interval."""
        return self.values[min(self.count - 1, int(unit * self.count))]

    def snap(self, unit: Unit) -> Unit:
        """Each place moved to the place of its value."""
        return _snap_to_bins(unit, self.count)

    def complaint(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        return None if self._place(value) is not None else f"one of {', '.join(text.value(v) for v in self.values)}"

    def _place(self, value: Any) -> int | None:
        # 1 == True == 1.0: the type tells them apart
        for place, known in enumerate(self.values):
            if type(known) is type(value) and known == value:
                return place
        return None


def _snap_to_bins(unit: Unit, count: int) -> Unit:
    return np.asarray((np.minimum(np.floor(unit * count), count - 1) + 0.5) / count, dtype=np.float64)


def _check_bounds(kind: str, low: Any, high: Any, log: bool) -> None:
    for name, bound in (("low", low), ("high", high)):
        if isinstance(bound, bool) or not isinstance(bound, (int, float, np.integer, np.floating)):
            raise ValueError(f"the bounds of {kind} are numbers: got {name}={bound!r}; use Choice for other values")
        if not math.isfinite(bound):
            raise ValueError(f"the bounds of {kind} are finite: got {name}={bound!r}")
    if not low < high or not math.isfinite(float(high) - float(low)):
        fix = (
            f"; did you mean {kind}({high!r}, {low!r})?"
            if high < low
            else "; give a range, or leave it out of the space"
        )
        raise ValueError(f"the bounds of {kind} are low < high: got low={low!r}, high={high!r}{fix}")
    if log and low <= 0:
        raise ValueError(f"a log scale needs low > 0: got low={low!r}; raise low, or use log=False")


def _check_step(kind: str, low: float, high: float, step: Any, log: bool) -> None:
    if (
        isinstance(step, bool)
        or not isinstance(step, (int, float, np.integer, np.floating))
        or not 0 < step <= high - low
    ):
        raise ValueError(f"the step of {kind} is above 0 and at most high - low = {high - low!r}: got step={step!r}")
    if log:
        raise ValueError(f"a log scale has no fixed step: got log=True with step={step!r}; leave one of them out")


def _range_complaint(
    value: Any, low: float, high: float, step: float | None, types: tuple[type[Any], ...]
) -> str | None:
    """What is wrong with a number, in words that follow 'must be'; None where nothing is."""
    rule = f"{'a whole number' if float not in types else 'a number'} from {low!r} to {high!r}"
    if isinstance(value, bool) or not isinstance(value, types) or not low <= value <= high:
        return rule
    if step is not None and abs((value - low) / step - round((value - low) / step)) > 1e-6:
        return f"{rule} in steps of {step!r}"
    return None
