"""The net of a row on disk: what is needed to go on from it in another process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress import recipe as recipes
from tunekit.compress.stage import Stage
from tunekit.compress.structure import describe, rebuild
from tunekit.core import text
from tunekit.core.values import parse

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.recipe import Step

_KIND, _VERSION = "tunekit row", 1
_ABOUT, _WEIGHTS, _FILE = "row.json", "net.safetensors", "net.onnx"


def known_by(recipe: Sequence[Step]) -> str:
    """Return what two recipes have in common that make the same net: their settings, and the weights of nets they hold.

    Examples
    --------
    >>> from tunekit.compress.pruning.prune import Prune
    >>> known_by([Prune(0.5)]) == known_by([Prune(0.5)]), known_by([Prune(0.5)]) == known_by([Prune(0.6)])
    (True, False)
    """
    from torch.nn import Module

    digest = hashlib.sha256(json.dumps(recipes.to_records(recipe), sort_keys=True).encode())
    for step in recipe:
        for field in fields(step):
            value = getattr(step, field.name)
            for one in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(one, Module):
                    digest.update(fingerprint(one).encode())
    return digest.hexdigest()[:32]


def digest_of(tensors: Iterable[tuple[str, Tensor]], words: str = "") -> str:
    """A digest of words, and of tensors with their names, types and shapes."""
    import torch

    digest = hashlib.sha256(words.encode())
    for name, tensor in tensors:
        held = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {held.dtype} {tuple(held.shape)}".encode())
        digest.update(held.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]


def fingerprint(network: Module) -> str:
    """A digest of a network's weights, their names and types."""
    return digest_of(network.state_dict().items())


def write(folder: Path, stage: Stage, file: bytes, recipe: Sequence[Step], original: Module) -> None:
    """Write a row's net; what lay there before is replaced once the new one is complete.

    Parameters
    ----------
    folder
        Of this row alone.
    stage, file, recipe
        The row.
    original
        The network that the recipe began with.

    Raises
    ------
    OSError
        If the disk refuses it.
    """
    from safetensors.torch import save

    network = stage.network
    about: dict[str, Any] = {
        _KIND: _VERSION,
        "recipe": recipes.to_records(recipe),
        "key": known_by(recipe),
        "notes": list(stage.notes),
        "has own file": stage.file is not None,
        "frozen": [name for name, held in network.named_parameters() if not held.requires_grad],
    }
    tensors: dict[str, Tensor] = {}
    # who gave the student gives it again: nothing here builds a class of theirs
    if stage.built_like is None:
        about["structure"] = describe(original, network)
        tensors |= {f"net.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"mask.{name}": tensor for name, tensor in stage.masks.items()}
        tensors |= {f"cluster.{name}": tensor for name, tensor in stage.clusters.items()}
    # tied weights share memory, which the format refuses
    apart = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        beside.mkdir(parents=True, exist_ok=True)
        (beside / _FILE).write_bytes(file)
        (beside / _WEIGHTS).write_bytes(save(apart))
        (beside / _ABOUT).write_text(json.dumps(about))
        shutil.rmtree(folder, ignore_errors=True)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read(folder: Path, original: Module) -> tuple[Stage, bytes, tuple[Step, ...], str]:
    """Read a row's net: its stage, its ONNX file, its recipe and what `known_by` says of that.

    Raises
    ------
    ValueError
        If nothing is there that could be gone on from; it says why.
    """
    from safetensors.torch import load_file

    from tunekit.compress.network import device_of

    try:
        about = parse((folder / _ABOUT).read_bytes())
        if about.get(_KIND) != _VERSION:
            raise ValueError(f"it is of version {text.value(about.get(_KIND))}, and this tunekit reads {_VERSION}")
        if "structure" not in about:
            raise ValueError("its student is a net of the caller's own, which is not built by itself")
        recipe = tuple(recipes.from_records(about["recipe"]))
        file = (folder / _FILE).read_bytes()
        parts = _parts(load_file(folder / _WEIGHTS, device=str(device_of(original))))
        network = _network(original, about, parts["net"])
        stage = Stage(
            network,
            parts["mask"],
            parts["cluster"],
            file if about["has own file"] else None,
            tuple(str(note) for note in about["notes"]),
        )
        return stage, file, recipe, str(about["key"])
    except FileNotFoundError as error:
        raise ValueError(f"there is no {error.filename}") from error
    except Exception as error:  # safetensors' own class comes without types
        raise ValueError(str(error)) from error


def _network(original: Module, about: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Module:
    network = rebuild(original, about["structure"])
    network.load_state_dict(dict(weights))
    frozen = set(about["frozen"])
    for name, held in network.named_parameters():
        held.requires_grad_(name not in frozen)
    return network


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "mask": {}, "cluster": {}}
    for name, tensor in tensors.items():
        kind, _, own = name.partition(".")
        parts[kind][own] = tensor
    return parts
