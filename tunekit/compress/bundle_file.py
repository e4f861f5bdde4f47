"""A compressed model in one small file that runs no code when it is read.

It holds each weight once, in as few bytes as the compression has left it, and the ONNX graph without its weights. What
comes before the weights is packed: JSON that says what the file is, and the graph. A checksum stands at the start.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress import onnx_weights
from tunekit.compress.coding import archive
from tunekit.compress.inputs import ONLY, Port
from tunekit.core import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = "tunekit bundle"
VERSION = 1
# The name and the version; then a checksum of all that follows, and the length of the packed part.
_MAGIC = b"tunekit"
_START = struct.Struct("<7sBII")
# Half a gigabyte of JSON and graph: what unpacks to more is made to fill the memory.
_MOST_HEAD = 1 << 29


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is in a bundle.

    Parameters
    ----------
    recipe
        The steps, as `recipe.to_records` writes them.
    metrics
        The figures that no clock took part in.
    inputs
        What the network takes, in order; one tensor, or several.
    onnx
        The ONNX file.
    weights
        The state dict of a float network; None for int8.
    structure
        How the network is built otherwise than the original, as `structure.describe` writes it.
    epsilons
        For each BatchNorm layer by its name what it adds to the variance: with it the weights that the ONNX file has
        folded are found in the network's.
    """

    recipe: list[dict[str, Any]]
    metrics: Mapping[str, float]
    inputs: tuple[Port, ...]
    onnx: bytes
    weights: Mapping[str, Tensor] | None = None
    structure: list[dict[str, Any]] = field(default_factory=list)
    epsilons: Mapping[str, float] = field(default_factory=dict)


def pack(bundle: Bundle) -> bytes:
    """Return the bytes of the file: the same model gives the same ones any day.

    Raises
    ------
    TypeError
        If a weight is of a type that no file can hold.

    Examples
    --------
    >>> from onnx import helper
    >>> onnx = helper.make_model(helper.make_graph([], "g", [], [])).SerializeToString(deterministic=True)
    >>> unpack(pack(Bundle([], {"size": 1}, (Port("input", (3,), "float32"),), onnx))).metrics["size"]
    1
    """
    header: dict[str, Any] = {
        "format": FORMAT,
        "numbers": "int8" if bundle.weights is None else "float",
        "input": _as_record(bundle.inputs),
        "recipe": bundle.recipe,
        "structure": bundle.structure,
        "metrics": {name: value for name, value in bundle.metrics.items() if not _is_of_the_machine(name)},
    }
    own: dict[str, NDArray[Any]] = {}
    if bundle.weights is not None:
        own, header["aliases"], header["bfloat16"] = _as_arrays(bundle.weights)
    emptied = onnx_weights.take_out(bundle.onnx, own, bundle.epsilons)
    stored = {**own, **emptied.extra}
    if onnx_weights.put_back(emptied.graph, stored, emptied.sources) != bundle.onnx:
        emptied, stored = onnx_weights.Emptied(bundle.onnx, {}, {}), own  # written by another hand: kept as it is
    header["sources"] = emptied.sources
    words = json.dumps({name: part for name, part in header.items() if part}, separators=(",", ":")).encode()
    head = zlib.compress(struct.pack("<I", len(words)) + words + emptied.graph, 9)
    rest = head + archive.encode(stored)
    return _START.pack(_MAGIC, VERSION, zlib.crc32(rest), len(head)) + rest


def write(path: str | os.PathLike[str], bundle: Bundle) -> None:
    """Write a bundle; an existing file is replaced once the new one is complete."""
    replace(path, pack(bundle))


def replace(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file beside the old one and put it in its place: never half a file.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"a file is written into a folder that exists: {str(target.parent)!r} does not; make it"
        )
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> Bundle:
    """Read a bundle, from whomever it comes.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no bundle, damaged, of a version that is not known, or made to do harm.
    """
    try:
        return unpack(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)!r} is refused: {error}") from error


