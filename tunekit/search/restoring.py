"""Giving nets, optimizers and schedules the state of a checkpoint: checked as a whole before anything is changed."""

from __future__ import annotations

import copy
import random
from collections import OrderedDict
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module
    from torch.optim import Optimizer

Role = Literal["module", "optimizer", "schedule", "generator", "dict", "other"]

# What of a schedule says how far it is. All else of it follows from its settings.
_PROGRESS = (
    "last_epoch", "_step_count", "best", "num_bad_epochs", "cooldown_counter", "T_cur", "T_i",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Saved:
    """One thing of a checkpoint.

    Parameters
    ----------
    name
        The name of its class.
    role
        What kind of thing it is.
    state
        What it held.
    built
        Of an optimizer or a schedule the settings that it was made with, before its first step; None where they are not
        known.
    """

    name: str
    role: Role
    state: Any
    built: Any = None


def role_of(thing: Any) -> Role:
    """What kind of thing it is.

    Raises
    ------
    TypeError
        If it is nothing that has a state.

    Examples
    --------
    >>> role_of({"epoch": 3})
    'dict'
    """
    import torch

    if isinstance(thing, torch.nn.Module):
        return "module"
    if isinstance(thing, torch.optim.Optimizer):
        return "optimizer"
    if isinstance(thing, torch.optim.lr_scheduler.LRScheduler):
        return "schedule"
    if isinstance(thing, (torch.Generator, np.random.Generator, random.Random)):
        return "generator"
    if callable(getattr(thing, "state_dict", None)) and callable(getattr(thing, "load_state_dict", None)):
        return "other"
    if isinstance(thing, MutableMapping):
        return "dict"
    raise TypeError(
        "a checkpoint holds nets, optimizers, schedules, random generators, what has state_dict() and "
        f"load_state_dict(), and dicts: got {text.value(thing)} of type {type(thing).__name__}; put it into a dict"
    )


def state_of(thing: Any) -> Any:
    """The state of a thing: tensors and plain values."""
    role = role_of(thing)
    if role == "dict":
        return dict(thing)
    if role != "generator":
        return thing.state_dict()
    if isinstance(thing, np.random.Generator):
        return thing.bit_generator.state
    return thing.getstate() if isinstance(thing, random.Random) else thing.get_state()


def built_of(thing: Any) -> Any:
    """The settings that an optimizer or a schedule has now; None for another thing."""
    role = role_of(thing)
    if role == "optimizer":
        groups = thing.state_dict()["param_groups"]
        return copy.deepcopy([{key: value for key, value in group.items() if key != "params"} for group in groups])
    return copy.deepcopy(thing.state_dict()) if role == "schedule" else None


def restore(things: Sequence[Any], saved: Sequence[Saved], origin: str, *, keeps_settings: bool) -> None:
    """Give things the states of a checkpoint; what does not fit is an error, and then nothing is changed.

    Parameters
    ----------
    things
        In the order in which they were saved; the last ones may be left out.
    saved
        What the checkpoint holds.
    origin
        What it is called, for the errors.
    keeps_settings
        Whether optimizers and schedules keep their own settings, such as learning rate and weight decay, where these
        are others than the saved ones were made with; then they take over momentum and progress only. A decayed rate is
        the own one, decayed as far.

    Raises
    ------
    ValueError
        If there are more things than were saved, or they are others.
    """
    if len(things) > len(saved):
        held = ", ".join(one.name for one in saved)
        raise ValueError(
            f"load() takes what was saved, in that order: {origin} holds {text.plural(len(saved), 'thing')} ({held}), "
            f"got {len(things)}; save() and load() name the same things"
        )
    pairs = list(zip(things, saved, strict=False))
    for place, (thing, one) in enumerate(pairs, 1):
        _check(thing, one, f"thing {place} of {origin}", keeps_settings)
    for thing, one in pairs:
        _give(thing, one, keeps_settings)


def _check(thing: Any, saved: Saved, where: str, keeps_settings: bool) -> None:
    role = role_of(thing)
    if role != saved.role:
        raise ValueError(
            f"load() takes what was saved, in that order: {where} is {saved.name}, got {type(thing).__name__}"
        )
    if role == "module":
        _check_module(thing, saved.state, f"{where}, {saved.name},")
    elif role == "optimizer":
        _check_optimizer(thing, saved, where, keeps_settings)


def _check_module(module: Module, state: Mapping[str, Any], where: str) -> None:
    from torch.nn.parameter import is_lazy

    mine = module.state_dict()
    missing, unknown = [name for name in mine if name not in state], [name for name in state if name not in mine]
    if missing or unknown:
        told = [f"it has no {text.listed(missing)}"] if missing else []
        told += [f"this net has no {text.listed(unknown)}"] if unknown else []
        raise ValueError(f"the net is built as it was when it was saved: {where} does not fit: {'; '.join(told)}")
    for name, value in state.items():
        if is_lazy(mine[name]):  # it takes the shape of what it is given
            continue
        there, here = getattr(value, "shape", None), getattr(mine[name], "shape", None)
        if there != here:
            raise ValueError(
                f"the net is built as it was when it was saved: {name!r} of {where} has shape {_shown(there)}, here it "
                f"has {_shown(here)}; a setting that changes shapes cannot change between save and load"
            )


def _check_optimizer(optimizer: Optimizer, saved: Saved, where: str, keeps_settings: bool) -> None:
    if saved.name != type(optimizer).__name__:
        if keeps_settings:
            return
        raise ValueError(f"load() takes what was saved: {where} is {saved.name}, got {type(optimizer).__name__}")
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    theirs = [len(group["params"]) for group in saved.state["param_groups"]]
    if sizes != theirs:
        raise ValueError(
            f"the optimizer is built as it was when it was saved: {where}, {saved.name}, has groups of "
            f"{theirs} parameters, here they have {sizes}"
        )
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    places = [place for group in saved.state["param_groups"] for place in group["params"]]
    for place, parameter in zip(places, parameters, strict=True):
        for name, value in saved.state["state"].get(place, {}).items():
            dimensions = getattr(value, "ndim", 0)
            if dimensions and dimensions == parameter.ndim and value.shape != parameter.shape:
                raise ValueError(
                    f"the optimizer is built as it was when it was saved: {name!r} of parameter {place} of {where}, "
                    f"{saved.name}, has shape {_shown(value.shape)}, the parameter here has {_shown(parameter.shape)}"
                )


def _shown(shape: Any) -> str:
    return "none" if shape is None else str(tuple(shape))


def _give(thing: Any, saved: Saved, keeps_settings: bool) -> None:
    state = saved.state
    if saved.role == "dict":
        thing.clear()
        thing.update(state)
    elif saved.role == "module":
        given = OrderedDict(state)
        # the versions of the layers' states, which decide how they are read: they were made by this very class
        given._metadata = getattr(thing.state_dict(), "_metadata", {})  # type: ignore[attr-defined]
        thing.load_state_dict(given)
    elif saved.role == "generator":
        _set_generator(thing, state)
    elif saved.role == "optimizer" and keeps_settings:
        if saved.name == type(thing).__name__:  # the momentum of another kind of optimizer says nothing to this one
            built = saved.built or [{} for _ in state["param_groups"]]
            mine = thing.state_dict()["param_groups"]
            groups = [_own_group(*three) for three in zip(mine, state["param_groups"], built, strict=True)]
            thing.load_state_dict({**state, "param_groups": groups})
    elif saved.role == "schedule" and keeps_settings and not _same(saved.built, thing.state_dict()):
        thing.load_state_dict(_own_schedule(thing.state_dict(), state))
    else:
        thing.load_state_dict(state)


def _set_generator(thing: Any, state: Any) -> None:
    try:
        if isinstance(thing, np.random.Generator):
            thing.bit_generator.state = state
        elif isinstance(thing, random.Random):
            thing.setstate(state)
        else:
            thing.set_state(state)
    except (KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"a random generator goes on from a state of its kind: {error}") from error


def _own_group(mine: Mapping[str, Any], theirs: Mapping[str, Any], built: Mapping[str, Any]) -> dict[str, Any]:
    """A group of parameters with its own settings, and what has become of those that are the same.

    Parameters
    ----------
    mine
        The group as it was made here.
    theirs
        The group in the checkpoint.
    built
        As that one was made, as far as it is known.
    """
    group = {**mine, "params": theirs["params"]}
    for name in mine:
        if name in theirs and name in built and _same(built[name], mine[name]):
            group[name] = theirs[name]
    if "lr" not in built or not _same(built["lr"], mine["lr"]):
        if theirs.get("initial_lr") and "initial_lr" in mine:
            group["lr"] = mine["initial_lr"] * (theirs["lr"] / theirs["initial_lr"])
        elif built.get("lr"):
            group["lr"] = mine["lr"] * (theirs["lr"] / built["lr"])
    return group


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except RuntimeError:  # tensors of several elements
        return False


def _own_schedule(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a schedule that is as far as the other one, with its own settings."""
    state = {**mine, **{name: theirs[name] for name in _PROGRESS if name in theirs and name in mine}}
    bases, others, rates = mine.get("base_lrs"), theirs.get("base_lrs"), theirs.get("_last_lr")
    if bases and others and rates:
        pairs = zip(bases, others, rates, strict=False)
        state["_last_lr"] = [own * (rate / base) if base else own for own, base, rate in pairs]
    inner = mine.get("_schedulers")
    if inner and len(inner) == len(theirs.get("_schedulers", ())):  # a sequence or a chain of schedules
        state["_schedulers"] = [_own_schedule(*pair) for pair in zip(inner, theirs["_schedulers"], strict=True)]
    return state
