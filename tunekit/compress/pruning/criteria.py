"""Criteria: which weights matter least.

A criterion is a function of the weights and a generator that returns a score for each weight; the lowest go first. A
criterion of your own is one function:

>>> import torch
>>> @register("relative")
... def relative(weights, generator):
...     return [weight.abs() / weight.abs().mean() for weight in weights]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tunekit.core.registry import Registry

if TYPE_CHECKING:
    from torch import Generator, Tensor

Criterion = Callable[["Sequence[Tensor]", "Generator"], "Sequence[Tensor]"]

criteria: Registry[Criterion] = Registry("criterion")
register = criteria.register


@register("magnitude")
def magnitude(weights: Sequence[Tensor], generator: Generator) -> list[Tensor]:
    """Score a weight by its size.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.

    Examples
    --------
    >>> import torch
    >>> magnitude([torch.tensor([-2.0, 1.0])], torch.Generator())[0].tolist()
    [2.0, 1.0]
    """
    return [weight.abs() for weight in weights]


@register("random")
def random(weights: Sequence[Tensor], generator: Generator) -> list[Tensor]:
    """Score a weight by chance: what any other criterion has to beat.

    Examples
    --------
    >>> import torch
    >>> random([torch.zeros(2, 3)], torch.Generator().manual_seed(0))[0].shape
    torch.Size([2, 3])
    """
    import torch

    return [torch.rand(weight.shape, generator=generator).to(weight.device) for weight in weights]


def score(name: str, weights: Sequence[Tensor], generator: Generator) -> list[Tensor]:
    """Score all weights by the criterion of that name.

    Raises
    ------
    ValueError
        If the name is unknown, or the scores do not fit the weights or are not finite.
    """
    import torch

    with torch.no_grad():
        scores = list(criteria[name](weights, generator))
    shapes = [tuple(getattr(one, "shape", ())) for one in scores]
    if shapes != [tuple(weight.shape) for weight in weights]:
        raise ValueError(
            f"a criterion gives each weight a score: {name!r} returned tensors of shape {shapes} for weights of shape "
            f"{[tuple(weight.shape) for weight in weights]}"
        )
    if not all(bool(torch.isfinite(one).all()) for one in scores):
        raise ValueError(f"a criterion gives finite scores: {name!r} gave NaN or infinity; are the weights finite?")
    return scores
