"""How the weights of convolutions over images lie in memory: channels last, a CPU trains them faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunekit.compress.inputs import call
from tunekit.compress.network import copied
from tunekit.core import seeds

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs


@contextmanager
def channels_last(network: Module, x: Inputs) -> Iterator[None]:
    """Let the weights of a network lie channels last, in place, until the block ends: the same weights, only faster.

    Nothing changes on another device than a CPU, without a convolution over images, where somebody chose an order of
    memory before, or where the network cannot run so: ``view`` in a forward pass asks for the usual one.

    Parameters
    ----------
    network
        A network of our own.
    x
        A few real inputs, to try it with.

    References
    ----------
    Ma et al., "Accelerating PyTorch Vision Models with Channels Last on CPU", PyTorch blog, 2022.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Conv2d(2, 4, 3)
    >>> with channels_last(layer, torch.ones(1, 2, 5, 5)):
    ...     layer.weight.is_contiguous(memory_format=torch.channels_last)
    True
    >>> layer.weight.is_contiguous()
    True
    """
    import torch

    if not _may_change(network) or not _can_be_trained(network, x):
        yield
        return
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _may_change(network: Module) -> bool:
    from torch import nn

    has_images = any(isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) for module in network.modules())
    held = [*network.parameters(), *network.buffers()]
    return has_images and all(one.device.type == "cpu" and one.is_contiguous() for one in held)


def _can_be_trained(network: Module, x: Inputs) -> bool:
    import torch

    twin = copied(network).train()
    twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        with torch.no_grad(), seeds.seeded(0):
            call(twin, x)
    except Exception:  # if more is wrong with it, its training will say so
        return False
    return True
