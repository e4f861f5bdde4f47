"""A compressed model: called on batches, saved, exported, reported on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tunekit.compress import bundle_file, inputs
from tunekit.compress import recipe as recipes
from tunekit.compress.onnx_card import Card, card_of
from tunekit.compress.onnx_file import open_runner
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.bundle_file import Bundle
    from tunekit.compress.inputs import Inputs, Port
    from tunekit.compress.recipe import Step
    from tunekit.compress.report import Report
    from tunekit.compress.task import Runner

# Of floating point all are taken, and put into the network's own precision, as in training.
_FLOATS = ("float16", "bfloat16", "float32", "float64")


class Compressed:
    """A model after a recipe. It is its ONNX file: calling it runs that file in onnxruntime.

    Made by a `Compression` and by `load`.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.compression import Compression
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> lab = Compression(torch.nn.Linear(4, 4), Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> lab[1](torch.zeros(3, 4)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        content: Bundle,
        *,
        network: Module | None = None,
        sample: Inputs | None = None,
        report: Callable[[], Report] | None = None,
        runner: Runner | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self._content = content
        self._network = network
        self._sample = sample
        self._make_report = report
        self._runner = runner
        self.notes = notes

    @property
    def recipe(self) -> list[Step]:
        """The steps that led here; none for the original."""
        return recipes.from_records(self._content.recipe)

    @property
    def metrics(self) -> Mapping[str, float]:
        """The figures by name, in bytes and seconds."""
        return self._content.metrics

    @property
    def report(self) -> Report:
        """The original and this model on the test split, paired; made once, and each one counts as a look.

        Raises
        ------
        ValueError
            If the task has no test split.
        RuntimeError
            If the model was loaded: its original is not there to compare with.
        """
        if self._make_report is None:
            raise RuntimeError(
                "a report compares with the original, which is not in a bundle: ask the Compression that made it, "
                "or measure() the model"
            )
        return self._make_report()

    def model(self) -> Module:
        """Return a copy of the PyTorch network with these weights, in evaluation mode.

        Raises
        ------
        RuntimeError
            If there is none: an int8 model exists in onnxruntime only.
        """
        from tunekit.compress.network import copied

        if self._network is None:
            why = "it is int8, which only onnxruntime runs" if self._content.weights is None else "it was loaded"
            raise RuntimeError(
                f"this model has no PyTorch network, as {why}; take the row before Quantize, or load(path, model=...)"
            )
        return copied(self._network)

    def __call__(self, x: Inputs) -> Tensor:
        """Run a batch.

        Parameters
        ----------
        x
            What the network was trained with: a tensor (batch, ...), or a tuple or a dict of them. Floating point may
            have any precision.

        Returns
        -------
        Tensor
            Shape (batch, ...), on the CPU.

        Raises
        ------
        TypeError
            If it is no tensor, or of another type.
        ValueError
            If something is missing, or its shape is another one than the network takes.
        """
        import torch

        wanted = self._content.inputs
        is_one = [port.name for port in wanted] == [inputs.ONLY]
        said = str(wanted[0]) if is_one else " and ".join(f"{port.name}: {port}" for port in wanted)
        if not isinstance(x, (torch.Tensor, Mapping) if is_one else (torch.Tensor, Mapping, Sequence)):
            raise TypeError(f"the model takes {said}: got {type(x).__name__}; torch.as_tensor makes one")
        given = inputs.checked(x, "the batch")
        parts = inputs.named(given)
        if set(parts) != {port.name for port in wanted}:
            raise ValueError(f"the model takes {said}: got {text.listed(list(parts))}")
        for port in wanted:
            _check(parts[port.name], port, said)
        if self._runner is None:
            self._runner = open_runner(self._content.onnx)
        try:
            return self._runner(given)
        except Exception as error:
            shapes = " and ".join(str(tuple(part.shape)) for part in parts.values())
            raise ValueError(f"the model takes {said}: with shape {shapes} it fails: {error}") from error

    def call_on(self, x: Inputs) -> Callable[[], object]:
        """What runs this one batch each time it is called, and nothing else: to be timed."""
        return open_runner(self._content.onnx).call_on(x)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the bundle that `load` reads: its size on disk is the ``"bundle"`` of the metrics."""
        bundle_file.write(path, self._content)

    def export(self, path: str | os.PathLike[str], *, card: bool = False) -> None:
        """Write the ONNX file alone: its size on disk is the ``"size"`` of the metrics.

        Parameters
        ----------
        path
            Of the file. Where it ends in ``.pte``, the network is written in float for ExecuTorch instead, which has to
            be installed: for any batch size where ExecuTorch can do that, else for one example, and a warning says so.
        card
            Whether to write what a tool-chain for phones and microcontrollers asks about the ONNX file, as JSON, beside
            it: ``net.onnx`` gets a ``net.onnx.json``.

        Raises
        ------
        RuntimeError
            If it is to be written for ExecuTorch, and has no PyTorch network or cannot be (`ExportError`).
        ModuleNotFoundError
            If it is to be written for ExecuTorch, and that is not installed.
        """
        if os.fspath(path).endswith(".pte"):
            bundle_file.replace(path, self._for_executorch())
        else:
            bundle_file.replace(path, self._content.onnx)
        if card:
            bundle_file.replace(f"{os.fspath(path)}.json", self.card().to_json().encode())

    def _for_executorch(self) -> bytes:
        from tunekit.compress.executorch_file import executorch_bytes

        network = self.model().cpu()
        if self._sample is None:
            raise RuntimeError("a model is checked on real examples when it is written, and this one came without any")
        return executorch_bytes(network, self._sample)

    def card(self) -> Card:
        """What the ONNX file takes, gives, uses and needs, in figures."""
        return card_of(self._content.onnx)

    def __repr__(self) -> str:
        """Facts only: no clock."""
        steps = ", ".join(map(repr, self.recipe)) or "original"
        facts = [text.size(len(self._content.onnx))]
        facts += [
            f"{name} {text.number(value)}"
            for name, value in self.metrics.items()
            if f"{name}_low" in self.metrics and not name.startswith("latency_")
        ]
        return f"Compressed({steps}: {', '.join(facts)})"


def _check(x: Tensor, port: Port, wanted: str) -> None:
    """Raise if a tensor is of another type than the network was trained with, or has more or fewer axes."""
    is_float = x.is_floating_point() and port.dtype in _FLOATS
    if not is_float and str(x.dtype).removeprefix("torch.") != port.dtype:
        raise TypeError(f"the model takes {wanted}: got {x.dtype}; convert it with x.to(torch.{port.dtype})")
    if x.dim() != len(port.shape) + 1:
        raise ValueError(f"the model takes {wanted}: got shape {tuple(x.shape)}; one example is x[None]")
