"""Training with rounded weights, so that the network learns to live with few bits."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from tunekit.compress.holding import Held
from tunekit.compress.tuning import tune

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.stage import Context
    from tunekit.core.events import Event

# The shares of the largest weight that are tried as the end of the grid: with few bits, to cut some off costs less
# than to make all steps large.
_SHARES = tuple(share / 20 for share in range(6, 21))


class Rounded(Held):
    """Holds the weights in full precision while the network computes with rounded ones.

    Before each batch the weights are rounded; the gradient at the rounded weights moves the full ones.

    References
    ----------
    Courbariaux, Bengio and David, "BinaryConnect", NeurIPS 2015; Bengio, Léonard and Courville, "Estimating or
    Propagating Gradients Through Stochastic Neurons", 2013 (the gradient passes the rounding as if it were not there).
    """

    def __init__(
        self, masks: Mapping[str, Tensor], weights: Mapping[str, int], network: Module, bits: int, epochs: int
    ) -> None:
        super().__init__(dict(masks), {})
        self._axes, self._network, self._bits, self._epochs = dict(weights), network, bits, epochs
        self._full: dict[str, Tensor] = {}
        self._scales: dict[str, Tensor] = {}
        self._epoch = -1

    def before_batch(self, done: float) -> None:
        """Round the weights; the steps of the grid are found anew at the beginning of each epoch."""
        epoch = int(done * self._epochs + 1e-9)
        if epoch != self._epoch:
            self._epoch = epoch
            self._scales = {
                name: best_scale(self._network.get_parameter(name).detach(), axis, self._bits)
                for name, axis in self._axes.items()
            }
        self.round()

    def round(self) -> None:
        """Put rounded weights into the network and keep the full ones."""
        for name in self._axes:
            parameter = self._network.get_parameter(name)
            self._full[name] = parameter.data
            parameter.data = rounded(parameter.detach(), self._scales[name], self._bits)

    def join_gradients(self, network: Module) -> None:
        """Put the full weights back, for the optimizer to move."""
        for name, full in self._full.items():
            network.get_parameter(name).data = full
        self._full = {}


def trained_aware(
    network: Module,
    context: Context,
    masks: Mapping[str, Tensor],
    axes: Mapping[str, int],
    *,
    bits: int,
    epochs: int,
    learning_rate: float,
) -> Generator[Event, None, None]:
    """Train a network of our own in place; at its end the weights are rounded for good.

    Parameters
    ----------
    network, context, masks, epochs, learning_rate
        As in `tunekit.compress.tuning.tune`.
    axes
        The weights to round, by name, with the axis of their outputs: each output has a scale of its own.
    bits
        2 to 8.
    """
    held = Rounded(masks, axes, network, bits, epochs)
    yield from tune(
        network,
        context,
        held,
        epochs,
        learning_rate=learning_rate,
        doing=f"Training with {bits} bits",
        before_batch=held.before_batch,
    )
    held.before_batch(1.0)


def best_scale(weight: Tensor, axis: int, bits: int) -> Tensor:
    """Return for each output the step of a symmetric grid that misses its weights by the least squares.

    Parameters
    ----------
    weight
        Of any shape.
    axis
        That of its outputs.
    bits
        2 to 8: the grid has the whole numbers from -(2^(bits-1) - 1) to 2^(bits-1) - 1.

    Returns
    -------
    Tensor
        Above 0, in a shape that broadcasts to the weight.

    Examples
    --------
    >>> import torch
    >>> best_scale(torch.tensor([[1.0, -1.0, 1.0]]), 0, 2).tolist()
    [[1.0]]
    """
    import torch

    levels = 2 ** (bits - 1) - 1
    others = [place for place in range(weight.dim()) if place != axis]
    largest = weight.abs().amax(others, keepdim=True).clamp(min=1e-12)
    best: Tensor = largest / levels
    error = torch.full_like(largest, torch.inf)
    for share in _SHARES:
        scale = share * largest / levels
        missed = ((rounded(weight, scale, bits) - weight) ** 2).sum(others, keepdim=True)
        better = missed < error
        best, error = torch.where(better, scale, best), torch.where(better, missed, error)
    return best


def rounded(weight: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Round to the grid; what lies beyond its ends goes to them."""
    levels = 2 ** (bits - 1) - 1
    on_grid: Tensor = (weight / scale).round().clamp(-levels, levels) * scale
    return on_grid
