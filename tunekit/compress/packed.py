"""Recurrent layers in ONNX: those that read packed sequences can be written, those with a projection cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import call
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.nn.utils.rnn import PackedSequence

    from tunekit.compress.inputs import Inputs

# What PyTorch says of packed sequences while it writes them, which is of no use to anyone.
NOISE = b"The shape inference of prim::Pa"


def unwritable(network: Module) -> str | None:
    """Say why no ONNX file can hold a network; None where no layer tells so by itself.

    Examples
    --------
    >>> import torch
    >>> unwritable(torch.nn.LSTM(2, 3)) is None
    True
    """
    from torch import nn

    projecting = [
        name or type(module).__name__
        for name, module in network.named_modules()
        if isinstance(module, nn.LSTM) and module.proj_size
    ]
    if not projecting:
        return None
    return (
        f"a compressed network is written as ONNX, whose LSTM has no projection: in {type(network).__name__}, "
        f"{text.listed(projecting)} with a proj_size; leave proj_size out, with a smaller hidden_size to make up for it"
    )


def packed_layers(network: Module, x: Inputs) -> list[str]:
    """Return the names of the recurrent layers that read a packed sequence where the network is called with x.

    Examples
    --------
    >>> import torch
    >>> packed_layers(torch.nn.GRU(2, 3), torch.zeros(4, 5, 2))
    []
    """
    import torch

    names: list[str] = []
    with torch.no_grad(), _watched(network, lambda name, *_: names.append(name)) as is_any:
        if is_any:
            call(network, x)
    return [*dict.fromkeys(names)]


@contextmanager
def outputs_in_use(network: Module) -> Iterator[None]:
    """Let a network return, behind its own output, what layers make of packed sequences and no other layer reads.

    PyTorch's exporter takes a layer out of the packing around it, and for that it asks who reads its output: where only
    the last hidden state is read, as a classifier does, it finds nobody and breaks.

    Parameters
    ----------
    network
        One of our own.
    """
    from torch.nn.utils.rnn import pad_packed_sequence

    calls: list[tuple[PackedSequence, PackedSequence]] = []

    def with_all(whole: Module, arguments: Any, output: Any) -> tuple[Any, ...]:
        read = [given.data for given, _ in calls]
        last = [made for _, made in calls if not any(made.data is one for one in read)]
        calls.clear()
        return (output, *(pad_packed_sequence(made, batch_first=True)[0] for made in last))

    with _watched(network, lambda _, given, made: calls.append((given, made))):
        handle = network.register_forward_hook(with_all)
        try:
            yield
        finally:
            handle.remove()


def cannot(layers: Sequence[str], why: str) -> str:
    """Say, of a network whose layers read packed sequences, that it cannot be written, and what helps."""
    reads = "reads one" if len(layers) == 1 else "read some"
    return (
        f"a compressed network is written as ONNX, which has no packed sequences: {text.listed(layers)} {reads}, and "
        f"this network cannot be written without ({why}); give pack_padded_sequence the lengths as a tensor, and let "
        "pad_packed_sequence(..., total_length=x.shape[1]) read what comes out; or let the layer read the padded tensor"
    )


@contextmanager
def _watched(network: Module, see: Callable[[str, PackedSequence, PackedSequence], Any]) -> Iterator[bool]:
    """See which recurrent layers read packed sequences, and what they make of them; whether there are any layers."""
    from torch import nn
    from torch.nn.utils.rnn import PackedSequence

    def hook_of(name: str) -> Callable[..., None]:
        def look(layer: Module, arguments: Any, named: Any, output: Any) -> None:
            if isinstance(output[0], PackedSequence):
                see(name, arguments[0] if arguments else named["input"], output[0])

        return look

    layers = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.RNNBase)}
    handles = [layer.register_forward_hook(hook_of(name), with_kwargs=True) for name, layer in layers.items()]
    try:
        yield bool(layers)
    finally:
        for handle in handles:
            handle.remove()
