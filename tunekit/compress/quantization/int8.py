"""An ONNX file in 8-bit integers, by onnxruntime's own quantizer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress.onnx_file import stripped
from tunekit.compress.quantization.stored import store_recurrent
from tunekit.compress.quiet import quiet

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

# The operations that hold weights, and the place of the weights among their inputs.
_WEIGHTED = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "LSTM": (1, 2),
    "GRU": (1, 2),
    "RNN": (1, 2),
}
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


def static(data: bytes, x: Tensor) -> Int8:
    """Quantize weights (signed, per channel) and activations (unsigned) with ranges from real inputs.

    Parameters
    ----------
    data
        The float file.
    x
        Inputs to calibrate on, shape (examples, ...).

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018. On a CPU, onnxruntime is fastest with unsigned activations and signed weights (U8S8).
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, name: str) -> None:
            self.batches: Iterator[dict[str, Any]] = ({name: b.cpu().numpy()} for b in x.split(_CALIBRATION_BATCH))

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    def quantize(source: str, target: str) -> None:
        quantize_static(
            source,
            target,
            Reader("input"),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=_REDUCED,
        )

    return _quantized(data, quantize)


def dynamic(data: bytes, *, convolutions: bool) -> Int8:
    """Quantize the weights only; activations at run time, batch by batch.

    Recurrent layers that onnxruntime cannot compute in int8 have their weights stored so, which makes the file smaller.

    Parameters
    ----------
    data
        The float file.
    convolutions
        Whether convolutions too: they get smaller, and several times slower.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    kinds = ["MatMul", "Gemm", "LSTM", "Gather", *(["Conv"] if convolutions else [])]

    def quantize(source: str, target: str) -> None:
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, reduce_range=_REDUCED, op_types_to_quantize=kinds)

    return _quantized(data, quantize, stored=True)


def _quantized(data: bytes, quantize: Callable[[str, str], None], *, stored: bool = False) -> Int8:
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory(prefix="tunekit-") as folder, quiet(), _quiet_sessions():
        source, prepared, target = (str(Path(folder, f"{name}.onnx")) for name in ("float", "prepared", "int8"))
        Path(source).write_bytes(data)
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        total = _float_layers(onnx.load(prepared))
        quantize(prepared, target)
        model = onnx.load(target)
        if stored:
            store_recurrent(model)
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


def _float_layers(model: ModelProto) -> int:
    """Count the operations whose weights are stored as floats."""
    from onnx import TensorProto

    floats = {
        tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT and tensor.dims
    }
    return sum(
        any(node.input[place] in floats for place in _WEIGHTED[node.op_type] if place < len(node.input))
        for node in model.graph.node
        if node.op_type in _WEIGHTED
    )


def _read(data: bytes) -> ModelProto:
    import onnx

    model: ModelProto = onnx.load_model_from_string(data)
    return model
