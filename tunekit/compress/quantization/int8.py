"""An ONNX file in 8-bit integers, by onnxruntime's own quantizer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import split, take
from tunekit.compress.onnx_file import as_feeds, first_line, inputs_of, open_runner, stripped
from tunekit.compress.quantization.stored import RECURRENT, WEIGHTED, Kind, store
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from tunekit.compress.inputs import Inputs

_CALIBRATION_BATCH = 32
# Weights take 7 of the 8 bits. On a CPU with AVX2 and without VNNI, onnxruntime adds two products of 8 bits in 16, and
# the sum is cut off where both are large: the outputs are then off by ten times as much as with 7 bits, which always
# fit. The file is to be right wherever it is run.
_REDUCED = True


@dataclass(frozen=True, slots=True)
class Int8:
    """A quantized file and what became of its layers.

    Parameters
    ----------
    file
        The bytes.
    changed, total
        How many of the operations with weights hold them in int8 now, and how many there are.
    """

    file: bytes
    changed: int
    total: int


def static(data: bytes, x: Inputs, exclude: Collection[str] = ()) -> Int8:
    """Quantize weights (signed, per channel) and activations (unsigned) with ranges from real inputs.

    Parameters
    ----------
    data
        The float file.
    x
        Inputs to calibrate on.
    exclude
        The names of weights whose operations stay in float.

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018. On a CPU, onnxruntime is fastest with unsigned activations and signed weights (U8S8).
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            takes = inputs_of(onnx.load_model_from_string(data))
            self.batches: Iterator[dict[str, Any]] = (as_feeds(b, takes) for b in split(x, _CALIBRATION_BATCH))

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    def quantize(source: str, target: str, left_out: list[str]) -> None:
        quantize_static(
            source,
            target,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=_REDUCED,
            nodes_to_exclude=left_out,
            extra_options={"TensorQuantOverrides": _whole_tensors(onnx.load(source), QuantType.QInt8)},
        )

    return _quantized(data, quantize, exclude)


def dynamic(data: bytes, *, convolutions: bool, exclude: Collection[str] = ()) -> Int8:
    """Quantize the weights only; activations at run time, batch by batch.

    Recurrent layers that onnxruntime cannot compute in int8 have their weights stored so, which makes the file smaller.

    Parameters
    ----------
    data
        The float file.
    convolutions
        Whether convolutions too: they get smaller, and several times slower.
    exclude
        The names of weights whose operations stay in float.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kinds = ["MatMul", "Gemm", "LSTM", "Gather", *(["Conv"] if convolutions else [])]

    def quantize(source: str, target: str, left_out: list[str]) -> None:
        quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QInt8,
            reduce_range=_REDUCED,
            op_types_to_quantize=kinds,
            nodes_to_exclude=left_out,
        )

    return _quantized(data, quantize, exclude, stored=True)


def stored(data: bytes, kind: Kind, exclude: Collection[str] = ()) -> Int8:
    """Store the weights in fewer bits and compute with them in float: smaller, as fast as before, on any runtime.

    Parameters
    ----------
    data
        The float file.
    kind
        ``"int8"``, ``"float16"`` or ``"bfloat16"``.
    exclude
        The names of weights that stay as they are.
    """
    import onnx

    model = onnx.load_model_from_string(data)
    total = _float_layers(model)
    store(model, kind, exclude=exclude)
    return Int8(stripped(model), max(0, total - _float_layers(model)), total)


def float_weights(data: bytes) -> dict[str, int]:
    """How many numbers each weight has that could be stored in fewer bits, by its name in the file."""
    import onnx

    graph = onnx.load_model_from_string(data).graph
    sizes = {tensor.name: prod(tensor.dims) for tensor in graph.initializer if tensor.data_type == tensor.FLOAT}
    read = {
        node.input[place] for node in graph.node for place in WEIGHTED.get(node.op_type, {}) if place < len(node.input)
    }
    return {name: size for name, size in sizes.items() if name in read}


def untouched(data: bytes) -> Int8:
    """The float file as it is."""
    import onnx

    return Int8(data, 0, _float_layers(onnx.load_model_from_string(data)))


def check_runs(made: Int8, x: Inputs, mode: str) -> None:
    """Raise a ValueError if onnxruntime does not run what its quantizer made."""
    try:
        open_runner(made.file)(take(x, slice(0, 1)))
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise ValueError(
            f"an int8 file is run by onnxruntime, and the one that its quantizer makes of this network as {mode!r} is "
            f'not ({first_line(error)}); write mode="auto", which keeps what runs, or exclude the layer'
        ) from error


def _quantized(
    data: bytes,
    quantize: Callable[[str, str, list[str]], None],
    exclude: Collection[str],
    *,
    stored: bool = False,
) -> Int8:
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="tunekit-") as folder, quiet(), _quiet_sessions():
        source, prepared, target = (str(Path(folder, f"{name}.onnx")) for name in ("float", "prepared", "int8"))
        Path(source).write_bytes(data)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        named = onnx.load(prepared)
        _give_gathers_their_own(named, exclude)
        total, left_out = _float_layers(named), []
        for place, node in enumerate(named.graph.node):
            node.name = f"node {place}"  # the quantizer leaves nodes out by their names, which were stripped
            if _is_excluded(node, exclude):
                left_out += [node.name, f"{node.name}_MatMul"]  # as what a Gemm is split into is called
        onnx.save(named, prepared)
        quantize(prepared, target, left_out)
        model = onnx.load(target)
        if stored:
            store(model, operations=RECURRENT, exclude=exclude)
    left = _float_layers(model)
    return Int8(stripped(model), max(0, total - left), total)


@contextmanager
def _quiet_sessions() -> Iterator[None]:
    """Hold back what onnxruntime says about the sessions that its quantizer opens for itself."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its own default: it can be set, and not asked for


