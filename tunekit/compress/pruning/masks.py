"""Masks: plain tensors that say which weights stay zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


def keep_largest(scores: Sequence[Tensor], weights: Sequence[Tensor], amount: float) -> list[Tensor]:
    """Return masks under which exactly the wanted share of all weights is zero, ranked over all tensors together.

    Weights that are zero already go first, so that a second pruning counts the first one in; of equal scores the
    first ones go.

    Parameters
    ----------
    scores, weights
        For each tensor one of its shape; a higher score is kept longer.
    amount
        The share of all weights that is zero afterwards, 0 to 1. Where more are zero already, they stay so.

    Returns
    -------
    list
        For each tensor a bool tensor of its shape, False where the weight is to be zero.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.

    Examples
    --------
    >>> import torch
    >>> weights = [torch.tensor([3.0, -1.0]), torch.tensor([0.0, 2.0])]
    >>> [mask.tolist() for mask in keep_largest([w.abs() for w in weights], weights, 0.5)]
    [[True, False], [False, True]]
    """
    import torch

    flat = torch.cat([score.detach().double().flatten() for score in scores])
    zero = torch.cat([(weight.detach() == 0).flatten() for weight in weights])
    flat = flat.masked_fill(zero, -torch.inf)
    gone = max(round(amount * len(flat)), int(zero.sum()))
    keep = torch.ones(len(flat), dtype=torch.bool, device=flat.device)
    keep[torch.argsort(flat, stable=True)[:gone]] = False
    parts = keep.split([weight.numel() for weight in weights])
    return [part.reshape(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def keep_pattern(scores: Sequence[Tensor], weights: Sequence[Tensor], zeros: int, block: int) -> list[Tensor]:
    """Return masks under which of each block of consecutive inputs so many weights are zero.

    Weights that are zero already go first, so that a second pruning counts the first one in.

    Parameters
    ----------
    scores, weights
        For each tensor (outputs, inputs, ...) one of its shape; a higher score is kept longer.
    zeros, block
        So many of so many inputs, 0 < zeros < block. Inputs that are left over at the end stay whole.

    Returns
    -------
    list
        For each tensor a bool tensor of its shape, False where the weight is to be zero.

    References
    ----------
    Mishra et al., "Accelerating Sparse Deep Neural Networks", 2021 (2:4).

    Examples
    --------
    >>> import torch
    >>> weight = torch.tensor([[1.0, 4.0, -3.0, 2.0, 9.0]])
    >>> keep_pattern([weight.abs()], [weight], 2, 4)[0].tolist()
    [[False, True, True, False, True]]
    """
    import torch

    masks = []
    for score, weight in zip(scores, weights, strict=True):
        mask = torch.ones_like(score, dtype=torch.bool)
        whole = score.shape[1] // block * block
        if whole:
            ranked = score.detach().double().masked_fill(weight.detach() == 0, -torch.inf)
            # the inputs last, in blocks
            blocks = ranked[:, :whole].movedim(1, -1).unflatten(-1, (-1, block))
            lowest = torch.argsort(blocks, dim=-1, stable=True)[..., :zeros]
            kept = torch.ones_like(blocks, dtype=torch.bool).scatter(-1, lowest, value=False)
            mask[:, :whole] = kept.flatten(-2).movedim(-1, 1)
        masks.append(mask)
    return masks


def apply(model: Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked weights to zero, in place.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Linear(2, 1)
    >>> apply(model, {"weight": torch.tensor([[True, False]])})
    >>> float(model.weight[0, 1].detach())
    0.0
    """
    import torch

    if not masks:
        return
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            # not a product: 0 times a weight that has become NaN is NaN
            parameters[name].masked_fill_(~mask, 0)
