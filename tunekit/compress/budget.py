"""A budget: what a net may cost, as shares of the original's figures or in units, and what it must still score."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from tunekit.compress import recipe
from tunekit.core import text

# What a budget may limit: the unit of its figure, and how many of that unit each suffix is.
_BYTES = {"B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20}
_SECONDS = {"µs": 1e-6, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_UNITS = {"size": _BYTES, "bundle": _BYTES, "macs": _COUNTS, "latency": _SECONDS, "memory": _BYTES}
_EXAMPLES = {"size": "100 kB", "bundle": "10 kB", "macs": "2 M", "latency": "2 ms", "memory": "64 kB"}
_WAITS = {"s": 1.0, "min": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, repr=False)
class Budget:
    """What a compressed model may cost, at least one of ``size``, ``bundle``, ``macs``, ``latency`` and ``memory``.

    Each of them is a share of the original's figure, above 0 to 1, or a figure with its unit.

    Parameters
    ----------
    size
        Of the ONNX file, such as ``1/10`` or ``"100 kB"``.
    bundle
        Of the file that `Compressed.save` writes, which stores zeros and shared values in few bits: ``1/50``,
        ``"10 kB"``.
    macs
        Multiply-accumulate operations for one example: ``1/4``, ``"2 M"``.
    latency
        Of one example in onnxruntime on this machine's CPU: ``1/4``, ``"2 ms"``. The original runs there in float.
    memory
        What the ONNX file's weights and largest activations take while it runs: ``1/4``, ``"64 kB"``.
    drop
        The largest loss of the score on the validation split against the original's, 0 or more, in the metric's own
        unit: 0.01 of accuracy is one point.
    time
        How long the search may take, in seconds above 0 or such as ``"10 min"``; a step that has begun is ended. None:
        as long as it takes.

    Raises
    ------
    TypeError
        If a value is neither a number nor a figure with a unit.
    ValueError
        If nothing is limited, or a value is out of range.

    Examples
    --------
    >>> Budget(size=1/10, latency="2 ms", drop=0.01)
    Budget(size=0.1, latency='2 ms')
    >>> Budget(size=10)
    Traceback (most recent call last):
    ...
    ValueError: a budget's size is a share of the original's, above 0 to 1, or a figure such as '100 kB': got 10; for \
a tenth write 1/10
    """

    size: float | str | None = None
    bundle: float | str | None = None
    macs: float | str | None = None
    latency: float | str | None = None
    memory: float | str | None = None
    drop: float = 0.01
    time: float | str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in _UNITS):
            raise ValueError(
                f"a budget limits at least one of {text.listed(_UNITS)}: got none; write Budget(size=1/10), say"
            )
        for name in _UNITS:
            if getattr(self, name) is not None:
                self.figure(name, 1.0)
        _check_drop(self.drop)
        if self.time is not None:
            _seconds(self.time)

    @property
    def limited(self) -> tuple[str, ...]:
        """What is limited: some of ``"size"``, ``"bundle"``, ``"macs"``, ``"latency"``, ``"memory"``."""
        return tuple(name for name in _UNITS if getattr(self, name) is not None)

    @property
    def seconds(self) -> float:
        """How long the search may take; infinite without a limit."""
        return math.inf if self.time is None else _seconds(self.time)

    def figure(self, name: str, original: float) -> float:
        """The largest figure of that name, in bytes, seconds or operations.

        Parameters
        ----------
        name
            Something that is limited.
        original
            The original's own figure.

        Examples
        --------
        >>> Budget(size="100 kB", macs=1/4).figure("size", 1_000_000), Budget(macs=1/4).figure("macs", 2000)
        (100000.0, 500.0)
        """
        value: Any = getattr(self, name)
        if isinstance(value, str):
            return _read(value, _UNITS[name], f"a budget's {name}", _EXAMPLES[name])
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(
                f"a budget's {name} is a number or a figure such as {_EXAMPLES[name]!r}: got {text.value(value)}"
            )
        if not 0 < value <= 1:
            hint = f"; for a tenth write 1/10{'' if value < 2 else _as_unit(name, value)}"
            raise ValueError(
                f"a budget's {name} is a share of the original's, above 0 to 1, or a figure such as "
                f"{_EXAMPLES[name]!r}: got {value:g}{hint if value > 1 else ''}"
            )
        return value * original

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self)


def _as_unit(name: str, value: float) -> str:
    unit = {"size": "kB", "bundle": "kB", "macs": "M", "latency": "ms", "memory": "kB"}[name]
    return "" if value < 20 else f", for a figure {f'{value:g} {unit}'!r}"


def _check_drop(drop: Any) -> None:
    if isinstance(drop, bool) or not isinstance(drop, (int, float)):
        raise TypeError(f"a budget's drop is a number: got {text.value(drop)}")
    if not (drop >= 0 and math.isfinite(drop)):
        raise ValueError(
            f"a budget's drop is what the score may lose, a finite number from 0: got {drop:g}; "
            "for one point of accuracy write 0.01"
        )


def _seconds(time: Any) -> float:
    if isinstance(time, str):
        return _read(time, _WAITS, "a budget's time", "10 min")
    if isinstance(time, bool) or not isinstance(time, (int, float)):
        raise TypeError(f"a budget's time is a number of seconds or such as '10 min': got {text.value(time)}")
    if not (time > 0 and math.isfinite(time)):
        raise ValueError(
            f"a budget's time is a finite number of seconds above 0: got {time:g}; leave it out for no limit"
        )
    return float(time)


def _read(written: str, units: dict[str, float], what: str, example: str) -> float:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([A-Za-zµ]*)\s*", written)
    if found is None or found[2] not in units or float(found[1]) == 0:
        raise ValueError(
            f"{what} in words is a number above 0 with its unit, such as {example!r}: got {written!r}; "
            f"the units are {text.listed(unit for unit in units if unit)}"
        )
    return float(found[1]) * units[found[2]]
