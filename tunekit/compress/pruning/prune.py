"""The step that sets the least important weights to zero."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tunekit.compress import recipe
from tunekit.compress.network import copied
from tunekit.compress.pruning import criteria, masks
from tunekit.compress.pruning.layers import prunable
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage


@recipe.steps.register("prune")
@dataclass(frozen=True, repr=False)
class Prune:
    """Set the least important weights to zero, ranked over all chosen layers together.

    The zeros stay zero in the training that follows. They make neither the file nor the computation smaller.

    Parameters
    ----------
    amount
        The share of all weights of the chosen layers that is zero afterwards, from 0 to below 1: pruning to 0.5 twice
        leaves one half, not a quarter.
    criterion
        The name of a registered criterion: ``"magnitude"``, ``"random"`` or one of your own.
    layers
        Names as in ``model.named_modules()``; None: all linear, convolutional, recurrent and attention layers.

    Raises
    ------
    ValueError
        If the amount is out of range, the criterion unknown, or ``layers`` is empty.
    TypeError
        If the amount is no number or ``layers`` no list of names.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.

    Examples
    --------
    >>> Prune(0.8)
    Prune(0.8)
    >>> Prune(80)
    Traceback (most recent call last):
    ...
    ValueError: the amount to prune is a share from 0 to below 1: got 80; for 80 % write 0.8
    """

    amount: float
    criterion: str = "magnitude"
    layers: tuple[str, ...] | None = None

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        amount: Any = self.amount
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise TypeError(f"the amount to prune is a number: got {text.value(amount)}")
        if not 0 <= amount < 1:
            hint = f"; for {amount:g} % write {amount / 100:g}" if 1 < amount < 100 else ""
            raise ValueError(f"the amount to prune is a share from 0 to below 1: got {amount:g}{hint}")
        criteria.criteria[self.criterion]
        layers: Any = self.layers
        if layers is not None:
            if isinstance(layers, str) or not all(isinstance(name, str) for name in layers):
                raise TypeError(f"layers= is a list of names, or None for all: got {layers!r}")
            if not layers:
                raise ValueError("layers= names at least one layer, or is None for all: got an empty list")
            object.__setattr__(self, "layers", tuple(layers))

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "amount")

    def check(self, model: Module) -> None:
        """Raise a ValueError if a layer is unknown, or nothing can be pruned."""
        prunable(model, self.layers)

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield one word of progress; return the stage with its new zeros and the masks that hold them."""
        import torch

        yield Progressed("Pruning", 0.0)
        network = copied(stage.network)
        weights = prunable(network, self.layers)
        tensors = [weight.detach() for weight in weights.values()]
        generator = torch.Generator().manual_seed(context.seed)
        scores = criteria.score(self.criterion, tensors, generator)
        new = dict(zip(weights, masks.keep_largest(scores, tensors, self.amount), strict=True))
        held = {**stage.masks, **new}
        masks.apply(network, held)
        return replace(stage, network=network, masks=held, file=None)
