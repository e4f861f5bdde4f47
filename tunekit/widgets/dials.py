"""Parameters as controls: where a slider stands for which value, and a value for which place of the slider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunekit.core import text
from tunekit.search.parameters import Choice, Parameter

# So many places of a slider can be told apart on a screen.
_PLACES = 200


@dataclass(frozen=True, slots=True)
class Dial:
    """One parameter as a control.

    Parameters
    ----------
    name
        Of the parameter.
    kind
        A slider, or a menu for values without an order.
    values
        What the control goes through, from its first place to its last; on a log scale where the parameter is.
    """

    name: str
    kind: Literal["slider", "menu"]
    values: Sequence[Any]
    parameter: Parameter

    def place_of(self, value: Any) -> int:
        """The place that is nearest to a value."""
        if isinstance(self.parameter, Choice):
            return min(self.parameter.count - 1, int(self.parameter.to_unit(value) * self.parameter.count))
        unit = self.parameter.to_unit(value)
        return min(range(len(self.values)), key=lambda place: abs(self.parameter.to_unit(self.values[place]) - unit))

    @property
    def described(self) -> dict[str, Any]:
        """What the page must know of it."""
        labels = [text.printable(text.value(value)) for value in self.values] if self.kind == "menu" else []
        return {"name": text.printable(self.name), "kind": self.kind, "most": len(self.values) - 1, "labels": labels}


def dial(name: str, parameter: Parameter) -> Dial:
    """The control of a parameter.

    Examples
    --------
    >>> from tunekit.search.parameters import Float, Int
    >>> lr = dial("lr", Float(1e-4, 1e-2, log=True))
    >>> lr.values[100], lr.place_of(1e-3)
    (0.001, 100)
    >>> list(dial("depth", Int(2, 8, step=2)).values)
    [2, 4, 6, 8]
    """
    if isinstance(parameter, Choice):
        return Dial(name, "menu", parameter.values, parameter)
    count = parameter.count
    if count is not None and count <= _PLACES:
        values = [parameter.from_unit((place + 0.5) / count) for place in range(count)]
    else:
        values = [parameter.from_unit(place / _PLACES) for place in range(_PLACES + 1)]
    if getattr(parameter, "log", False) and count is not None:
        values = [parameter.from_unit(place / _PLACES) for place in range(_PLACES + 1)]
    return Dial(name, "slider", list(dict.fromkeys(values)), parameter)
