"""Which channels of a network hang together, found out by touching them.

A layer's forward pass is replaced by one that writes fixed numbers, whatever it reads. Then one channel after the other
is changed a little, and it is seen which layers read something else, in which of their channels: those read that
channel, through whatever reshaping, pooling, adding or slicing lies between. Channels that are read by the same reader,
as on both arms of a residual block, only go together. No code is looked at and no graph is needed, so that any forward
pass will do, and what cannot be told apart is left alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tunekit.compress.pruning.organs import Organ, Side, hidden_sides, organ_of, writes
from tunekit.compress.ties import tied
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# A channel of a layer: the layer's name, the side, and the channel's number.
Node = tuple[str, Side, int]

# By how much a channel is changed, and what layers write: together so that no common activation hides the change, not
# even one that clips to 0 ... 1.
_CHANGE = 1.0
_LOWEST, _HIGHEST = 0.55, 0.95
_SEED = 0


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
    probe = _Probe(network, layers, run)
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
    organ = _organ(layer)
    if organ.passes:
        return {}
    sides = organ.sides(layer)
    hidden = {side: count for side, count in sides.items() if side.startswith("hidden")}
    return hidden or {"out": sides["out"]}


def _trace(probe: _Probe, ties: _Ties, name: str, side: Side, count: int) -> None:
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


def _readers(probe: _Probe, name: str, side: Side, units: range) -> tuple[list[tuple[int, Node]], set[Node]]:
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
    organ = _organ(layer)
    for side, count in organ.sides(layer).items():
        for number in range(count):
            ties.add((name, side, number))
    for (side, number), (other_side, other) in organ.ties(layer):
        ties.tie((name, side, number), (name, other_side, other))


def _tie_shared(names: list[str], layers: Mapping[str, Module], ties: _Ties) -> None:
    """Layers that share a weight lose the same of it; where it stands for something else in each, they lose nothing."""
    owners = [name.rpartition(".")[0] for name in names]
    axes = [
        _organ(layers[owner]).slices(layers[owner]).get(name.rpartition(".")[2], {}) if owner in layers else {}
        for owner, name in zip(owners, names, strict=True)
    ]
    for axis in {axis for found in axes for axis in found}:
        ends = [(owner, found.get(axis, "")) for owner, found in zip(owners, axes, strict=True)]
        if all(owner in layers and side in _organ(layers[owner]).sides(layers[owner]) for owner, side in ends):
            count = _organ(layers[ends[0][0]]).sides(layers[ends[0][0]])[ends[0][1]]
            for (owner, side), number in itertools.product(ends[1:], range(count)):
                ties.tie((*ends[0], number), (owner, side, number))
            continue
        for owner, side in ends:
            sides = _organ(layers[owner]).sides(layers[owner]) if owner in layers else {}
            for one in [side] if side in sides else sides if side else []:
                for number in range(sides[one]):
                    ties.fix((owner, one, number), f"it shares {text.listed(names)}")


def _organ(layer: Module) -> Organ:
    organ = organ_of(layer)
    if organ is None:
        raise TypeError(f"unreachable: {type(layer).__name__} has nothing to cut")
    return organ


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


class _Probe:
    """Runs the network with layers that write fixed numbers, and sees what the layers read."""

    def __init__(self, network: Module, layers: Mapping[str, Module], run: Callable[[], Tensor]) -> None:
        self._network, self._layers, self._run = network, layers, run
        self._kept: dict[int, Any] = {}  # what each call of a layer writes, in the order of the calls
        self._calls = 0
        self._is_recording = False
        self._change: tuple[str, Side, list[int]] | None = None
        self._read: dict[tuple[str, int], Tensor] = {}
        self._baseline: dict[tuple[str, int], Tensor] = {}
        self.writers: list[str] = []

    @contextmanager
    def attached(self) -> Iterator[None]:
        own = {name: layer.__dict__.get("forward") for name, layer in self._layers.items()}
        try:
            for name, layer in self._layers.items():
                layer.__dict__["forward"] = self._stub(name, layer, layer.forward)
            yield
        finally:
            for name, layer in self._layers.items():
                layer.__dict__.pop("forward")
                if own[name] is not None:
                    layer.__dict__["forward"] = own[name]

    def record(self) -> None:
        """Run once with the layers' own forward passes, to learn what they write; then once with fixed numbers."""
        self._is_recording = True
        self._pass()
        self._is_recording = False
        self._pass()
        self._baseline = dict(self._read)

    def strangers(self) -> list[tuple[str, Side, list[int]]]:
        """What is read and was written by no layer: the network's inputs, and parameters of its own."""
        return [("", "inputs", []), *(("", name, []) for name in self._own_parameters())]

    def touched(self, change: tuple[str, Side, list[int]]) -> list[Node]:
        """The channels of all layers, and of the output, that read something else when some channels are changed."""
        import torch

        self._change = change
        try:
            if change[0]:
                self._pass()
            else:
                self._pass_with_strange(change[1])
        finally:
            self._change = None
        found: list[Node] = []
        for (name, call), value in self._read.items():
            before = self._baseline.get((name, call))
            if before is None or before.shape != value.shape:
                raise ValueError(
                    "a network whose channels are removed runs the same way each time: this one branches on its data; "
                    "prune weights instead"
                )
            if torch.equal(before, value):
                continue
            axis = self._axis(name, value)
            differs = (before != value).movedim(axis, -1).reshape(-1, value.shape[axis]).any(0)
            found += [(name, "in", int(place)) for place in torch.nonzero(differs).flatten()]
        return list(dict.fromkeys(found))

    def _own_parameters(self) -> list[str]:
        inside = {id(p) for layer in self._layers.values() for p in layer.parameters()}
        return [name for name, p in self._network.named_parameters() if id(p) not in inside]

    def _pass(self) -> None:
        self._calls, self._read = 0, {}
        output = self._run()
        self._read["", 0] = output.detach()

    def _pass_with_strange(self, what: str) -> None:
        if what == "inputs":
            handle = self._network.register_forward_pre_hook(_shifted)
            try:
                self._pass()
            finally:
                handle.remove()
            return
        parameter = self._network.get_parameter(what)
        parameter.data.add_(_CHANGE)
        try:
            self._pass()
        finally:
            parameter.data.sub_(_CHANGE)

    def _axis(self, name: str, value: Tensor) -> int:
        if not name:
            return -1 if value.dim() else 0
        return _organ(self._layers[name]).axis(self._layers[name], value)

    def _stub(self, name: str, layer: Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        organ = _organ(layer)

        def written(*args: Any, **kwargs: Any) -> Any:
            import torch

            call, self._calls = self._calls, self._calls + 1
            if not isinstance(args[0] if args else None, torch.Tensor):
                raise ValueError(
                    f"channels are removed where layers read tensors: {name!r} reads a "
                    f"{type(args[0]).__name__ if args else 'keyword'}; prune weights instead"
                )
            given = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor)]
            for place, value in enumerate(given[: 3 if "heads" in organ.sides(layer) else 1]):
                if value.is_floating_point():
                    self._read[name, 4 * call + place] = value.detach().clone()
            if organ.passes:
                return args[0].clone()
            if self._is_recording:
                self._kept[call] = _filled(forward(*args, **kwargs), call)
                if name not in self.writers:
                    self.writers.append(name)
            if call not in self._kept:
                raise ValueError("a network whose channels are removed calls its layers in the same order each time")
            written = _twin(self._kept[call])  # the network may write into it
            if self._change is not None and self._change[0] == name:
                written = _changed(written, layer, organ, self._change[1], self._change[2])
            return written

        return written


