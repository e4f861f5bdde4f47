"""A compressed model in one file that runs no code when it is read: a zip of JSON, ONNX and safetensors.

The parts are stored as they are, not deflated: what a bundle unpacks to is never larger than the bundle.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = "tunekit bundle"
VERSION = 1
_JSON, _ONNX, _WEIGHTS = "bundle.json", "model.onnx", "weights.safetensors"
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip knows: the same model gives the same bytes any day


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is in a bundle.

    Parameters
    ----------
    recipe
        The steps, as `recipe.to_records` writes them.
    metrics
        The figures that no clock took part in.
    shape, dtype
        Of one example: without the batch axis, and as in ``"float32"``.
    onnx
        The ONNX file.
    weights
        The state dict of a float network; None for int8.
    """

    recipe: list[dict[str, Any]]
    metrics: Mapping[str, float]
    shape: tuple[int, ...]
    dtype: str
    onnx: bytes
    weights: Mapping[str, Tensor] | None = None


def write(path: str | os.PathLike[str], bundle: Bundle) -> None:
    """Write a bundle; an existing file is replaced once the new one is complete.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(f"{folder}/net.tunekit", Bundle([], {}, (3,), "float32", b"..."))
    ...     read(f"{folder}/net.tunekit").onnx
    b'...'
    """
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "runtime": "onnxruntime",
        "numbers": "int8" if bundle.weights is None else "float",
        "input": {"shape": list(bundle.shape), "dtype": bundle.dtype},
        "recipe": bundle.recipe,
        "metrics": {name: value for name, value in bundle.metrics.items() if not name.startswith("latency_")},
    }
    parts = {_ONNX: bundle.onnx}
    if bundle.weights is not None:
        parts[_WEIGHTS], header["aliases"] = _pack(bundle.weights)
    parts = {_JSON: json.dumps(header, indent=1).encode(), **parts}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), data)
    replace(path, file.getvalue())


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
    parts = _parts(path)
    try:
        header = json.loads(parts[_JSON])
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"its {_JSON} is no JSON") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _refused(path, f'its {_JSON} does not say "format": "{FORMAT}"')
    if header.get("version") != VERSION:
        raise ValueError(
            f"this tunekit reads bundles of version {VERSION}: {os.fspath(path)!r} has version "
            f"{header.get('version')!r}; update tunekit, or save it again with this one"
        )
    try:
        shape = tuple(_whole(size) for size in header["input"]["shape"])
        dtype, recipe = str(header["input"]["dtype"]), list(header["recipe"])
        metrics = {str(name): _finite(value) for name, value in header["metrics"].items()}
        aliases = {str(name): str(origin) for name, origin in header.get("aliases", {}).items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _refused(path, f"its {_JSON} is not complete ({type(error).__name__}: {error})") from error
    weights = _unpack(path, parts[_WEIGHTS], aliases) if _WEIGHTS in parts else None
    return Bundle(recipe, metrics, shape, dtype, parts[_ONNX], weights)


def _parts(path: str | os.PathLike[str]) -> dict[str, bytes]:
    allowed = {_JSON, _ONNX, _WEIGHTS}
    size = os.path.getsize(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            strange = [name for name in names if name not in allowed]
            if strange:
                raise _refused(path, f"it holds {text.listed(strange)}")
            if len(set(names)) < len(names) or not {_JSON, _ONNX} <= set(names):
                raise _refused(path, f"it holds {text.listed(names)} instead of {text.listed(sorted(allowed))}")
            # parts that overlap, or that unpack to more than the file itself, are made to fill the memory
            if any(e.compress_type != zipfile.ZIP_STORED for e in entries) or sum(e.file_size for e in entries) > size:
                raise _refused(path, "its parts are not stored as they are")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise _refused(path, f"it is damaged or no zip ({error})") from error


def _pack(weights: Mapping[str, Tensor]) -> tuple[bytes, dict[str, str]]:
    """Return the safetensors, each shared tensor once, and which other names it has."""
    from safetensors.torch import save

    first: dict[tuple[Any, ...], str] = {}
    kept: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    for name, tensor in weights.items():
        place = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype)
        if tensor.numel() and place in first:
            aliases[name] = first[place]
        else:
            first[place] = name
            kept[name] = tensor.detach().cpu().clone().contiguous()
    return save(kept), aliases


def _unpack(path: str | os.PathLike[str], data: bytes, aliases: Mapping[str, str]) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _refused(path, f"its weights are damaged ({error})") from error
    unknown = [origin for origin in aliases.values() if origin not in tensors]
    if unknown:
        raise _refused(path, f"its weights lack {text.listed(unknown)}")
    return tensors | {name: tensors[origin] for name, origin in aliases.items()}


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a size is a whole number: got {value!r}")
    return value


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"a figure is a finite number: got {value!r}")
    return value


def _refused(path: str | os.PathLike[str], why: str) -> ValueError:
    return ValueError(
        f"a bundle is what save() wrote, whole and unchanged: {os.fspath(path)!r} is refused, as {why}; save it again"
    )
