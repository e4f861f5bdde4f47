"""Tensors as bytes, each form for itself: what is dense, and what is too large to be coded number by number."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress.coding.book import MOST_VALUES, Book, halved, whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

_Shape = tuple[int, ...]
_LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
# A gap byte of this many zeros has no number after it.
_LONG = 255
# So many gaps are read at a time: their places take 16 times the memory of their bytes.
_CHUNK = 1 << 20


def dense(array: NDArray[Any]) -> Mapping[str, bytes]:
    """Return the forms of a tensor of many values: as it is or in half precision, whole or in planes."""
    half = halved(array)
    stored = array if half is None else half
    prefix = "" if half is None else "half "
    return {f"{prefix}plain": stored.tobytes(), f"{prefix}planes": _planes(stored)}


def shared(book: Book) -> Mapping[str, bytes]:
    """Return the forms of a large tensor of few values.

    Its numbers with what repeats in them, in Huffman's code, or as the gaps between those that are not 0.
    """
    head = bytes([len(book.values) - 1]) + book.values.tobytes()
    found = {
        "numbers": head + _packed(book.numbers.tobytes()),
        "huffman": head + _huffman(_together(book.numbers, len(book.values))),
    }
    if np.count_nonzero(book.numbers) < book.numbers.size / 4:
        gaps, numbers = _gaps(book.numbers)
        found["gaps"] = head + len(gaps).to_bytes(8, "little") + _packed(gaps.tobytes() + numbers.tobytes())
    return found


def read(form: str, data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    """Read a tensor.

    Raises
    ------
    ValueError
        If the bytes are not those of such a tensor.
    """
    try:
        return _READERS[form](data, dtype, shape)
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(str(error)) from error


def _planes(array: NDArray[Any]) -> bytes:
    """The first bytes of all numbers, then the second ones: exponents look like exponents."""
    planes = np.frombuffer(array.tobytes(), np.uint8).reshape(-1, array.dtype.itemsize).T
    return zlib.compress(planes.tobytes(), 6)  # lzma finds hardly more in them, and takes ten times as long


def _huffman(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(data) + packer.flush()


def _in_a_byte(count: int) -> int:
    """How many numbers below a count: Huffman's code takes a bit at least, so it is better of several together."""
    return 8 // max(1, 1 << ((count - 1).bit_length() - 1).bit_length())


def _together(numbers: NDArray[np.uint8], count: int) -> bytes:
    several = _in_a_byte(count)
    digits = np.zeros(-(-len(numbers) // several) * several, dtype=np.uint8)
    digits[: len(numbers)] = numbers
    shifts = np.arange(several, dtype=np.uint8) * np.uint8(8 // several)
    found: bytes = np.bitwise_or.reduce(digits.reshape(-1, several) << shifts, axis=1).tobytes()
    return found


def _gaps(numbers: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """How many zeros are before each number that is not 0, in bytes, and those numbers."""
    places = np.flatnonzero(numbers)
    zeros = np.diff(places, prepend=-1) - 1
    gaps = np.full(len(places) + int((zeros // _LONG).sum()), _LONG, dtype=np.uint8)
    gaps[np.cumsum(zeros // _LONG + 1) - 1] = zeros % _LONG
    return gaps, numbers[places]


def _read_plain(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    return np.frombuffer(data, dtype).reshape(shape).copy()


def _read_planes(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    size = math.prod(shape) * dtype.itemsize
    planes = np.frombuffer(_of_size(zlib.decompressobj(), data, size), np.uint8).reshape(dtype.itemsize, -1)
    return np.frombuffer(planes.T.tobytes(), dtype).reshape(shape).copy()


def _in_half(reader: Callable[..., NDArray[Any]]) -> Callable[[bytes, np.dtype[Any], _Shape], NDArray[Any]]:
    def read_half(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
        return whole(reader(data, np.dtype(np.float16), shape), dtype)

    return read_half


def _read_numbers(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    values, rest = _read_values(data, dtype)
    return _looked_up(values, np.frombuffer(_unpacked(rest, math.prod(shape)), np.uint8)).reshape(shape)


def _read_huffman(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    values, rest = _read_values(data, dtype)
    several, size = _in_a_byte(len(values)), math.prod(shape)
    digits = np.frombuffer(_of_size(zlib.decompressobj(), rest, -(-size // several)), np.uint8)
    shifts = np.arange(several, dtype=np.uint8) * np.uint8(8 // several)
    numbers = (digits[:, None] >> shifts & np.uint8((1 << 8 // several) - 1)).reshape(-1)[:size]
    return _looked_up(values, numbers).reshape(shape)


def _read_gaps(data: bytes, dtype: np.dtype[Any], shape: _Shape) -> NDArray[Any]:
    values, rest = _read_values(data, dtype)
    size, count = math.prod(shape), int.from_bytes(rest[:8], "little")
    if count > size:
        raise ValueError("it has more gaps than numbers")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA)
    numbers = np.zeros(size, dtype=np.uint8)
    packed, end = rest[8:], 0
    for start in range(0, count, _CHUNK):
        gaps = np.frombuffer(_part(unpacker, packed, min(_CHUNK, count - start)), np.uint8)
        ends = end + np.cumsum(np.where(gaps == _LONG, _LONG, gaps.astype(np.int64) + 1))
        packed, end = b"", int(ends[-1])
        if end > size:
            raise ValueError("its gaps are longer than it is")
        numbers[ends[gaps != _LONG] - 1] = 1
    where = numbers.astype(np.bool_)
    numbers[where] = np.frombuffer(_of_size(unpacker, packed, int(where.sum())), np.uint8)
    return _looked_up(values, numbers).reshape(shape)


_READERS: Mapping[str, Callable[[bytes, np.dtype[Any], _Shape], NDArray[Any]]] = {
    "plain": _read_plain,
    "planes": _read_planes,
    "half plain": _in_half(_read_plain),
    "half planes": _in_half(_read_planes),
    "numbers": _read_numbers,
    "huffman": _read_huffman,
    "gaps": _read_gaps,
}
FORMS = tuple(_READERS)


def _read_values(data: bytes, dtype: np.dtype[Any]) -> tuple[NDArray[Any], bytes]:
    end = 1 + (data[0] + 1 if data else MOST_VALUES) * dtype.itemsize
    if len(data) < end:
        raise ValueError("its values are cut off")
    return np.frombuffer(data[1:end], dtype), data[end:]


def _looked_up(values: NDArray[Any], numbers: NDArray[np.uint8]) -> NDArray[Any]:
    if numbers.size and int(numbers.max()) >= len(values):
        raise ValueError("it names a value that it does not have")
    return values[numbers]


def _packed(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_LZMA)


def _unpacked(data: bytes, size: int) -> bytes:
    return _of_size(lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_LZMA), data, size)


def _part(unpacker: lzma.LZMADecompressor, data: bytes, size: int) -> bytes:
    """Unpack the next so many bytes: a reader may give fewer at a time than it is asked for."""
    found = b""
    while len(found) < size:
        piece = unpacker.decompress(data, size - len(found))
        if not piece:
            raise ValueError("it is cut off")
        found, data = found + piece, b""
    return found


def _of_size(unpacker: Any, data: bytes, size: int) -> bytes:
    """Unpack, and refuse to unpack to anything but that size."""
    found = bytearray(unpacker.decompress(data, size + 1))
    while len(found) <= size and (piece := b"" if unpacker.eof else unpacker.decompress(b"", size + 1 - len(found))):
        found += piece
    if len(found) != size:
        raise ValueError("it unpacks to another size")
    return bytes(found)
