"""Multiply-accumulate operations, counted exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from tunekit.compress.inputs import take
from tunekit.compress.network import runner
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs

Shape: TypeAlias = Sequence[int]


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
    return sum(macs_by_module(model, x).values())


def macs_by_module(model: Module, x: Inputs) -> dict[str, int]:
    """Return the multiply-accumulate operations of one example by the module that does them itself.

    Parameters
    ----------
    model
        A network of our own: it is put into evaluation mode.
    x
        Shape (examples, ...): the first example is used.

    Returns
    -------
    dict[str, int]
        By the names in ``model.named_modules()``, those that do some: what a module leaves to those in it is theirs.

    Examples
    --------
    >>> import torch
    >>> macs_by_module(torch.nn.Sequential(torch.nn.Linear(20, 30), torch.nn.ReLU()), torch.zeros(1, 20))
    {'0': 600}
    """
    from torch.utils.flop_counter import FlopCounterMode

    own: dict[str, int] = {}
    counter = FlopCounterMode(display=False, custom_mapping=_uncounted())
    with quiet(), plain_paths(), _frozen(model), counter, _followed(model, counter.get_total_flops, own):
        runner(model)(take(x, slice(0, 1)))
    # the counter counts a multiplication and an addition as two
    return {name: flops // 2 for name, flops in own.items() if flops}


@contextmanager
def _frozen(model: Module) -> Iterator[None]:
    """Without gradients: the counter asks a parameter that goes into a module for its own, which inference has not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def _followed(model: Module, counted: Callable[[], int], own: dict[str, int]) -> Iterator[None]:
    """Add to the module that is running what is counted meanwhile."""
    running: list[str] = []
    before = 0

    def settle() -> None:
        nonlocal before
        if running:
            own[running[-1]] = own.get(running[-1], 0) + counted() - before
        before = counted()

    def enter(name: str) -> None:
        settle()
        running.append(name)

    def leave() -> None:
        settle()
        running.pop()

    hooks = []
    for name, module in model.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, name=name: enter(name)))
        hooks.append(module.register_forward_hook(lambda *_: leave(), always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _uncounted() -> dict[Any, Callable[..., int]]:
    """What PyTorch's counter passes over: matrix times vector, vector times vector, and bilinear layers."""
    import torch

    def product(first: Shape, second: Shape, out_shape: Shape, **settings: Any) -> int:
        return 2 * math.prod(first)

    def sum_and_product(added: Shape, first: Shape, second: Shape, out_shape: Shape, **settings: Any) -> int:
        return 2 * math.prod(first)

    def trilinear(
        first: Shape,
        weight: Shape,
        second: Shape,
        expand_first: Shape,
        expand_weight: Shape,
        expand_second: Shape,
        *settings: Any,
        out_shape: Shape,
        **named: Any,
    ) -> int:
        given = ((first, expand_first), (weight, expand_weight), (second, expand_second))
        axes = zip(*(_stretched(shape, places) for shape, places in given), strict=True)
        sizes: list[int] = [max(axis) for axis in axes]
        return 2 * math.prod(sizes)

    aten = torch.ops.aten
    return {aten.mv: product, aten.dot: product, aten.addmv: sum_and_product, aten._trilinear: trilinear}


def _stretched(shape: Shape, places: Shape) -> list[int]:
    """A shape with axes of size 1 put in at some places."""
    left = iter(shape)
    return [1 if place in places else next(left) for place in range(len(shape) + len(places))]


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
