"""Multi-head attention that can have fewer heads than its width would give it: PyTorch's own cannot."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear


class SlimAttention(nn.Module):
    """Self-attention with any number of heads of any size, called like ``torch.nn.MultiheadAttention``.

    Parameters
    ----------
    in_features, out_features
        The width of what it reads and of what it writes, 1 or more.
    num_heads, head_dim
        How many heads, each of what size, 1 or more.
    bias
        Whether the projections have one.
    dropout
        The share of attention weights that are dropped in training, 0 to below 1.
    batch_first
        Whether inputs have the shape (batch, time, width) rather than (time, batch, width).

    Examples
    --------
    >>> x = torch.zeros(2, 5, 16)
    >>> SlimAttention(16, 16, num_heads=3, head_dim=4)(x, x, x)[0].shape
    torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        num_heads: int,
        head_dim: int,
        bias: bool = True,
        dropout: float = 0.0,
        batch_first: bool = True,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.num_heads, self.head_dim = num_heads, head_dim
        self.dropout, self.batch_first = dropout, batch_first
        width = num_heads * head_dim
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, in_features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width)) if bias else None
        # a layer of its own, of the kind that PyTorch's attention has there: by its name steps leave it out
        self.out_proj = NonDynamicallyQuantizableLinear(width, out_features, bias)
        nn.init.xavier_uniform_(self.in_proj_weight)

    # what TransformerEncoderLayer asks before it takes the fused path, which knows PyTorch's own attention only
    _qkv_same_embed_dim = False

    @property
    def embed_dim(self) -> int:
        """The width of what it reads, under the name that PyTorch gives it."""
        return self.in_features

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend: parameters, shapes and results are those of ``torch.nn.MultiheadAttention``."""
        is_batched = query.dim() == 3
        if not is_batched:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        weights = self.in_proj_weight.chunk(3)
        biases: Any = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        heads = [
            functional.linear(x, weight, bias).unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)
            for x, weight, bias in zip((query, key, value), weights, biases, strict=True)
        ]
        mask = _joined(attn_mask, key_padding_mask, is_batched, self.num_heads)
        scores = heads[0] @ heads[1].transpose(-2, -1) / self.head_dim**0.5
        attention = (scores if mask is None else scores + mask.to(scores.dtype)).softmax(-1)
        attended = functional.dropout(attention, self.dropout, self.training) @ heads[2]
        out = functional.linear(attended.transpose(1, 2).flatten(-2), self.out_proj.weight, self.out_proj.bias)
        shown = (attention.mean(1) if average_attn_weights else attention) if need_weights else None
        if not is_batched:
            return out.squeeze(0), None if shown is None else shown.squeeze(0)
        return out if self.batch_first else out.transpose(0, 1), shown

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Weights that were saved while the output projection was no layer of its own have other names."""
        for part in ("weight", "bias"):
            if f"{prefix}out_proj_{part}" in state_dict:
                state_dict[f"{prefix}out_proj.{part}"] = state_dict.pop(f"{prefix}out_proj_{part}")
        module: Any = super()
        module._load_from_state_dict(state_dict, prefix, *others)

    def extra_repr(self) -> str:
        """Its sizes."""
        return f"{self.in_features}, {self.out_features}, num_heads={self.num_heads}, head_dim={self.head_dim}"


def slim(attention: nn.MultiheadAttention) -> SlimAttention | None:
    """Return the same attention in the form that can have heads removed; None for forms that it does not know."""
    given: Any = attention
    unusual = given.bias_k is not None or given.add_zero_attn or not given._qkv_same_embed_dim
    if unusual:
        return None
    slimmed = SlimAttention(
        given.embed_dim,
        given.embed_dim,
        given.num_heads,
        given.head_dim,
        given.in_proj_bias is not None,
        given.dropout,
        given.batch_first,
    )
    slimmed.in_proj_weight, slimmed.in_proj_bias = given.in_proj_weight, given.in_proj_bias
    slimmed.out_proj.weight, slimmed.out_proj.bias = given.out_proj.weight, given.out_proj.bias
    return slimmed.train(given.training)


def _joined(attn_mask: Tensor | None, padding: Tensor | None, is_batched: bool, heads: int) -> Tensor | None:
    """Add both masks up, True becoming minus infinity: shape (batch or 1, heads or 1, queries or 1, keys)."""
    parts = []
    if attn_mask is not None:
        added = _added(attn_mask)
        # (batch * heads, queries, keys), or the same for all
        parts.append(added.unflatten(0, (-1, heads)) if added.dim() == 3 else added)
    if padding is not None:
        added = _added(padding)
        parts.append((added if is_batched else added.unsqueeze(0))[:, None, None, :])
    return sum(parts[1:], start=parts[0]) if parts else None


def _added(mask: Tensor) -> Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, device=mask.device).masked_fill(mask, float("-inf"))
