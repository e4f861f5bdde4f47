"""Training a network of our own, one batch at a time, with the zeros held."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tunekit.compress import inputs
from tunekit.compress.network import device_of
from tunekit.core import text

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import Module, Parameter
    from torch.optim import Adam

    from tunekit.compress.holding import Held
    from tunekit.compress.inputs import Inputs
    from tunekit.compress.task import Task

# Called with the network and a batch (x, y); returns a scalar tensor to go down.
Loss = Callable[["Module", "Inputs", "Tensor"], "Tensor"]


def epochs(
    network: Module,
    task: Task,
    count: int,
    *,
    learning_rate: float,
    held: Held,
    generator: Generator,
    loss_of: Loss | None = None,
    before_batch: Callable[[float], None] | None = None,
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
    held
        The zeros and clusters; put back after every step of the optimizer, so that no momentum brings a weight back.
    generator
        Shuffles the batches.
    loss_of
        What is minimised; None: the task's loss of the network's outputs.
    before_batch
        Called with the share of all batches that is done, 0 to below 1; may change the weights and what is held. Where
        the number of batches is not known it is called with the share of the epochs.

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
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not parameters:
        raise ValueError("a network to train has a parameter with requires_grad=True: this one has none; unfreeze some")
    minimised = loss_of or (lambda trained, x, y: task.loss(inputs.call(trained, x), y))
    device, batches = device_of(network), task.train.steps
    optimizer = adam(parameters, learning_rate)
    for epoch in range(count):
        network.train()
        losses, step = [], 0
        for step, (x, y) in enumerate(task.batches(generator), start=1):
            if len(y) == 1 and step > 1:
                continue  # what is left over at the end: a BatchNorm layer cannot train on one example
            # the rate of a step is that of its beginning: the last one would be done with a rate of zero
            done = (epoch + (min(1.0, (step - 1) / batches) if batches else 0.0)) / count
            if before_batch is not None:
                before_batch(done)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _cosine(done)
            optimizer.zero_grad()
            loss = minimised(network, x, y.to(device))
            loss.backward()
            held.join_gradients(network)
            optimizer.step()
            held.restore(network)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise ValueError(
                    f"a loss is a finite number: it was {losses[-1]} at batch {step} of epoch {epoch + 1}; "
                    f"try a learning rate below {learning_rate:g}"
                )
            yield epoch, min(1.0, step / batches) if batches else None, None
        yield epoch, 1.0, sum(losses) / len(losses)


def adam(parameters: list[Parameter], learning_rate: float) -> Adam:
    """Adam, on a CPU in its fused form.

    That is up to three times as fast on small networks, and its roots are exact: on every processor the same.
    """
    import torch

    fused = all(parameter.device.type == "cpu" for parameter in parameters)
    return torch.optim.Adam(parameters, lr=learning_rate, fused=fused or None)


def own_loop(network: Module, task: Task, count: int, held: Held) -> Iterator[None]:
    """Train with the task's own loop; zeros and clusters are put back each time it yields and at its end.

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
            held.restore(network)
            yield None
    finally:
        loop.close()
        held.restore(network)


def _cosine(done: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
