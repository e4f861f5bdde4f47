"""Named tensors in one piece of bytes that needs nothing else to be read."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tunekit.compress.coding import tensors as coding

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1
# The version, and a checksum of all that follows: the packed index, which says where it ends, and the tensors.
_START = struct.Struct("<BI")
# What most indexes say; it belongs to the version.
_USUAL = (
    b'[["running_mean","running_var","num_batches_tracked","int64",[]],["embedding.weight","float16",[256,512]],'
    b'["weight_ih_l0","bias_hh_l0",[128,64,3,3],"half plain","planes",["conv.bias","float32",[10]],'
    b'["0.weight","float32",[100,300]],["0.bias","float32",[100]],["1.weight","float32",[10,100]],["1.bias","float32",[10]]'
)
# 100,000 tensors with long names: an index that unpacks to more is made to fill the memory.
_MOST_INDEX = 1 << 24


def encode(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write tensors: the same ones give the same bytes.

    Parameters
    ----------
    arrays
        As for `tensors.encode`.

    Raises
    ------
    TypeError
        If a tensor is of a type that nets do not have.

    Examples
    --------
    >>> import numpy as np
    >>> data = encode({"0.weight": np.eye(100, dtype=np.float32)})
    >>> len(data), bool((decode(data)["0.weight"] == np.eye(100)).all())
    (60, True)
    """
    index, data = coding.encode(arrays)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=_USUAL)
    words = json.dumps(index, separators=(",", ":")).encode()
    rest = packer.compress(words) + packer.flush() + data
    return _START.pack(VERSION, zlib.crc32(rest)) + rest


def decode(data: bytes, most: int = coding.MOST_BYTES) -> dict[str, NDArray[Any]]:
    """Read tensors, from whomever they come: no code is run.

    Parameters
    ----------
    data
        What `encode` returned.
    most
        How many bytes all tensors may take in memory.

    Raises
    ------
    ValueError
        If it is damaged, cut off, of another version, or larger than that.
    """
    if len(data) < _START.size:
        raise _refused("it is cut off")
    version, checksum = _START.unpack_from(data)
    if version != VERSION:
        raise ValueError(f"this tunekit reads tensors of version {VERSION}: got version {version}; update tunekit")
    rest = data[_START.size :]
    if zlib.crc32(rest) != checksum:
        raise _refused("it is damaged or cut off")
    unpacker = zlib.decompressobj(-15, zdict=_USUAL)
    try:
        index = json.loads(unpacker.decompress(rest, _MOST_INDEX))
        if not unpacker.eof:
            raise _refused("its index does not end")
        return coding.decode(index, unpacker.unused_data, most)
    except (zlib.error, RecursionError, ValueError) as error:
        raise _refused(str(error)) from error


def _refused(why: str) -> ValueError:
    return ValueError(f"its tensors are not as they were written: {why}")
