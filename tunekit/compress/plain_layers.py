"""Layers of PyTorch's common kinds as plain data, and back; what comes from a file is checked before it is built."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module

# PyTorch's recurrent layers take minutes to build with thousands of layers, and nobody has so many.
_MOST_LAYERS = 100
_DEEPEST = 10


def is_known(module: Module) -> bool:
    """Whether a module, its parts aside, can be written as plain data."""
    return _known().get(type(module).__name__) is type(module)


def settings_of(module: Any) -> dict[str, Any]:
    """What a layer of a known kind was built with, as plain values.

    Examples
    --------
    >>> import torch
    >>> settings_of(torch.nn.Linear(2, 3))
    {'in_features': 2, 'out_features': 3, 'bias': True}
    """
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


def as_record(name: str, module: Module) -> dict[str, Any]:
    """Write a layer, or a sequence of layers, as plain data.

    Raises
    ------
    ValueError
        If it is of no known kind.
    """
    kind = type(module).__name__
    if kind == "Sequential":
        parts = [as_record(name, part) for part in module.children()]
        return {"kind": kind, "of": parts}
    if not is_known(module):
        raise ValueError(f"a changed layer is of a known kind: {name!r} is a {kind}")
    return {"kind": kind, "with": settings_of(module)}


def from_record(described: Any, depth: int = 0) -> Module:
    """Build what `as_record` wrote, with weights of its own.

    Raises
    ------
    ValueError
        If a kind is unknown, or a setting is none of that kind's or out of range.
    """
    from torch import nn

    match described:
        case {"kind": "Sequential", "of": list(parts)} if len(parts) < 100 and depth < _DEEPEST:
            return nn.Sequential(*(from_record(part, depth + 1) for part in parts))
        case {"kind": str(kind), "with": dict(settings)} if kind in _known():
            names = _SETTINGS[kind].split()
            wrong = [name for name, value in settings.items() if name not in names or not _is_sane(name, value)]
            if wrong:
                raise ValueError(
                    f"the structure has a {kind} with {text.value(wrong[0])} = {text.value(settings[wrong[0]])}: "
                    f"its settings are {text.listed(names)}"
                )
            try:
                return _known()[kind](**settings)
            except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
                raise ValueError(f"the structure has a {kind} that cannot be built: {error}") from error
    raise ValueError(f"the structure has a part of an unknown kind: {reprlib.repr(described)}")


_YES_OR_NO = ["bias", "affine", "track_running_stats", "batch_first", "bidirectional", "elementwise_affine"]
_WORDS = {
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "mode": ("sum", "mean", "max"),
    "nonlinearity": ("tanh", "relu"),
    "padding": ("same", "valid"),
}


def _is_sane(name: str, value: Any) -> bool:
    """Whether a setting of a layer, by its name, may have a value."""

    def is_count(one: Any, least: int) -> bool:
        return isinstance(one, int) and not isinstance(one, bool) and least <= one < 1 << 31

    if name in _YES_OR_NO:
        return isinstance(value, bool)
    if isinstance(value, str):
        return value in _WORDS.get(name, ())
    if name == "padding_idx":
        return value is None or is_count(value, 0)
    if name in ("eps", "momentum", "dropout"):
        return value is None or (isinstance(value, (int, float)) and math.isfinite(value) and 0 <= value <= 1)
    if name == "num_layers":
        return is_count(value, 1) and value <= _MOST_LAYERS
    least = 0 if name in ("padding", "output_padding") else 1
    several = value if isinstance(value, list) and 0 < len(value) < 10 else [value]
    return all(is_count(one, least) for one in several)


def _known() -> dict[str, Callable[..., Module]]:
    from torch import nn

    from tunekit.compress.absent import Absent
    from tunekit.compress.slim_attention import SlimAttention

    own = {"Absent": Absent, "SlimAttention": SlimAttention}
    return {name: own.get(name) or getattr(nn, name) for name in _SETTINGS}


_CONVOLUTION = "in_channels out_channels kernel_size stride padding dilation groups bias padding_mode"
_TRANSPOSED = "in_channels out_channels kernel_size stride padding output_padding groups bias dilation padding_mode"
_BATCH_NORM = "num_features eps momentum affine track_running_stats"
_RECURRENT = "input_size hidden_size num_layers bias batch_first dropout bidirectional"
# The constructor's arguments of each kind, by which a layer is built again.
_SETTINGS = {
    "Identity": "",
    "Absent": "batch_first",
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
    "InstanceNorm1d": _BATCH_NORM,
    "InstanceNorm2d": _BATCH_NORM,
    "InstanceNorm3d": _BATCH_NORM,
    "LayerNorm": "normalized_shape eps elementwise_affine bias",
    "RMSNorm": "normalized_shape eps elementwise_affine",
    "PReLU": "num_parameters",
    "GroupNorm": "num_groups num_channels eps affine",
    "Embedding": "num_embeddings embedding_dim padding_idx",
    "EmbeddingBag": "num_embeddings embedding_dim mode padding_idx",
    "LSTM": _RECURRENT,
    "GRU": _RECURRENT,
    "RNN": f"{_RECURRENT} nonlinearity",
    "SlimAttention": "in_features out_features num_heads head_dim bias dropout batch_first",
}
