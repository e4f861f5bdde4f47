"""Named tensors in few bytes, each in the form that is the smallest for it, all of them bit for bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress.coding import book as books
from tunekit.compress.coding import codes, forms
from tunekit.compress.coding.arithmetic import Coder, Decoder, Encoder
from tunekit.compress.coding.book import Book
from tunekit.compress.coding.lines import Lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One line for each tensor: its name, type, shape and form, and how many bytes it takes; that of one that is coded ends
# before its form, as all of them share one code, and how long that is stands last.
Index = list[Any]

# numpy knows no bfloat16: its bits, with a name that tells them from whole numbers.
BFLOAT16 = np.dtype([("bfloat16", "<u2")])
_NAMES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool")
_DTYPES: Mapping[str, np.dtype[Any]] = {name: np.dtype(name).newbyteorder("<") for name in _NAMES} | {
    "bfloat16": BFLOAT16
}
# What a line is longer where a tensor is not coded: a form, and how many bytes.
_LONGER_LINE = 8
# Coding takes a second for 20,000 numbers in Python. Where hardly any number is zero, and by the rates of all it gains
# less over Huffman's code, as in an int8 layer, it has lost each time that it was tried.
_DENSE, _PROMISING = 0.9, 0.99
# Three gigabytes of weights: more is not read unless one asks for it.
MOST_BYTES = 3 << 30
_MOST_AXES = 32


def encode(tensors: Mapping[str, NDArray[Any]]) -> tuple[Index, bytes]:
    """Write tensors.

    Parameters
    ----------
    tensors
        Of any shape, by name: floats, whole numbers, bools, or bfloat16 as ``bits.view(BFLOAT16)``.

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
    [['weight', 'float32', [20, 20]], 21]
    >>> bool((decode(index, data)["weight"] == weight).all())
    True
    """
    index: Index = []
    parts: list[bytes] = []
    encoder, lines = Encoder(), Lines()
    for name, tensor in tensors.items():
        dtype = _name_of(name, tensor.dtype)
        shape = list(tensor.shape)
        array = np.ascontiguousarray(tensor, _DTYPES[dtype]).reshape(tensor.shape).view(_bits(dtype))
        others = dict(forms.dense(array))
        book = books.book(array)
        if book is not None:
            others |= forms.shared(book)
            mark, before, trial = encoder.mark(), len(encoder), lines.copy()
            smallest = min(map(len, others.values())) + _LONGER_LINE
            is_coded = _is_promising(book, others) and _write_coded(encoder, trial, array, book)
            if is_coded and len(encoder) - before <= smallest:
                index.append([name, dtype, shape])
                lines = trial
                continue
            encoder.back(mark)
        form = min(others, key=lambda form: len(others[form]))
        index.append([name, dtype, shape, form, len(others[form])])
        parts.append(others[form])
    code = encoder.finish()
    return ([*index, len(code)] if index else []), b"".join(parts) + code


def decode(index: Any, data: bytes, most: int = MOST_BYTES) -> dict[str, NDArray[Any]]:
    """Read tensors, from whomever they come.

    Parameters
    ----------
    index, data
        What `encode` returned.
    most
        How many bytes all tensors may take in memory; while one is read, it takes a few times its own.

    Raises
    ------
    ValueError
        If it is damaged, or larger.
    """
    found: dict[str, NDArray[Any]] = {}
    lines, length = _checked(index, most)
    start = len(data) - length
    if start != sum(line[4] for line in lines if len(line) > 3):
        raise ValueError("its tensors are cut off, or have more bytes than they say")
    decoder, seen = Decoder(data[start:]), Lines()
    place = 0
    for name, dtype, shape, *form in lines:
        try:
            if form:
                part = data[place : place + form[1]]
                place += form[1]
                array = forms.read(form[0], part, _bits(dtype), tuple(shape))
            else:
                array = _read_coded(decoder, seen, _bits(dtype), tuple(shape))
        except ValueError as error:
            raise ValueError(f"the tensor {name!r} is damaged ({error})") from error
        found[name] = array.view(_DTYPES[dtype])
    if decoder.has_more():
        raise ValueError("the code of its tensors goes on after its end")
    return found


def _checked(index: Any, most: int) -> tuple[list[Any], int]:
    """Look at all that the index says before anything is read."""
    if index == []:
        return [], 0
    if not isinstance(index, list) or not _is_size(index[-1]):
        raise ValueError("the index of its tensors is no list with a length at its end")
    names = set()
    taken = 0
    for line in index[:-1]:
        match line:
            case [str(name), str(dtype), list(shape), *form]:
                known = dtype in _DTYPES and len(shape) <= _MOST_AXES and all(map(_is_size, shape))
                if known and name not in names and _is_form(form):
                    names.add(name)
                    taken += math.prod(shape) * _DTYPES[dtype].itemsize
                    # numpy counts the axes of an empty tensor as well
                    if max(taken, math.prod(size or 1 for size in shape)) > most:
                        raise ValueError(f"its tensors take more than {most} bytes")
                    continue
        raise ValueError(f"the index of its tensors has a strange line: {str(line)[:100]}")
    return index[:-1], index[-1]


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**40


def _is_form(form: list[Any]) -> bool:
    return not form or (len(form) == 2 and form[0] in forms.FORMS and _is_size(form[1]))


def _name_of(tensor: str, dtype: np.dtype[Any]) -> str:
    for name, known in _DTYPES.items():
        if dtype.newbyteorder("<") == known:
            return name
    raise TypeError(f"a tensor holds one of {', '.join(_DTYPES)}: {tensor!r} holds {dtype}")


def _bits(name: str) -> np.dtype[Any]:
    """The type that a tensor is stored as."""
    return _DTYPES["uint16"] if name == "bfloat16" else _DTYPES[name]


def _is_promising(book: Book, others: Mapping[str, bytes]) -> bool:
    """Whether coding may pay. Where many are zero it may always: it knows where those of other tensors are."""
    if np.count_nonzero(book.numbers) < _DENSE * book.numbers.size:
        return True
    return codes.least_bytes(book.numbers, len(book.values)) < _PROMISING * len(others["huffman"])


def _write_coded(encoder: Encoder, lines: Lines, array: NDArray[Any], book: Book) -> bool:
    """Write a tensor of few values, unless it is too large."""
    shape = _as_matrix(array.shape)
    numbers = book.numbers.reshape(shape)
    if not codes.fits(numbers, len(book.values)):
        return False
    books.code(encoder, array.dtype, book.values)
    codes.code(encoder, lines, shape, len(book.values), numbers)
    return True


def _read_coded(decoder: Coder, lines: Lines, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    if not math.prod(shape):
        raise ValueError("an empty tensor is not coded")
    values = books.code(decoder, dtype, None)
    return values[codes.code(decoder, lines, _as_matrix(shape), len(values), None)].reshape(shape)


def _as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """A row for each output; a vector is one row."""
    return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
