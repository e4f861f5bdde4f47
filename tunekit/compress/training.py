"""Training a network of our own, one batch at a time, with the zeros held."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tunekit.compress.network import device_of
from tunekit.compress.pruning import masks as zeros
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import Module

    from tunekit.compress.task import Task


def epochs(
    network: Module,
    task: Task,
    count: int,
    *,
    learning_rate: float,
    masks: Mapping[str, Tensor],
    generator: Generator,
) -> Iterator[tuple[int, float | None, float | None]]:
    """Train in place with Adam, its learning rate falling to zero along a cosine.

    Parameters
    ----------
    network
        Left in training mode after each epoch.
    count
        How many epochs, 1 or more.
    learning_rate
        At the start, above 0.
    masks
        Applied after every step of the optimizer, so that no momentum brings a weight back.
    generator
        Shuffles the batches.

    Yields
    ------
    (epoch, fraction, loss)
        After each batch the epoch from 0, the share of the epoch that is done, 0 to 1 (None where the number of
        batches is not known), and None; at an epoch's end fraction 1.0 and the mean loss of its batches.

    Raises
    ------
    ValueError
        If the loss is not finite.

    References
    ----------
    Kingma and Ba, "Adam", ICLR 2015; Loshchilov and Hutter, "SGDR", ICLR 2017 (the cosine, without restarts).
    """
    import torch

    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("a network to train has a parameter with requires_grad=True: this one has none; unfreeze some")
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    device, batches = device_of(network), task.train.steps
    for epoch in range(count):
        network.train()
        losses, step = [], 0
        for step, (x, y) in enumerate(task.batches(generator), start=1):
            if len(x) == 1 and step > 1:
                continue  # what is left over at the end: a BatchNorm layer cannot train on one example
            # the rate of a step is that of its beginning: the last one would be done with a rate of zero
            before = min(1.0, (step - 1) / batches) if batches else 0.0
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _cosine((epoch + before) / count)
            optimizer.zero_grad()
            loss = task.loss(network(x.to(device)), y.to(device))
            loss.backward()
            optimizer.step()
            zeros.apply(network, masks)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"a loss is a finite number: it was {losses[-1]} at batch {step} of epoch {epoch + 1}; "
                    f"try a learning rate below {learning_rate:g}"
                )
            yield epoch, min(1.0, step / batches) if batches else None, None
        yield epoch, 1.0, sum(losses) / len(losses)


def own_loop(network: Module, task: Task, count: int, masks: Mapping[str, Tensor]) -> Iterator[None]:
    """Train with the task's own loop, the zeros restored each time it yields and at its end.

    Raises
    ------
    TypeError
        If it is no generator function.
    """
    fit = task.fit
    if fit is None:
        raise TypeError("unreachable: a task without fit is trained by the built-in loop")
    network.train()
    loop = fit(network, task, count)
    if not inspect.isgenerator(loop):
        raise TypeError(
            "fit(model, task, epochs) is a generator function, so that training can be paused and stopped: "
            f"{text.value(fit)} returned {type(loop).__name__}; let it yield after each step"
        )
    try:
        for _ in loop:
            zeros.apply(network, masks)
            yield None
    finally:
        loop.close()
        zeros.apply(network, masks)


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
