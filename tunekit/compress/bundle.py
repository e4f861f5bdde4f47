"""Reading a bundle back: run by onnxruntime, or as weights for a model of the reader's own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, overload

from tunekit.compress import bundle_file
from tunekit.compress import recipe as recipes
from tunekit.compress.compressed import Compressed
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.structure import rebuild

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.bundle_file import Bundle


@overload
def load(path: str | os.PathLike[str]) -> Compressed: ...
@overload
def load(path: str | os.PathLike[str], model: Module) -> Module: ...
def load(path: str | os.PathLike[str], model: Module | None = None) -> Compressed | Module:
    """Read a bundle. No code in it is run: it holds JSON, an ONNX graph and weights.

    Parameters
    ----------
    path
        What `Compressed.save` wrote.
    model
        A model built like the one that was saved, with any weights. It is not changed.

    Returns
    -------
    Compressed | Module
        Without ``model`` the compressed model, run by onnxruntime; with it a copy of it with the saved weights, and
        without what the compression has removed.

    Raises
    ------
    ValueError
        If the file is damaged, no bundle, of another version or made to do harm; if it is int8 and ``model`` is given,
        or the weights do not fit it.

    Examples
    --------
    >>> import tempfile, torch
    >>> from tunekit.compress.compression import Compression
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> lab = Compression(torch.nn.Linear(4, 4), Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lab[1].save(f"{folder}/net.tunekit")
    ...     load(f"{folder}/net.tunekit").recipe
    [Prune(0.5)]
    """
    content = bundle_file.read(path)
    if model is not None:
        return _filled(model, content)
    recipes.from_records(content.recipe)
    _refuse_outside_data(content.onnx, path)
    return Compressed(content, runner=open_runner(content.onnx))


def _refuse_outside_data(data: bytes, path: str | os.PathLike[str]) -> None:
    """Weights may stand in other files, and a stranger's bundle would say which of yours: none is read."""
    import onnx
    from onnx.external_data_helper import _get_all_tensors, uses_external_data

    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own classes come without types
        raise ValueError(f"a bundle holds a complete ONNX file: that of {os.fspath(path)!r} is damaged") from error
    if any(uses_external_data(tensor) for tensor in _get_all_tensors(model)):
        raise ValueError(f"a bundle holds all of its weights: {os.fspath(path)!r} points at other files; save it again")


def _filled(model: Module, bundle: Bundle) -> Module:
    if bundle.weights is None:
        raise ValueError(
            "a PyTorch model is filled from a float bundle: this one holds int8 for onnxruntime; "
            "load it without model=, or save the row before Quantize"
        )
    filled = rebuild(model, bundle.structure)
    try:
        filled.load_state_dict(dict(bundle.weights))
    except RuntimeError as error:
        problems = "; ".join(line.strip() for line in str(error).splitlines()[1:5]) or str(error)
        raise ValueError(
            f"the bundle's weights fit a model built like the saved one: {type(model).__name__} is not ({problems}); "
            "build the model with the same settings"
        ) from error
    return filled
