"""An ONNX file: stripped of what only its writer needs, and run by onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import named
from tunekit.compress.onnx_names import shortened
from tunekit.core import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import ModelProto
    from onnxruntime import InferenceSession
    from torch import Tensor

    from tunekit.compress.inputs import Inputs

# Floating point, by onnxruntime's name for it and by PyTorch's.
_FLOATS = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64"}
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


class OnnxRunner:
    """Runs batches through an ONNX file in onnxruntime.

    Parameters
    ----------
    session
        Onnxruntime's, with one output.
    precisions
        For each name that the file takes the precision of its floating point; None where it has none.
    """

    def __init__(self, session: InferenceSession, precisions: Mapping[str, str | None]) -> None:
        self._session = session
        self._precisions = precisions

    def __call__(self, x: Inputs) -> Tensor:
        """The output for a batch."""
        import torch

        (output,) = self._session.run(None, as_feeds(x, self._precisions))
        return torch.from_numpy(output)

    def call_on(self, x: Inputs) -> Callable[[], Any]:
        """What runs this one batch each time it is called, and nothing else: to be timed."""
        run, feeds = self._session.run, as_feeds(x, self._precisions)
        return lambda: run(None, feeds)


def open_runner(data: bytes, threads: int | None = None) -> OnnxRunner:
    """Open an ONNX file in onnxruntime.

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
    options.log_severity_level = 4  # what goes wrong is raised: on stderr it would stand a second time
    # threads that wait for work by spinning steal each other's core where several models share a machine: on two busy
    # cores the same batch takes ten times as long
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        # the fallback prints an error, and tries the same provider once more
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's own classes derive from Exception alone
        raise ValueError(f"onnxruntime runs a complete ONNX file: this one it refuses ({first_line(error)})") from error
    return OnnxRunner(session, {given.name: _FLOATS.get(given.type) for given in session.get_inputs()})


def inputs_of(model: ModelProto) -> dict[str, str | None]:
    """The names of what a file takes, and the precision of those with floating point, as in ``"float32"``."""
    import onnx

    kinds = {
        value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        for value in model.graph.input
    }
    return {name: str(kind) if kind.kind == "f" else None for name, kind in kinds.items()}


def as_feeds(x: Inputs, precisions: Mapping[str, str | None]) -> dict[str, NDArray[Any]]:
    """Inputs as onnxruntime takes them.

    Parameters
    ----------
    x
        What is asked.
    precisions
        For each name that the file takes the precision of its floating point; None where it has none.

    Raises
    ------
    ValueError
        If something is missing.

    Examples
    --------
    >>> import torch
    >>> as_feeds(torch.zeros(1, 2, dtype=torch.float64), {"input": "float32"})
    {'input': array([[0., 0.]], dtype=float32)}
    """
    import torch

    if isinstance(x, torch.Tensor) and len(precisions) == 1:
        given = dict.fromkeys(precisions, x)
    else:
        given = named(x)
        missing = [name for name in precisions if name not in given]
        if missing:
            raise ValueError(
                f"the network takes {text.listed(list(precisions))}: {text.listed(missing)} not among "
                f"{text.listed(list(given))}"
            )
    feeds = {}
    for name, precision in precisions.items():
        held = given[name].detach().cpu()
        if precision is not None and held.is_floating_point():
            held = held.to(getattr(torch, precision))
        feeds[name] = held.numpy()
    return feeds


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
