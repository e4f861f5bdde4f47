"""Pruning channels and blocks inside a recipe: what goes is really gone, and what is left is made to fit again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

from tunekit.compress.holding import Held
from tunekit.compress.inputs import call
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied, device_of
from tunekit.compress.precision import full_precision
from tunekit.compress.pruning import criteria
from tunekit.compress.pruning.blocks import leave_out
from tunekit.compress.pruning.channels import Removal, cost, remove
from tunekit.compress.pruning.evidence import Evidence
from tunekit.compress.pruning.schedule import SCHEDULES
from tunekit.compress.statistics import batch_statistics, recalibrate
from tunekit.compress.tuning import tune
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.pruning.prune import Prune
    from tunekit.compress.stage import Context, Stage

# A few real inputs are enough to see who reads what.
_LOOKED_AT = 8
# What a block is worth shows on some hundred examples: each is left out once, and again as others have gone.
_JUDGED_ON = 500
# They are drawn with this and not with the seed of a trial: a recipe that is tried, run and repeated leaves out the
# same blocks.
_SEED = 0


def slimmed(step: Prune, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
    """Remove channels or blocks, measure BatchNorm's statistics anew, train; yield what goes on, return the new stage.

    Raises
    ------
    ValueError
        If nothing can be removed.
    """
    x = context.task.validation.head(_LOOKED_AT)
    whole = cost(copied(context.original).cpu(), x, step.of)
    network, notes = copied(stage.network), stage.notes
    rounds = step.epochs if step.schedule == "iterative" else 1
    start = max(0.0, 1 - cost(copied(network).cpu(), x, step.of) / whole)
    for one in range(rounds):
        yield Progressed(f"Removing {step.granularity}", 0.0)
        amount = step.amount if rounds == 1 else SCHEDULES["iterative"](start, step.amount, one / rounds, rounds)
        removal = _removed(step, network, context, amount, whole)
        network = removal.network.to(device_of(network))
        _settle(network, context)
        if step.epochs:
            held = _held(network, stage)
            yield from tune(
                network,
                context,
                held,
                step.epochs // rounds,
                learning_rate=step.learning_rate,
                doing="Training what is left",
            )
        if one == rounds - 1:
            notes = (*notes, *(f"{step!r}: {note}" for note in removal.notes))
    held = _held(network, stage)
    return replace(stage, network=network, masks=held.masks, clusters=held.clusters, file=None, notes=notes)


def rehearsed(step: Prune, stage: Stage, context: Context) -> Stage:
    """About what the step leaves of a network's structure: nothing is judged or trained.

    Raises
    ------
    ValueError
        If nothing can be removed.
    """
    x = context.task.validation.head(_LOOKED_AT)
    whole = cost(copied(context.original).cpu(), x, step.of)
    if step.granularity == "blocks":
        most, may_lose = whole * (1 - step.amount), _chosen(step, stage.network)
        removal = leave_out(
            copied(stage.network).cpu(), x, most, of=step.of, whole=whole, loss_of=lambda _: 0.0, may_lose=may_lose
        )
    else:
        removal = _removed(replace(step, criterion="magnitude"), stage.network, context, step.amount, whole)
    return replace(stage, network=removal.network.to(device_of(stage.network)), masks={}, clusters={}, file=None)


def _removed(step: Prune, network: Module, context: Context, amount: float, whole: float) -> Removal:
    import torch

    x = context.task.validation.head(_LOOKED_AT)
    generator = torch.Generator().manual_seed(context.seed)
    most = whole * (1 - amount)
    may_lose = _chosen(step, network)
    if step.granularity == "blocks":
        return leave_out(
            copied(network).cpu(),
            x,
            most,
            of=step.of,
            whole=whole,
            loss_of=lambda shorter: _loss(shorter, context),
            may_lose=may_lose,
        )
    weights = prunable(network)
    evidence = Evidence(network, weights, context.task, generator, "channels")
    with full_precision(network):
        found = criteria.score(step.criterion, evidence)
    scores = {name: score.cpu() for name, score in zip(weights, found, strict=True)}
    slim = copied(network).cpu()
    if cost(slim, x, step.of) <= most:
        return Removal(slim, ("Nothing removed: so much was gone before.",))
    return remove(
        slim,
        x,
        most,
        of=step.of,
        whole=whole,
        scores=scores,
        may_lose=may_lose,
        evenly=step.scope == "layer",
        round_to=step.round_to,
    )


def _chosen(step: Prune, network: Module) -> Callable[[str], bool]:
    """Whether a layer may lose what it writes."""
    known = {name for name, _ in network.named_modules()}
    for setting, names in (("layers", step.layers), ("exclude", step.exclude)):
        for name in names or ():
            if name not in known:
                raise ValueError(f"{setting}= names layers of the model: {name!r} is none by now")

    def within(name: str, names: tuple[str, ...]) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in names)

    return lambda name: (step.layers is None or within(name, step.layers)) and not within(name, step.exclude or ())


def _settle(network: Module, context: Context) -> None:
    import torch

    recalibrate(network, context.task.batches(torch.Generator().manual_seed(context.seed)))


def _loss(network: Module, context: Context) -> float:
    """The mean loss on some training examples, with BatchNorm's statistics of each batch: the old ones do not fit."""
    import torch

    losses: list[float] = []
    left, device = _JUDGED_ON, device_of(network)
    for x, y in context.task.batches(torch.Generator().manual_seed(_SEED)):
        # of a single example there is no variance
        with torch.no_grad(), batch_statistics(network) if len(y) > 1 else nullcontext():
            losses.append(float(context.task.loss(call(network, x), y.to(device))))
        left -= len(y)
        if left <= 0:
            break
    return sum(losses) / len(losses)


def _held(network: Module, stage: Stage) -> Held:
    """The zeros and clusters of the stage, in the shapes that the parameters have now."""
    import torch

    parameters = dict(network.named_parameters())
    masks = {name: parameters[name].detach() != 0 for name in stage.masks if name in parameters}
    clusters = {}
    for name in stage.clusters:
        if name in parameters:
            numbers: torch.Tensor = torch.unique(parameters[name].detach(), return_inverse=True)[1]
            clusters[name] = numbers.to(torch.int16)
    return Held(masks, clusters)
