"""Checkpoints on disk: tensors as safetensors, all else as JSON; what is read runs no code.

A checkpoint is two files in the folder of its trial. ``checkpoint-000003.safetensors`` holds the tensors and, in its
metadata, the structure that they belong to. ``checkpoint-000003.json`` holds the reports so far and the state of the
random generators. It is written last: a checkpoint without it does not count.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tunekit.search import restoring, states
from tunekit.search.restoring import Saved

FORMAT = "tunekit checkpoint"
VERSION = 1

_TENSORS, _RECORD = ".safetensors", ".json"
_NAME = re.compile(r"checkpoint-(\d{6,12})\.(?:json|safetensors)")
_PENDING, _HALF_RECORD = ".checkpoint.part", ".record.part"
# The newest, and one to go back to if it turns out to be damaged.
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a trial has saved after one of its steps.

    Parameters
    ----------
    path
        The file with the tensors; any reader of safetensors reads it.
    steps
        How many steps were done.
    reports
        What the trial had reported by then, one mapping for each step.
    generators
        The state of the random generators then.
    """

    path: Path
    steps: int
    reports: tuple[Mapping[str, float], ...] = field(default=(), repr=False)
    generators: Mapping[str, Any] | None = field(default=None, repr=False)

    def load(self, *things: Any) -> int:
        """Give nets, optimizers and dicts the state that was saved; returns how many steps were done.

        Parameters
        ----------
        *things
            In the order in which they were saved; the last ones may be left out. They are changed.

        Raises
        ------
        ValueError
            If they do not fit, which leaves them as they are, or the file is damaged.
        """
        self.restore(things, keeps_settings=False)
        return self.steps

    def restore(self, things: Sequence[Any], *, keeps_settings: bool) -> None:
        """Give things their state; see `restoring.restore`."""
        origin = f"the checkpoint of trial {int(self.path.parent.name)}" if self.path.parent.name.isdigit() else "it"
        restoring.restore(things, read(self.path), origin, keeps_settings=keeps_settings)


def write(folder: Path, things: Sequence[Any], built: Sequence[Any] = ()) -> None:
    """Write the state of things into a folder; it counts once `commit` was called.

    Parameters
    ----------
    folder
        That of the trial.
    things
        What is saved.
    built
        For each of them what `restoring.built_of` said when it was made; empty where that is not known.

    Raises
    ------
    TypeError
        If one of them has no state, or one that is not made of tensors and plain values.
    """
    from safetensors.torch import save_file

    packer = states.Packer()
    packed = [
        {
            "name": type(thing).__name__,
            "role": restoring.role_of(thing),
            "state": packer.pack(restoring.state_of(thing), str(place)),
            "built": packer.pack(settings, f"built.{place}"),
        }
        for place, (thing, settings) in enumerate(zip_longest(things, built))
    ]
    metadata = {"format": FORMAT, "version": str(VERSION), "things": json.dumps(packed)}
    save_file(packer.tensors, folder / _PENDING, metadata)


def commit(
    folder: Path, steps: int, reports: Sequence[Mapping[str, float]], generators: Mapping[str, Any] | None
) -> None:
    """Let what `write` wrote last count, as the state after so many steps; older ones are removed, except the last."""
    name = f"checkpoint-{steps:06d}"
    record = {
        "format": FORMAT,
        "version": VERSION,
        "steps": steps,
        "reports": [dict(report) for report in reports],
        "generators": generators,
    }
    half = folder / _HALF_RECORD
    half.write_text(json.dumps(record))
    os.replace(folder / _PENDING, folder / f"{name}{_TENSORS}")
    os.replace(half, folder / f"{name}{_RECORD}")
    for old in _committed(folder)[_KEPT:]:
        _remove(folder, old)


def newest(folder: Path, above: int = 0) -> Checkpoint | None:
    """The newest checkpoint of a trial that is whole; None where there is none.

    One that is damaged is passed over with a warning.

    Parameters
    ----------
    folder
        That of the trial.
    above
        How many calls stand between a person's code and this one: the warning points at the former.
    """
    for steps in _committed(folder):
        path = folder / f"checkpoint-{steps:06d}{_TENSORS}"
        try:
            found = _read_record(path, steps)
            for _ in _saved(path, with_tensors=False):
                pass
        except (ValueError, OSError) as error:
            warnings.warn(f"a damaged checkpoint is passed over: {path}: {error}", UserWarning, stacklevel=2 + above)
        else:
            return found
    return None


def is_there(folder: Path) -> bool:
    """Whether a trial has a checkpoint, damaged or not."""
    return bool(_committed(folder))


