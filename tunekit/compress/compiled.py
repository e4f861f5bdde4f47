"""A network compiled by PyTorch for the machine that it is timed on, where that works."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tunekit.compress.network import call_on
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs

# What a compiler has to say is long: its first two lines say where and what.
_QUOTED = 200
# Of the largest output: a compiler adds up in another order.
_TOLERANCE = 0.01


class CompileError(RuntimeError):
    """``torch.compile`` does not work for a network on this machine."""


def compile_for(network: Module, batches: Iterable[Inputs]) -> Module:
    """Compile a network of our own with ``torch.compile``, for batches of these shapes.

    That takes up to a minute; PyTorch keeps on disk what it has compiled, where the same net finds it again.

    Parameters
    ----------
    network
        On the CPU, in evaluation mode.
    batches
        Each is run once, and compared with what the network answers by itself.

    Raises
    ------
    CompileError
        If it fails, or gives other answers than the network.
    """
    import torch
    import torch._inductor.config as inductor

    faster: Any = torch.compile(network, dynamic=False)
    for batch in batches:
        wanted = call_on(network, batch)()
        try:
            # one thread, this one: workers of the compiler's own would stay for as long as the kernel does
            with quiet(), inductor.patch(compile_threads=1):
                found = call_on(faster, batch)()
        except Exception as error:
            said = " ".join([line.strip() for line in str(error).splitlines() if line.strip()][:2]) or "no words"
            raise CompileError(
                f"torch.compile does not work for {type(network).__name__} on this machine: {type(error).__name__}: "
                f"{said[:_QUOTED]}"
            ) from error
        off = float((found - wanted).abs().max())
        if not off <= _TOLERANCE * max(1.0, float(wanted.abs().max())):
            raise CompileError(
                f"torch.compile gives other answers for {type(network).__name__} on this machine: off by {off:.2g}"
            )
    compiled: Module = faster
    return compiled
