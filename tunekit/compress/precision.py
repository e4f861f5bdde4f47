"""Training in full precision: in half of it, small steps are lost and gradients overflow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunekit.compress.network import precision_of

if TYPE_CHECKING:
    from torch.nn import Module


def words_on(network: Module) -> tuple[str, ...]:
    """What there is to say about the precision of a network, in sentences."""
    import torch

    if precision_of(network) != torch.bfloat16:
        return ()
    return (
        "The network is in bfloat16, which onnxruntime does not compute with on a CPU: its ONNX file has the same "
        "weights as float32, the bundle has them in bfloat16.",
    )


@contextmanager
def full_precision(network: Module) -> Iterator[None]:
    """Hold a network of our own in at least 32 bits, in place; afterwards each tensor is in its own precision again.

    Equal weights stay equal, and zeros zero.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 2).half()
    >>> with full_precision(layer):
    ...     layer.weight.dtype
    torch.float32
    >>> layer.weight.dtype
    torch.float16
    """
    import itertools

    import torch

    held = [*itertools.chain(network.parameters(), network.buffers())]
    halves = [(tensor, tensor.dtype) for tensor in held if tensor.dtype in (torch.float16, torch.bfloat16)]
    for tensor, _ in halves:
        tensor.data = tensor.data.float()
    try:
        yield
    finally:
        for tensor, dtype in halves:
            tensor.grad = None
            tensor.data = tensor.data.to(dtype)