def _twin(written: Any) -> Any:
    import torch

    if isinstance(written, tuple):
        return tuple(_twin(part) for part in written)
    return written.clone() if isinstance(written, torch.Tensor) else written


def _filled(written: Any, call: int) -> Any:
    """Replace what a layer has written by numbers of the same shape."""
    import torch

    if isinstance(written, torch.Tensor):
        generator = torch.Generator().manual_seed(_SEED + call)
        return (_LOWEST + (_HIGHEST - _LOWEST) * torch.rand(written.shape, generator=generator)).to(written)
    if isinstance(written, tuple):
        return tuple(_filled(part, call) for part in written)
    return written


def _changed(written: Any, layer: Module, organ: Organ, side: Side, units: list[int]) -> Any:
    import torch

    if side == "out":
        parts = list(written) if isinstance(written, tuple) else [written]
        parts[0] = _moved(parts[0], organ.axis(layer, parts[0]), units)
        return tuple(parts) if isinstance(written, tuple) else parts[0]
    # a hidden state: the last layer's is what the sequence shows, each one's last step stands beside it
    place, last = hidden_sides(layer).index(side), len(hidden_sides(layer))
    given: Any = layer
    directions = 2 if given.bidirectional else 1
    sequence, states = written
    if place >= last - directions:
        offset = (place - (last - directions)) * given.hidden_size
        sequence = _moved(sequence, -1, [offset + unit for unit in units])
    are_several = isinstance(states, tuple)
    moved = []
    for state in states if are_several else [states]:
        state = state.clone()
        state[place] = _moved(state[place], -1, units)
        moved.append(state)
    if not isinstance(sequence, torch.Tensor):
        raise ValueError("unreachable: a sequence is a tensor")
    return sequence, tuple(moved) if are_several else moved[0]


def _moved(value: Tensor, axis: int, units: list[int]) -> Tensor:
    import torch

    return value.index_add(
        axis % value.dim(),
        torch.tensor(units, dtype=torch.long, device=value.device),
        torch.full(
            [len(units) if place == axis % value.dim() else size for place, size in enumerate(value.shape)],
            _CHANGE,
            dtype=value.dtype,
            device=value.device,
        ),
    )


def _shifted(module: Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    import torch

    return tuple(
        value + _CHANGE if isinstance(value, torch.Tensor) and value.is_floating_point() else value for value in args
    )
