"""Writing a network for ExecuTorch, PyTorch's own runtime on phones, checked against PyTorch."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tunekit.compress.exporter import ExportError
from tunekit.compress.inputs import as_arguments, count, fitted, like, named, take
from tunekit.compress.network import call_on
from tunekit.compress.onnx_file import first_line
from tunekit.compress.quiet import quiet
from tunekit.core.extras import needed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs

# How far it may be from PyTorch, as a share of the largest output: both add in their own order.
_TOLERANCE = 1e-3
_MOST = 1024


def executorch_bytes(network: Module, x: Inputs) -> bytes:
    """Return the file of a network of our own, for its XNNPACK backend; a warning says where it takes one example only.

    Parameters
    ----------
    network
        On the CPU, in evaluation mode.
    x
        Two or more real examples, to trace it with and to compare the outputs on.

    Raises
    ------
    ModuleNotFoundError
        If ExecuTorch is not installed.
    ExportError
        If ExecuTorch cannot write it, or its file does not do the same.

    References
    ----------
    https://docs.pytorch.org/executorch/stable/using-executorch-export.html
    """
    with quiet():
        needed("executorch.exir")
    examples = fitted(x, network)
    try:
        return _checked(_lowered(network, examples, any_batch=True), network, examples, (1, count(x)))
    except Exception as any_batch:
        try:
            data = _checked(_lowered(network, take(examples, slice(0, 1)), any_batch=False), network, examples, (1,))
        except Exception as one:
            raise ExportError(
                f"ExecuTorch cannot write {type(network).__name__}: {first_line(any_batch)}; for one example alone: "
                f"{first_line(one)}"
            ) from one
        warnings.warn(
            f"ExecuTorch runs {type(network).__name__} with one example at a time; with any batch size: "
            f"{first_line(any_batch)}",
            stacklevel=3,
        )
        return data


def _lowered(network: Module, x: Inputs, *, any_batch: bool) -> bytes:
    import torch

    xnnpack = needed("executorch.backends.xnnpack.partition.xnnpack_partitioner")
    exir = needed("executorch.exir")
    arguments, keywords = as_arguments(x)
    shapes: Any = None
    if any_batch:
        batch = torch.export.Dim("batch", min=1, max=_MOST)
        free: Any = {0: batch}
        shapes = dict.fromkeys(keywords, free) if keywords else tuple(free for _ in arguments)
    with quiet(), torch.no_grad():
        program = torch.export.export(network, arguments, keywords, dynamic_shapes=shapes)
        lowered = exir.to_edge_transform_and_lower(program, partitioner=[xnnpack.XnnpackPartitioner()])
        data: bytes = bytes(lowered.to_executorch().buffer)
    return data


def _checked(data: bytes, network: Module, x: Inputs, sizes: tuple[int, ...]) -> bytes:
    """Compare with PyTorch on the first real examples, so many at a time."""
    # a method reads from its program, and that from the bytes: both have to be there for as long as it runs
    program = needed("executorch.runtime").Runtime.get().load_program(data)
    method = program.load_method("forward")
    for size in sizes:
        some = take(x, slice(0, size))
        given = list(named(like(some, [part.contiguous() for part in named(some).values()])).values())
        (found,) = method.execute(given)
        wanted = call_on(network, some)()
        off = float((found.double() - wanted.double()).abs().max())
        if found.shape != wanted.shape or not off <= _TOLERANCE * max(1.0, float(wanted.abs().max())):
            raise ExportError(f"the ExecuTorch file gives other outputs than the network, off by {off:.3g}")
    return data
