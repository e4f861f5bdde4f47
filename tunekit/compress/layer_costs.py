"""Where the bytes of a row's file and the operations of its network are: layer by layer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.macs import macs_by_module
from tunekit.compress.network import copied, layer_kinds
from tunekit.compress.quantization.nodes import layers_by_weight
from tunekit.compress.stage import Stage

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.rows import Rows
    from tunekit.compress.workshop import Made

# What quantization adds to the name of a weight, here and in onnxruntime.
_ADDED = re.compile(r"_(Transposed|whole|half|scale|zero_point|quantized)$")


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer costs.

    Parameters
    ----------
    name
        As in ``model.named_modules()``; empty: what belongs to no layer, such as the graph itself.
    bytes
        In the ONNX file.
    macs
        Multiply-accumulate operations for one example.
    """

    name: str
    bytes: int
    macs: int


def layer_costs(lab: Rows, number: int) -> tuple[LayerCost, ...]:
    """Return what each layer of a row costs, in the order of its network; together they are the row's whole figures.

    Parameters
    ----------
    lab
        The compression.
    number
        Of a complete row whose net is there.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.compression import Compression
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
    >>> lab = Compression(net, Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> [(cost.name, cost.macs) for cost in layer_costs(lab, 0)]
    [('0', 32), ('2', 32), ('', 0)]
    """
    made = lab._shop.made[number]
    network = made.stage.network
    layers = layer_names(network)
    sizes: dict[str, int] = {}
    for layer, count in _bytes_by_layer(made.file, layers_by_weight(float_file(lab, made), network)).items():
        name = within(layer, layers)
        sizes[name] = sizes.get(name, 0) + count
    operations: dict[str, int] = {}
    for module, count in macs_by_module(copied(network).cpu(), lab._shop.sample).items():
        name = within(module, layers)
        operations[name] = operations.get(name, 0) + count
    sizes[""] = sizes.get("", 0) + len(made.file) - sum(sizes.values())
    named = [name for name in layers if name in sizes or name in operations]
    return tuple(LayerCost(name, sizes.get(name, 0), operations.get(name, 0)) for name in [*named, ""])


def layer_names(network: Module) -> list[str]:
    """The modules that hold parameters, in the order of the network; what is inside a layer of PyTorch's is that layer.

    Examples
    --------
    >>> import torch
    >>> parts = {"attention": torch.nn.MultiheadAttention(4, 2), "norm": torch.nn.LayerNorm(4)}
    >>> layer_names(torch.nn.ModuleDict(parts))
    ['attention', 'norm']
    """
    kinds = tuple(kind for family in layer_kinds().values() for kind in family)
    names: list[str] = []
    for name, module in network.named_modules():
        is_layer = isinstance(module, kinds) or any(True for _ in module.parameters(recurse=False))
        if name and is_layer and not within(name, names):
            names.append(name)
    return names


def within(name: str, layers: Collection[str]) -> str:
    """The layer that a module is or is in; empty where it is in none.

    Examples
    --------
    >>> within("body.fc1.0", ["body.fc1", "head"]), within("body", ["body.fc1"])
    ('body.fc1', '')
    """
    while name and name not in layers:
        name = name.rpartition(".")[0]
    return name


def float_file(lab: Rows, made: Made) -> bytes:
    """The ONNX file of a row's network in float: the weights of its own file have the names that they have there."""
    same = [one for one in tuple(lab._shop.made.values()) if one.stage.network is made.stage.network]
    written = [one.file for one in same if one.stage.file is None]
    return written[0] if written else lab._shop.file(Stage(made.stage.network))


def base_name(name: str, known: Collection[str]) -> str | None:
    """The float weight that an array of a quantized file was made of; None where it was made of none.

    Examples
    --------
    >>> base_name("fc1.weight_Transposed_zero_point", ["fc1.weight"])
    'fc1.weight'
    """
    while name not in known:
        shorter = _ADDED.sub("", name)
        if shorter == name:
            return None
        name = shorter
    return name


def _bytes_by_layer(file: bytes, layers: Mapping[str, str]) -> dict[str, int]:
    import onnx

    sizes: dict[str, int] = {}
    for held in onnx.load_model_from_string(file).graph.initializer:
        base = base_name(held.name, layers)
        if base is not None:
            sizes[layers[base]] = sizes.get(layers[base], 0) + held.ByteSize()
    return sizes
