"""Weights stored in fewer bits and computed with in float: smaller on disk, neither faster nor smaller in memory.

Any runtime can do it: what is stored is turned into floats by a cast and a product. onnxruntime computes both once,
when it loads the file, and then runs at the speed of the float file; a ``DequantizeLinear``, which says the same, it
leaves for each call, in case a layer can be computed in int8: small networks then take twice as long.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tunekit.compress.onnx_names import read_by

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto, TensorProto

Kind = Literal["int8", "float16", "bfloat16"]

# The operations that hold weights: the place of the weights among their inputs, and the axis of their outputs.
WEIGHTED: dict[str, dict[int, int]] = {
    "Conv": {1: 0},
    "ConvTranspose": {1: 1},
    "Gemm": {0: 0, 1: 0},
    "MatMul": {0: 0, 1: 1},
    "Gather": {0: 0},
    "LSTM": {1: 1, 2: 1},
    "GRU": {1: 1, 2: 1},
    "RNN": {1: 1, 2: 1},
}
RECURRENT = ("GRU", "RNN", "LSTM")
_FLOAT, _FLOAT16, _BFLOAT16 = 1, 10, 16
# Below this, the nodes that turn it into floats take more than what is saved.
LEAST = 64


def store(
    model: ModelProto,
    kind: Kind = "int8",
    operations: Collection[str] = tuple(WEIGHTED),
    exclude: Collection[str] = (),
) -> None:
    """Put the float weights of a graph into fewer bits, in place.

    Parameters
    ----------
    model
        The graph.
    kind
        ``"int8"``: symmetric, -127 to 127, so that zeros stay zeros, one scale for each output; ``"float16"`` or
        ``"bfloat16"``.
    operations
        The kinds of nodes whose weights are stored so.
    exclude
        The names of weights that stay as they are.

    Examples
    --------
    >>> from onnx import ModelProto
    >>> store(ModelProto())
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    floats = {tensor.name: tensor for tensor in graph.initializer}
    written: set[str] = set()
    nodes: list[Any] = []
    for node in graph.node:
        places = WEIGHTED.get(node.op_type, {}) if node.op_type in operations else {}
        for place, axis in places.items():
            name = node.input[place] if place < len(node.input) else ""
            if name not in floats or name in exclude or not _is_worth_it(floats[name]):
                continue
            restored = f"{name}_restored"
            if name not in written:
                written.add(name)
                weights = numpy_helper.to_array(floats[name])
                if kind == "int8":
                    if node.op_type == "Gemm" and not _is_transposed(node, place):
                        axis = 1
                    whole, scale = _int8(weights, axis)
                    graph.initializer.append(numpy_helper.from_array(whole, f"{name}_whole"))
                    graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
                    nodes.append(helper.make_node("Cast", [f"{name}_whole"], [f"{name}_floats"], to=_FLOAT))
                    nodes.append(helper.make_node("Mul", [f"{name}_floats", f"{name}_scale"], [restored]))
                else:
                    graph.initializer.append(_half(weights, kind, f"{name}_half"))
                    nodes.append(helper.make_node("Cast", [f"{name}_half"], [restored], to=_FLOAT))
            node.input[place] = restored
        nodes.append(node)
    used = {name for node in nodes for name in read_by(node)}
    kept = [tensor for tensor in graph.initializer if tensor.name in used or tensor.name not in floats]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(copies)
    graph.initializer.extend(kept)


def _is_worth_it(tensor: TensorProto) -> bool:
    return tensor.data_type == _FLOAT and len(tensor.dims) > 1 and int(np.prod(tensor.dims)) >= LEAST


def _is_transposed(node: Any, place: int) -> bool:
    """Whether a Gemm reads its weights with the outputs first."""
    wanted = "transB" if place == 1 else "transA"
    is_set = any(attribute.name == wanted and attribute.i for attribute in node.attribute)
    return is_set if place == 1 else not is_set


def _int8(weights: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """The whole numbers, and a scale for each place along the axis, in a shape that broadcasts to the weights."""
    others = tuple(place for place in range(weights.ndim) if place != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weights / scale).astype(np.int8), scale


def _half(weights: NDArray[np.float32], kind: Kind, name: str) -> TensorProto:
    from onnx import TensorProto, numpy_helper

    if kind == "float16":
        limit = np.finfo(np.float16).max
        return numpy_helper.from_array(np.clip(weights, -limit, limit).astype(np.float16), name)
    # the upper half of a float's bits, rounded to even
    bits = np.ascontiguousarray(weights, np.float32).view(np.uint32)
    halves = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
    return TensorProto(name=name, data_type=_BFLOAT16, dims=weights.shape, raw_data=halves.tobytes())
