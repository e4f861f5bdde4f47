"""Leaving the most sensitive layers in float: as few as bring the score back."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from tunekit.compress.onnx_file import open_runner
from tunekit.compress.quantization.nodes import layers_with_weights, weights_of
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.quantization.int8 import Int8
    from tunekit.compress.stage import Context


def spare(
    made: Int8,
    data: bytes,
    network: Module,
    context: Context,
    again: Callable[[set[str]], Generator[Event, None, Int8]],
) -> Generator[Event, None, tuple[Int8, str]]:
    """Leave layers in float while the score is detectably worse than that of the float file.

    Each layer by itself is left in float once, and the one that brings back most goes first.

    Parameters
    ----------
    made
        The file with all layers quantized.
    data, network
        The float file, and its network.
    again
        Called with the names of weights; makes the file again, with those in float.

    Returns
    -------
    (file, words)
        The file, and what was spared.

    References
    ----------
    Wu et al., "Integer Quantization for Deep Learning Inference: Principles and Empirical Evaluation", 2020, section
    5.2 (partial quantization).
    """
    whole = yield from context.answers(open_runner(data))
    task, metric = context.task, context.task.metric_name

    def judged(one: Int8) -> Generator[Event, None, tuple[float, bool]]:
        answers = yield from context.answers(open_runner(one.file))
        return task.value(answers), task.change(whole, answers).high < 0

    value, is_worse = yield from judged(made)
    if not is_worse:
        return made, "; no layer has to stay in float"
    start, gains = value, {}
    for layer in layers_with_weights(data, network):
        yield Progressed(f"How sensitive is {layer}?")
        alone = yield from again(weights_of(data, network, [layer]))
        gains[layer], _ = yield from judged(alone)
    spared: list[str] = []
    for layer in sorted(gains, key=lambda one: -gains[one]):
        spared.append(layer)
        made = yield from again(weights_of(data, network, spared))
        value, is_worse = yield from judged(made)
        if not is_worse:
            break
    figures = f"{metric} {text.number(start)} → {text.number(value)}, float {text.number(task.value(whole))}"
    return made, f"; left in float: {text.listed(spared)} ({figures})"