def read(path: Path) -> list[Saved]:
    """What a file of tensors holds, from whomever it comes.

    Raises
    ------
    ValueError
        If it is damaged, of a version that is not known, or no checkpoint at all.
    """
    return list(_saved(path, with_tensors=True))


def remove(folder: Path) -> None:
    """Delete the checkpoints of a trial, and its folder if nothing else is in it; other files stay."""
    for steps in _committed(folder, also_incomplete=True):
        _remove(folder, steps)
    for name in (_PENDING, _HALF_RECORD):
        (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:  # it holds a person's own files, or is not there
        return


def _remove(folder: Path, steps: int) -> None:
    for suffix in (_RECORD, _TENSORS):  # the record first: what is left without it does not count
        (folder / f"checkpoint-{steps:06d}{suffix}").unlink(missing_ok=True)


def _committed(folder: Path, also_incomplete: bool = False) -> list[int]:
    """The steps of the checkpoints in a folder, the newest first."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = {int(match[1]) for name in names if (match := _NAME.fullmatch(name))}
    there = set(names)
    return sorted(
        (steps for steps in found if also_incomplete or f"checkpoint-{steps:06d}{_RECORD}" in there), reverse=True
    )


def _read_record(path: Path, steps: int) -> Checkpoint:
    try:
        record = json.loads(path.with_suffix(_RECORD).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError("its record is no JSON") from error
    _check_version(record, VERSION)
    reports, generators = record.get("reports"), record.get("generators")
    if record.get("steps") != steps or not isinstance(reports, list) or not all(map(_is_report, reports)):
        raise ValueError("its record is not what it says")
    if generators is not None and not isinstance(generators, dict):
        raise ValueError("its record is not what it says")
    return Checkpoint(path, steps, tuple(reports), generators)


def _is_report(report: object) -> bool:
    return isinstance(report, dict) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf
        for value in report.values()
    )


def _saved(path: Path, *, with_tensors: bool) -> Iterator[Saved]:
    """The things of a file; without their tensors only whether the file is whole and what it is made of."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            _check_version(metadata, str(VERSION))
            packed = json.loads(metadata["things"])
            # a copy: the file itself stays free to be replaced or removed
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()} if with_tensors else None  # noqa: SIM118
    except (SafetensorError, ValueError, KeyError, RecursionError, OSError) as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if not isinstance(packed, list):
        raise ValueError("its structure is no list of things")
    for thing in packed:
        if not isinstance(thing, dict) or not all(isinstance(thing.get(key), str) for key in ("name", "role")):
            raise ValueError("its structure is no list of things")
        if tensors is not None:
            state, built = (_unpacked(thing.get(part), tensors) for part in ("state", "built"))
            yield _check_state(Saved(thing["name"], thing["role"], state, built))


def _unpacked(structure: Any, tensors: Mapping[str, Any]) -> Any:
    try:
        return states.unpack(structure, tensors)
    except RecursionError as error:
        raise ValueError("its structure is too deep") from error


def _check_version(record: Any, version: int | str) -> None:
    if not isinstance(record, Mapping) or record.get("format") != FORMAT:
        raise ValueError("it is no checkpoint of tunekit")
    if record.get("version") != version:
        raise ValueError(f"it is of version {record.get('version')!r}, this tunekit reads version {VERSION}")


def _check_state(saved: Saved) -> Saved:
    """The same, if a thing of its kind can have such a state."""
    state = saved.state
    if saved.role in ("module", "optimizer", "schedule", "dict") and not isinstance(state, Mapping):
        raise ValueError(f"the state of {saved.name} is no mapping")
    if saved.role == "optimizer":
        groups, inner = state.get("param_groups"), state.get("state")
        is_whole = isinstance(groups, list) and isinstance(inner, Mapping)
        if not is_whole or not all(map(_is_group, groups)):
            raise ValueError(f"the state of {saved.name} is none of an optimizer")
        if not all(isinstance(values, Mapping) for values in inner.values()):
            raise ValueError(f"the state of {saved.name} is none of an optimizer")
        built = [{} for _ in groups] if saved.built is None else saved.built
        is_whole = isinstance(built, list) and len(built) == len(groups)
        if not is_whole or not all(isinstance(settings, Mapping) for settings in built):
            raise ValueError(f"the settings of {saved.name} are none of an optimizer")
    return saved


def _is_group(group: object) -> bool:
    places = group.get("params") if isinstance(group, Mapping) else None
    return isinstance(places, list) and all(isinstance(place, int) for place in places)
