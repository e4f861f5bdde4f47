"""The step that trains what is left."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tunekit.compress import recipe, settings
from tunekit.compress.holding import Held
from tunekit.compress.network import copied
from tunekit.compress.tuning import tune

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage
    from tunekit.core.events import Event


@recipe.steps.register("fine-tune")
@dataclass(frozen=True, repr=False)
class FineTune:
    """Train on, with the pruned weights held at zero and the shared ones equal.

    The network of the last epoch is kept, whatever the others scored.

    Parameters
    ----------
    epochs
        How many passes through the training split, 1 or more.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine. Where the task has its own ``fit``, that decides.

    Raises
    ------
    ValueError
        If a value is out of range.
    TypeError
        If it is no number.

    Examples
    --------
    >>> FineTune(epochs=3)
    FineTune(epochs=3)
    """

    epochs: int
    learning_rate: float = 1e-3

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        settings.check_epochs(self.epochs, least=1)
        settings.check_learning_rate(self.learning_rate)

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self)

    def check(self, model: Module) -> None:
        """Raise a ValueError if there is nothing to train."""
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ValueError(
                f"fine-tuning trains the parameters with requires_grad=True: {type(model).__name__} has none; "
                "unfreeze some, or leave FineTune out"
            )

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield progress and, after each epoch, its score; return the stage with the trained network."""
        network = copied(stage.network)
        held = Held(stage.masks, stage.clusters)
        yield from tune(network, context, held, self.epochs, learning_rate=self.learning_rate)
        return replace(stage, network=network, file=None)