def _is_excluded(node: NodeProto, exclude: Collection[str]) -> bool:
    """Whether a node stays in float: where it has weights these decide, as layers with equal biases share them."""
    weights = {node.input[place] for place in WEIGHTED.get(node.op_type, {}) if place < len(node.input)}
    return not (weights or set(node.input)).isdisjoint(exclude)


def _whole_tensors(model: ModelProto, kind: Any) -> dict[str, list[dict[str, Any]]]:
    """What the quantizer has to be told about transposed convolutions in groups with biases: one scale for all weights.

    Left alone, it finds a scale for each output of one group, and then misses those of the biases of all others.
    """
    return {
        node.input[1]: [{"quant_type": kind, "reduce_range": _REDUCED}]
        for node in model.graph.node
        if node.op_type == "ConvTranspose"
        and len(node.input) > 2
        and any(attribute.name == "group" and attribute.i > 1 for attribute in node.attribute)
    }


def _give_gathers_their_own(model: ModelProto, exclude: Collection[str]) -> None:
    """Copy a table that is also a layer's weight, as where an embedding is tied to the output, in place.

    The quantizer would hand the layer's scales, one for each output, on to what is looked up: such a file does not run.
    A table that stays in float has no scales.
    """
    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    gathers = [node for node in model.graph.node if node.op_type == "Gather" and node.input[0] in initializers]
    for node in gathers:
        name = node.input[0]
        if name in exclude:
            continue
        if any(name in other.input for other in model.graph.node if other.op_type != "Gather"):
            copied = f"{name}_looked_up"
            if all(tensor.name != copied for tensor in model.graph.initializer):
                tensor = type(initializers[name]).FromString(initializers[name].SerializeToString())
                tensor.name = copied
                model.graph.initializer.append(tensor)
            node.input[0] = copied


def _float_layers(model: ModelProto) -> int:
    """Count the operations whose weights are stored as floats of any size."""
    from onnx import TensorProto

    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    floats = {tensor.name for tensor in model.graph.initializer if tensor.data_type in kinds and tensor.dims}
    return sum(
        any(node.input[place] in floats for place in WEIGHTED[node.op_type] if place < len(node.input))
        for node in model.graph.node
        if node.op_type in WEIGHTED
    )
