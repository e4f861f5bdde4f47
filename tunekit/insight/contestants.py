"""The models of a comparison: whatever they are, each answers batches under its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress import inputs
from tunekit.compress.compressed import Compressed
from tunekit.compress.network import call_on, copied, runner
from tunekit.compress.onnx_file import first_line
from tunekit.compress.task import checked_output
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.task import Runner


@dataclass(frozen=True, slots=True)
class Contestant:
    """One model of a comparison.

    Parameters
    ----------
    name
        The caller's name for it.
    runtime
        What computes its answers: ``"PyTorch"``, ``"onnxruntime"``, or ``"Python"`` for a callable of the caller's.
    run
        Called with inputs (batch, ...); returns outputs (batch, ...).
    call_on
        Returns what runs one batch each time it is called, and nothing else: to be timed on the CPU.
    file_bytes
        The size of its ONNX file; None where there is no file.
    """

    name: str
    runtime: str
    run: Runner
    call_on: Callable[[Inputs], Callable[[], object]]
    file_bytes: int | None = None

    def answer(self, x: Inputs) -> Tensor:
        """Its outputs (batch, ...) for a batch, on the CPU.

        Raises
        ------
        ValueError
            If it fails on the batch: the error names the model, and what it failed with is its cause.
        """
        try:
            output = checked_output(self.run(x), inputs.count(x))
            if bool(output.isnan().any()):
                raise ValueError("an output is a number, and some of these are not (NaN)")
            return output
        except Exception as error:
            shapes = " and ".join(str(tuple(part.shape)) for part in inputs.named(x).values())
            raise ValueError(
                f"each model answers every batch of the data: {self.name!r} fails on inputs of shape {shapes}: "
                f"{type(error).__name__}: {first_line(error)}"
            ) from error


def entered(models: Mapping[str, Any], device: str | None = None) -> tuple[Contestant, ...]:
    """Return the models as they take part; a module is copied, so that the caller's stays as it is.

    Parameters
    ----------
    models
        By name: modules, compressed models, or anything that can be called with a batch.
    device
        Where modules answer; None: where they are.

    Raises
    ------
    TypeError
        If they are no mapping, a name is no string, or a model cannot be called.
    ValueError
        If there are fewer than two, or a name is empty.

    Examples
    --------
    >>> import torch
    >>> [one.runtime for one in entered({"net": torch.nn.Linear(2, 2), "sign": torch.sign})]
    ['PyTorch', 'Python']
    """
    if not isinstance(models, Mapping):
        raise TypeError(
            f'models are given by their names, as in {{"float": model, "int8": small}}: got a {type(models).__name__}'
        )
    for name in models:
        if not isinstance(name, str):
            raise TypeError(f"the name of a model is a string: got {text.value(name)}, a {type(name).__name__}")
        if not name.strip():
            raise ValueError(f"the name of a model says something: got {name!r}")
    if len(models) < 2:
        has = "none" if not models else f"{next(iter(models))!r} alone"
        raise ValueError(f"two models or more are compared: got {has}; tk.measure(model, task) measures one by itself")
    return tuple(_entered(name, model, device) for name, model in models.items())


def _entered(name: str, model: Any, device: str | None) -> Contestant:
    import torch

    if isinstance(model, Compressed):
        return Contestant(name, "onnxruntime", model, model.call_on, int(model.metrics["size"]))
    if isinstance(model, torch.nn.Module) and not isinstance(model, torch.jit.ScriptModule):
        network = copied(model)
        if device is not None:
            network = network.to(device)
        return Contestant(name, "PyTorch", runner(network), lambda x: call_on(copied(network).cpu(), x))
    if not callable(model):
        raise TypeError(
            f"a model is a torch.nn.Module, a row of a Compression, or a function of a batch: {name!r} is a "
            f"{type(model).__name__}"
        )
    run = _runner_of(model)
    return Contestant(name, "Python", run, lambda x: lambda: run(x))


def _runner_of(function: Callable[..., Any]) -> Runner:
    """Call a function of the caller's as a network is called; what is no tensor yet becomes one."""
    import torch

    def run(x: Inputs) -> Tensor:
        arguments, keywords = inputs.as_arguments(x)
        with torch.no_grad():
            return torch.as_tensor(function(*arguments, **keywords))

    return run
