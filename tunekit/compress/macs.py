"""Multiply-accumulate operations, counted exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tunekit.compress.inputs import take
from tunekit.compress.network import runner
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs


def macs(model: Module, x: Inputs) -> int:
    """Return the multiply-accumulate operations of one forward pass of one example.

    Products of matrices and convolutions count, additions of biases, norms and activations do not. A weight that is
    zero is multiplied like any other.

    Parameters
    ----------
    model
        A network of our own: it is put into evaluation mode.
    x
        Shape (examples, ...): the first example is used.

    Examples
    --------
    >>> import torch
    >>> macs(torch.nn.Linear(20, 30), torch.zeros(1, 20))
    600
    """
    from torch.utils.flop_counter import FlopCounterMode

    with quiet(), plain_paths(), FlopCounterMode(display=False) as counter:
        runner(model)(take(x, slice(0, 1)))
    # the counter counts a multiplication and an addition as two
    return int(counter.get_total_flops()) // 2


@contextmanager
def plain_paths() -> Iterator[None]:
    """Switch off the fused paths that hide what they compute: attention's, and MKL-DNN's recurrent layers."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)
