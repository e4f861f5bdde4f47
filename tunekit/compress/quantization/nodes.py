"""Which weights of an ONNX file belong to which layer of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunekit.compress import onnx_weights
from tunekit.compress.network import norm_epsilons
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module


def weights_of(data: bytes, network: Module, layers: Sequence[str]) -> set[str]:
    """Return the names that the weights of some layers have in an ONNX file.

    Parameters
    ----------
    data
        The float file of the network.
    network
        The network.
    layers
        Names as in ``network.named_modules()``; that of a container means all in it.

    Raises
    ------
    ValueError
        If a name is unknown, or its layers have no weights in the file.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.exporter import export
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> sorted(weights_of(export(net, torch.zeros(2, 4)), net, ["2"]))
    ['2.weight']
    """
    by_layer = _by_layer(data, network)
    known = sorted({name for name, _ in network.named_modules() if name})
    found: set[str] = set()
    for layer in layers:
        if layer not in known:
            raise ValueError(
                f"exclude= names layers of the model: {layer!r} is none; the known ones are {text.listed(known)}"
            )
        own = [names for name, names in by_layer.items() if f"{name}.".startswith(f"{layer}.")]
        if not own:
            raise ValueError(f"exclude= names layers with weights: {layer!r} has none in the ONNX file")
        found.update(*own)
    return found


def layers_with_weights(data: bytes, network: Module) -> list[str]:
    """The names of the layers that have weights in an ONNX file, in the order of the network."""
    found = _by_layer(data, network)
    return [name for name, _ in network.named_modules() if name in found]


def layers_by_weight(data: bytes, network: Module) -> dict[str, str]:
    """Return for each weight of the float file of a network, by its name there, the layer that it belongs to.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.exporter import export
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> layers_by_weight(export(net, torch.zeros(2, 4)), net)
    {'0.weight': '0', '0.bias': '0'}
    """
    return {name: layer for layer, names in _by_layer(data, network).items() for name in sorted(names, reverse=True)}


def _by_layer(data: bytes, network: Module) -> dict[str, set[str]]:
    tensors = {name: tensor.detach().cpu().float().numpy() for name, tensor in network.state_dict().items()}
    emptied = onnx_weights.take_out(data, tensors, norm_epsilons(network))
    by_layer: dict[str, set[str]] = {}
    for name in onnx_weights.names(data):
        source = emptied.sources.get(name, ["same", name])
        if source[0] == "recurrent":
            layer = str(source[1]).rstrip(".")
        elif str(source[1]) in tensors:
            layer = str(source[1]).rpartition(".")[0]
        else:
            continue
        by_layer.setdefault(layer, set()).add(name)
    return by_layer
