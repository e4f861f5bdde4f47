"""The checks of settings that several steps have in common."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

from tunekit.core import text


def is_open(value: Any) -> bool:
    """Whether a value is a parameter that a search has to fill in.

    Examples
    --------
    >>> from tunekit.search.parameters import Float
    >>> is_open(Float(0.3, 0.9)), is_open(0.3)
    (True, False)
    """
    return not isinstance(value, type) and hasattr(value, "from_unit") and hasattr(value, "to_unit")


def has_open(step: Any) -> bool:
    """Whether any field of a step is open: then its values are checked when they are there."""
    return any(is_open(getattr(step, field.name)) for field in fields(step))


def check_epochs(epochs: Any, *, least: int = 0) -> None:
    """Raise an error unless it is a whole number of epochs.

    Parameters
    ----------
    epochs
        Any value.
    least
        The smallest that is allowed, 0 or 1.

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is too small.

    Examples
    --------
    >>> check_epochs(3)
    """
    if isinstance(epochs, bool) or not isinstance(epochs, int):
        raise TypeError(f"epochs is a whole number: got {text.value(epochs)}")
    if epochs < least:
        if least:
            raise ValueError(f"training takes at least one epoch: got epochs={epochs}; leave the step out instead")
        raise ValueError(f"epochs is a whole number from 0: got epochs={epochs}; 0 trains nothing")


def check_learning_rate(rate: Any) -> None:
    """Raise an error unless it is a finite number above 0.

    Examples
    --------
    >>> check_learning_rate(1e-3)
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float)):
        raise TypeError(f"the learning rate is a number: got {text.value(rate)}")
    if not (rate > 0 and math.isfinite(rate)):
        raise ValueError(f"the learning rate is a finite number above 0: got {rate:g}")


def layer_names(names: Any, what: str) -> tuple[str, ...] | None:
    """Return the names of layers as a tuple, or None for None.

    Parameters
    ----------
    names
        A sequence of names as in ``model.named_modules()``, or None.
    what
        The setting's own name, for the errors.

    Raises
    ------
    TypeError
        If it is no sequence of names.
    ValueError
        If it is empty.

    Examples
    --------
    >>> layer_names(["0", "2"], "layers")
    ('0', '2')
    """
    if names is None:
        return None
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{what}= is a list of names, or None: got {names!r}")
    if not names:
        raise ValueError(f"{what}= names at least one layer, or is None: got an empty list")
    return tuple(names)
