"""The layers that channels can be cut out of, one kind after the other: where their channels lie, and how they are cut.

A layer reads channels from its inputs and writes channels to its outputs. A passing layer, such as a norm, hands each
channel on: what it reads is what it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# A side of a layer: what it reads, what it writes, or the hidden state of one layer and direction of a recurrent one.
Side = str
# For each side that changes the numbers of the channels that stay, ascending.
Kept = dict[Side, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Organ:
    """What one kind of layer can have cut.

    Parameters
    ----------
    sides
        The sides of a layer, and how many channels each has.
    axis
        Called with the layer and an input or output: the axis of its channels, from the end.
    slices
        For each parameter or buffer of the layer or of a part of it, by its name, the sides that its axes belong to:
        ``{"weight": {0: "out", 1: "in"}}``.
    ties
        Pairs of channels (side, number) that only go together.
    resize
        Called with the layer and the new number of channels of each side: sets what it says of itself.
    expand
        Called with the layer and what is kept of each side that changes: adds what that means for the sides that
        `slices` speaks of and `sides` does not.
    passes
        Whether what it reads is what it writes.
    writer
        The name of the part that writes its outputs; empty where that is the layer itself.
    """

    sides: Callable[[Any], dict[Side, int]]
    axis: Callable[[Any, Tensor], int]
    slices: Callable[[Any], dict[str, dict[int, Side]]]
    resize: Callable[[Any, dict[Side, int]], None]
    ties: Callable[[Any], Iterator[tuple[tuple[Side, int], tuple[Side, int]]]] = lambda layer: iter(())
    expand: Callable[[Any, Kept], Kept] = lambda layer, kept: kept
    passes: bool = False
    writer: str = ""


def organ_of(layer: Module) -> Organ | None:
    """Return what can be cut of a layer; None where its kind is not known, or it is built in an unusual way."""
    from torch import nn

    from tunekit.compress.slim_attention import SlimAttention

    plain: list[tuple[tuple[type, ...], Organ, Callable[[Any], bool]]] = [
        ((nn.Linear,), _LINEAR, lambda layer: True),
        ((nn.Conv1d, nn.Conv2d, nn.Conv3d), _CONVOLUTION, lambda layer: True),
        ((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), _TRANSPOSED, lambda layer: layer.groups == 1),
        ((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), _NORM, lambda layer: True),
        ((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), _NORM, lambda layer: True),
        ((nn.PReLU,), _SLOPES, lambda layer: layer.num_parameters > 1),
        ((nn.LayerNorm, nn.RMSNorm), _LAYER_NORM, lambda layer: len(layer.normalized_shape) == 1),
        ((nn.GroupNorm,), _GROUP_NORM, lambda layer: True),
        ((nn.Embedding, nn.EmbeddingBag), _EMBEDDING, lambda layer: layer.max_norm is None),
        ((nn.LSTM, nn.GRU, nn.RNN), _RECURRENT, lambda layer: not layer.proj_size),
        ((SlimAttention,), _ATTENTION, lambda layer: True),
    ]
    for kinds, organ, fits in plain:
        if type(layer) in kinds and fits(layer):
            return organ
    return None


def known_organ(layer: Module) -> Organ:
    """Return what can be cut of a layer of which it is known that something can."""
    organ = organ_of(layer)
    if organ is None:
        raise TypeError(f"unreachable: {type(layer).__name__} has nothing to cut")
    return organ


def writes(side: Side) -> bool:
    """Whether channels of a side are written by their layer: its outputs, hidden states or heads."""
    return side == "out" or side.startswith(("hidden", "heads"))


def cut(layer: Module, kept: Kept) -> None:
    """Cut a layer of our own in place.

    Parameters
    ----------
    layer
        Of a kind that `organ_of` knows.
    kept
        For each side that changes the numbers of the channels that stay, ascending.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(3, 4)
    >>> cut(layer, {"in": [0, 2], "out": [1]})
    >>> layer
    Linear(in_features=2, out_features=1, bias=True)
    """
    import torch

    organ = known_organ(layer)
    expanded = organ.expand(layer, kept)
    for name, axes in organ.slices(layer).items():
        owner, _, own = name.rpartition(".")
        part = layer.get_submodule(owner)
        held = getattr(part, own, None)
        if held is None:
            continue
        value = held.detach()
        for axis, side in axes.items():
            if side in expanded:
                value = value.index_select(axis, torch.tensor(list(expanded[side]), device=value.device))
        value = value.clone()
        is_parameter = isinstance(held, torch.nn.Parameter)
        setattr(part, own, torch.nn.Parameter(value, held.requires_grad) if is_parameter else value)
    sizes = organ.sides(layer) | {side: len(numbers) for side, numbers in kept.items()}
    organ.resize(layer, sizes)


def _last(layer: Any, value: Tensor) -> int:
    return -1


def _after_batch(layer: Any, value: Tensor) -> int:
    return 1 - value.dim()


def _before_places(layer: Any, value: Tensor) -> int:
    return -1 - len(layer.kernel_size)


def _set(**names: Side) -> Callable[[Any, dict[Side, int]], None]:
    def resize(layer: Any, sizes: dict[Side, int]) -> None:
        for name, side in names.items():
            if hasattr(layer, name):
                setattr(layer, name, sizes[side])

    return resize


_LINEAR = Organ(
    sides=lambda layer: {"in": layer.in_features, "out": layer.out_features},
    axis=_last,
    slices=lambda layer: {"weight": {0: "out", 1: "in"}, "bias": {0: "out"}},
    resize=_set(in_features="in", out_features="out"),
)


def _convolution_slices(layer: Any) -> dict[str, dict[int, Side]]:
    if layer.groups == 1:
        return {"weight": {0: "out", 1: "in"}, "bias": {0: "out"}}
    if layer.groups == layer.in_channels:  # depthwise: each group reads one channel
        return {"weight": {0: "out"}, "bias": {0: "out"}}
    return {"weight": {0: "out", 1: "in of a group"}, "bias": {0: "out"}}


def _convolution_sides(layer: Any) -> dict[Side, int]:
    sides = {"in": layer.in_channels, "out": layer.out_channels}
    if 1 < layer.groups < layer.in_channels:
        sides["in of a group"] = layer.in_channels // layer.groups
    return sides


def _convolution_ties(layer: Any) -> Iterator[tuple[tuple[Side, int], tuple[Side, int]]]:
    """Groups stay equal: what one group loses, all lose. In a depthwise layer a group is one channel, and goes."""
    groups, size, outputs = layer.groups, layer.in_channels // layer.groups, layer.out_channels // layer.groups
    if groups == 1:
        return
    for channel in range(layer.out_channels):
        yield ("out", channel), (("in", channel // outputs) if size == 1 else ("out", channel % outputs))
    if size > 1:
        for channel in range(layer.in_channels):
            yield ("in", channel), ("in of a group", channel % size)


def _resize_convolution(layer: Any, sizes: dict[Side, int]) -> None:
    if layer.groups == layer.in_channels:
        layer.groups = sizes["in"]
    layer.in_channels, layer.out_channels = sizes["in"], sizes["out"]


_CONVOLUTION = Organ(
    sides=_convolution_sides,
    axis=_before_places,
    slices=_convolution_slices,
    ties=_convolution_ties,
    resize=_resize_convolution,
)
_TRANSPOSED = Organ(
    sides=lambda layer: {"in": layer.in_channels, "out": layer.out_channels},
    axis=_before_places,
    slices=lambda layer: {"weight": {0: "in", 1: "out"}, "bias": {0: "out"}},
    resize=_set(in_channels="in", out_channels="out"),
)
_NORM = Organ(
    sides=lambda layer: {"in": layer.num_features},
    axis=_after_batch,
    slices=lambda layer: {name: {0: "in"} for name in ("weight", "bias", "running_mean", "running_var")},
    resize=_set(num_features="in"),
    passes=True,
)


_SLOPES = Organ(
    sides=lambda layer: {"in": layer.num_parameters},
    axis=_after_batch,
    slices=lambda layer: {"weight": {0: "in"}},
    resize=_set(num_parameters="in"),
    passes=True,
)


def _resize_layer_norm(layer: Any, sizes: dict[Side, int]) -> None:
    layer.normalized_shape = (sizes["in"],)


_LAYER_NORM = Organ(
    sides=lambda layer: {"in": layer.normalized_shape[0]},
    axis=_last,
    slices=lambda layer: {"weight": {0: "in"}, "bias": {0: "in"}},
    resize=_resize_layer_norm,
    passes=True,
)


def _group_ties(layer: Any) -> Iterator[tuple[tuple[Side, int], tuple[Side, int]]]:
    size = layer.num_channels // layer.num_groups
    for channel in range(layer.num_channels):
        if layer.num_groups > 1:
            yield ("in", channel), ("in", channel % size)


_GROUP_NORM = Organ(
    sides=lambda layer: {"in": layer.num_channels},
    axis=_after_batch,
    slices=lambda layer: {"weight": {0: "in"}, "bias": {0: "in"}},
    ties=_group_ties,
    resize=_set(num_channels="in"),
    passes=True,
)
_EMBEDDING = Organ(
    sides=lambda layer: {"out": layer.embedding_dim},
    axis=_last,
    slices=lambda layer: {"weight": {1: "out"}},
    resize=_set(embedding_dim="out"),
)


def hidden_sides(layer: Any) -> list[Side]:
    """The sides of a recurrent layer that are its hidden states: for each of its layers, each direction."""
    return [_hidden(number, end) for number in range(layer.num_layers) for end in _ends(layer)]


def _ends(layer: Any) -> tuple[str, ...]:
    return ("", "_reverse") if layer.bidirectional else ("",)


def _hidden(number: int, end: str) -> Side:
    return f"hidden {number}{end}"


def _recurrent_slices(layer: Any) -> dict[str, dict[int, Side]]:
    found: dict[str, dict[int, Side]] = {}
    for number in range(layer.num_layers):
        for end in _ends(layer):
            rows, below = f"gates {_hidden(number, end)}", "in" if number == 0 else f"both {number - 1}"
            found[f"weight_ih_l{number}{end}"] = {0: rows, 1: below}
            found[f"weight_hh_l{number}{end}"] = {0: rows, 1: _hidden(number, end)}
            if layer.bias:
                found[f"bias_ih_l{number}{end}"] = found[f"bias_hh_l{number}{end}"] = {0: rows}
    return found


def _expand_recurrent(layer: Any, kept: Kept) -> Kept:
    """A hidden state has a row for each gate, and is what the layer above reads, both directions side by side."""
    from torch import nn

    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[type(layer)]
    size, expanded = layer.hidden_size, dict(kept)
    for number in range(layer.num_layers):
        both: list[int] = []
        for place, end in enumerate(_ends(layer)):
            stay = kept.get(_hidden(number, end), range(size))
            expanded[f"gates {_hidden(number, end)}"] = [gate * size + unit for gate in range(gates) for unit in stay]
            both += [place * size + unit for unit in stay]
        expanded[f"both {number}"] = both
    return expanded


def _resize_recurrent(layer: Any, sizes: dict[Side, int]) -> None:
    layer.input_size, layer.hidden_size = sizes["in"], sizes["hidden 0"]
    layer.flatten_parameters()


_RECURRENT = Organ(
    sides=lambda layer: {"in": layer.input_size, **dict.fromkeys(hidden_sides(layer), layer.hidden_size)},
    axis=_last,
    slices=_recurrent_slices,
    expand=_expand_recurrent,
    resize=_resize_recurrent,
)


def _expand_heads(layer: Any, kept: Kept) -> Kept:
    """A head has rows for its queries, its keys and its values, and columns of what puts the heads together."""
    if "heads" not in kept:
        return kept
    size, width = layer.head_dim, layer.num_heads * layer.head_dim
    columns = [head * size + place for head in kept["heads"] for place in range(size)]
    rows = [part * width + column for part in range(3) for column in columns]
    return {**kept, "rows of heads": rows, "columns of heads": columns}


def _resize_attention(layer: Any, sizes: dict[Side, int]) -> None:
    layer.in_features, layer.out_features, layer.num_heads = sizes["in"], sizes["out"], sizes["heads"]
    layer.out_proj.out_features, layer.out_proj.in_features = layer.out_proj.weight.shape


_ATTENTION = Organ(
    sides=lambda layer: {"in": layer.in_features, "out": layer.out_features, "heads": layer.num_heads},
    axis=_last,
    slices=lambda layer: {
        "in_proj_weight": {0: "rows of heads", 1: "in"},
        "in_proj_bias": {0: "rows of heads"},
        "out_proj.weight": {0: "out", 1: "columns of heads"},
        "out_proj.bias": {0: "out"},
    },
    expand=_expand_heads,
    resize=_resize_attention,
    writer="out_proj",
)
