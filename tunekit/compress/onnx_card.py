"""What a tool-chain asks about an ONNX file before it takes it: ends, operators, scales and memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress.onnx_memory import bytes_of, memory_of
from tunekit.core import text

if TYPE_CHECKING:
    from onnx import ModelProto

VERSION = 1


@dataclass(frozen=True, slots=True)
class End:
    """An input or the output of a file.

    Parameters
    ----------
    name
        As the file has it.
    shape
        Of a batch: a number, or the name of an axis that may have any size.
    dtype
        As in ``"float32"``.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Scale:
    """How one tensor is held in whole numbers: it stands for (number - zero point) x scale.

    Parameters
    ----------
    name
        Of the weight, or of the value between layers.
    dtype
        Of the numbers, as in ``"int8"``.
    scale, zero_point
        One for the tensor, or one for each entry along the axis.
    axis
        None where one scale stands for all.
    """

    name: str
    dtype: str
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """The figures of an ONNX file that decide where it can run.

    Parameters
    ----------
    file_bytes
        Its size.
    opset
        The version of the operators.
    inputs, outputs
        Its ends.
    operators
        How often each one is used, by name; those of other domains with theirs in front.
    weight_bytes
        The bytes of the weights by their type.
    peak_activation_bytes
        The most values between layers that are alive at one time, for one example: see
        `tunekit.compress.onnx_memory.memory_of`.
    scales
        Of what is held in whole numbers, weights and values.
    """

    file_bytes: int
    opset: int
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    operators: Mapping[str, int]
    weight_bytes: Mapping[str, int]
    peak_activation_bytes: int
    scales: tuple[Scale, ...]

    def to_json(self) -> str:
        """All of it, as versioned JSON."""
        return json.dumps({"format": "tunekit card", "version": VERSION, **asdict(self)}, indent=1)

    def __repr__(self) -> str:
        """In words, the scales by their number."""
        lines = [
            f"{text.size(self.file_bytes)} ONNX file, operators of version {self.opset}",
            *(f"takes {_said(end)}" for end in self.inputs),
            *(f"gives {_said(end)}" for end in self.outputs),
            "operators: " + ", ".join(f"{name} x {count}" for name, count in self.operators.items()),
            "weights: " + ", ".join(f"{text.size(size)} {kind}" for kind, size in self.weight_bytes.items()),
            f"peak activation memory for one example: {text.size(self.peak_activation_bytes)}",
            f"tensors in whole numbers: {len(self.scales)}",
        ]
        return "\n".join(lines)


def card_of(data: bytes) -> Card:
    """Read the card of a file.

    Parameters
    ----------
    data
        The file.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.exporter import export
    >>> card_of(export(torch.nn.Linear(3, 2), torch.zeros(2, 3))).operators
    {'Gemm': 1}
    """
    import onnx

    model = onnx.load_model_from_string(data)
    used = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in model.graph.node)
    weights: Counter[str] = Counter()
    for held in model.graph.initializer:
        weights[_kind(held.data_type)] += bytes_of(held.dims, held.data_type)
    return Card(
        len(data),
        next((opset.version for opset in model.opset_import if not opset.domain), 0),
        tuple(map(_end, model.graph.input)),
        tuple(map(_end, model.graph.output)),
        dict(sorted(used.items())),
        dict(sorted(weights.items())),
        memory_of(data).values,
        tuple(_scales(model)),
    )


def _end(value: Any) -> End:
    kind = value.type.tensor_type
    shape = tuple(dim.dim_param or dim.dim_value for dim in kind.shape.dim)
    return End(value.name, shape, _kind(kind.elem_type))


def _kind(number: int) -> str:
    import onnx

    name = str(onnx.TensorProto.DataType.Name(number)).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def _scales(model: ModelProto) -> list[Scale]:
    """The scales of all tensors that a node turns into whole numbers, or that are stored so and turned back."""
    from onnx import numpy_helper

    held = {tensor.name: tensor for tensor in model.graph.initializer}
    cast = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    found: dict[str, Scale] = {}
    for node in model.graph.node:
        if node.op_type == "Mul" and cast.get(node.input[0]) in held and node.input[1] in held:
            stored = held[cast[node.input[0]]]
            scale = numpy_helper.to_array(held[node.input[1]])
            along = [place for place, size in enumerate(scale.shape) if size > 1]
            found[stored.name] = Scale(
                stored.name,
                _kind(stored.data_type),
                tuple(map(float, scale.reshape(-1))),
                (0,),
                along[0] if along else None,
            )
            continue
        is_value = node.op_type == "QuantizeLinear"
        is_weight = node.op_type == "DequantizeLinear" and node.input[0] in held
        if not (is_value or is_weight) or node.input[1] not in held or node.input[0] in found:
            continue
        scale = numpy_helper.to_array(held[node.input[1]])
        has_zero = len(node.input) > 2 and node.input[2] in held
        zero = numpy_helper.to_array(held[node.input[2]]) if has_zero else None
        dtype = _kind(held[node.input[0]].data_type) if is_weight else "uint8" if zero is None else str(zero.dtype)
        axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
        found[node.input[0]] = Scale(
            node.input[0],
            dtype,
            tuple(map(float, scale.reshape(-1))),
            tuple(map(int, zero.reshape(-1))) if zero is not None else (0,),
            int(axis) if scale.ndim else None,
        )
    return list(found.values())


def _said(end: End) -> str:
    return f"{end.name}: {end.dtype} ({', '.join(map(str, end.shape))})"
