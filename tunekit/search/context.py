"""What an objective gets when it has a parameter named ``trial``: who it is, and its checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunekit.core import text
from tunekit.search import checkpoint, generators, restoring
from tunekit.search.checkpoint import Checkpoint
from tunekit.search.folders import Folders, folder_of


@dataclass(slots=True)
class _Pending:
    """A checkpoint that was saved for a step that is not on record yet."""

    steps: int | None
    is_reported: bool = False
    generators: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Context:
    """What an objective gets when it has a parameter named ``trial``.

    Parameters
    ----------
    number
        The number of the trial, from 0.
    seed
        The seed of its randomness, or None in a study without a seed.
    parent
        The number of the trial whose checkpoint it goes on from; None: it begins from nothing.
    home
        The folder in which each trial of the study has one of its own; None: a temporary one, for this trial alone.

    Examples
    --------
    An objective that goes on where it was cut off, or where its parent was:

    >>> from tunekit.search.study import Study
    >>> def train(lr, trial):
    ...     state = {"weight": 0.0}
    ...     for step in range(trial.load(state), 3):
    ...         state["weight"] += lr
    ...         trial.save(state)
    ...         yield state["weight"]
    >>> study = Study(train, {"lr": [0.5, 0.25]}, sampler="grid")
    >>> study.run(2)
    2 trials, all complete. Best score 1.50 at trial 0: lr=0.500.
    >>> state = {}
    >>> study.checkpoint(study.best).load(state), state
    (3, {'weight': 1.5})
    """

    number: int
    seed: int | None
    parent: int | None = None
    home: Path | None = field(default=None, repr=False)
    _folders: Folders | None = field(default=None, init=False, repr=False)
    _built: Sequence[tuple[Any, Any]] = field(default=(), init=False, repr=False)
    _reports: list[Mapping[str, float]] = field(default_factory=list, init=False, repr=False)
    _replayed: Sequence[Mapping[str, float]] = field(default=(), init=False, repr=False)
    _is_replaying: bool = field(default=False, init=False, repr=False)
    _has_loaded: bool = field(default=False, init=False, repr=False)
    _pending: _Pending | None = field(default=None, init=False, repr=False)

    @property
    def folder(self) -> Path:
        """The trial's own folder, made at first use. What you put there stays there; without a journal, until the end.

        The names that begin with ``checkpoint-`` are tunekit's.
        """
        place = self._place
        if not place.is_dir():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(exist_ok=True)
        return place

    def save(self, *things: Any, step: int | None = None) -> None:
        """Save the state of nets, optimizers and whatever else the training goes on from.

        Call it after a step, before its ``yield``. It counts once the report of that step is on record, together with
        the random generators of Python, numpy and torch as they are then: a trial that was cut off goes on from there
        as if nothing had happened. Only the newest one is kept, and the one before it.

        Parameters
        ----------
        *things
            Nets, optimizers, schedules, random generators, whatever has ``state_dict`` and ``load_state_dict``, and
            dicts of tensors and plain values.
        step
            How many steps are done, as `load` gives it back, 1 or more, growing; None: the number of reports, this
            step's included.

        Raises
        ------
        TypeError
            If something has no state, or one that is not made of tensors and plain values.
        ValueError
            If there is nothing to save, or the step is no such number.
        """
        if not things:
            raise ValueError("save() takes what the training goes on from: got nothing; trial.save(model, optimizer)")
        if step is not None and (isinstance(step, bool) or not isinstance(step, int) or not 0 < step < 10**12):
            raise ValueError(f"a step is a whole number from 1: got step={step!r}")
        built = {id(thing): settings for thing, settings in self._built}
        checkpoint.write(self.folder, things, [built.get(id(thing)) for thing in things])
        self._pending = _Pending(step)

    def load(self, *things: Any) -> int:
        """Give nets, optimizers and what else was saved the state to go on from; returns how many steps are done.

        That is the trial's own checkpoint, where it was cut off; or else its parent's. Of a parent, an optimizer and a
        schedule take over momentum and progress, but keep their own settings, such as learning rate and weight decay,
        where these are others than the parent's. Call it once all of them are made, and before the first step.

        Parameters
        ----------
        *things
            As they were given to `save`, in that order. They are changed.

        Returns
        -------
        int
            How many steps are done; 0 where there is nothing to go on from.

        Raises
        ------
        ValueError
            If the things do not fit, or there is no checkpoint of the parent.
        """
        if not self._built:
            self._built = [(thing, restoring.built_of(thing)) for thing in things]
        own = checkpoint.newest(self._place, above=1)
        found = own or self._of_parent()
        if found is None:
            return 0
        found.restore(things, keeps_settings=own is None)
        self._has_loaded = True
        if not self._reports:
            self._reports = list(found.reports)
            self._replayed = found.reports
            # the parent's would make its children draw the same; without a seed the stream is the caller's own
            if own is not None and own.generators is not None and self.seed is not None:
                generators.give(own.generators)
        return found.steps

    # What whoever runs the objective calls

    def take_replayed(self) -> Sequence[Mapping[str, float]]:
        """The reports of the checkpoint that was loaded, once."""
        replayed, self._replayed = self._replayed, ()
        self._is_replaying = bool(replayed)
        return replayed

    def note(self, metrics: Mapping[str, float]) -> None:
        """A step was reported.

        Raises
        ------
        RuntimeError
            If it is the first one of a trial that should have gone on from its parent's checkpoint, and did not.
        """
        if self.parent is not None and not self._has_loaded:
            raise RuntimeError(
                f"trial {self.number} goes on from the checkpoint of trial {self.parent}, and the objective has not "
                "loaded it: give it a parameter named trial, call trial.load(model, optimizer) before the first step "
                "and trial.save(model, optimizer) after each"
            )
        self._is_replaying = False
        self._reports.append(metrics)
        if self._pending is not None:
            self._pending.is_reported = True
            self._pending.generators = generators.take()

    def commit(self) -> None:
        """What was reported is on record: a checkpoint that was saved for it counts from now on."""
        pending = self._pending
        if pending is None or self._is_replaying:
            return
        self._pending = None
        steps = pending.steps if pending.steps is not None else max(1, len(self._reports))
        state = pending.generators if pending.is_reported else generators.take()
        checkpoint.commit(self._place, steps, self._reports, state)

    @property
    def _place(self) -> Path:
        if self.home is not None:
            return folder_of(self.home, self.number)
        if self._folders is None:
            self._folders = Folders()
        return folder_of(self._folders.home, self.number)

    def _of_parent(self) -> Checkpoint | None:
        if self.parent is None:
            return None
        folder = None if self.home is None else folder_of(self.home, self.parent)
        found = None if folder is None else checkpoint.newest(folder, above=2)
        if found is None:
            raise ValueError(
                f"trial {self.number} goes on from trial {self.parent}, of which there is no checkpoint: an objective "
                f"calls trial.save(model, optimizer) after each step; looked for in {text.value(str(folder))}. Workers "
                "on other machines need a folder that all of them see: give the study a journal there"
            )
        return found
