"""Writing a network as an ONNX file, checked against PyTorch."""

from __future__ import annotations

import io
import warnings
from collections.abc import Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import as_arguments, count, fitted, named, ports, repeated, take
from tunekit.compress.macs import plain_paths
from tunekit.compress.network import copied, precision_of, runner
from tunekit.compress.onnx_file import first_line, open_runner, stripped
from tunekit.compress.onnx_names import name_inputs
from tunekit.compress.onnx_operators import keep_operators
from tunekit.compress.packed import NOISE, cannot, outputs_in_use, packed_layers, unwritable
from tunekit.compress.quiet import quiet, silent_graphs, without_lines
from tunekit.core import text

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs

# How far onnxruntime may be from PyTorch, as a share of the largest output: both add in their own order.
_TOLERANCE = 1e-3
# How many traces are kept, each as large as its network: a search makes nets of ever new shapes.
_TRACES = 32


class ExportError(RuntimeError):
    """The network cannot be written as an ONNX file that does the same."""


@dataclass(frozen=True, slots=True)
class _Traced:
    """A network as PyTorch traced it, nothing folded: every weight still has its own name."""

    raw: ModelProto
    program: Any


class Exporter:
    """Write networks as ONNX files with a free batch size.

    PyTorch has two exporters. The older one follows an example through the network, in a tenth of a second; what it
    cannot be sure of, such as a branch that depends on the data, it says. Then the newer one is asked, which reads the
    code and takes seconds; and as most steps of a recipe change only the weights, a network that is built like an
    earlier one gets its weights filled into the graph of that one. Either way the file is compared with the network's
    own outputs.

    Parameters
    ----------
    may_doubt
        Whether what the older exporter doubts is taken all the same, where the file gives the network's outputs: enough
        for a network that is only to be measured.

    Examples
    --------
    >>> import torch
    >>> export = Exporter()
    >>> data = export(torch.nn.Linear(3, 2), torch.randn(4, 3))
    >>> open_runner(data)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, *, may_doubt: bool = False) -> None:
        self._may_doubt = may_doubt
        self._traced: dict[Hashable, _Traced] = {}

    def __call__(self, model: Module, x: Inputs) -> bytes:
        """Write one network.

        BatchNorm is folded into the convolution before it. Names and notes that only the exporter needs are left out:
        the same network gives the same bytes on every machine.

        Parameters
        ----------
        model
            Any network that returns one tensor. It is copied first.
        x
            Real inputs: up to 32 examples are used for the check.

        Returns
        -------
        bytes
            The file. Its input is called ``input``; several are called ``input_0``, ``input_1``, ..., or by their own
            names. Its output is called ``output``, the first axis ``batch``.

        Raises
        ------
        ExportError
            If PyTorch cannot write it, or the file gives other outputs than the network.
        """
        network = _writable(copied(model).cpu())
        x = fitted(take(x, slice(0, 32)), network)
        if fault := unwritable(network):
            raise ExportError(fault)
        _check_output(network, x)
        packed = packed_layers(network, take(x, slice(0, 2)))
        if packed:
            return _without_packing(network, x, packed)
        key = _build(network, x)
        if key in self._traced:
            try:
                return _checked(_filled(self._traced[key], network), network, x)
            except Exception:  # built alike, yet not the same: something that is no weight has changed
                del self._traced[key]
        several = repeated(x, max(2, count(x)))
        with suppress(Exception):  # the older exporter has its own gaps, and its own kinds of errors
            return _checked(_by_tracing(network, several, may_doubt=self._may_doubt), network, x)
        try:
            traced = _by_export(network, several)
            data = _checked(_filled(traced, network), network, x)
        except Exception as newer:
            try:
                data = _by_tracing(network, several)
            except Exception as older:
                raise ExportError(
                    "a compressed network is written as ONNX, and PyTorch cannot write "
                    f"{type(network).__name__}: {first_line(newer)}; traced instead: {first_line(older)}; "
                    "write the part that it names with plain tensor operations"
                ) from newer
            return _checked(data, network, x)
        self._traced[key] = traced
        if len(self._traced) > _TRACES:
            del self._traced[next(iter(self._traced))]
        return data


def export(model: Module, x: Inputs) -> bytes:
    """Write one network as an ONNX file: see `Exporter`."""
    return Exporter()(model, x)


def sketch(model: Module, x: Inputs) -> bytes:
    """Write a network that is only to be measured: in a tenth of a second also where the older exporter has doubts.

    Raises
    ------
    ExportError
        As `export`.
    """
    return Exporter(may_doubt=True)(model, x)


def _build(network: Module, x: Inputs) -> Hashable:
    """What two networks have in common that differ in their weights only."""
    weights = tuple((name, tuple(held.shape), held.dtype) for name, held in network.state_dict().items())
    return repr(network), weights, ports(x)


def _by_export(network: Module, x: Inputs) -> _Traced:
    import torch

    keep_operators()
    arguments, keywords = as_arguments(x)
    free = {0: torch.export.Dim("batch")}
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            arguments,
            kwargs=keywords or None,
            dynamo=True,
            external_data=False,
            verbose=False,
            optimize=False,
            dynamic_shapes=dict.fromkeys(keywords, free) or (free,) * len(arguments),
        )
    if program is None:
        raise ExportError("PyTorch returned no program")
    return _Traced(_with_ends(program.model_proto, x), program.exported_program)


def _filled(traced: _Traced, network: Module) -> bytes:
    """Put a network's weights into a trace, and let PyTorch's exporter fold what can be folded."""
    import torch
    from onnxscript import ir

    with quiet():
        program = torch.onnx.ONNXProgram(ir.from_proto(traced.raw), traced.program)
        program.apply_weights(network.state_dict())
        program.optimize()
        return stripped(program.model_proto)


def _by_tracing(network: Module, x: Inputs, *, may_doubt: bool = True) -> bytes:
    """Use PyTorch's older exporter, which follows one example through the network.

    It doubts what depends on the data or became a number on the way: with ``may_doubt=False`` that is an error, where
    it is not PyTorch's own code that is doubted.
    """
    import onnx
    import torch
    from onnxscript import ir

    own, kind = Path(torch.__file__).parent, _tracer_warning()
    file: Any = io.BytesIO()  # allowed, though the types do not say so
    arguments, keywords = as_arguments(x)
    names = list(named(x))
    free = {name: {0: "batch"} for name in (*names, "output")}
    with quiet(), silent_graphs(), plain_paths(), torch.no_grad(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", kind)
        torch.onnx.export(
            network,
            arguments,
            file,
            kwargs=keywords or None,
            dynamo=False,
            input_names=names,
            output_names=["output"],
            dynamic_axes=free,
            training=torch.onnx.TrainingMode.PRESERVE,  # it folds nothing of its own: that comes next, as for the newer
        )
        if not may_doubt and any(one.category is kind and own not in Path(one.filename).parents for one in said):
            raise ExportError("PyTorch cannot follow the network")
        traced = onnx.load_model_from_string(file.getvalue())
        del traced.graph.output[1:]  # what is in use for the exporter alone
        program = torch.onnx.ONNXProgram(ir.from_proto(_with_ends(traced, x)), None)
        program.optimize()
        return stripped(program.model_proto)


def _tracer_warning() -> type[Warning]:
    import torch

    jit: Any = torch.jit  # which exports it without saying so
    kind: type[Warning] = jit.TracerWarning
    return kind


def _with_ends(model: Any, x: Inputs) -> ModelProto:
    """Give the inputs of a graph the names that they have here; what the network does not read may be missing."""
    proto: ModelProto = model
    if len(proto.graph.output) != 1:
        raise ExportError(
            f"a network returns one tensor: this one returns {len(proto.graph.output)}; wrap it in a module that does"
        )
    found, wanted = [value.name for value in proto.graph.input], list(named(x))
    if not set(found) <= set(wanted):
        if len(found) != len(wanted):
            raise ExportError(
                f"a network takes what it is called with, {text.listed(wanted)}: as PyTorch writes it, this one takes "
                f"{text.listed(found)}; wrap it in a module that reads all of them"
            )
        name_inputs(proto, wanted)
    return proto


def _without_packing(network: Module, x: Inputs, layers: Sequence[str]) -> bytes:
    """Write a network whose layers read packed sequences: what the newer exporter does not know, the older one does."""
    try:
        with outputs_in_use(network), without_lines(NOISE):
            data = _by_tracing(network, repeated(x, max(2, count(x))))
        return _checked(data, network, x)
    except Exception as error:
        raise ExportError(cannot(layers, first_line(error))) from error


def _writable(network: Module) -> Module:
    """On a CPU, onnxruntime does not compute with bfloat16: the file gets the same weights in 32 bits."""
    import torch

    return network.float() if precision_of(network) == torch.bfloat16 else network


def _check_output(network: Module, x: Inputs) -> None:
    import torch

    output: Any = runner(network)(take(x, slice(0, 2)))
    if not isinstance(output, torch.Tensor):
        kind = type(output).__name__
        of = f" of {text.listed(list(output))}" if isinstance(output, Mapping) else ""
        first = next(iter(output), 0) if of else 0
        raise ExportError(
            f"a network returns one tensor: {type(network).__name__} returns a {kind}{of}; give a module whose forward "
            f"returns the part that the loss takes, such as self.model(x)[{first!r}]"
        )


def _checked(data: bytes, network: Module, x: Inputs) -> bytes:
    """Compare with PyTorch on batches of one and of many: some graphs are right for the size they were made with."""
    import torch

    run, expected = open_runner(data), runner(network)
    for size in {1, count(x)}:
        try:
            found, wanted = run(take(x, slice(0, size))), expected(take(x, slice(0, size)))
        except Exception as error:
            raise ExportError(
                f"the ONNX file runs with any batch size, and with {text.plural(size, 'example')} it does not: "
                f"{first_line(error)}; is the batch size a number in the forward pass? len(x) becomes one: write "
                "x.shape[0]"
            ) from error
        if found.shape != wanted.shape:
            raise ExportError(
                f"the ONNX file gives the network's own outputs: on {text.plural(size, 'real example')} they have the "
                f"shape {tuple(found.shape)} and not {tuple(wanted.shape)}; is the batch size a number in the forward "
                "pass? len(x) becomes one: write x.shape[0]"
            )
        gap = (found.double() - wanted.double()).abs().max().item()
        allowed = _TOLERANCE * max(1.0, torch.nan_to_num(wanted.double()).abs().max().item())
        if not gap <= allowed:
            raise ExportError(
                f"the ONNX file gives the network's own outputs: on {text.plural(size, 'real example')} they are off "
                f"by {gap:.3g} (allowed: {allowed:.3g}); does the model branch on its data, or draw random numbers?"
            )
    return data
