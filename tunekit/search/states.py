"""What nets, optimizers and dicts hold, as tensors by name and a plain structure: to be stored without pickle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor

# A structure is plain JSON: numbers, words and None stand for themselves, all else is an object with one key, which
# says what its value is.
_SEQUENCES: Mapping[str, type[list[Any]] | type[tuple[Any, ...]]] = {"list": list, "tuple": tuple}
_MAPPINGS: Mapping[str, type[dict[Any, Any]]] = {"counter": Counter, "dict": dict}


class Packer:
    """Takes states apart.

    Parameters
    ----------
    tensors
        The tensors that were found, by name: on the CPU, contiguous, none sharing memory with another.

    Examples
    --------
    >>> packer = Packer()
    >>> packer.pack({"epoch": 3, "sizes": (4, 5)}, "0")
    {'dict': [['epoch', 3], ['sizes', {'tuple': [4, 5]}]]}
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        self._storages: set[int] = set()
        self._held: list[Tensor] = []  # an address says which tensor it is only while the tensor lives

    def pack(self, value: Any, where: str) -> Any:
        """The structure of a value; its tensors are gathered.

        Parameters
        ----------
        value
            Tensors, numpy arrays, numbers, words and None, in dicts, lists and tuples.
        where
            Its name, for its tensors and for the errors.

        Raises
        ------
        TypeError
            If there is something else in it.
        """
        import torch

        if isinstance(value, torch.Tensor):
            return {"tensor": self._name(value, where)}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return {"array": self._name(torch.from_numpy(np.array(value)), where)}
        if isinstance(value, np.generic) and value.dtype.kind in "biuf":
            value = value.item()
        if value is None or type(value) in (bool, int, float, str):
            return value
        if isinstance(value, Mapping):
            kind = "counter" if isinstance(value, Counter) else "dict"
            return {kind: [[_key(key, where), self.pack(part, f"{where}.{key}")] for key, part in value.items()]}
        if isinstance(value, (list, tuple)):
            kind = "tuple" if isinstance(value, tuple) else "list"
            return {kind: [self.pack(part, f"{where}.{place}") for place, part in enumerate(value)]}
        raise TypeError(
            f"a checkpoint holds tensors, arrays, numbers, words and None, in dicts and lists: {where} is "
            f"{text.value(value)} of type {type(value).__name__}; leave it out, or save what it is made from"
        )

    def _name(self, tensor: Tensor, where: str) -> str:
        import torch

        if tensor.layout != torch.strided or tensor.is_meta or tensor.is_quantized:
            kind = "meta" if tensor.is_meta else "quantized" if tensor.is_quantized else str(tensor.layout)
            raise TypeError(f"a checkpoint holds plain tensors: {where} is {kind}; save what it is made from")
        tensor = tensor.detach()
        memory = tensor.untyped_storage().data_ptr()
        identity = (tensor.device, memory, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if memory and identity in self._names:  # tied weights: one tensor under two names
            return self._names[identity]
        name, count = where, 1
        while name in self.tensors:
            name, count = f"{where}#{count}", count + 1
        self._held.append(tensor)
        stored = tensor.cpu().contiguous()
        # safetensors refuses tensors that share memory, as the views of one larger tensor do
        if stored.untyped_storage().data_ptr() in self._storages:
            stored = stored.clone()
        self._storages.add(stored.untyped_storage().data_ptr())
        self.tensors[name] = stored
        self._names[identity] = name
        return name


def unpack(structure: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The value of a structure that `Packer.pack` made.

    Raises
    ------
    ValueError
        If it is none.
    """
    if structure is None or isinstance(structure, (bool, int, float, str)):
        return structure
    if not isinstance(structure, dict) or len(structure) != 1:
        raise ValueError("a structure is plain, or an object with one key")
    ((kind, inside),) = structure.items()
    if kind in ("tensor", "array"):
        if not isinstance(inside, str) or inside not in tensors:
            raise ValueError(f"there is no tensor {inside!r}")
        return tensors[inside] if kind == "tensor" else _array(tensors[inside])
    if kind in _SEQUENCES and isinstance(inside, list):
        return _SEQUENCES[kind](unpack(part, tensors) for part in inside)
    if kind in _MAPPINGS and isinstance(inside, list):
        return _MAPPINGS[kind]({_read_key(pair): unpack(pair[1], tensors) for pair in inside})
    raise ValueError(f"a structure is made of tensors, arrays, lists, tuples and dicts: got {kind!r}")


def _array(tensor: Tensor) -> Any:
    try:
        return tensor.numpy()
    except TypeError as error:  # bfloat16, which numpy has not
        raise ValueError(f"an array has a type that numpy knows: got {tensor.dtype}") from error


def _key(key: Any, where: str) -> Any:
    if isinstance(key, np.integer):
        key = int(key)
    if key is not None and type(key) not in (bool, int, float, str):
        raise TypeError(
            f"the keys of a dict in a checkpoint are words and numbers: {where} has {text.value(key)}; use a word"
        )
    return key


def _read_key(pair: Any) -> Any:
    if not isinstance(pair, list) or len(pair) != 2 or isinstance(pair[0], (dict, list)):
        raise ValueError("a dict is a list of keys and values")
    return pair[0]
