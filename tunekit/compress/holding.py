"""What training has to leave as it is: zeros that stay zero, and weights that stay equal to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunekit.compress.pruning import masks as zeros

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(slots=True)
class Held:
    """The zeros and the clusters of a network while it is trained; a schedule may add zeros to them.

    Parameters
    ----------
    masks
        For each pruned parameter, by its name, a bool tensor of its shape: False where the weight stays zero.
    clusters
        For each shared parameter, by its name, an int16 tensor of its shape: weights with the same number stay equal.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(3, 1, bias=False)
    >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, 1.0, 5.0]]))
    >>> held = Held(clusters={"weight": torch.tensor([[0, 0, 1]], dtype=torch.int16)})
    >>> layer(torch.tensor([[1.0, 2.0, 3.0]])).backward()
    >>> held.join_gradients(layer)
    >>> layer.weight.grad.tolist()
    [[3.0, 3.0, 3.0]]
    """

    masks: Mapping[str, Tensor] = field(default_factory=dict)
    clusters: Mapping[str, Tensor] = field(default_factory=dict)

    def join_gradients(self, network: Module) -> None:
        """Give the weights of a cluster the sum of their gradients, in place, before the optimizer's step.

        It is the gradient of their common value. An optimizer that treats each weight by itself, as Adam and SGD do,
        then moves all of them alike.

        References
        ----------
        Han, Mao and Dally, "Deep Compression", ICLR 2016, section 3.
        """
        if not self.clusters:
            return
        parameters = dict(network.named_parameters())
        for name, numbers in self.clusters.items():
            gradient = parameters[name].grad
            if gradient is not None:
                gradient.copy_(_sums(gradient, numbers)[numbers.long()])

    def prune(self, network: Module, masks: Mapping[str, Tensor]) -> None:
        """Hold new zeros beside the older ones, in place; they leave their clusters for that of the zeros."""
        joined = {name: mask & self.masks[name] if name in self.masks else mask for name, mask in masks.items()}
        self.masks = {**self.masks, **joined}
        self.clusters = {
            name: _without(numbers, joined[name]) if name in joined else numbers
            for name, numbers in self.clusters.items()
        }
        self.restore(network)

    def restore(self, network: Module) -> None:
        """Put zeros and common values back, in place, after an optimizer's step or a stranger's."""
        import torch

        zeros.apply(network, self.masks)
        if not self.clusters:
            return
        parameters = dict(network.named_parameters())
        with torch.no_grad():
            for name, numbers in self.clusters.items():
                weight = parameters[name]
                counts = torch.bincount(numbers.flatten().long())
                means = _sums(weight, numbers) / counts.clamp(min=1)
                common = means.to(weight.dtype)[numbers.long()]
                if not torch.equal(common, weight):
                    weight.copy_(common)


def _without(numbers: Tensor, mask: Tensor) -> Tensor:
    """Put the masked weights into one cluster of their own."""
    import torch

    apart: Tensor = numbers.masked_fill(~mask, int(numbers.max()) + 1)
    renumbered: Tensor = torch.unique(apart, return_inverse=True)[1]
    return renumbered.reshape(numbers.shape).to(torch.int16)


def _sums(values: Tensor, numbers: Tensor) -> Tensor:
    """Sum the values of each cluster, in double precision: shape (clusters,)."""
    import torch

    sums: Tensor = torch.bincount(numbers.flatten().long(), weights=values.detach().double().flatten())
    return sums
