"""A network whose layers write fixed numbers, so that it can be seen who reads what.

Each layer's forward pass is replaced by one that writes the same numbers whatever it reads. Then channels are changed,
and it is seen which layers read something else, in which of their channels: those read the changed ones, through
whatever reshaping, pooling, adding or slicing lies between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tunekit.compress.pruning.organs import Organ, Side, hidden_sides, known_organ

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


class Probe:
    """Runs the network with layers that write fixed numbers, and sees what the layers read.

    Parameters
    ----------
    network
        A network of our own, in evaluation mode.
    layers
        Those that write fixed numbers, by name.
    run
        Runs the network on a few real inputs and returns its output.
    """

    def __init__(self, network: Module, layers: Mapping[str, Module], run: Callable[[], Tensor]) -> None:
        self._network, self._layers, self._run = network, layers, run
        self._kept: dict[int, Any] = {}  # what each call of a layer writes, in the order of the calls
        self._calls = 0
        self._is_recording = False
        self._change: tuple[str, Side, list[int]] | None = None
        self._baseline: dict[tuple[str, int], Tensor] | None = None  # what was read, by the layer and its place
        self._seen: dict[tuple[str, int], Tensor] = {}
        self._touched: dict[Node, None] = {}
        self._given: list[Tensor] = []
        self._is_written_into = True
        self.writers: list[str] = []

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let the layers write fixed numbers; afterwards they are as before."""
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
        self._baseline = None
        self._given = []
        self._pass()
        # PyTorch counts how often a tensor is written into; one that never is need not be copied each time
        self._is_written_into = any(value._version for value in self._given)
        self._given = []

    def strangers(self) -> list[tuple[str, Side, list[int]]]:
        """What is read and was written by no layer: the network's inputs, and parameters of its own."""
        return [("", "inputs", []), *(("", name, []) for name in self._own_parameters())]

    def touched(self, change: tuple[str, Side, list[int]]) -> list[Node]:
        """The channels of all layers, and of the output, that read something else when some channels are changed."""
        self._change = change
        try:
            if change[0]:
                self._pass()
            else:
                self._pass_with_strange(change[1])
        finally:
            self._change = None
        return list(self._touched)

    def _own_parameters(self) -> list[str]:
        inside = {id(p) for layer in self._layers.values() for p in layer.parameters()}
        return [name for name, p in self._network.named_parameters() if id(p) not in inside]

    def _pass(self) -> None:
        self._calls, self._touched, self._seen = 0, {}, {}
        self._look("", 0, self._run())
        if self._baseline is None:
            self._baseline = self._seen

    def _look(self, name: str, place: int, value: Tensor) -> None:
        """See what a layer, or whoever takes the output, reads: the first time it is kept, then compared with that."""
        import torch

        if self._baseline is None:
            self._seen[name, place] = value.detach().clone()
            return
        before = self._baseline.get((name, place))
        if before is None or before.shape != value.shape:
            raise ValueError(
                "a network whose channels are removed runs the same way each time: this one branches on its data; "
                "prune weights instead"
            )
        if torch.equal(before, value):
            return
        axis = self._axis(name, value)
        differs = (before != value).movedim(axis, -1).reshape(-1, value.shape[axis]).any(0)
        self._touched |= dict.fromkeys((name, "in", int(channel)) for channel in torch.nonzero(differs).flatten())

    def _pass_with_strange(self, what: str) -> None:
        if what == "inputs":
            handle = self._network.register_forward_pre_hook(_shifted, with_kwargs=True)
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
        return known_organ(self._layers[name]).axis(self._layers[name], value)

    def _handed(self, written: Any) -> Any:
        """What the network gets: a copy, where it might write into it."""
        import torch

        if isinstance(written, tuple):
            return tuple(self._handed(part) for part in written)
        if not isinstance(written, torch.Tensor) or not self._is_written_into:
            return written
        copied = written.clone()
        self._given.append(copied)
        return copied

    def _stub(self, name: str, layer: Module, forward: Callable[..., Any]) -> Callable[..., Any]:
        organ = known_organ(layer)

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
                    self._look(name, 4 * call + place, value)
            if organ.passes:
                return self._handed(args[0])
            if self._is_recording:
                self._kept[call] = _filled(forward(*args, **kwargs), call)
                if name not in self.writers:
                    self.writers.append(name)
            if call not in self._kept:
                raise ValueError("a network whose channels are removed calls its layers in the same order each time")
            written = self._handed(self._kept[call])
            if self._change is not None and self._change[0] == name:
                written = _changed(written, layer, organ, self._change[1], self._change[2])
            return written

        return written


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


def _shifted(module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    import torch

    def one(value: Any) -> Any:
        return value + _CHANGE if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return tuple(map(one, args)), {name: one(value) for name, value in kwargs.items()}
