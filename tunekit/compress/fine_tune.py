"""The step that trains what is left."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tunekit.compress import recipe
from tunekit.compress.network import copied, runner
from tunekit.core import text
from tunekit.core.events import Event, Progressed, TrialReported

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage

# Often enough to pause within a batch, seldom enough to cost nothing.
_EVERY = 0.1


@recipe.steps.register("fine-tune")
@dataclass(frozen=True, repr=False)
class FineTune:
    """Train on, with the pruned weights held at zero.

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
        epochs: Any = self.epochs
        rate: Any = self.learning_rate
        if isinstance(epochs, bool) or not isinstance(epochs, int):
            raise TypeError(f"epochs is a whole number: got {text.value(epochs)}")
        if epochs < 1:
            raise ValueError(f"fine-tuning takes at least one epoch: got epochs={epochs}; leave the step out instead")
        if isinstance(rate, bool) or not isinstance(rate, (int, float)):
            raise TypeError(f"the learning rate is a number: got {text.value(rate)}")
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(f"the learning rate is a finite number above 0: got {rate:g}")

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
        trained = replace(stage, network=network, file=None)
        if context.task.fit is None:
            yield from self._built_in(trained, context)
        else:
            yield from self._own(trained, context)
        network.eval()
        return trained

    def _built_in(self, stage: Stage, context: Context) -> Generator[Event, None, None]:
        import torch

        from tunekit.compress.training import epochs

        generator = torch.Generator().manual_seed(context.seed)
        told, words = 0.0, ""
        loop = epochs(
            stage.network,
            context.task,
            self.epochs,
            learning_rate=self.learning_rate,
            masks=stage.masks,
            generator=generator,
        )
        for epoch, fraction, loss in loop:
            if loss is not None:
                done = 0.9 * (epoch + 1) / self.epochs
                score = yield from _scored(stage, context, done)
                metrics = {context.task.metric_name: score, "loss": loss}
                words = f": {context.task.metric_name} {text.number(score)} after epoch {epoch + 1}"
                yield TrialReported(context.number, metrics)
                yield Progressed(f"Fine-tuning, epoch {epoch + 1} of {self.epochs}{words}", done)
            elif time.perf_counter() - told >= _EVERY:
                told = time.perf_counter()
                share = None if fraction is None else 0.9 * (epoch + fraction) / self.epochs
                yield Progressed(f"Fine-tuning, epoch {epoch + 1} of {self.epochs}{words}", share)

    def _own(self, stage: Stage, context: Context) -> Generator[Event, None, None]:
        from tunekit.compress.training import own_loop

        for step, _ in enumerate(own_loop(stage.network, context.task, self.epochs, stage.masks), start=1):
            yield Progressed(f"Fine-tuning with {text.value(context.task.fit)}, step {step}")
        score = yield from _scored(stage, context, 0.9)
        yield TrialReported(context.number, {context.task.metric_name: score})


def _scored(stage: Stage, context: Context, done: float) -> Generator[Event, None, float]:
    found = None
    for found in context.task.answers(runner(stage.network)):
        if found is None:
            yield Progressed("Fine-tuning: scoring on the validation split", done)
    if found is None:
        raise ValueError("a split holds at least one example: validation is empty")
    return context.task.value(found)
