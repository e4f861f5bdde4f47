"""What stands in the place of a part that was left out and is called with more than one argument."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Absent(nn.Module):
    """Hands on the first thing that it is called with, whatever else comes: ``torch.nn.Identity`` takes nothing else.

    Parameters
    ----------
    batch_first
        What a transformer asks of the attention in its first layer.

    Examples
    --------
    >>> import torch
    >>> Absent()(torch.ones(1), torch.zeros(1), mask=None)
    tensor([1.])
    """

    def __init__(self, batch_first: bool = False) -> None:
        super().__init__()
        self.batch_first = batch_first

    @property
    def self_attn(self) -> Absent:
        """It has no attention, and says the same of it as of itself."""
        return self

    def extra_repr(self) -> str:
        """Its setting."""
        return f"batch_first={self.batch_first}"

    def forward(self, x: Tensor, *others: Any, **named: Any) -> Tensor:
        """Return x."""
        return x
