"""Leaving out whole blocks: parts of a network that return what they were given, a little changed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import call
from tunekit.compress.pruning.channels import Removal, cost
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs


def blocks(network: Module, x: Inputs) -> list[str]:
    """Return the names of the parts that can be left out: with weights, and with an output of the shape of their input.

    Parameters
    ----------
    network
        A network of our own, in evaluation mode.
    x
        A few real inputs.

    Examples
    --------
    >>> import torch
    >>> inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
    >>> blocks(torch.nn.Sequential(torch.nn.Linear(2, 4), inner), torch.ones(1, 2))
    ['1']
    """
    return list(_looked_at(network, x))


def _looked_at(network: Module, x: Inputs) -> dict[str, bool]:
    """The same, and whether each of them is called with more than one argument."""
    import torch

    same: dict[str, bool] = {}
    takes_more: dict[str, bool] = {}
    handles = []
    containers = (torch.nn.ModuleList, torch.nn.ModuleDict)
    for name, module in network.named_modules():
        is_part = name and list(module.children()) and not isinstance(module, containers)
        if is_part and any(True for _ in module.parameters()):

            def hook(module: Module, args: Any, kwargs: Any, output: Any, name: str = name) -> None:
                alike = bool(args) and isinstance(args[0], torch.Tensor) and isinstance(output, torch.Tensor)
                same[name] = same.get(name, True) and alike and args[0].shape == output.shape
                takes_more[name] = takes_more.get(name, False) or len(args) > 1 or bool(kwargs)

            handles.append(module.register_forward_hook(hook, with_kwargs=True))
    try:
        with torch.no_grad():
            call(network, x)
    finally:
        for handle in handles:
            handle.remove()
    return {name: takes_more[name] for name, alike in same.items() if alike}


def leave_out(
    network: Module,
    x: Inputs,
    most: float,
    *,
    of: str,
    whole: float,
    loss_of: Callable[[Module], float],
    may_lose: Callable[[str], bool] = lambda name: True,
) -> Removal:
    """Leave out the blocks that the network misses least, one after the other, as long as that brings it nearer.

    Parameters
    ----------
    network, x, most, of, whole, may_lose
        As in `tunekit.compress.pruning.channels.remove`; the amount is met as nearly as whole blocks allow.
    loss_of
        Called with a network without a block: what it loses, lower is better.

    Raises
    ------
    ValueError
        If there is no block.

    References
    ----------
    Veit, Wilber and Belongie, "Residual Networks Behave Like Ensembles of Relatively Shallow Networks", NeurIPS 2016.
    """
    takes_more = _looked_at(network, x)
    names = [name for name in takes_more if may_lose(name)]
    if not names:
        raise ValueError(
            f"a block is a part that returns what has the shape of its input: {type(network).__name__} has none; "
            'use granularity="channels" instead'
        )
    current, gone = network, []
    while names:
        candidates = {}
        for name in names:
            shorter = _without(current, name, takes_more[name])
            if _runs(shorter, x):
                candidates[name] = shorter
        if not candidates:
            break
        # more than was asked for goes only where nothing smaller is left
        small = [name for name in candidates if cost(candidates[name], x, of) >= most] or [*candidates]
        name = min(small, key=lambda one: loss_of(candidates[one]))
        if abs(cost(candidates[name], x, of) - most) >= abs(cost(current, x, of) - most):
            break
        current = candidates[name]
        gone.append(name)
        names = [
            one for one in names if one != name and not one.startswith(f"{name}.") and not name.startswith(f"{one}.")
        ]
    before, after = cost(network, x, of), cost(current, x, of)
    what = {"parameters": "parameters", "macs": "MACs", "size": "bytes of weights"}[of]
    note = f"Blocks left out: {text.listed(gone) or 'none'}; {text.counted(before)} → {text.counted(after)} {what}."
    if abs(after - most) > 0.01 * whole:
        note += " Whole blocks come no nearer to the amount."
    return Removal(copy.deepcopy(current) if current is network else current, (note,))


def _without(network: Module, name: str, takes_more: bool) -> Module:
    from torch import nn

    from tunekit.compress.absent import Absent

    shorter = copy.deepcopy(network)
    attention: Any = getattr(shorter.get_submodule(name), "self_attn", None)
    absent = Absent(batch_first=bool(getattr(attention, "batch_first", False)))
    shorter.set_submodule(name, absent if takes_more else nn.Identity())
    return shorter


def _runs(network: Module, x: Inputs) -> bool:
    import torch

    try:
        with torch.no_grad():
            call(network, x)
    except Exception:  # a forward pass that asks a block for more than its output
        return False
    return True
