"""Channels of the same layers, ranked: what belongs together, and how much it matters."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunekit.compress.pruning.organs import Side, known_organ, writes
from tunekit.compress.pruning.probe import Node

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, slots=True)
class Family:
    """Channels of the same layers.

    Parameters
    ----------
    bundles
        Each what goes together or not at all, from the least to the most important.
    scores
        How important each is; 1 on average.
    channels
        How many channels of one layer a bundle holds.
    """

    bundles: list[list[Node]]
    scores: list[float]
    channels: int = 1

    @property
    def names(self) -> list[str]:
        """The layers that lose something."""
        return list(dict.fromkeys(name for name, *_ in self.bundles[0]))

    @property
    def ranked(self) -> Family:
        """The same, with the place of each bundle among its own, from 0 to 1, as its score."""
        return replace(self, scores=[(place + 0.5) / len(self.bundles) for place in range(len(self.bundles))])

    def may_go(self, may_lose: Callable[[str], bool], body: Module) -> bool:
        """Whether all layers of a network that write these channels may lose some."""
        return all(may_lose(_writer(name, side, body)) for name, side, _ in self.bundles[0] if writes(side))


def _writer(name: str, side: Side, body: Module) -> str:
    part = known_organ(body.get_submodule(name)).writer if side == "out" else ""
    return f"{name}.{part}".strip(".") if part else name


def families_of(body: Module, bundles: Sequence[list[Node]], scores: Mapping[str, Tensor]) -> list[Family]:
    """Sort bundles of channels into families, each from the least to the most important.

    A bundle's score is the root of the sum of the squares of the scores of all weights that go with it, divided by the
    mean over its family.

    References
    ----------
    Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023.
    """
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
        members = [bundle for _, bundle in scored]
        families.append(Family(members, [score / (mean or 1.0) for score, _ in scored], _channels(members[0], layers)))
    return families


def _channels(bundle: list[Node], layers: Mapping[str, Any]) -> int:
    """How many channels of one layer go with a bundle: with a head all of its own, of a grouped layer one a group."""
    counted: dict[tuple[str, Side], int] = {}
    for name, side, _ in bundle:
        if writes(side):
            size = layers[name].head_dim if side == "heads" else 1
            counted[name, side] = counted.get((name, side), 0) + size
    return max(counted.values())


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

    organ = known_organ(layer)
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
