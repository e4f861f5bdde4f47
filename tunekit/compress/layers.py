"""Which weights a step works on, by the names of their layers.

What is pruned is multiplied; biases and norms are few and matter much, and stay. Values can be shared by all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunekit.compress.network import layer_kinds
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module, Parameter

# An embedding's weights are of another size than all others, so that one ranking would spare it and empty the rest:
# it is pruned only by name.
_BY_DEFAULT = ("dense", "recurrent", "attention")
_LISTED = 40


def prunable(
    model: Module, layers: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> dict[str, Parameter]:
    """Return the weights that a step may prune, by parameter name; a tied weight appears once.

    Parameters
    ----------
    model
        Any network.
    layers
        Names as in ``model.named_modules()``; None: all linear, convolutional, recurrent and attention layers.
    exclude
        Names of layers that are left out; that of a container leaves out all in it. A weight that one of them shares
        with other layers is left out too.

    Raises
    ------
    ValueError
        If a name is unknown or has nothing to prune, or no layer is left.

    Examples
    --------
    >>> import torch
    >>> list(prunable(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))))
    ['0.weight', '2.weight']
    """
    by_layer = _weights(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    if layers is None:
        chosen = _by_default(model, by_layer)
    else:
        for name in layers:
            if name not in by_layer:
                raise ValueError(_unknown(name, list(by_layer), name in modules))
        chosen = list(layers)
    if exclude is not None:
        chosen = _without(chosen, exclude, list(modules), type(model).__name__)
    out = [name for name in by_layer if any(_is_within(name, left_out) for left_out in exclude or ())]
    spared = {id(weight) for name in out for weight in by_layer[name]}
    canonical = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {canonical[id(weight)]: weight for name in chosen for weight in by_layer[name] if id(weight) not in spared}
    if not found:
        raise ValueError(
            f"at least one layer is left: exclude= takes all of {_some(chosen)} away, as they share weights"
        )
    return found


def weights_by_layer(model: Module) -> dict[str, list[Parameter]]:
    """Return the layers that are pruned where none is named, each with its weights; a tied weight is its first layer's.

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> import torch
    >>> {name: len(weights) for name, weights in weights_by_layer(torch.nn.ModuleDict(
    ...     {"body": torch.nn.GRU(2, 3), "norm": torch.nn.LayerNorm(3), "head": torch.nn.Linear(3, 1)})).items()}
    {'body': 2, 'head': 1}
    """
    by_layer = _weights(model)
    found: dict[str, list[Parameter]] = {}
    taken: set[int] = set()
    for name in _by_default(model, by_layer):
        own = [weight for weight in by_layer[name] if id(weight) not in taken]
        taken |= {id(weight) for weight in own}
        if own:
            found[name] = own
    return found


def shareable(
    model: Module, layers: Sequence[str] | None = None, exclude: Sequence[str] | None = None
) -> dict[str, Parameter]:
    """Return the parameters whose values a step may share, by name; a tied one appears once.

    Parameters
    ----------
    model
        Any network.
    layers
        Names as in ``model.named_modules()``; None: all.
    exclude
        Names of layers that are left out; that of a container leaves out all in it. A parameter that one of them has in
        common with other layers is left out too.

    Raises
    ------
    ValueError
        If a name is unknown, or nothing is left.

    Examples
    --------
    >>> import torch
    >>> list(shareable(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)), exclude=["1"]))
    ['0.weight', '0.bias']
    """
    chosen = chosen_modules(model, layers, exclude)
    modules = dict(model.named_modules(remove_duplicate=False))
    out = [name for name in modules if any(_is_within(name, left_out) for left_out in exclude or ())]
    wanted = _held(modules, chosen) - _held(modules, out)
    found = {
        name: parameter
        for name, parameter in model.named_parameters()
        if id(parameter) in wanted and parameter.is_floating_point() and parameter.numel()
    }
    if not found:
        tied = "" if exclude is None else ", or have them in common with those in exclude="
        raise ValueError(
            f"values are shared by parameters: the chosen layers of {type(model).__name__} have none{tied}"
        )
    return found


def chosen_modules(model: Module, layers: Sequence[str] | None, exclude: Sequence[str] | None) -> list[str]:
    """Return the names of all modules that a choice leaves: those named and what is in them, without those left out.

    Raises
    ------
    ValueError
        If a name is unknown, or nothing is left.

    Examples
    --------
    >>> import torch
    >>> chosen_modules(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)), None, ["1"])
    ['', '0']
    """
    known = [name for name, _ in model.named_modules(remove_duplicate=False)]
    for name in layers or ():
        if name not in known:
            raise ValueError(_unknown(name, known[1:], False))
    chosen = [name for name in known if layers is None or any(_is_within(name, one) for one in layers)]
    return chosen if exclude is None else _without(chosen, exclude, known, type(model).__name__)


def _by_default(model: Module, by_layer: dict[str, list[Parameter]]) -> list[str]:
    """The layers that are pruned where none is named."""
    standard = layer_kinds()
    usual = tuple(kind for family in _BY_DEFAULT for kind in standard[family])
    modules = dict(model.named_modules(remove_duplicate=False))
    chosen = [name for name in by_layer if isinstance(modules[name], usual)]
    if not chosen:
        raise ValueError(
            f"a model to prune has a linear, convolutional, recurrent or attention layer: "
            f"{type(model).__name__} has {text.listed(sorted({type(m).__name__ for m in modules.values()}))}"
            + (f"; name one of {_some(by_layer)} in layers= to prune it" if by_layer else "")
        )
    return chosen


def _held(modules: Mapping[str, Module], names: Sequence[str]) -> set[int]:
    """The parameters that some layers hold themselves."""
    return {
        id(parameter) for name in names for parameter in modules[name]._parameters.values() if parameter is not None
    }


def _is_within(name: str, container: str) -> bool:
    return name == container or name.startswith(f"{container}.")


def _without(chosen: list[str], exclude: Sequence[str], known: list[str], model: str) -> list[str]:
    for name in exclude:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"exclude= names layers of the model: {name!r} is none; the known ones are {_some(known[1:])}{hint}"
            )
    left = [name for name in chosen if not any(_is_within(name, out) for out in exclude)]
    if not left:
        raise ValueError(f"at least one layer is left: exclude= takes all of {_some(chosen)} of {model} away")
    return left


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
    what = "has no such weights" if is_there else "is no layer of the model"
    return f"layers= names layers with weights: {name!r} {what}; the known ones are {_some(known)}{hint}"


def _some(names: Sequence[str] | dict[str, object] | dict[str, list[Parameter]]) -> str:
    listed = list(names)
    rest = f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else ""
    return f"{text.listed(listed[:_LISTED])}{rest}"