def unpack(file: bytes) -> Bundle:
    """Read the bytes of a bundle: see `read`."""
    if len(file) < _START.size or file[: len(_MAGIC)] != _MAGIC:
        raise _refused("it does not begin like one")
    _, version, checksum, length = _START.unpack_from(file)
    if version != VERSION:
        raise ValueError(
            f"this tunekit reads bundles of version {VERSION}, and this one has version {version}; update tunekit, or "
            "save it again with this one"
        )
    rest = file[_START.size :]
    if zlib.crc32(rest) != checksum:
        raise _refused("it is damaged or cut off")
    header, graph = _head(rest[:length])
    try:
        given = header["input"]
        takes = tuple(_port(record) for record in (given if isinstance(given, list) else [given]))
        recipe = list(header.get("recipe", []))
        structure = list(header.get("structure", []))
        metrics = {str(name): _finite(value) for name, value in header.get("metrics", {}).items()}
        aliases = {str(name): str(origin) for name, origin in header.get("aliases", {}).items()}
        halves = {str(name) for name in header.get("bfloat16", [])}
        sources = {str(name): list(source) for name, source in header.get("sources", {}).items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _refused(f"its header is not complete ({type(error).__name__}: {error})") from error
    try:
        stored = archive.decode(rest[length:])
        onnx = onnx_weights.put_back(graph, stored, sources)
    except ValueError as error:
        raise _refused(str(error)) from error
    weights = _as_tensors(stored, aliases, halves) if header.get("numbers") == "float" else None
    epsilons = {source[2]: source[3] for source in sources.values() if source[0] == "folded weight"}
    return Bundle(recipe, {**metrics, "bundle": len(file)}, takes, onnx, weights, structure, epsilons)


def _head(data: bytes) -> tuple[dict[str, Any], bytes]:
    unpacker = zlib.decompressobj()
    try:
        head = unpacker.decompress(data, _MOST_HEAD)
        if unpacker.unconsumed_tail:
            raise _refused(f"its header unpacks to more than {_MOST_HEAD} bytes")
        size = int.from_bytes(head[:4], "little")
        header = json.loads(head[4 : 4 + size])
    except (zlib.error, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused("its header is no JSON") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _refused(f'its header does not say "format": "{FORMAT}"')
    return header, head[4 + size :]


def _as_arrays(weights: Mapping[str, Tensor]) -> tuple[dict[str, NDArray[Any]], dict[str, str], list[str]]:
    """Return each tensor once, which other names it has, and which of them are bfloat16, unknown to numpy."""
    import torch

    first: dict[tuple[Any, ...], str] = {}
    kept: dict[str, NDArray[Any]] = {}
    aliases: dict[str, str] = {}
    halves = []
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() and place in first:
            aliases[name] = first[place]
            continue
        first[place] = name
        held = tensor.detach().cpu()
        if held.dtype == torch.bfloat16:
            halves.append(name)
            held = held.view(torch.int16)
        kept[name] = held.numpy()
    return kept, aliases, halves


def _as_tensors(stored: Mapping[str, NDArray[Any]], aliases: Mapping[str, str], halves: set[str]) -> dict[str, Tensor]:
    import torch

    own = {name: array for name, array in stored.items() if not name.startswith(onnx_weights.APART)}
    tensors = {name: torch.from_numpy(array) for name, array in own.items()}
    unknown = [name for name in (*aliases.values(), *halves) if name not in tensors]
    if unknown:
        raise _refused(f"its weights lack {text.listed(unknown)}")
    tensors |= {name: tensors[name].view(torch.bfloat16) for name in halves}
    return tensors | {name: tensors[origin] for name, origin in aliases.items()}


def _as_record(ports: tuple[Port, ...]) -> dict[str, Any] | list[dict[str, Any]]:
    """What the network takes; a single input has no name of its own."""
    records = [{"shape": port.shape, "dtype": port.dtype} for port in ports]
    if [port.name for port in ports] == [ONLY]:
        return records[0]
    return [{"name": port.name, **record} for port, record in zip(ports, records, strict=True)]


def _port(record: dict[str, Any]) -> Port:
    return Port(str(record.get("name", ONLY)), tuple(_whole(size) for size in record["shape"]), str(record["dtype"]))


def _is_of_the_machine(name: str) -> bool:
    """Whether a figure differs from machine to machine, or is that of the bundle itself."""
    return name.startswith("latency_") or name == "bundle"


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a size is a whole number: got {value!r}")
    return value


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"a figure is a finite number: got {value!r}")
    return value


def _refused(why: str) -> ValueError:
    return ValueError(f"a bundle is what save() wrote, whole and unchanged, and {why}; save it again")
