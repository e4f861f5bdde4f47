"""Which weights of an ONNX file belong to which layer of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress import onnx_weights
from tunekit.compress.network import norm_epsilons
from tunekit.core import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.nn import Module


def check_layers(network: Module, layers: Sequence[str]) -> None:
    """Raise a ValueError unless these are names of layers of a network with weights.

    Examples
    --------
    >>> import torch
    >>> check_layers(torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU()), ["0"])
    """
    known = dict(network.named_modules(remove_duplicate=False))
    for layer in layers:
        if layer not in known or not layer:
            listed = text.listed(sorted(known.keys() - {""}))
            raise ValueError(f"exclude= names layers of the model: {layer!r} is none; the known ones are {listed}")
        if next(known[layer].parameters(), None) is None:
            raise ValueError(f"exclude= names layers with weights: {layer!r} has none; leave it out of exclude=")


def sharing(network: Module, layers: Sequence[str]) -> list[str]:
    """Return the layers that hold a weight of these ones or of layers in them, each under all of its names.

    Raises
    ------
    ValueError
        If a name is unknown, or its layers have no weights.

    Examples
    --------
    >>> import torch
    >>> first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> second.weight = first.weight
    >>> sharing(torch.nn.Sequential(first, torch.nn.ReLU(), second), ["2"])
    ['0', '2']
    """
    check_layers(network, layers)
    modules = dict(network.named_modules(remove_duplicate=False))
    shared = {id(weight) for layer in layers for weight in modules[layer].parameters() if weight.dim() > 1}
    return [
        name
        for name, module in modules.items()
        if any(id(weight) in shared for weight in module.parameters(recurse=False))
    ]


def weights_of(data: bytes, network: Module, layers: Sequence[str]) -> set[str]:
    """Return the names that the weights of some layers have in an ONNX file.

    Parameters
    ----------
    data
        The float file of the network.
    network
        The network.
    layers
        Names as in ``network.named_modules()``, or others of the same modules; that of a container means all in it. A
        weight that one of them shares with other layers is theirs, too.

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
    check_layers(network, layers)
    tensors = _tensors(network)
    # what is equal byte by byte stands once in the file, whether it is tied or not
    contents = {name: (array.shape, array.tobytes()) for name, array in tensors.items()}
    held = {weight: contents[tensor] for weight, tensor in _made_of(data, tensors, network).items()}
    found: set[str] = set()
    for layer in layers:
        inside = [name for name in tensors if name.startswith(f"{layer}.")]
        own = {contents[name] for name in inside}
        # where there is more than biases, to find these alone would spare nothing
        wide = {contents[name] for name in inside if tensors[name].ndim > 1}
        if not (wide or own) & set(held.values()):
            raise ValueError(f"exclude= names layers with weights: {layer!r} has none in the ONNX file")
        found.update(weight for weight, content in held.items() if content in own)
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
    by_layer: dict[str, set[str]] = {}
    for weight, tensor in _made_of(data, _tensors(network), network).items():
        by_layer.setdefault(tensor.rpartition(".")[0], set()).add(weight)
    return by_layer


def _tensors(network: Module) -> dict[str, NDArray[Any]]:
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in network.state_dict().items()}


def _made_of(data: bytes, tensors: dict[str, NDArray[Any]], network: Module) -> dict[str, str]:
    """For each weight of the file the network's tensor that it is made of; what is made of none is left out."""
    sources = onnx_weights.take_out(data, tensors, norm_epsilons(network)).sources
    found = {name: onnx_weights.made_of(sources.get(name, ["same", name])) for name in onnx_weights.names(data)}
    return {name: tensor for name, tensor in found.items() if tensor in tensors}
