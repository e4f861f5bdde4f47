"""Which channels of a network hang together, found out by touching them.

Channels that are read by the same reader, as on both arms of a residual block, only go together. No code is looked at
and no graph is needed, so that any forward pass will do, and what cannot be told apart is left alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunekit.compress.pruning.organs import Side, known_organ, organ_of, writes
from tunekit.compress.pruning.probe import Node, Probe
from tunekit.compress.ties import tied
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The channels that hang together.

    Parameters
    ----------
    bundles
        Each a set of channels that go together or not at all.
    fixed
        For each layer that has to keep channels that it might otherwise lose, why.
    """

    bundles: list[list[Node]]
    fixed: dict[str, str] = field(default_factory=dict)


def anatomy(network: Module, run: Callable[[], Tensor]) -> Anatomy:
    """Find the channels of a network that hang together.

    Parameters
    ----------
    network
        A network of our own, in evaluation mode.
    run
        Runs the network on a few real inputs and returns its output.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> anatomy(net, lambda: net(torch.ones(1, 3))).bundles
    [[('0', 'out', 0), ('2', 'in', 0)], [('0', 'out', 1), ('2', 'in', 1)]]
    """
    import torch

    layers = {name: layer for name, layer in network.named_modules() if organ_of(layer) is not None}
    probe = Probe(network, layers, run)
    ties = _Ties()
    with torch.no_grad(), probe.attached():
        probe.record()
        for name, layer in layers.items():
            _tie_within(name, layer, ties)
        for names in tied(network):
            _tie_shared(names, layers, ties)
        for name in probe.writers:
            for side, count in _written(layers[name]).items():
                _trace(probe, ties, name, side, count)
        for what in probe.strangers():
            for node in probe.touched(what):
                ties.fix(node, "it reads something that is no layer's")
    return _sorted(ties, layers)


def _written(layer: Module) -> dict[Side, int]:
    organ = known_organ(layer)
    if organ.passes:
        return {}
    sides = organ.sides(layer)
    hidden = {side: count for side, count in sides.items() if side.startswith("hidden")}
    return hidden or {"out": sides["out"]}


def _trace(probe: Probe, ties: _Ties, name: str, side: Side, count: int) -> None:
    """Tie each channel that a layer writes to those that read it.

    A reader that reads several channels may read one of each half, as behind a gated linear unit, or of each third or
    quarter: then they only go together.
    """
    found, mixed = _readers(probe, name, side, range(count))
    for parts in (2, 3, 4):
        if not mixed or count % parts:
            continue
        size = count // parts
        answers = [_readers(probe, name, side, range(part * size, (part + 1) * size)) for part in range(parts)]
        apart = mixed.difference(*(still for _, still in answers))
        found += [(unit, node) for told, _ in answers for unit, node in told if node in apart]
        mixed -= apart
    for unit, node in found:
        ties.tie((name, side, unit), node)
        if not node[0]:
            ties.fix(node, "it writes the output")
    for node in mixed:
        reader = "the output" if not node[0] else f"layer {node[0]!r}"
        for unit in range(count):
            ties.fix((name, side, unit), f"its channels are mixed before {reader} reads them")
        ties.fix(node, f"it reads a mixture of the channels of {name!r}")


def _readers(probe: Probe, name: str, side: Side, units: range) -> tuple[list[tuple[int, Node]], set[Node]]:
    """Return who reads which of some channels, and who reads several of them.

    Each reader's channel is asked for the binary digits of the number of the channel that it reads: all channels whose
    number has a certain digit are changed at once. A reader that answers to a digit and to its opposite reads several.
    """
    digits = max(1, math.ceil(math.log2(len(units))))
    answers: dict[Node, list[int]] = {}
    mixed: set[Node] = set()
    for digit in range(digits):
        seen = [
            set(probe.touched((name, side, [unit for place, unit in enumerate(units) if place >> digit & 1 == value])))
            for value in (0, 1)
        ]
        mixed |= seen[0] & seen[1]
        for value in (0, 1):
            for node in seen[value]:
                answers.setdefault(node, []).append(value << digit)
    mixed |= {node for node, found in answers.items() if len(found) != digits or sum(found) >= len(units)}
    return [(units[sum(found)], node) for node, found in answers.items() if node not in mixed], mixed


def _tie_within(name: str, layer: Module, ties: _Ties) -> None:
    organ = known_organ(layer)
    for side, count in organ.sides(layer).items():
        for number in range(count):
            ties.add((name, side, number))
    for (side, number), (other_side, other) in organ.ties(layer):
        ties.tie((name, side, number), (name, other_side, other))


def _tie_shared(names: list[str], layers: Mapping[str, Module], ties: _Ties) -> None:
    """Layers that share a weight lose the same of it; where it stands for something else in each, they lose nothing."""
    owners = [_owner(name, layers) for name in names]
    axes = [
        known_organ(layers[owner]).slices(layers[owner]).get(name.removeprefix(f"{owner}."), {})
        if owner in layers
        else {}
        for owner, name in zip(owners, names, strict=True)
    ]
    for axis in {axis for found in axes for axis in found}:
        ends = [(owner, found.get(axis, "")) for owner, found in zip(owners, axes, strict=True)]
        if all(owner in layers and side in known_organ(layers[owner]).sides(layers[owner]) for owner, side in ends):
            count = known_organ(layers[ends[0][0]]).sides(layers[ends[0][0]])[ends[0][1]]
            for (owner, side), number in itertools.product(ends[1:], range(count)):
                ties.tie((*ends[0], number), (owner, side, number))
            continue
        for owner, side in ends:
            sides = known_organ(layers[owner]).sides(layers[owner]) if owner in layers else {}
            for one in [side] if side in sides else sides if side else []:
                for number in range(sides[one]):
                    ties.fix((owner, one, number), f"it shares {text.listed(names)}")


def _owner(parameter: str, layers: Mapping[str, Module]) -> str:
    """The layer that a parameter is of, or is of a part of; the module that holds it, where it is of no layer."""
    owner = holder = parameter.rpartition(".")[0]
    while owner and owner not in layers:
        owner = owner.rpartition(".")[0]
    return owner if owner in layers else holder


class _Ties:
    """Sets of channels that are tied to each other."""

    def __init__(self) -> None:
        self._parents: dict[Node, Node] = {}
        self.fixed: dict[Node, str] = {}

    def add(self, node: Node) -> None:
        self._parents.setdefault(node, node)

    def root(self, node: Node) -> Node:
        self.add(node)
        while self._parents[node] != node:
            self._parents[node] = self._parents[self._parents[node]]
            node = self._parents[node]
        return node

    def tie(self, one: Node, other: Node) -> None:
        self._parents[self.root(one)] = self.root(other)

    def fix(self, node: Node, why: str) -> None:
        self.add(node)
        self.fixed.setdefault(node, why)

    def sets(self) -> list[list[Node]]:
        found: dict[Node, list[Node]] = {}
        for node in self._parents:
            found.setdefault(self.root(node), []).append(node)
        return list(found.values())


def _sorted(ties: _Ties, layers: Mapping[str, Module]) -> Anatomy:
    """Part what can go from what has to stay."""
    bundles: list[list[Node]] = []
    fixed: dict[str, str] = {}
    for nodes in ties.sets():
        reasons = [ties.fixed[node] for node in nodes if node in ties.fixed]
        writers = [node for node in nodes if writes(node[1])]
        if reasons:
            for name, *_ in writers:
                fixed.setdefault(name, reasons[0])
        elif writers:
            bundles.append(nodes)
    return Anatomy(bundles, fixed)
