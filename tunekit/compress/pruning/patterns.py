"""Patterns such as 2:4: how many of how many weights stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def read_pattern(written: Any) -> tuple[int, int]:
    """Read ``"2:4"`` as so many zeros of so many weights.

    Raises
    ------
    ValueError
        If it is written otherwise.

    Examples
    --------
    >>> read_pattern("1:4")
    (3, 4)
    """
    found = re.fullmatch(r"(\d{1,3}):(\d{1,3})", written) if isinstance(written, str) else None
    kept, block = (int(part) for part in found.groups()) if found else (0, 0)
    if not 0 < kept < block:
        raise ValueError(
            f'a pattern says how many of how many weights stay, such as "2:4": got {written!r}; '
            "the first number is from 1 to below the second"
        )
    return block - kept, block


def by_inputs(network: Module, name: str, tensor: Tensor) -> Tensor:
    """Bring a weight, or a tensor of its shape, into the form (outputs, inputs that each of them reads, ...), and back.

    Only a transposed convolution has it otherwise: (inputs, outputs of a group, ...). There the groups lie along the
    inputs, so that no output reads from two of them; to swap the two axes within each group undoes itself.

    Parameters
    ----------
    network
        Any network.
    name
        The name of the weight, as in ``network.named_parameters()``.
    tensor
        Of the weight's shape, or what this function made of such a one.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.ConvTranspose1d(8, 6, 3, groups=2)
    >>> turned = by_inputs(layer, "weight", layer.weight)
    >>> tuple(layer.weight.shape), tuple(turned.shape)
    ((8, 3, 3), (6, 4, 3))
    >>> torch.equal(by_inputs(layer, "weight", turned), layer.weight)
    True
    """
    from torch.nn.modules.conv import _ConvTransposeNd

    layer = network.get_submodule(name.rpartition(".")[0])
    if not isinstance(layer, _ConvTransposeNd):
        return tensor
    grouped: Tensor = tensor.unflatten(0, (layer.groups, -1))
    return grouped.transpose(1, 2).flatten(0, 1)


def too_narrow(network: Module, weights: Mapping[str, Tensor], block: int) -> list[str]:
    """Return the names of the weights whose outputs read fewer inputs than a block has.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.ConvTranspose1d(2, 6, 3)
    >>> too_narrow(layer, {"weight": layer.weight}, 4)
    ['weight']
    """
    return [name for name, weight in weights.items() if by_inputs(network, name, weight).shape[1] < block]
