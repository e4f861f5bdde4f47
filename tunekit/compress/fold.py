"""The step that folds BatchNorm into the layer before it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tunekit.compress import recipe
from tunekit.compress.inputs import call
from tunekit.compress.network import copied, norm_epsilons
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.stage import Context, Stage

# How far outputs may be off, as a share of the largest: the products are rounded in another order.
_TOLERANCE = 1e-4


@recipe.steps.register("fold")
@dataclass(frozen=True, repr=False)
class Fold:
    """Fold BatchNorm into the convolution or linear layer whose output it reads.

    In evaluation, a norm with fixed statistics is a product and a sum, which the layer before it can do at once: the
    outputs stay, and the norm is gone. The ONNX file is folded anyway; the bundle has less to hold, and training that
    follows has no norms.

    References
    ----------
    Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", CVPR
    2018, section 3.2.

    Examples
    --------
    >>> Fold()
    Fold()
    """

    last: ClassVar[bool] = False

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self)

    def check(self, model: Module) -> None:
        """Raise a ValueError if there is no BatchNorm."""
        if not norm_epsilons(model):
            raise ValueError(f"a BatchNorm layer is folded: {type(model).__name__} has none; leave Fold out")

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield one word of progress; return the stage with the norms folded.

        Raises
        ------
        ValueError
            If not one of them could be.
        """
        yield Progressed("Folding BatchNorm", 0.0)
        network = copied(stage.network)
        x = context.task.validation.head(8)
        total = len(norm_epsilons(network))
        folded = fold(network, x)
        if total and not folded:
            raise ValueError(
                "a BatchNorm layer is folded into the layer whose output it alone reads: none of "
                f"{total} follows a convolution or a linear layer like that; leave Fold out"
            )
        parameters = dict(network.named_parameters())
        clusters = {
            name: numbers
            for name, numbers in stage.clusters.items()
            if name in parameters and name.rpartition(".")[0] not in folded
        }
        note = f"{self!r}: BatchNorm layers folded: {len(folded)} of {total}."
        if len(clusters) < len(stage.clusters):
            note += " Their weights no longer share values: put Share after Fold."
        masks = {name: mask for name, mask in stage.masks.items() if name in parameters}
        return replace(stage, network=network, masks=masks, clusters=clusters, file=None, notes=(*stage.notes, note))


def fold(network: Module, x: Inputs) -> list[str]:
    """Fold the BatchNorm layers of a network of our own in place; return the names of the layers that took one in.

    Parameters
    ----------
    network
        In evaluation mode.
    x
        A few real inputs: a norm is folded where the outputs on them stay.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).eval()
    >>> fold(net, torch.ones(2, 2)), net
    (['0'], Sequential(
      (0): Linear(in_features=2, out_features=3, bias=True)
      (1): Identity()
    ))
    """
    import torch

    taken: list[str] = []
    with torch.no_grad():
        expected = call(network, x)
        allowed = _TOLERANCE * max(1.0, float(expected.abs().max()))
        for layer, norm in _pairs(network, x):
            before = _set(network, layer, norm, *_folded(network.get_submodule(layer), network.get_submodule(norm)))
            found = call(network, x)
            if found.shape == expected.shape and float((found - expected).abs().max()) <= allowed:
                taken.append(layer)
            else:  # somebody else reads the layer's output, too
                _restore(network, layer, norm, *before)
    return taken


def _pairs(network: Module, x: Inputs) -> list[tuple[str, str]]:
    """The layers whose very output a norm reads, each called once."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

    writers: dict[int, str] = {}
    kept: list[Any] = []  # so that no later tensor gets the place of an earlier one
    pairs: list[tuple[str, str]] = []
    calls: dict[str, int] = {}
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, (nn.Linear, _ConvNd)):

            def wrote(module: Module, args: Any, output: Any, name: str = name) -> None:
                writers[id(output)] = name
                kept.append(output)
                calls[name] = calls.get(name, 0) + 1

            handles.append(module.register_forward_hook(wrote))
        elif isinstance(module, _BatchNorm) and module.track_running_stats:

            def reads(module: Module, args: Any, name: str = name) -> None:
                calls[name] = calls.get(name, 0) + 1
                if id(args[0]) in writers:
                    pairs.append((writers[id(args[0])], name))

            handles.append(module.register_forward_pre_hook(reads))
    try:
        call(network, x)
    finally:
        for handle in handles:
            handle.remove()
    return [(layer, norm) for layer, norm in pairs if calls[layer] == calls[norm] == 1]


def _folded(layer: Any, norm: Any) -> tuple[Any, Any]:
    """The weight and the bias of a layer that does the norm's work, too: by PyTorch's own functions."""
    import torch
    from torch.nn.modules.conv import _ConvTransposeNd
    from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

    gamma = torch.ones_like(norm.running_mean) if norm.weight is None else norm.weight
    beta = torch.zeros_like(norm.running_mean) if norm.bias is None else norm.bias
    given = layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, gamma, beta
    if isinstance(layer, torch.nn.Linear):
        return fuse_linear_bn_weights(*given)
    return fuse_conv_bn_weights(*given, transpose=isinstance(layer, _ConvTransposeNd))


def _set(network: Module, layer: str, norm: str, weight: Any, bias: Any) -> tuple[Any, Any, Module]:
    from torch import nn

    holder: Any = network.get_submodule(layer)
    before = holder.weight, holder.bias, network.get_submodule(norm)
    trained = holder.weight.requires_grad
    holder.weight = nn.Parameter(weight.detach().clone(), trained)
    holder.bias = nn.Parameter(bias.detach().clone(), trained)
    network.set_submodule(norm, nn.Identity())
    return before


def _restore(network: Module, layer: str, norm: str, weight: Any, bias: Any, module: Module) -> None:
    holder: Any = network.get_submodule(layer)
    holder.weight, holder.bias = weight, bias
    network.set_submodule(norm, module)
