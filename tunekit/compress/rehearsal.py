"""Going through a recipe before anything is trained: what cannot be done is said before the work, and not after it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tunekit.compress.distill import Distill
from tunekit.compress.factorise import Factorise
from tunekit.compress.fold import Fold
from tunekit.compress.network import copied
from tunekit.compress.present import named_now
from tunekit.compress.pruning import slimming
from tunekit.compress.pruning.prune import Prune
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from tunekit.compress.recipe import Step
    from tunekit.compress.stage import Context, Stage


def rehearse(recipe: Sequence[Step], stage: Stage, context: Context) -> Generator[Event, None, None]:
    """Do to a copy, without any training, what steps remove that come after a training; yield what goes on.

    Parameters
    ----------
    recipe
        The steps. Where one trains and a later one removes layers or parts of them, all that remove some are tried; and
        where a later one names layers, whether it can be done to what is left of them.
    stage
        What the recipe begins with.
    context
        As for the first step.

    Raises
    ------
    ValueError
        If a step that comes after a training cannot be done; one that comes before says so itself, at once.
    """
    trains = [bool(getattr(step, "epochs", 0)) for step in recipe]
    tried = [
        place
        for place, step in enumerate(recipe)
        if any(trains[:place]) and (_is_removing(step) or (_is_naming(step) and any(map(_is_changing, recipe[:place]))))
    ]
    if not tried:
        return
    is_known = True  # which layers there are: no longer, where blocks go that training has yet to judge
    for place, one in enumerate(recipe[: tried[-1] + 1]):
        yield Progressed(f"Can all steps be done? Trying {one!r} without any training")
        step, stage = named_now(one, stage, context.original)
        try:
            if place and is_known and _is_naming(step):
                step.check(stage.network)
            stage = yield from _done(step, stage, context)
            is_known = is_known and not (isinstance(step, Prune) and step.granularity == "blocks")
        except ValueError as error:
            if not any(trains[:place]):
                return
            raise ValueError(
                f"step {place + 1} of {text.plural(len(recipe), 'step')}, {step!r}, cannot be done, so nothing was "
                f"trained for it: {error}"
            ) from error
        except Exception:  # what breaks in any other way is for the step itself to say, in its row
            return


def _is_removing(step: Step) -> bool:
    return isinstance(step, (Factorise, Fold)) or (isinstance(step, Prune) and step.granularity != "weights")


def _is_changing(step: Step) -> bool:
    return _is_removing(step) or (isinstance(step, Distill) and step.student is not None)


def _is_naming(step: Step) -> bool:
    return any(isinstance(getattr(step, setting, None), tuple) for setting in ("layers", "exclude"))


def _done(step: Step, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
    """About what a step leaves of a network's structure."""
    if isinstance(step, Prune) and step.granularity != "weights":
        return slimming.rehearsed(step, stage, context)
    if isinstance(step, Factorise):
        return (yield from replace(step, epochs=0).apply(stage, context))
    if isinstance(step, Fold):
        return (yield from step.apply(stage, context))
    if isinstance(step, Distill) and step.student is not None:
        return replace(stage, network=copied(step.student), masks={}, clusters={}, file=None, built_like=step.student)
    return stage
