"""Removing channels, hidden units and heads until a share of the network is gone."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress.macs import macs
from tunekit.compress.pruning.anatomy import Node, anatomy
from tunekit.compress.pruning.organs import Kept, Side, cut, organ_of
from tunekit.compress.slim_attention import SlimAttention, slim
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Widths that processors like, the best first: where the amount cannot be met with one, the next is tried.
ALIGNMENTS = (16, 8, 4, 2, 1)
# How near to the amount is near enough, as a share of the original.
TOLERANCE = 0.01


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


@dataclass(frozen=True, slots=True)
class _Family:
    """Channels of the same layers, from the least to the most important, each a bundle of what goes together."""

    bundles: list[list[Node]]
    scores: list[float]

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for name, *_ in self.bundles[0]))


def cost(network: Module, x: Tensor, of: str) -> float:
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
    x: Tensor,
    most: float,
    *,
    of: str,
    whole: float,
    scores: Mapping[str, Tensor],
    may_lose: Callable[[str], bool] = lambda name: True,
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
    wanted = _shape_of(body, x)
    found = anatomy(body, lambda: _run(body, x[:2]))
    families = [
        family for family in _families(body, found.bundles, _renamed(scores, replaced)) if _may_go(family, may_lose)
    ]
    working = [family for family in families if _works(body, x, family, wanted)]
    if not working:
        reasons = [f"{name!r}: {why}" for name, why in found.fixed.items()]
        raise ValueError(
            f"a channel can go where only layers read it: {type(network).__name__} has none that can "
            f"({'; '.join(reasons[:5]) or 'no layer is allowed to lose any'}); prune weights instead"
        )
    order = sorted(
        (score, number, place) for number, family in enumerate(working) for place, score in enumerate(family.scores)
    )
    best: tuple[float, Module, int] | None = None
    for alignment in ALIGNMENTS:
        for candidate in _search(body, x, working, order, most, of, alignment):
            error = abs(cost(candidate, x, of) - most) / whole
            if best is None or error < best[0] - 1e-12:
                best = error, candidate, alignment
        if best is not None and best[0] <= TOLERANCE:
            break
    if best is None:
        raise ValueError("unreachable: every alignment has a candidate")
    error, slimmer, alignment = best
    _restore_attention(slimmer, replaced)
    return Removal(slimmer, _notes(network, slimmer, x, of, whole, error, alignment, families, working, found.fixed))


def _search(
    body: Module,
    x: Tensor,
    families: Sequence[_Family],
    order: Sequence[tuple[float, int, int]],
    most: float,
    of: str,
    alignment: int,
) -> Iterator[Module]:
    """Halve the number of channels that go until the two numbers next to the amount are found; yield both networks."""
    low, high = 0, len(order)  # so many cost too much; so many cost too little, or all
    reached: dict[int, tuple[tuple[int, ...], Module]] = {}

    def with_fewer(count: int) -> Module:
        losses = _losses(families, order[:count], alignment)
        for known, made in reached.values():
            if known == losses:
                return made
        reached[count] = losses, _without(body, families, losses)
        return reached[count][1]

    while high - low > 1:
        middle = (low + high) // 2
        if cost(with_fewer(middle), x, of) > most:
            low = middle
        else:
            high = middle
    yield with_fewer(low)
    yield with_fewer(high)


def _losses(families: Sequence[_Family], gone: Sequence[tuple[float, int, int]], alignment: int) -> tuple[int, ...]:
    """How many channels each family loses, so that what stays is a multiple of the alignment, and never nothing."""
    losses = []
    for number, family in enumerate(families):
        width = len(family.bundles)
        kept = width - sum(1 for _, owner, _ in gone if owner == number)
        if width > alignment:
            kept = min(width, math.ceil(max(kept, 1) / alignment) * alignment)
        losses.append(width - max(kept, 1))
    return tuple(losses)


def _without(body: Module, families: Sequence[_Family], losses: Sequence[int]) -> Module:
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
    return slimmer


def _works(body: Module, x: Tensor, family: _Family, wanted: tuple[int, ...]) -> bool:
    """Whether the network runs without one channel of a family: a forward pass may have their number written in it."""
    if len(family.bundles) < 2:
        return False
    try:
        return _shape_of(_without(body, [family], [1]), x) == wanted
    except Exception:  # whatever a stranger's forward pass raises when a size is not the one it knows
        return False


def _may_go(family: _Family, may_lose: Callable[[str], bool]) -> bool:
    writers = {name for name, side, _ in family.bundles[0] if side == "out" or side.startswith(("hidden", "heads"))}
    return all(may_lose(name) for name in writers)


def _families(body: Module, bundles: Sequence[list[Node]], scores: Mapping[str, Tensor]) -> list[_Family]:
    layers = dict(body.named_modules())
    known: dict[tuple[str, Side], list[float]] = {}
    grouped: dict[frozenset[tuple[str, Side]], list[tuple[float, list[Node]]]] = {}
    for bundle in bundles:
        total = 0.0
        for name, side, number in bundle:
            if (name, side) not in known:
                known[name, side] = _squares(name, layers[name], side, scores)
            total += known[name, side][number]
        grouped.setdefault(frozenset((name, side) for name, side, _ in bundle), []).append((math.sqrt(total), bundle))
    families = []
    for scored in _joined_states(grouped):
        scored = sorted(scored, key=lambda pair: pair[0])
        mean = sum(score for score, _ in scored) / len(scored)
        families.append(_Family([bundle for _, bundle in scored], [score / (mean or 1.0) for score, _ in scored]))
    return families


def _joined_states(
    grouped: Mapping[frozenset[tuple[str, Side]], list[tuple[float, list[Node]]]],
) -> Iterator[list[tuple[float, list[Node]]]]:
    """Let all hidden states of one recurrent layer lose as many: the weakest of each go together, and so on."""
    together: dict[str, list[list[tuple[float, list[Node]]]]] = {}
    for sides, scored in grouped.items():
        owner = next((name for name, side in sides if side.startswith("hidden")), None)
        if owner is None:
            yield scored
        else:
            together.setdefault(owner, []).append(sorted(scored, key=lambda pair: pair[0]))
    for states in together.values():
        if len({len(scored) for scored in states}) == 1:
            yield [
                (math.sqrt(sum(score**2 for score, _ in rank)), [node for _, bundle in rank for node in bundle])
                for rank in zip(*states, strict=True)
            ]


def _squares(name: str, layer: Any, side: Side, scores: Mapping[str, Tensor]) -> list[float]:
    """For each channel of a side the sum of the squares of the scores of all weights that go with it."""
    import torch

    organ = organ_of(layer)
    if organ is None:
        raise TypeError(f"unreachable: {type(layer).__name__} has nothing to cut")
    count = organ.sides(layer)[side]
    nothing = {key: set(value) for key, value in organ.expand(layer, {side: []}).items()}
    sums = torch.zeros(count, dtype=torch.float64)
    for own, axes in organ.slices(layer).items():
        score = scores.get(f"{name}.{own}" if name else own)
        if score is None:
            continue
        for axis, belongs in axes.items():
            along = (
                score.double().square().movedim(axis, 0).flatten(1).sum(1)
                if score.dim() > 1
                else score.double().square()
            )
            if belongs == side:
                sums += along
            elif belongs in nothing:
                for unit in range(count):
                    own_rows = set(organ.expand(layer, {side: [unit]})[belongs]) - nothing[belongs]
                    sums[unit] += along[sorted(own_rows)].sum()
    return [float(value) for value in sums]


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


def _restore_attention(slimmer: Module, replaced: Mapping[str, Module]) -> None:
    """Put PyTorch's own attention back where nothing was cut."""
    for name, original in replaced.items():
        module = slimmer.get_submodule(name)
        given: Any = original
        whole = (given.embed_dim, given.embed_dim, given.num_heads)
        if isinstance(module, SlimAttention) and (module.in_features, module.out_features, module.num_heads) == whole:
            _put(slimmer, name, copy.deepcopy(original))


