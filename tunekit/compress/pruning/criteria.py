"""Criteria: which weights matter least.

A criterion is a function of the `Evidence` that returns a score for each weight; the lowest go first. A criterion of
your own is one function:

>>> import torch
>>> @register("relative")
... def relative(evidence):
...     return [weight.abs() / weight.abs().mean() for weight in evidence.weights]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

    from tunekit.compress.pruning.evidence import Evidence

Criterion = Callable[["Evidence"], "Sequence[Tensor]"]

criteria: Registry[Criterion] = Registry("criterion")
register = criteria.register


@register("magnitude")
def magnitude(evidence: Evidence) -> list[Tensor]:
    """Score a weight by its size.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.
    """
    return [weight.abs() for weight in evidence.weights]


@register("random")
def random(evidence: Evidence) -> list[Tensor]:
    """Score a weight by chance: what any other criterion has to beat."""
    import torch

    return [torch.rand(weight.shape, generator=evidence.generator).to(weight.device) for weight in evidence.weights]


@register("activation")
def activation(evidence: Evidence) -> list[Tensor]:
    """Score a weight by its size times the mean size of the activation that it is multiplied with.

    The activations count as shares of their layer's mean: layers whose inputs are large are not spared for that.

    References
    ----------
    Sun, Liu, Bair and Kolter, "A Simple and Effective Pruning Approach for Large Language Models", ICLR 2024 (there
    with the root of the mean square, and ranked within each output).
    """
    return [weight.abs() * _relative(seen) for weight, seen in zip(evidence.weights, evidence.inputs, strict=True)]


@register("activation-zeros")
def activation_zeros(evidence: Evidence) -> list[Tensor]:
    """Score a weight by its size times the share of the activations it is multiplied with that are not zero.

    The shares count relative to their layer's mean.

    References
    ----------
    Hu, Peng, Tai and Tang, "Network Trimming: A Data-Driven Neuron Pruning Approach towards Efficient Deep
    Architectures", 2016 (the average percentage of zeros, APoZ, of whole neurons).
    """
    return [
        weight.abs() * _relative(1 - zeros)
        for weight, zeros in zip(evidence.weights, evidence.input_zeros, strict=True)
    ]


@register("taylor")
def taylor(evidence: Evidence) -> list[Tensor]:
    """Score a weight by how the loss changes without it, to first order: the root of the sum of (weight x gradient)².

    References
    ----------
    Molchanov, Mallya, Tyree, Frosio and Kautz, "Importance Estimation for Neural Network Pruning", CVPR 2019,
    equation 8.
    """
    import torch

    sums = [torch.zeros_like(weight, dtype=torch.float64) for weight in evidence.weights]
    for gradients in evidence.gradients():
        for total, weight, gradient in zip(sums, evidence.weights, gradients, strict=True):
            total += (weight * gradient).double() ** 2
    return [total.sqrt() for total in sums]


def _relative(values: Tensor) -> Tensor:
    """As shares of their mean; all alike where they are all zero."""
    mean = values.mean()
    return values / mean if float(mean) > 0 else values + 1


def score(name: str, evidence: Evidence) -> list[Tensor]:
    """Score all weights by the criterion of that name: for each tensor one of its shape.

    Raises
    ------
    ValueError
        If the name is unknown, or the scores do not fit the weights or are not finite.
    """
    import torch

    with torch.no_grad():
        scores = list(criteria[name](evidence))
    wanted = [tuple(weight.shape) for weight in evidence.weights]
    shapes = [tuple(getattr(one, "shape", ())) for one in scores]
    if evidence.granularity == "channels":
        shapes = [
            whole if shape == (whole[0], *(1,) * (len(whole) - 1)) else shape
            for shape, whole in zip(shapes, wanted, strict=False)
        ] + shapes[len(wanted) :]
    if shapes != wanted:
        raise ValueError(
            f"a criterion gives each weight a score: {name!r} returned tensors of shape {shapes} for weights of shape "
            f"{wanted}"
        )
    if not all(bool(torch.isfinite(one).all()) for one in scores):
        raise ValueError(f"a criterion gives finite scores: {name!r} gave NaN or infinity; are the weights finite?")
    return [one.expand(weight.shape) for one, weight in zip(scores, evidence.weights, strict=True)]
