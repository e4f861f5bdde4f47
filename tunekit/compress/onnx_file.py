"""An ONNX file: stripped of what only its writer needs, and run by onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tunekit.compress.onnx_names import shortened

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor

    from tunekit.compress.task import Runner

# What PyTorch says when it refuses to copy or trace is long: its first line says what is wrong.
_QUOTED = 300


def stripped(model: ModelProto) -> bytes:
    """Leave out notes, stack traces, paths and long names, and return the bytes.

    Examples
    --------
    >>> from onnx import helper
    >>> node = helper.make_node("Relu", ["x"], ["y"], name="somewhere/on/this/machine", doc_string="a long story")
    >>> values = [helper.make_tensor_value_info(name, 1, ["batch"]) for name in "xy"]
    >>> b"story" in stripped(helper.make_model(helper.make_graph([node], "graph", values[:1], values[1:])))
    False
    """
    import onnx

    lean = onnx.ModelProto()
    lean.CopyFrom(model)
    for field in ("doc_string", "metadata_props", "producer_version", "domain", "model_version"):
        lean.ClearField(field)
    lean.producer_name = "tunekit"
    for function in lean.functions:
        function.ClearField("doc_string")
        function.ClearField("metadata_props")
        function.ClearField("value_info")
        _strip_nodes(function.node)
    _strip_graph(lean.graph)
    lean.graph.name = "network"
    shortened(lean)
    data: bytes = lean.SerializeToString(deterministic=True)
    return data


def open_runner(data: bytes, threads: int | None = None) -> Runner:
    """Return the function that runs batches through an ONNX file in onnxruntime.

    Parameters
    ----------
    data
        The file.
    threads
        How many threads one batch is spread over; None: as many as PyTorch uses.

    Raises
    ------
    ValueError
        If onnxruntime cannot read it.
    """
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() if threads is None else threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # threads that wait for work by spinning steal each other's core where several models share a machine: on two busy
    # cores the same batch takes ten times as long
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise ValueError(f"onnxruntime runs a complete ONNX file: this one it refuses ({first_line(error)})") from error
    (given,) = session.get_inputs()

    def run(x: Tensor) -> Tensor:
        (output,) = session.run(None, {given.name: x.detach().cpu().numpy()})
        return torch.from_numpy(output)

    return run


def _strip_graph(graph: Any) -> None:
    for field in ("doc_string", "metadata_props", "value_info", "quantization_annotation"):
        graph.ClearField(field)
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.ClearField("doc_string")
        value.ClearField("metadata_props")
    _strip_nodes(graph.node)


def _strip_nodes(nodes: Any) -> None:
    for node in nodes:
        for field in ("doc_string", "metadata_props", "name"):
            node.ClearField(field)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            if attribute.HasField("g"):
                _strip_graph(attribute.g)


def first_line(error: BaseException) -> str:
    """What went wrong, in one line of bearable length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:_QUOTED] if lines else 'no words'}"
