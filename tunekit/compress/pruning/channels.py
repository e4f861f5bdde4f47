"""Removing channels, hidden units and heads until a share of the network is gone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress.fused import leave_fused_path
from tunekit.compress.inputs import call, copy_of, take
from tunekit.compress.macs import macs
from tunekit.compress.pruning.anatomy import anatomy
from tunekit.compress.pruning.families import Family, families_of
from tunekit.compress.pruning.organs import Kept, Side, cut, organ_of
from tunekit.compress.pruning.widths import ALIGNMENTS, Fit, Losses, fit
from tunekit.compress.slim_attention import SlimAttention, slim
from tunekit.compress.ties import tie, tied
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs

# How near to the amount is near enough, as a share of the original.
TOLERANCE = 0.01
# Where widths need not be round it is met more nearly: as a share of the original, and of what is to be left.
_FINE, _OF_THE_REST = 0.0025, 0.025


@dataclass(frozen=True, slots=True)
class Removal:
    """A network with less in it.

    Parameters
    ----------
    network
        A new network.
    notes
        What was removed and what was left alone, in sentences.
    """

    network: Module
    notes: tuple[str, ...]


def cost(network: Module, x: Inputs, of: str) -> float:
    """What a network costs: its parameters, its MACs for one example, or the bytes of its weights.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(4, 2)
    >>> [cost(layer, torch.zeros(1, 4), of) for of in ("parameters", "macs", "size")]
    [10, 8, 40]
    """
    if of == "macs":
        return macs(network, x)
    if of == "size":
        return sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    return sum(parameter.numel() for parameter in network.parameters())


def remove(
    network: Module,
    x: Inputs,
    most: float,
    *,
    of: str,
    whole: float,
    scores: Mapping[str, Tensor],
    may_lose: Callable[[str], bool] = lambda name: True,
    evenly: bool = False,
    round_to: int = ALIGNMENTS[0],
) -> Removal:
    """Remove the least important channels until the network costs no more than it may.

    Channels are ranked over all layers together, by the root of the sum of the squares of the scores of all that goes
    with a channel, divided by the mean over the channels of the same layers.

    Parameters
    ----------
    network
        A network of our own on the CPU, in evaluation mode; it stays as it is.
    x
        A few real inputs.
    most
        What it may cost; met within 1 % of ``whole`` where single channels are small enough.
    of
        ``"parameters"``, ``"macs"`` or ``"size"``: see `cost`.
    whole
        What the original costs.
    scores
        For each weight that counts, by its name, a tensor of its shape.
    may_lose
        Whether a layer, by its name, may lose channels that it writes.
    evenly
        Whether channels are ranked among those of the same layers alone, so that all lose about the same share.
    round_to
        What widths are multiples of where they can be, one of 16, 8, 4, 2 and 1.

    Raises
    ------
    ValueError
        If there is nothing to remove.

    References
    ----------
    Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023 (what hangs together goes together, and the
    scores are divided by their mean); Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017.
    """
    body = copy.deepcopy(network)
    replaced = _slimmed(body)
    leave_fused_path(body)
    wanted = _shape_of(body, x)
    found = anatomy(body, lambda: _run(body, x))
    families = [family for family in families_of(body, found.bundles, scores) if family.may_go(may_lose, body)]
    working = [family for family in families if _works(body, x, family, wanted)]
    # a family of one is a layer's last channel, which stays
    broken = [family.names[0] for family in families if family not in working and len(family.bundles) > 1]
    if not working:
        reasons = [f"{name!r}: {why}" for name, why in {**_whole(body), **found.fixed}.items()]
        reasons += [f"{name!r}: the forward pass has its size written in it" for name in broken]
        raise ValueError(
            f"a channel can go where only layers read it: {type(network).__name__} has none that can "
            f"({'; '.join(reasons[:5]) or 'no layer is allowed to lose any'}); prune weights instead"
        )
    if evenly:
        working = [family.ranked for family in working]
    tolerance = TOLERANCE * whole if round_to > 1 else min(_FINE * whole, _OF_THE_REST * most)
    chosen = fit(working, lambda losses: cost(_without(body, working, losses), x, of), most, tolerance, round_to)
    slimmer = _without(body, working, chosen.losses)
    if not _runs(slimmer, x, wanted):
        raise ValueError(
            f"channels are removed from layers that do not know of each other's sizes: {type(network).__name__} runs "
            f"without a channel of each of {text.listed([family.names[0] for family in working])}, but not without "
            "many of all; name those in layers= that may lose some"
        )
    _restore_attention(slimmer, replaced)
    leave_fused_path(slimmer)
    missed = abs(cost(slimmer, x, of) - most) / whole
    cuttable = {name for family in working for name in family.names}
    mixed = [name for name, why in found.fixed.items() if "output" not in why and name not in cuttable]
    notes = [f"Channels removed: {_change(network, slimmer, x, of)}{_widths(chosen, working)}."]
    if missed > TOLERANCE:
        notes.append(
            f"The amount is missed by {100 * missed:.1f} % of the original: "
            "single channels are too large a part of it, or no more can go."
        )
    if broken:
        notes.append(f"Left alone, as the forward pass has their size written in it: {text.listed(broken)}.")
    notes += [f"Left alone: {name!r}; {why}." for name, why in _whole(body).items()]
    if mixed:
        notes.append(f"Left alone, as what reads them cannot be cut: {text.listed(mixed[:5])}.")
    return Removal(slimmer, tuple(notes))


def _without(body: Module, families: Sequence[Family], losses: Losses) -> Module:
    """Return a copy without the least important channels of each family."""
    slimmer = copy.deepcopy(body)
    layers = dict(slimmer.named_modules())
    gone: dict[str, dict[Side, set[int]]] = {}
    for family, count in zip(families, losses, strict=True):
        for name, side, number in (node for bundle in family.bundles[:count] for node in bundle):
            if name:
                gone.setdefault(name, {}).setdefault(side, set()).add(number)
    for name, sides in gone.items():
        organ = organ_of(layers[name])
        if organ is not None:
            sizes = organ.sides(layers[name])
            kept: Kept = {side: [one for one in range(sizes[side]) if one not in out] for side, out in sides.items()}
            cut(layers[name], kept)
    for names in tied(body):
        tie(slimmer, names)
    return slimmer


def _works(body: Module, x: Inputs, family: Family, wanted: tuple[int, ...]) -> bool:
    """Whether the network runs without one channel of a family: a forward pass may have their number written in it."""
    return len(family.bundles) > 1 and _runs(_without(body, [family], (1,)), x, wanted)


def _runs(network: Module, x: Inputs, wanted: tuple[int, ...]) -> bool:
    try:
        return _shape_of(network, x) == wanted
    except Exception:  # whatever a stranger's forward pass raises when a size is not the one it knows
        return False


def _slimmed(body: Module) -> dict[str, Module]:
    """Put attention into the form that can lose heads; return what was replaced, by name."""
    from torch import nn

    replaced: dict[str, Module] = {}
    for name, module in list(body.named_modules()):
        if type(module) is nn.MultiheadAttention and name:
            slimmed = slim(module)
            if slimmed is not None:
                replaced[name] = module
                _put(body, name, slimmed)
    return replaced


def _whole(body: Module) -> dict[str, str]:
    """Modules that lose nothing inside, by name, and why."""
    from torch import nn

    reasons: dict[str, str] = {}
    for name, module in body.named_modules():
        if isinstance(module, nn.RNNCellBase):
            reasons[name] = (
                f"the hidden units of nn.RNN, nn.LSTM and nn.GRU can go, those of a {type(module).__name__} stay"
            )
        elif isinstance(module, nn.MultiheadAttention):
            reasons[name] = "attention with add_bias_kv, add_zero_attn, kdim or vdim keeps its heads"
    return reasons


def _restore_attention(slimmer: Module, replaced: Mapping[str, Module]) -> None:
    """Put PyTorch's own attention back where nothing was cut."""
    for name, original in replaced.items():
        module = slimmer.get_submodule(name)
        given: Any = original
        whole = (given.embed_dim, given.embed_dim, given.num_heads)
        if isinstance(module, SlimAttention) and (module.in_features, module.out_features, module.num_heads) == whole:
            _put(slimmer, name, copy.deepcopy(original))


def _put(body: Module, name: str, module: Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(body.get_submodule(parent), own, module)


def _run(network: Module, x: Inputs) -> Tensor:
    import torch

    with torch.no_grad():
        first = take(x, slice(0, 2))
        output: Tensor = call(network, copy_of(first))  # it may write into its inputs
    return output


def _shape_of(network: Module, x: Inputs) -> tuple[int, ...]:
    return tuple(_run(network, x).shape)


def _change(network: Module, slimmer: Module, x: Inputs, of: str) -> str:
    what = {"parameters": "parameters", "macs": "MACs", "size": "bytes of weights"}[of]
    return f"{text.counted(cost(network, x, of))} → {text.counted(cost(slimmer, x, of))} {what}"


def _widths(chosen: Fit, families: Sequence[Family]) -> str:
    if chosen.alignment == 1:
        return ""
    odd = [families[number].names[0] for number in chosen.odd]
    said = f", widths in multiples of {chosen.alignment} where they are wide enough"
    return f"{said}, {text.listed(odd)} excepted" if odd else said
