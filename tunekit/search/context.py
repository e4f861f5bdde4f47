"""What an objective gets when it has a parameter named ``trial``: who it is, and where its checkpoints lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


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
        The folder in which each trial of the study has one of its own; None: there is none.
    """

    number: int
    seed: int | None
    parent: int | None = None
    home: Path | None = field(default=None, repr=False)
    _reports: list[Mapping[str, float]] = field(default_factory=list, init=False, repr=False)

    def take_replayed(self) -> Sequence[Mapping[str, float]]:
        """The reports of the checkpoint that was loaded, once."""
        return ()

    def note(self, metrics: Mapping[str, float]) -> None:
        """A step was reported."""
        self._reports.append(metrics)

    def commit(self) -> None:
        """The last step is on record: a checkpoint that was saved for it counts from now on."""
