"""What can be pruned: weights that are multiplied. Biases and norms are few and matter much; they stay."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tunekit.compress.network import layer_kinds
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module, Parameter

# An embedding's weights are of another size than all others, so that one ranking would spare it and empty the rest:
# it is pruned only by name.
_BY_DEFAULT = ("dense", "recurrent", "attention")
_LISTED = 40


def prunable(model: Module, layers: Sequence[str] | None = None) -> dict[str, Parameter]:
    """Return the weights that a step may prune, by parameter name; a tied weight appears once.

    Parameters
    ----------
    model
        Any network.
    layers
        Names as in ``model.named_modules()``; None: all linear, convolutional, recurrent and attention layers.

    Raises
    ------
    ValueError
        If a name is unknown or has nothing to prune, or the model has no such layer at all.

    Examples
    --------
    >>> import torch
    >>> list(prunable(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))))
    ['0.weight', '2.weight']
    """
    by_layer = _weights(model)
    standard = layer_kinds()
    usual = tuple(kind for family in _BY_DEFAULT for kind in standard[family])
    modules = dict(model.named_modules(remove_duplicate=False))
    if layers is None:
        chosen = [name for name in by_layer if isinstance(modules[name], usual)]
        if not chosen:
            raise ValueError(
                f"a model to prune has a linear, convolutional, recurrent or attention layer: "
                f"{type(model).__name__} has {text.listed(sorted({type(m).__name__ for m in modules.values()}))}"
                + (f"; name one of {_some(by_layer)} in layers= to prune it" if by_layer else "")
            )
    else:
        for name in layers:
            if name not in by_layer:
                raise ValueError(_unknown(name, list(by_layer), name in modules))
        chosen = list(layers)
    canonical = {id(parameter): name for name, parameter in model.named_parameters()}
    return {canonical[id(weight)]: weight for name in chosen for weight in by_layer[name]}


def _weights(model: Module) -> dict[str, list[Parameter]]:
    found = {}
    kinds = tuple(kind for family in layer_kinds().values() for kind in family)
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, kinds):
            weights = [p for key, p in module._parameters.items() if p is not None and "weight" in key and p.dim() > 1]
            if weights:
                found[name] = weights
    return found


def _unknown(name: str, known: list[str], is_there: bool) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    what = "has no weights to prune" if is_there else "is no layer of the model"
    return f"layers= names layers that can be pruned: {name!r} {what}; the prunable ones are {_some(known)}{hint}"


def _some(names: Sequence[str] | dict[str, object] | dict[str, list[Parameter]]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"{text.listed(listed[:_LISTED])}{rest}"
