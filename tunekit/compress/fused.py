"""PyTorch's fused transformer encoder reads the weights of its own layers by name: others have to go around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Module


def leave_fused_path(network: Module) -> None:
    """Let each encoder layer of a network of our own that has a part of another kind take the plain path, in place.

    In evaluation, ``TransformerEncoderLayer`` hands its weights to one fused function that knows nothing of heads that
    are gone or of a layer that became two. It has an attribute that says whether it may.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.TransformerEncoderLayer(8, 2, 16)
    >>> layer.linear1 = torch.nn.Sequential(torch.nn.Linear(8, 2), torch.nn.Linear(2, 16))
    >>> leave_fused_path(layer)
    >>> layer.activation_relu_or_gelu
    0
    """
    from torch import nn

    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and not _is_whole(module):
            module.activation_relu_or_gelu = 0


def _is_whole(layer: Any) -> bool:
    from torch import nn

    linear = all(type(part) is nn.Linear for part in (layer.linear1, layer.linear2))
    return linear and type(layer.self_attn) is nn.MultiheadAttention
