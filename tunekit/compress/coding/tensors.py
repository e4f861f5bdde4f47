"""Named tensors in few bytes, each in the form that is the smallest for it, all of them bit for bit."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress.coding import codes
from tunekit.compress.coding.arithmetic import Decoder, Encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One line of the index for each tensor: its name, type, shape, form and how many bytes it takes.
Index = list[list[Any]]

_DTYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool")
# So many numbers take a second to code one by one in Python. More are left to a library that finds less.
_CODED_CELLS = 1_000_000
_MOST_VALUES = 256
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
# Three gigabytes of weights: more is not read unless one asks for it.
MOST_BYTES = 3 << 30


def encode(tensors: Mapping[str, NDArray[Any]]) -> tuple[Index, bytes]:
    """Write tensors.

    Parameters
    ----------
    tensors
        Of any shape, by name: floats, whole numbers or bools.

    Returns
    -------
    (index, data)
        A list of plain values that goes to JSON, and the bytes.

    Raises
    ------
    TypeError
        If a tensor is of another type.

    Examples
    --------
    >>> weight = np.where(np.arange(400).reshape(20, 20) % 21, 0, 0.5).astype(np.float32)
    >>> index, data = encode({"weight": weight})
    >>> index
    [['weight', 'float32', [20, 20], 'coded', 23]]
    >>> bool((decode(index, data)["weight"] == weight).all())
    True
    """
    index: Index = []
    parts: list[bytes] = []
    for name, tensor in tensors.items():
        if tensor.dtype.name not in _DTYPES:
            raise TypeError(f"a tensor holds one of {', '.join(_DTYPES)}: {name!r} holds {tensor.dtype}")
        array = np.ascontiguousarray(tensor).reshape(tensor.shape)
        forms = {form: made for form, write in _WRITERS.items() if (made := write(array)) is not None}
        form = min(forms, key=lambda form: len(forms[form]))
        index.append([name, array.dtype.name, list(array.shape), form, len(forms[form])])
        parts.append(forms[form])
    return index, b"".join(parts)


def decode(index: Any, data: bytes, most: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """Read tensors, from whomever they come.

    Parameters
    ----------
    index, data
        What `encode` returned.
    most
        How many bytes all tensors may take in memory.

    Raises
    ------
    ValueError
        If it is damaged, or larger.
    """
    found: dict[str, NDArray[Any]] = {}
    place = taken = 0
    for name, dtype, shape, form, length in _lines(index):
        taken += math.prod(shape) * np.dtype(dtype).itemsize
        if taken > most:
            raise ValueError(f"its tensors take more than {most} bytes")
        part = data[place : place + length]
        if len(part) < length:
            raise ValueError("its tensors are cut off")
        place += length
        try:
            found[name] = _READERS[form](part, np.dtype(dtype), tuple(shape))
        except (ValueError, IndexError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise ValueError(f"the tensor {name!r} is damaged ({error})") from error
    if place != len(data):
        raise ValueError("its tensors have more bytes than they say")
    return found


def _lines(index: Any) -> Sequence[tuple[str, str, list[int], str, int]]:
    if not isinstance(index, list):
        raise ValueError("the index of its tensors is no list")
    names = set()
    for line in index:
        match line:
            case [str(name), str(dtype), list(shape), str(form), int(length)]:
                whole = all(type(size) is int and 0 <= size < 2**31 for size in (*shape, length))
                if dtype in _DTYPES and form in _READERS and whole and name not in names:
                    names.add(name)
                    continue
        raise ValueError(f"the index of its tensors has a strange line: {str(line)[:100]}")
    return index


def _write_plain(array: NDArray[Any]) -> bytes:
    return array.tobytes()


def _read_plain(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.frombuffer(data, dtype).reshape(shape).copy()


def _write_planes(array: NDArray[Any]) -> bytes | None:
    """The first bytes of all numbers, then the second ones: exponents look like exponents."""
    if _book(array) is not None:
        return None  # a number of few is smaller in every case, and the search for planes takes its time
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.dtype.itemsize).T
    return zlib.compress(planes.tobytes(), 6)  # lzma finds hardly more in them, and takes ten times as long


def _read_planes(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    size = math.prod(shape) * dtype.itemsize
    planes = np.frombuffer(_of_size(zlib.decompressobj(), data, size), np.uint8).reshape(dtype.itemsize, -1)
    return np.frombuffer(planes.T.tobytes(), dtype).reshape(shape).copy()


def _write_coded(array: NDArray[Any]) -> bytes | None:
    if array.size > _CODED_CELLS:
        return None
    book = _book(array)
    if book is None:
        return None
    values, numbers = book
    encoder = Encoder()
    codes.code(encoder, _as_matrix(array.shape), len(values), numbers.reshape(_as_matrix(array.shape)))
    return _write_book(values) + encoder.finish()


def _read_coded(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if math.prod(shape) > _CODED_CELLS:
        raise ValueError("it is too large to be coded one by one")
    values, rest = _read_book(data, dtype)
    return values[codes.code(Decoder(rest), _as_matrix(shape), len(values), None)].reshape(shape)


def _write_numbered(array: NDArray[Any]) -> bytes | None:
    book = _book(array)
    if book is None:
        return None
    values, numbers = book
    return _write_book(values) + lzma.compress(numbers.tobytes(), lzma.FORMAT_RAW, filters=_LZMA)


def _read_numbered(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    values, rest = _read_book(data, dtype)
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA)
    numbers = np.frombuffer(_of_size(unpacker, rest, math.prod(shape)), np.uint8)
    return values[numbers].reshape(shape)


_WRITERS: dict[str, Callable[[NDArray[Any]], bytes | None]] = {
    "plain": _write_plain,
    "planes": _write_planes,
    "coded": _write_coded,
    "numbered": _write_numbered,
}
_READERS: dict[str, Callable[[bytes, np.dtype[Any], tuple[int, ...]], NDArray[Any]]] = {
    "plain": _read_plain,
    "planes": _read_planes,
    "coded": _read_coded,
    "numbered": _read_numbered,
}


def _as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """A row for each output; a vector is one row."""
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))


def _book(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]] | None:
    """The distinct values, the most frequent one first and the others ascending, and each number's place there.

    Told apart by their bits: -0.0 is another value than 0.0, and a NaN keeps what it carries.
    """
    if not array.size:
        return None
    bits = array.reshape(-1).view(f"u{array.dtype.itemsize}")
    if array.size > 4 * _MOST_VALUES and len(np.unique(bits[: 4 * _MOST_VALUES])) > _MOST_VALUES:
        return None
    patterns, first, numbers, counts = np.unique(bits, return_index=True, return_inverse=True, return_counts=True)
    if len(patterns) > _MOST_VALUES:
        return None
    values = array.reshape(-1)[first]
    order = np.lexsort((values, np.arange(len(counts)) != counts.argmax()))
    places = np.empty(len(order), dtype=np.uint8)
    places[order] = np.arange(len(order))
    return values[order], places[numbers]


def _write_book(values: NDArray[Any]) -> bytes:
    """The number of values less one, whether they are in half precision, and the values."""
    with np.errstate(over="ignore"):
        half = values.astype(np.float16) if values.dtype == np.float32 else values
    is_half = half.dtype == np.float16 and half.astype(values.dtype).tobytes() == values.tobytes()
    return bytes([len(values) - 1, is_half]) + (half if is_half else values).tobytes()


def _read_book(data: bytes, dtype: np.dtype[Any]) -> tuple[NDArray[Any], bytes]:
    if len(data) < 2 or data[1] > 1:
        raise ValueError("it has no book of values")
    count, stored = data[0] + 1, np.dtype(np.float16) if data[1] else dtype
    end = 2 + count * stored.itemsize
    if len(data) < end:
        raise ValueError("its book of values is cut off")
    return np.frombuffer(data[2:end], stored).astype(dtype), data[end:]


def _of_size(unpacker: Any, data: bytes, size: int) -> bytes:
    """Unpack, and refuse to unpack to anything but that size."""
    found: bytes = unpacker.decompress(data, size + 1)
    if len(found) != size:
        raise ValueError("it unpacks to another size")
    return found
