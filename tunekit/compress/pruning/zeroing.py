"""Pruning weights inside a recipe: at once, or more and more while the network is trained."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tunekit.compress.holding import Held
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied
from tunekit.compress.precision import full_precision
from tunekit.compress.pruning import criteria, masks
from tunekit.compress.pruning.channels import TOLERANCE
from tunekit.compress.pruning.evidence import Evidence
from tunekit.compress.pruning.patterns import by_inputs, read_pattern, too_narrow
from tunekit.compress.pruning.schedule import SCHEDULES
from tunekit.compress.tuning import tune
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

    from tunekit.compress.pruning.prune import Prune
    from tunekit.compress.stage import Context, Stage

# A schedule that changes the zeros with every batch spends its time on ranking; in this many turns an epoch it is as
# smooth as the training can tell.
_TURNS = 8


def zeroed(step: Prune, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
    """Yield what goes on; return the stage with its new zeros and the masks that hold them."""
    yield Progressed("Pruning", 0.0)
    network = copied(stage.network)
    held = Held(stage.masks, stage.clusters)
    weights = prunable(network, step.layers, step.exclude)
    start = min(step.amount, _share_of_zeros(weights))
    name = step.schedule or ("cubic" if step.epochs and step.pattern is None else "one-shot")
    reached = -1.0

    def prune(done: float) -> None:
        nonlocal reached
        # the schedule as it stands at the beginning of this turn: all batches of a turn have the same zeros
        turns = step.epochs * _TURNS
        turn = int(done * turns + 1e-9) / turns if turns else 1.0
        amount = SCHEDULES[name](start, step.amount, turn, step.epochs)
        if amount > reached:
            held.prune(network, _masks(step, network, weights, context, amount))
            reached = amount

    if step.epochs:
        yield from tune(
            network,
            context,
            held,
            step.epochs,
            learning_rate=step.learning_rate,
            doing="Pruning and training",
            before_batch=prune,
        )
    prune(1.0)
    notes = (*stage.notes, *(f"{step!r}: {note}" for note in _notes(step, network, weights)))
    return replace(stage, network=network, masks=held.masks, clusters=held.clusters, file=None, notes=notes)


def _masks(
    step: Prune, network: Module, weights: Mapping[str, Parameter], context: Context, amount: float
) -> dict[str, Tensor]:
    import torch

    generator = torch.Generator().manual_seed(context.seed)
    evidence = Evidence(network, weights, context.task, generator)
    with full_precision(network):
        scores, tensors = criteria.score(step.criterion, evidence), evidence.weights
    if step.pattern is not None:
        zeros, block = read_pattern(step.pattern)
        turned = masks.keep_pattern(
            [by_inputs(network, name, score) for name, score in zip(weights, scores, strict=True)],
            [by_inputs(network, name, tensor) for name, tensor in zip(weights, tensors, strict=True)],
            zeros,
            block,
        )
        found = [by_inputs(network, name, mask) for name, mask in zip(weights, turned, strict=True)]
    elif step.scope == "global":
        found = masks.keep_largest(scores, tensors, amount)
    else:
        found = [
            mask
            for score, tensor in zip(scores, tensors, strict=True)
            for mask in masks.keep_largest([score], [tensor], amount)
        ]
    return dict(zip(weights, found, strict=True))


def _share_of_zeros(weights: Mapping[str, Parameter]) -> float:
    gone = sum(int((weight == 0).sum()) for weight in weights.values())
    return gone / sum(weight.numel() for weight in weights.values())


def _notes(step: Prune, network: Module, weights: Mapping[str, Parameter]) -> list[str]:
    """What a pattern could not reach: a ranking of single weights meets its amount."""
    if step.pattern is None:
        return []
    _, block = read_pattern(step.pattern)
    reached, notes = _share_of_zeros(weights), []
    narrow = [name.removesuffix(".weight") for name in too_narrow(network, weights, block)]
    if narrow:
        notes.append(
            f"Left alone, as each of their outputs reads fewer than the {block} inputs of a block: "
            f"{text.listed(narrow)}."
        )
    missed = step.amount - reached
    if narrow or missed > TOLERANCE:
        notes.append(f"Weights that are zero: {text.share(reached)}.")
    if missed > TOLERANCE:
        notes[-1] += (
            f" The amount is missed by {text.share(missed)} of the weights: inputs that fill no block of {block} "
            "stay whole."
        )
    return notes