def _renamed(scores: Mapping[str, Tensor], replaced: Mapping[str, Module]) -> dict[str, Tensor]:
    """Give the scores of attention's output projection the name that it has in its slim form."""
    renamed = dict(scores)
    for name in replaced:
        for part in ("weight", "bias"):
            if f"{name}.out_proj.{part}" in renamed:
                renamed[f"{name}.out_proj_{part}"] = renamed[f"{name}.out_proj.{part}"]
    return renamed


def _put(body: Module, name: str, module: Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(body.get_submodule(parent), own, module)


def _run(network: Module, x: Tensor) -> Tensor:
    import torch

    with torch.no_grad():
        output: Tensor = network(x)
    return output


def _shape_of(network: Module, x: Tensor) -> tuple[int, ...]:
    return tuple(_run(network, x[:2]).shape)


def _notes(
    network: Module,
    slimmer: Module,
    x: Tensor,
    of: str,
    whole: float,
    error: float,
    alignment: int,
    families: Sequence[_Family],
    working: Sequence[_Family],
    fixed: Mapping[str, str],
) -> tuple[str, ...]:
    before, after = cost(network, x, of), cost(slimmer, x, of)
    what = {"parameters": "parameters", "macs": "MACs", "size": "bytes of weights"}[of]
    widths = "" if alignment == 1 else f", widths in multiples of {alignment} where they are wide enough"
    said = [f"Channels removed: {text.counted(before)} → {text.counted(after)} {what}{widths}."]
    if error > TOLERANCE:
        said.append(
            f"The amount is missed by {100 * error:.1f} % of the original: "
            "single channels are too large a part of it, or no more can go."
        )
    broken = [
        name for family in families if family not in working and len(family.bundles) > 1 for name in family.names[:1]
    ]
    if broken:
        said.append(f"Left alone, as the forward pass has their size written in it: {text.listed(broken)}.")
    cuttable = {name for family in working for name in family.names}
    mixed = [name for name, why in fixed.items() if "output" not in why and name not in cuttable]
    if mixed:
        said.append(f"Left alone, as what reads them cannot be cut: {text.listed(mixed[:5])}.")
    return tuple(said)
