"""A caller's network: copied so that it is never changed, and run without leaving a trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.task import Runner


def copied(model: Any) -> Module:
    """Return a deep copy in evaluation mode; the model itself stays as it is.

    A net that was pruned by ``torch.nn.utils.prune`` cannot be copied by itself (PyTorch issue 37322), as its weight is
    the result of a computation: here the copy gets its value, and the masks become plain zeros. Weights that are made
    of others, as under weight norm and spectral norm, become plain ones, too. Of a model that ``torch.compile`` or
    ``DataParallel`` has wrapped, the inner one is copied. A transformer encoder's copy computes the padded places as
    others, in evaluation as in training and in ONNX: PyTorch leaves them out in evaluation alone, and writes zeros.

    Raises
    ------
    TypeError
        If it is no module, or a part of it cannot be copied.
    ValueError
        If a parameter has no shape yet.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 2).train()
    >>> copied(model).training, model.training
    (False, True)
    """
    import torch
    from torch.nn import Module
    from torch.nn.parameter import UninitializedParameter

    if not isinstance(model, Module):
        raise TypeError(f"the model is a torch.nn.Module: got {type(model).__name__}")
    model = _unwrapped(model)
    if isinstance(model, torch.jit.ScriptModule):
        raise TypeError(
            f"the model is a torch.nn.Module that can be changed: this one is scripted ({type(model).__name__}); "
            "give the module that it was made of"
        )
    for name, parameter in model.named_parameters():
        if isinstance(parameter, UninitializedParameter):
            raise ValueError(
                f"every parameter has a shape: {name} is still lazy; run one batch through the model first"
            )
    memo: dict[int, Any] = {}
    for module in model.modules():
        for held in vars(module).values():
            if isinstance(held, torch.Tensor) and not held.is_leaf:
                memo[id(held)] = held.detach().clone()
    try:
        twin: Module = copy.deepcopy(model, memo)
    except Exception as error:
        raise TypeError(
            f"the model is copied, so that yours is never changed, and {type(model).__name__} cannot be: "
            f"{type(error).__name__}: {error}; take out what cannot be copied (hooks, open files, tensors that are "
            "the result of a computation)"
        ) from error
    _settle_masks(twin)
    _settle_hooks(twin)
    for module in [*twin.modules()]:
        if hasattr(module, "parametrizations"):
            _settle_parametrizations(module)
        if isinstance(module, torch.nn.TransformerEncoder):
            module.use_nested_tensor = False
    return twin.eval()


def _settle_masks(model: Module) -> None:
    from torch.nn.utils import prune

    for module in model.modules():
        for name in [key.removesuffix("_mask") for key in module._buffers if key.endswith("_mask")]:
            if f"{name}_orig" in module._parameters:
                prune.remove(module, name)


def _settle_hooks(model: Module) -> None:
    """Weight norm and spectral norm as they were before parametrizations: a hook makes the weight at each call."""
    from torch.nn.utils.spectral_norm import SpectralNorm, remove_spectral_norm
    from torch.nn.utils.weight_norm import WeightNorm, remove_weight_norm

    for module in model.modules():
        for hook in [*module._forward_pre_hooks.values()]:
            if isinstance(hook, WeightNorm):
                remove_weight_norm(module, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(module, hook.name)


def _unwrapped(model: Any) -> Any:
    from torch.nn import DataParallel
    from torch.nn.parallel import DistributedDataParallel

    while True:
        if isinstance(model, (DataParallel, DistributedDataParallel)):
            model = model.module
        elif "_orig_mod" in model._modules:  # where torch.compile keeps it; its class takes a second to import
            model = model._orig_mod
        else:
            return model


def _settle_parametrizations(module: Module) -> None:
    """Give a module of our own plain parameters.

    PyTorch's own removal deletes properties from the module's class, which the copy shares with the caller's model.
    """
    import torch

    parametrizations: Any = module._modules.pop("parametrizations")
    values = {name: part().detach().clone() for name, part in parametrizations.items()}
    trained = {name: any(p.requires_grad for p in part.parameters()) for name, part in parametrizations.items()}
    module.__class__ = type(module).__bases__[0]
    for name, value in values.items():
        module.register_parameter(name, torch.nn.Parameter(value, requires_grad=trained[name]))


def device_of(model: Module) -> Any:
    """The device of its first parameter or buffer; the CPU where it has none."""
    import itertools

    import torch

    first = next(itertools.chain(model.parameters(), model.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def precision_of(model: Module) -> Any:
    """The type of its first parameter or buffer with floating point; None where it has none.

    Examples
    --------
    >>> import torch
    >>> precision_of(torch.nn.Linear(2, 2).half())
    torch.float16
    """
    import itertools

    held = itertools.chain(model.parameters(), model.buffers())
    return next((tensor.dtype for tensor in held if tensor.is_floating_point()), None)


def runner(model: Module) -> Runner:
    """Return the function that runs batches through a network of our own in PyTorch, without gradients.

    Examples
    --------
    >>> import torch
    >>> runner(torch.nn.Linear(2, 3))(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """
    import torch

    from tunekit.compress.inputs import as_arguments, placed

    model.eval()
    device, precision = device_of(model), precision_of(model)

    def run(x: Inputs) -> Tensor:
        arguments, keywords = as_arguments(placed(x, device, precision))
        with torch.inference_mode():
            output: Tensor = model(*arguments, **keywords)
        return output

    return run


def call_on(model: Module, x: Inputs) -> Callable[[], Tensor]:
    """Return what runs this one batch through a network of our own each time it is called, and nothing else.

    Examples
    --------
    >>> import torch
    >>> call_on(torch.nn.Linear(2, 3), torch.zeros(5, 2))().shape
    torch.Size([5, 3])
    """
    import torch

    from tunekit.compress.inputs import as_arguments, fitted

    model.eval()
    arguments, keywords = as_arguments(fitted(x, model))

    def run() -> Tensor:
        with torch.inference_mode():
            output: Tensor = model(*arguments, **keywords)
        return output

    return run


def counts(model: Module) -> tuple[int, int]:
    """Return the number of parameters and how many of them are not zero; shared ones count once.

    Examples
    --------
    >>> import torch
    >>> counts(torch.nn.BatchNorm1d(4))
    (8, 4)
    """
    parameters = list(model.parameters())
    return sum(p.numel() for p in parameters), sum(int((p != 0).sum()) for p in parameters)


def norm_epsilons(model: Module) -> dict[str, float]:
    """What each BatchNorm layer adds to the variance, by its name.

    Examples
    --------
    >>> import torch
    >>> norm_epsilons(torch.nn.Sequential(torch.nn.BatchNorm1d(4)))
    {'0': 1e-05}
    """
    from torch.nn.modules.batchnorm import _BatchNorm

    return {name: module.eps for name, module in model.named_modules() if isinstance(module, _BatchNorm)}


def layer_kinds() -> dict[str, tuple[type[Module], ...]]:
    """The kinds of layers that a step may ask for, by family."""
    from torch import nn

    from tunekit.compress.slim_attention import SlimAttention

    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    return {
        "dense": (nn.Linear, nn.Bilinear, *convolutions),
        "recurrent": (nn.RNNBase, nn.RNNCellBase),
        "attention": (nn.MultiheadAttention, SlimAttention),
        "embedding": (nn.Embedding, nn.EmbeddingBag),
    }


def draw_anew(network: Module) -> None:
    """Give all weights of a network of our own their first values again, from PyTorch's global stream.

    A layer that draws its weights itself does so. What else there is, parameters of a user's own, comes from a normal
    distribution with the mean and the spread that it has now.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(3, 3)
    >>> before = layer.weight.clone()
    >>> draw_anew(layer)
    >>> torch.equal(before, layer.weight)
    False
    """
    import torch

    with torch.no_grad():
        for module in network.modules():
            draw = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
            if callable(draw):
                draw()
                continue
            for parameter in module.parameters(recurse=False):
                spread = float(parameter.std()) if parameter.numel() > 1 else 0.0
                parameter.normal_(float(parameter.mean()), spread)
