"""The memory that an ONNX file takes while it computes one example: exact, from the shapes in its graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress.onnx_names import graphs_of, read_by
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True, slots=True)
class Memory:
    """What an ONNX file takes while it runs, in bytes.

    Parameters
    ----------
    weights
        All of them, as they are computed with.
    values
        The most values between layers that are alive at one time.
    """

    weights: int
    values: int


def memory_of(data: bytes) -> Memory:
    """Return the bytes of the weights and of the most values between layers that are alive at one time.

    The nodes are followed in their order; a value lives from the node that makes it to the last one that reads it. What
    is computed from stored weights alone, as the floats of weights stored in int8, is a weight itself: it is computed
    once, when the file is loaded. Weights that a layer computes with in int8 stay as they are. A runtime that computes
    in place, or fuses nodes, needs less; what it needs beside the values is not counted.

    Parameters
    ----------
    data
        The file; its batch is taken to be one example. Shapes that only the data decide are not counted.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.exporter import export
    >>> net = torch.nn.Sequential(torch.nn.Linear(10, 20, bias=False), torch.nn.ReLU())
    >>> memory_of(export(net, torch.zeros(2, 10)))  # 200 weights; 20 values and their 20 positive parts
    Memory(weights=800, values=160)
    """
    import onnx

    model = onnx.load_model_from_string(data)
    sizes = _sizes(model)
    sizes |= {held.name: bytes_of(held.dims, held.data_type) for held in model.graph.initializer}
    weights, nodes = _weights(model)
    return Memory(sum(sizes.get(name, 0) for name in weights), _most_alive(model, nodes, sizes))


def memory_bytes(data: bytes) -> int:
    """Return the bytes of the weights and of the values together: see `memory_of`."""
    memory = memory_of(data)
    return memory.weights + memory.values


def _sizes(model: ModelProto) -> dict[str, int]:
    """The bytes of each value between the nodes, for a batch of one."""
    import onnx

    one = onnx.ModelProto()
    one.CopyFrom(model)
    for value in (*one.graph.input, *one.graph.output):
        for place, dim in enumerate(value.type.tensor_type.shape.dim):
            if place == 0 and dim.dim_param:
                dim.dim_value = 1
    with quiet():
        try:
            inferred = onnx.shape_inference.infer_shapes(one, data_prop=True)
        except Exception:  # a graph with an operation that onnx does not know: what is known still counts
            inferred = one
    return {
        value.name: _value_bytes(value)
        for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output)
    }


def _value_bytes(value: Any) -> int:
    kind = value.type.tensor_type
    dims = [dim.dim_value for dim in kind.shape.dim]
    return bytes_of(dims, kind.elem_type)


def bytes_of(dims: Sequence[int], kind: int) -> int:
    """The bytes of a tensor of such a shape and of a type by ONNX's number for it."""
    import onnx

    return math.prod(dims) * onnx.helper.tensor_dtype_to_np_dtype(kind).itemsize if kind else 0


def _weights(model: ModelProto) -> tuple[set[str], list[Any]]:
    """The names of what is there before an input comes, and the nodes that compute after that."""
    constant = {held.name for held in model.graph.initializer}
    nodes, in_int8 = [], {}
    for node in model.graph.node:
        if node.input and not any(graphs_of(node)) and all(name in constant for name in node.input if name):
            constant.update(node.output)
            if node.op_type == "DequantizeLinear":  # only says what the numbers stand for
                in_int8[node.output[0]] = set(node.input)
        else:
            nodes.append(node)
    read = {name for node in nodes for name in read_by(node)} | {value.name for value in model.graph.output}
    stored = [in_int8.get(name, {name}) for name in constant & read]
    return set().union(*stored), nodes


def _most_alive(model: ModelProto, nodes: Sequence[Any], sizes: dict[str, int]) -> int:
    last = {name: place for place, node in enumerate(nodes) for name in node.input}
    last |= {value.name: len(nodes) for value in model.graph.output}
    alive = {value.name for value in model.graph.input}
    most = sum(sizes.get(name, 0) for name in alive)
    for place, node in enumerate(nodes):
        alive |= {name for name in node.output if name in last}
        most = max(most, sum(sizes.get(name, 0) for name in alive))
        alive = {name for name in alive if last.get(name, -1) > place}
    return most
