"""The step that trains what is left."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from tunekit.compress import recipe, settings
from tunekit.compress.holding import Held
from tunekit.compress.network import copied, draw_anew
from tunekit.compress.tuning import tune
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage
    from tunekit.core.events import Event


@recipe.steps.register("fine-tune")
@dataclass(frozen=True, repr=False)
class FineTune:
    """Train on, with the pruned weights held at zero and the shared ones equal; or train the same net from scratch.

    The network of the last epoch is kept, whatever the others scored.

    Parameters
    ----------
    epochs
        How many passes through the training split, 1 or more.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine. Where the task has its own ``fit``, that decides.
    fresh
        Whether all weights are drawn anew first, so that only the shape of the net is left: beside this shows what
        compression owes to the weights that it kept.

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
    fresh: bool = False

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        settings.check_epochs(self.epochs, least=1)
        settings.check_learning_rate(self.learning_rate)
        if not isinstance(self.fresh, bool):
            raise TypeError(f"fresh is True or False: got {text.value(self.fresh)}")

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
        if self.fresh:
            draw_anew(network)
        held = Held(stage.masks, stage.clusters)
        doing = "Training from scratch" if self.fresh else "Fine-tuning"
        yield from tune(network, context, held, self.epochs, learning_rate=self.learning_rate, doing=doing)
        return replace(stage, network=network, file=None)
