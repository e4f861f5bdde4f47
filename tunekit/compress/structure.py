"""How a network differs in its structure from the one that it was made of, as plain data, and how to build it again.

A bundle may be loaded into a model that its user builds as before the compression. That model has all its channels,
blocks and norms; what was taken away or put in the place of something is written down here, layer by layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress.network import copied

if TYPE_CHECKING:
    from torch.nn import Module

Edits = list[dict[str, Any]]

# No layer of a net that is to become small is wider: a larger number is made to fill the memory.
_MOST_CHANNELS = 1 << 20


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
    done: list[str] = []
    for name, module in network.named_modules(remove_duplicate=False):
        if any(name.startswith(f"{one}.") for one in done):
            continue
        if name not in before:
            raise ValueError(f"a network is described by what it was made of: {name!r} was not there")
        if _says_the_same(before[name], module):
            continue
        edits.append({"at": name, **_edit(name, module)})
        done.append(name)
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
    for edit in edits:
        match edit:
            case {"at": str(name), **described} if name:
                pass
            case _:
                raise ValueError(f"a structure says which modules differ: got {str(edit)[:100]}")
        parent, _, own = name.rpartition(".")
        try:
            holder = rebuilt.get_submodule(parent)
            present = holder.get_submodule(own)
        except AttributeError as error:
            raise ValueError(f"the structure has a module {name!r}, which the model has not") from error
        made = _made(described)
        first = next(present.parameters(), None)
        setattr(holder, own, made if first is None else made.to(first.device, first.dtype))
    return rebuilt.eval()


def _says_the_same(before: Module, after: Module) -> bool:
    """Whether two modules are of one kind and built alike, their children aside."""
    if type(before) is not type(after):
        return False
    if type(after).__name__ in _known():
        return _settings(before) == _settings(after)
    return True


def _edit(name: str, module: Module) -> dict[str, Any]:
    kind = type(module).__name__
    if kind == "Sequential":
        parts = [_edit(name, part) for part in module.children()]
        return {"kind": kind, "of": parts}
    if _known().get(kind) is not type(module):
        raise ValueError(f"a changed layer is of a known kind: {name!r} is a {kind}")
    return {"kind": kind, "with": _settings(module)}


def _made(described: Any) -> Module:
    from torch import nn

    match described:
        case {"kind": "Sequential", "of": list(parts)} if len(parts) < 100:
            return nn.Sequential(*(_made(part) for part in parts))
        case {"kind": str(kind), "with": dict(settings)} if kind in _known() and _are_sane(settings):
            try:
                return _known()[kind](**settings)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"the structure has a {kind} that cannot be built: {error}") from error
    raise ValueError(f"the structure has a part of an unknown kind or size: {str(described)[:100]}")


def _are_sane(settings: dict[Any, Any]) -> bool:
    def is_sane(value: Any) -> bool:
        if isinstance(value, list):
            return len(value) < 10 and all(map(is_sane, value))
        if isinstance(value, (bool, str)) or value is None:
            return True
        return isinstance(value, (int, float)) and abs(value) < _MOST_CHANNELS

    return all(isinstance(name, str) and is_sane(value) for name, value in settings.items())


def _known() -> dict[str, Callable[..., Module]]:
    from torch import nn

    from tunekit.compress.slim_attention import SlimAttention

    kinds: list[Any] = [getattr(nn, name) for name in _SETTINGS if name != "SlimAttention"]
    return {kind.__name__: kind for kind in [*kinds, SlimAttention]}


_CONVOLUTION = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode"
_TRANSPOSED = "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode"
_BATCH_NORM = "num_features eps momentum affine track_running_stats"
_RECURRENT = "input_size hidden_size num_layers bias batch_first dropout bidirectional"
# The constructor's arguments of each kind, by which a layer is built again.
_SETTINGS = {
    "Identity": "",
    "Linear": "in_features out_features bias",
    "Conv1d": _CONVOLUTION,
    "Conv2d": _CONVOLUTION,
    "Conv3d": _CONVOLUTION,
    "ConvTranspose1d": _TRANSPOSED,
    "ConvTranspose2d": _TRANSPOSED,
    "ConvTranspose3d": _TRANSPOSED,
    "BatchNorm1d": _BATCH_NORM,
    "BatchNorm2d": _BATCH_NORM,
    "BatchNorm3d": _BATCH_NORM,
    "LayerNorm": "normalized_shape eps elementwise_affine bias",
    "GroupNorm": "num_groups num_channels eps affine",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "EmbeddingBag": "num_embeddings embedding_dim mode padding_idx",
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": f"{_RECURRENT} nonlinearity",
    "SlimAttention": "in_features out_features num_heads head_dim bias dropout batch_first",
}


def _settings(module: Any) -> dict[str, Any]:
    kind = type(module).__name__
    found: dict[str, Any] = {}
    for name in _SETTINGS[kind].split():
        if name == "bias":  # a tensor or nothing, where the constructor takes a yes or no
            held = module.in_proj_bias if kind == "SlimAttention" else module.bias
            value = held if isinstance(held, bool) else held is not None
        else:
            value = getattr(module, name)
        found[name] = list(value) if isinstance(value, tuple) else value
    return found
