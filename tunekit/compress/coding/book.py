"""The distinct values of a tensor that has few of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress.coding.arithmetic import Coder, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_VALUES = 256


@dataclass(frozen=True, slots=True)
class Book:
    """The values, and which of them stands where.

    Parameters
    ----------
    values
        The most frequent one first, the others ascending. They are told apart by their bits: -0.0 is another value than
        0.0, and a NaN keeps what it carries.
    numbers
        The place of each of the tensor's values in them, in one row.
    """

    values: NDArray[Any]
    numbers: NDArray[np.uint8]


def book(array: NDArray[Any]) -> Book | None:
    """Return the values of a tensor, or None if it is empty or has more than 256 of them.

    Examples
    --------
    >>> book(np.array([0.5, 0.0, 0.0, -1.0])).values.tolist()
    [0.0, -1.0, 0.5]
    """
    if not array.size:
        return None
    bits = array.reshape(-1).view(f"u{array.dtype.itemsize}")
    if bits.size > 4 * MOST_VALUES and len(np.unique(bits[: 4 * MOST_VALUES])) > MOST_VALUES:
        return None
    patterns, first, numbers, counts = np.unique(bits, return_index=True, return_inverse=True, return_counts=True)
    if len(patterns) > MOST_VALUES:
        return None
    values = array.reshape(-1)[first]
    order = np.lexsort((values, np.arange(len(counts)) != counts.argmax()))
    places = np.empty(len(order), dtype=np.uint8)
    places[order] = np.arange(len(order))
    return Book(values[order], places[numbers.reshape(-1)])


def halved(array: NDArray[Any]) -> NDArray[np.float16] | None:
    """Return a float32 tensor in half precision where that is the same, bit for bit."""
    if array.dtype != np.float32 or np.isnan(array).any():  # what a NaN becomes differs between machines
        return None
    with np.errstate(over="ignore", under="ignore"):
        half = array.astype(np.float16)
        return half if half.astype(np.float32).tobytes() == array.tobytes() else None


def whole(half: NDArray[np.float16], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what `halved` was given.

    Raises
    ------
    ValueError
        If that cannot have been of this type.
    """
    if dtype != np.float32 or np.isnan(half).any():
        raise ValueError("only numbers of float32 are stored in half precision")
    return half.astype(dtype)


def code(coder: Coder, dtype: np.dtype[Any], known: NDArray[Any] | None) -> NDArray[Any]:
    """Write the values of a book, or read them: how many, whether in half precision, whether 0 is the first, and each.

    Examples
    --------
    >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
    >>> encoder = Encoder()
    >>> values = code(encoder, np.dtype(np.float32), np.array([0.0, -0.5, 0.25], np.float32))
    >>> data = encoder.finish()
    >>> len(data), code(Decoder(data), np.dtype(np.float32), None).tolist()
    (6, [0.0, -0.5, 0.25])
    """
    half = None if known is None else halved(known)
    values = known if half is None else half
    count = 1 + number(coder, 8, 0 if values is None else len(values) - 1)
    is_half = coder.bit(1.0, int(half is not None))
    stored = np.dtype(np.float16) if is_half else dtype
    given = [0] * count if values is None else values.view(f"u{stored.itemsize}").tolist()
    first = [0] if coder.bit(1.0, int(given[0] == 0)) else []
    found = first + [number(coder, 8 * stored.itemsize, bits) for bits in given[len(first) :]]
    read = np.array(found, dtype=f"u{stored.itemsize}").view(stored)
    return whole(read, dtype) if is_half else read
