"""How a network differs in its structure from the one that it was made of, as plain data, and how to build it again.

A bundle may be loaded into a model that its user builds as before the compression. That model has all its channels,
blocks and norms; what was taken away or put in the place of something is written down here, layer by layer.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress.fused import leave_fused_path
from tunekit.compress.network import copied
from tunekit.compress.plain_layers import as_record, from_record, is_known, settings_of
from tunekit.compress.ties import tie, tied

if TYPE_CHECKING:
    from torch.nn import Module

Edits = list[dict[str, Any]]

# What takes the place of a module is hardly larger, as where a norm becomes a bias. More is made to fill the memory.
_TIMES_LARGER, _LARGER = 2, 1 << 12


def describe(original: Module, network: Module) -> Edits:
    """Say which modules of a network are built otherwise than those of the same name in the original.

    Parameters
    ----------
    original
        The network before.
    network
        The one after. Only layers of known kinds may differ.

    Raises
    ------
    ValueError
        If something differs that cannot be said.

    Examples
    --------
    >>> import torch
    >>> describe(torch.nn.Sequential(torch.nn.Linear(2, 3)), torch.nn.Sequential(torch.nn.Linear(2, 1)))
    [{'at': '0', 'kind': 'Linear', 'with': {'in_features': 2, 'out_features': 1, 'bias': True}}]
    """
    before = dict(original.named_modules(remove_duplicate=False))
    edits: Edits = []
    done: dict[str, Module] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if any(name.startswith(f"{one}.") for one in done):
            continue
        if name not in before:
            raise ValueError(f"a network is described by what it was made of: {name!r} was not there")
        if _says_the_same(before[name], module):
            continue
        # one module that stands in several places is built once
        first = next((one for one, known in done.items() if known is module), None)
        edits.append({"at": name, **as_record(name, module)} if first is None else {"at": name, "same as": first})
        done[name] = module
    for names in tied(network):
        if any(name.startswith(f"{one}.") for name in names for one in done):
            edits.append({"tied": names})
    return edits


def rebuild(model: Module, edits: Sequence[Any]) -> Module:
    """Return a copy of a model with modules of the described kinds in the places of its own.

    Their weights are not set: that is for ``load_state_dict``.

    Raises
    ------
    ValueError
        If an edit names a module that is not there, a kind that is not known, or sizes that no layer has.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3))
    >>> rebuild(model, [{"at": "0", "kind": "Linear", "with": {"in_features": 2, "out_features": 1, "bias": True}}])
    Sequential(
      (0): Linear(in_features=2, out_features=1, bias=True)
    )
    """
    rebuilt = copied(model)
    made: dict[str, Module] = {}
    for edit in edits:
        place = edit.get("at") if isinstance(edit, dict) else None
        if any(f"{place}.".startswith(f"{done}.") for done in made):
            # each time it might become a little larger
            raise ValueError(f"the structure says once what stands in a place: {reprlib.repr(place)} comes twice")
        match edit:
            case {"tied": [str(), str(), *_] as names} if all(isinstance(name, str) for name in names):
                try:
                    tie(rebuilt, names)
                except ValueError as error:
                    raise ValueError(f"the structure does not fit the model: {error}") from error
            case {"at": str(name), "same as": str(first)} if name and first in made:
                made[name] = _put(rebuilt, name, made[first])
            case {"at": str(name), **described} if name:
                made[name] = _put(rebuilt, name, _fitted(described, _present(rebuilt, name)))
            case _:
                raise ValueError(f"a structure says which modules differ: got {reprlib.repr(edit)}")
    leave_fused_path(rebuilt)
    return rebuilt.eval()


def _present(network: Module, name: str) -> Module:
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        raise ValueError(f"the structure has a module {name!r}, which the model has not") from error


def _put(network: Module, name: str, module: Module) -> Module:
    _present(network, name)
    parent, _, own = name.rpartition(".")
    setattr(network.get_submodule(parent), own, module)
    return module


def _fitted(described: Any, present: Module) -> Module:
    """Build what an edit describes, on the device of the present module and not much larger than it."""
    import torch

    with torch.device("meta"):  # shapes only: nothing is filled, and no random number is drawn
        made = from_record(described)
    size, most = _numbers(made), _TIMES_LARGER * _numbers(present) + _LARGER
    if size > most:
        raise ValueError(
            f"the structure has a {type(made).__name__} with {size} weights in the place of a {type(present).__name__} "
            f"with {_numbers(present)}: a compressed network is not larger"
        )
    first = next(present.parameters(), None)
    made = made.to_empty(device="cpu" if first is None else first.device)
    with torch.no_grad():
        for held in (*made.parameters(), *made.buffers()):
            held.zero_()
    return made if first is None else made.to(first.dtype)


def _numbers(module: Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _says_the_same(before: Module, after: Module) -> bool:
    """Whether two modules are of one kind and built alike, their children aside."""
    if type(before) is not type(after):
        return False
    return not is_known(after) or settings_of(before) == settings_of(after)
