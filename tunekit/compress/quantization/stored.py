"""Recurrent weights stored in int8 and computed with in float: smaller, not faster.

onnxruntime computes with int8 in an LSTM, and has nothing of the kind for a GRU or a plain recurrent layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto

_KINDS = ("GRU", "RNN", "LSTM")
_WEIGHTS = (1, 2)  # their places among the inputs: those for the input and those for the state


def store_recurrent(model: ModelProto) -> None:
    """Put the float weights of recurrent layers into int8, in place, one scale for each of a layer's rows.

    Parameters
    ----------
    model
        Its weights have the shape (directions, rows, columns); symmetric, -127 to 127, so that zeros stay zeros.

    Examples
    --------
    >>> from onnx import ModelProto
    >>> store_recurrent(ModelProto())
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    floats = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[Any] = []
    for node in graph.node:
        if node.op_type in _KINDS:
            for place in _WEIGHTS:
                name = node.input[place]
                if name not in floats or floats[name].data_type != 1:  # 1: float32
                    continue
                whole, scale = _int8(numpy_helper.to_array(floats[name]))
                parts = f"{name}_quantized", f"{name}_scale"
                if not any(tensor.name == parts[0] for tensor in graph.initializer):
                    graph.initializer.append(numpy_helper.from_array(whole, parts[0]))
                    graph.initializer.append(numpy_helper.from_array(scale, parts[1]))
                    nodes.append(helper.make_node("DequantizeLinear", [*parts], [f"{name}_dequantized"], axis=1))
                node.input[place] = f"{name}_dequantized"
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used or tensor.name not in floats]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(copies)
    graph.initializer.extend(kept)


def _int8(weights: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    largest = np.abs(weights).max(axis=(0, 2))
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(weights / scale[None, :, None]).astype(np.int8), scale
