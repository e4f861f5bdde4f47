"""Short names inside an ONNX file: in a small net, the exporter's own are a tenth of the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

# Constants that have no name in the network: the exporters number them in the order in which they meet them.
_MADE_UP = re.compile(r"(val_|int64_|float|bool|onnx::|/|_to_copy)")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def shortened(model: ModelProto) -> None:
    """Rename the values between the layers in place; weights and inputs keep theirs, the output becomes ``output``.

    Examples
    --------
    >>> from onnx import helper
    >>> nodes = [helper.make_node(*kind) for kind in (("Relu", ["x"], ["relu_of_x"]), ("Abs", ["relu_of_x"], ["y"]))]
    >>> ends = [helper.make_tensor_value_info(name, 1, ["batch"]) for name in ("x", "y")]
    >>> model = helper.make_model(helper.make_graph(nodes, "graph", ends[:1], ends[1:]))
    >>> shortened(model)
    >>> [(*node.input, *node.output) for node in model.graph.node]
    [('x', '0'), ('0', 'output')]
    """
    graph = model.graph
    ends = {value.name: value.name for value in graph.input} | {value.name: "output" for value in graph.output}
    weights = [tensor.name for tensor in graph.initializer if tensor.name not in ends]
    kept = {name for name in weights if not _MADE_UP.match(name)}
    names = dict(ends)
    short = (name for name in _counted() if name not in kept and name not in ends.values())
    if kept & set(ends.values()):
        return  # a weight has that very name: leave everything as it is
    for name in (*weights, *_made_in(graph)):
        if name and name not in names and name not in kept:
            names[name] = next(short)
    _rename(graph, names)


def name_inputs(model: ModelProto, wanted: Sequence[str]) -> None:
    """Call the inputs of a graph so, in their order, in place; a value between the layers of that name gets another.

    Where a weight has that very name, everything is left as it is.

    Examples
    --------
    >>> from onnx import helper
    >>> ends = [helper.make_tensor_value_info(name, 1, ["batch"]) for name in ("x", "y")]
    >>> nodes = [helper.make_node(*kind) for kind in (("Relu", ["x"], ["ids"]), ("Abs", ["ids"], ["y"]))]
    >>> model = helper.make_model(helper.make_graph(nodes, "graph", ends[:1], ends[1:]))
    >>> name_inputs(model, ["ids"])
    >>> [(*node.input, *node.output) for node in model.graph.node]
    [('ids', 'ids_'), ('ids_', 'y')]
    """
    graph = model.graph
    if {tensor.name for tensor in graph.initializer} & set(wanted):
        return
    names = dict(zip((value.name for value in graph.input), wanted, strict=True))
    names |= {name: f"{name}_" for name in _made_in(graph) if name in wanted and name not in names}
    _rename(graph, names)


def _counted() -> Iterator[str]:
    number = 0
    while True:
        digits, rest = "", number
        while True:
            rest, digit = divmod(rest, len(_DIGITS))
            digits = _DIGITS[digit] + digits
            if not rest:
                break
        yield digits
        number += 1


def _made_in(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield from node.output
        for inner in graphs_of(node):
            yield from (value.name for value in (*inner.input, *inner.initializer))
            yield from _made_in(inner)


def graphs_of(node: Any) -> Iterator[Any]:
    """The graphs inside a node, such as the body of a loop."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g


def read_by(node: Any) -> Iterator[str]:
    """The names of all values that a node reads, those that only a graph inside it reads among them."""
    yield from node.input
    for graph in graphs_of(node):
        for inner in graph.node:
            yield from read_by(inner)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
        for inner in graphs_of(node):
            _rename(inner, names)
