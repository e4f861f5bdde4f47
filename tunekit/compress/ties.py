"""Parameters that several layers share, as an embedding and the layer that turns its vectors back into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module, Parameter


def tied(network: Module) -> list[list[str]]:
    """Return, for each parameter that several modules hold, its names.

    A module that is itself found under several names counts once.

    Examples
    --------
    >>> import torch
    >>> first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    >>> second.weight = first.weight
    >>> tied(torch.nn.Sequential(first, second))
    [['0.weight', '1.weight']]
    """
    names: dict[int, list[str]] = {}
    for owner, module in network.named_modules():
        for own, parameter in module._parameters.items():
            if parameter is not None:
                names.setdefault(id(parameter), []).append(f"{owner}.{own}" if owner else own)
    return [found for found in names.values() if len(found) > 1]


def tie(network: Module, names: Sequence[str]) -> None:
    """Let the first of some parameters of a network of our own stand under all of their names.

    Raises
    ------
    ValueError
        If one is not there, or they are of several shapes.
    """
    first, *others = (_parameter(network, name) for name in names)
    for name, other in zip(names[1:], others, strict=True):
        if other.shape != first.shape:
            raise ValueError(
                f"parameters that are shared have one shape: {names[0]} has {tuple(first.shape)}, "
                f"{name} has {tuple(other.shape)}"
            )
        owner, _, own = name.rpartition(".")
        setattr(network.get_submodule(owner), own, first)


def _parameter(network: Module, name: str) -> Parameter:
    try:
        return network.get_parameter(name)
    except AttributeError as error:
        raise ValueError(f"parameters that are shared are there: {name!r} is not") from error
