"""Training inside a step: events for the panel, a score after each epoch, the task's own loop if it has one."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from tunekit.compress.layout import channels_last
from tunekit.compress.network import runner
from tunekit.compress.precision import full_precision
from tunekit.core import seeds, text
from tunekit.core.events import Event, Progressed, TrialReported

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.holding import Held
    from tunekit.compress.inputs import Inputs
    from tunekit.compress.stage import Context
    from tunekit.compress.training import Loss

# Often enough to pause within a batch, seldom enough to cost nothing.
_EVERY = 0.1
# What comes after training, as a share of a step: writing, scoring, measuring.
_TRAINING = 0.9


def tune(
    network: Module,
    context: Context,
    held: Held,
    count: int,
    *,
    learning_rate: float,
    doing: str = "Fine-tuning",
    loss_of: Loss | None = None,
    before_batch: Callable[[float], None] | None = None,
) -> Generator[Event, None, None]:
    """Train a network of our own in place, in full precision; it ends in evaluation mode and in its own precision.

    Parameters
    ----------
    network, held, learning_rate, loss_of, before_batch
        As in `tunekit.compress.training.epochs`.
    count
        Epochs, 1 or more.
    doing
        What the panel calls it.

    Yields
    ------
    Event
        Progress, and after each epoch the metric and the loss as a report of the trial.
    """
    with full_precision(network):
        if context.task.fit is None:
            with channels_last(network, _few(context)):
                yield from _built_in(network, context, held, count, learning_rate, doing, loss_of, before_batch)
        else:
            if loss_of is not None:
                raise ValueError(
                    f"{doing} has a loss of its own, which the task's fit={text.value(context.task.fit)} does not "
                    "know; leave fit out of the Task, or this step out of the recipe"
                )
            yield from _own(network, context, held, count, doing, before_batch)
    network.eval()


def _few(context: Context) -> Inputs:
    """A few real inputs; to read them changes no random number of what comes later."""
    with seeds.seeded(0):
        return context.task.validation.head(2)


def _built_in(
    network: Module,
    context: Context,
    held: Held,
    count: int,
    learning_rate: float,
    doing: str,
    loss_of: Loss | None,
    before_batch: Callable[[float], None] | None,
) -> Generator[Event, None, None]:
    import torch

    from tunekit.compress.training import epochs

    generator = torch.Generator().manual_seed(context.seed)
    told, words = 0.0, ""
    loop = epochs(
        network,
        context.task,
        count,
        learning_rate=learning_rate,
        held=held,
        generator=generator,
        loss_of=loss_of,
        before_batch=before_batch,
    )
    for epoch, fraction, loss in loop:
        if loss is not None:
            score = yield from _scored(network, context, f"{doing}, epoch {epoch + 1} of {count}", (epoch + 1) / count)
            metrics = {context.task.metric_name: score, "loss": loss}
            words = f": {context.task.metric_name} {text.number(score)} after epoch {epoch + 1}"
            yield TrialReported(context.number, metrics)
            yield Progressed(f"{doing}, epoch {epoch + 1} of {count}{words}", _TRAINING * (epoch + 1) / count)
        elif time.perf_counter() - told >= _EVERY:
            told = time.perf_counter()
            share = None if fraction is None else _TRAINING * (epoch + fraction) / count
            yield Progressed(f"{doing}, epoch {epoch + 1} of {count}{words}", share)


def _own(
    network: Module,
    context: Context,
    held: Held,
    count: int,
    doing: str,
    before_batch: Callable[[float], None] | None,
) -> Generator[Event, None, None]:
    """Let the task train; where something changes on the way, epoch by epoch, as nothing else can be seen from here."""
    from tunekit.compress.training import own_loop

    parts = [count] if before_batch is None else [1] * count
    step = 0
    for epoch, part in enumerate(parts):
        if before_batch is not None:
            before_batch(epoch / count)
        for _ in own_loop(network, context.task, part, held):
            step += 1
            yield Progressed(f"{doing} with {text.value(context.task.fit)}, step {step}")
        score = yield from _scored(network, context, doing, (epoch + 1) / len(parts))
        yield TrialReported(context.number, {context.task.metric_name: score})


def _scored(network: Module, context: Context, doing: str, done: float) -> Generator[Event, None, float]:
    """Score on the validation split; while that goes on, the bar stays where it is."""
    scoring = context.answers(runner(network))
    while True:
        try:
            next(scoring)
        except StopIteration as end:
            return context.task.value(end.value)
        yield Progressed(f"{doing}: scoring", _TRAINING * done)
