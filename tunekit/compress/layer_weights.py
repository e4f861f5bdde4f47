"""The weights of a row as its file holds them: their values, and how many different numbers stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress.layer_costs import base_name, float_file, layer_names, within
from tunekit.compress.layers import shareable
from tunekit.compress.quantization.nodes import layers_by_weight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch.nn import Module

    from tunekit.compress.rows import Rows
    from tunekit.compress.workshop import Made


@dataclass(frozen=True, slots=True, eq=False)
class LayerWeights:
    """The weights of one layer, without biases and norms.

    Parameters
    ----------
    name
        The layer's name, as in ``model.named_modules()``.
    values
        Shape (weights,), float32: what the layer computes with.
    distinct
        How many different numbers stand for them in the file: whole numbers in one that was quantized, and then up to
        256 of them; each array has its own, and an array's scales are not counted.
    """

    name: str
    values: NDArray[np.float32]
    distinct: int

    @property
    def zeros(self) -> float:
        """The share of them that is zero, 0 to 1."""
        return float(np.mean(self.values == 0)) if self.values.size else 0.0


def layer_weights(lab: Rows, number: int) -> tuple[LayerWeights, ...]:
    """Return the weights of each layer of a row, in the order of its network.

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
    >>> lab = Compression(torch.nn.Linear(4, 4), Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> [(held.values.shape, held.zeros, held.distinct) for held in layer_weights(lab, 1)]
    [((16,), 0.5, 9)]
    """
    made = lab._shop.made[number]
    network = made.stage.network
    arrays = _in_network(network) if made.stage.file is None else _in_file(lab, made)
    layers = layer_names(network)
    gathered: dict[str, list[tuple[NDArray[np.float32], int]]] = {}
    for layer, values, distinct in arrays:
        gathered.setdefault(within(layer, layers), []).append((values.ravel(), distinct))
    order = {name: place for place, name in enumerate(layers)}
    return tuple(
        LayerWeights(name, np.concatenate([values for values, _ in held]), sum(count for _, count in held))
        for name, held in sorted(gathered.items(), key=lambda one: order.get(one[0], -1))
    )


def _in_network(network: Module) -> list[tuple[str, NDArray[np.float32], int]]:
    found = []
    for name, weight in shareable(network).items():
        if weight.dim() > 1:
            values = weight.detach().cpu().float().numpy()
            found.append((name.rpartition(".")[0], values, len(np.unique(values))))
    return found


def _in_file(lab: Rows, made: Made) -> list[tuple[str, NDArray[np.float32], int]]:
    """What stands as whole numbers or halves in the file of a row; where a layer has none, what the network has."""
    network, written = made.stage.network, float_file(lab, made)
    layers, floats, arrays = layers_by_weight(written, network), _arrays(written), _arrays(made.file)
    own = {name: tensor.detach().cpu().float().numpy() for name, tensor in network.state_dict().items()}
    found = []
    for name, stored in arrays.items():
        base = base_name(name, layers)
        # a bias that stands as whole numbers is a vector
        if base is None or stored.ndim < 2 or not name.endswith(("_whole", "_quantized", "_half")):
            continue
        stem = name.rpartition("_")[0]
        values = stored.astype(np.float32)
        if f"{stem}_zero_point" in arrays:
            values = values - _along(arrays[f"{stem}_zero_point"].astype(np.float32), values)
        if f"{stem}_scale" in arrays:
            values = values * _along(arrays[f"{stem}_scale"], values)
        if base in own and own[base].shape == floats[base].shape:
            values = values * _unfolded(own[base], floats[base], is_turned="_Transposed" in name)
        found.append((layers[base], values, len(np.unique(stored))))
    changed = {layer for layer, _, _ in found}
    return found + [one for one in _in_network(network) if one[0] not in changed]


def _unfolded(own: NDArray[np.float32], written: NDArray[Any], *, is_turned: bool) -> NDArray[np.float32]:
    """What takes the scale of a BatchNorm layer, which the file has folded into the weights, out of them again."""
    factors: NDArray[np.float32] = np.divide(own, written, out=np.ones_like(own), where=written != 0)
    return factors.T if is_turned else factors


def _arrays(file: bytes) -> dict[str, NDArray[Any]]:
    import onnx
    from onnx import numpy_helper

    held = onnx.load_model_from_string(file).graph.initializer
    return {tensor.name: np.asarray(numpy_helper.to_array(tensor)) for tensor in held}


def _along(one_each: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    """Shape what there is for each output, or for the whole array, so that it broadcasts to the values."""
    if one_each.ndim != 1 or one_each.size == 1:
        return one_each
    axis = 0 if values.shape[0] == one_each.size else 1
    return one_each.reshape([-1 if place == axis else 1 for place in range(values.ndim)])
