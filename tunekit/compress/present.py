"""The layers that a step names, in a network that earlier steps have changed: some are gone, some became two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.recipe import Step
    from tunekit.compress.stage import Stage


def named_now(step: Step, stage: Stage, original: Module) -> tuple[Step, Stage]:
    """Return a step that names what stands in the place of its layers, and the stage, which says what was passed over.

    A layer that became two is named by both. One that an earlier step has removed has no weights any more, so that
    nothing has to be excluded; a step that names no other layer stays as it is, and says so itself.

    Parameters
    ----------
    step
        Checked with the network that its recipe began with.
    stage
        What it is done to.
    original
        The network that its recipe began with.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.stage import Stage
    >>> before = torch.nn.Sequential(torch.nn.Linear(9, 9))
    >>> now = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(9, 2), torch.nn.Linear(2, 9)))
    >>> named_now(Prune(0.5, layers=("0",)), Stage(now), before)[0]
    Prune(0.5, layers=('0.0', '0.1'))
    """
    before = dict((stage.built_like or original).named_modules(remove_duplicate=False))
    now = dict(stage.network.named_modules(remove_duplicate=False))
    changed: dict[str, Any] = {}
    gone: list[str] = []
    for setting in ("layers", "exclude"):
        names = getattr(step, setting, None)
        if not isinstance(names, tuple):
            continue
        found = tuple(new for name in names for new in (_of_two(name, before, now) if name in now else ()))
        missing = [name for name in names if name not in now]
        if found == names or not all(name in before for name in missing) or not (found or setting == "exclude"):
            continue
        changed[setting] = found or None
        gone += missing
    if not changed:
        return step, stage
    if gone:
        stage = replace(stage, notes=(*stage.notes, f"{step!r}: passed over, as they are gone: {text.listed(gone)}."))
    return cast("Step", replace(cast("Any", step), **changed)), stage


def _of_two(name: str, before: dict[str, Module], now: dict[str, Module]) -> tuple[str, ...]:
    is_parted = name in before and not any(before[name].children()) and any(now[name].children())
    return tuple(f"{name}.{part}" for part, _ in now[name].named_children()) if is_parted else (name,)
