"""The folders of a study's trials: where they lie, and whose checkpoints are kept in them."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Callable, Collection
from pathlib import Path

from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search import checkpoint
from tunekit.search.checkpoint import Checkpoint

# Of so many of the best trials the checkpoints are kept, and of as many of the best that were halted early, which may
# be thawed: enough to average a few nets or to look at why they differ, and what a disk can hold of any net.
KEPT = 3


def home_for(journal: Path | None) -> Path:
    """The folder in which each trial of a study has one of its own; it is not made before it is needed.

    Parameters
    ----------
    journal
        The file with the study's journal: the folder lies beside it. None: a new name among the temporary folders.

    Examples
    --------
    >>> home_for(Path("studies/digits.jsonl")).name
    'digits.trials'
    """
    if journal is not None:
        return Path(os.path.abspath(journal)).with_suffix(".trials")
    return Path(tempfile.gettempdir()) / f"tunekit-{secrets.token_hex(12)}"


def folder_of(home: Path, number: int) -> Path:
    """The folder of one trial."""
    return home / f"{number:04d}"


class Folders:
    """The folders of the trials of one study.

    Parameters
    ----------
    journal
        The file with the study's journal. None: the folders are removed with the study.
    """

    def __init__(self, journal: Path | None = None) -> None:
        self.home = home_for(journal)
        self._tidied: set[int] = set()
        if journal is None:
            weakref.finalize(self, _remove_home, self.home, os.getpid())

    def checkpoint(self, history: History, number: int, needed: Collection[int] = ()) -> Checkpoint:
        """The newest checkpoint of a trial.

        Raises
        ------
        ValueError
            If there is none; it says why.
        """
        if not 0 <= number < len(history):
            raise ValueError(f"there is no trial {number}: the study has {len(history)}, numbered from 0")
        folder = folder_of(self.home, number)
        found = checkpoint.newest(folder, above=2)
        if found is not None:
            return found
        if checkpoint.is_there(folder):
            raise ValueError(f"every checkpoint of trial {number} is damaged: {folder}")
        if number not in kept(history, needed) and self.home.is_dir():
            raise ValueError(
                f"checkpoints are kept of the best {KEPT} trials, and of those that may still go on: trial {number} is "
                "not among them; put what you want to keep of each trial into trial.folder under a name of your own"
            )
        raise ValueError(
            f"trial {number} has no checkpoint: an objective saves one with trial.save(model, optimizer), where it has "
            f"a parameter named trial; looked for in {folder}"
        )

    def forget_from(self, number: int) -> None:
        """Remove the checkpoints of trials from that number on: of another study that lay here, which is no more."""
        for found in self._numbers():
            if found >= number:
                checkpoint.remove(folder_of(self.home, found))

    def tidy(self, history: History, ended: int, needed: Callable[[], Collection[int]] = tuple) -> None:
        """Remove the checkpoints that nobody asks for any more; a person's own files stay.

        Parameters
        ----------
        history
            The trials.
        ended
            The number of the trial that has ended just now.
        needed
            Gives the numbers of trials that a next one may go on from; asked only where there are checkpoints.
        """
        self._tidied.discard(ended)
        there = [number for number in self._numbers() if number < len(history) and number not in self._tidied]
        if not there:
            return
        keep = kept(history, needed())
        for number in there:
            if number not in keep:
                checkpoint.remove(folder_of(self.home, number))
                self._tidied.add(number)

    def _numbers(self) -> list[int]:
        """The numbers of the trials that have a folder."""
        try:
            return sorted(int(name) for name in os.listdir(self.home) if name.isdecimal())
        except FileNotFoundError:
            return []


def kept(history: History, needed: Collection[int] = ()) -> set[int]:
    """The numbers of the trials whose checkpoints are kept.

    Those of the best few and of the front; of trials that run or are run again, and of their parents; of the best few
    that were halted; and those that are needed.
    """
    best = sorted(history.feasible or history.complete, key=lambda trial: -_gain(history, trial))[:KEPT]
    halted = [trial for trial in history if trial.state == "halted" and history.goal.metric in trial.metrics]
    halted = sorted(halted, key=lambda trial: -_gain(history, trial))[:KEPT]
    going_on = [trial for trial in history if trial.state in ("running", "stopped")]
    front = history.front if len(history.goal.aims) > 1 else []
    parents = {trial.parent for trial in going_on if trial.parent is not None}
    return {trial.number for trial in (*best, *halted, *going_on, *front)} | parents | set(needed)


def _gain(history: History, trial: Trial) -> float:
    return history.goal.aim.gain(trial.metrics[history.goal.metric])


def _remove_home(home: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child ends as well, and the folders are not its own
        shutil.rmtree(home, ignore_errors=True)
