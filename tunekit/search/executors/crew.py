"""A crew: workers that take trials, report after each step and wait for the word to go on.

Every executor offers this one seam, so that a run is written once: live curves, early stopping, pause, stop, seeds and
the journal are the run's own affair, wherever the trials are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

GUARD = (
    "in a script, what is run stands under `if __name__ == '__main__':`, because each worker process reads the script"
)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A trial for a worker; its parts are those of a `Trial` and of its `Context`."""

    number: int
    params: Mapping[str, Any]
    seed: int | None = None
    parent: int | None = None
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """A worker finished a step and waits for an answer; one that was only ``replayed`` waits as well."""

    number: int
    metrics: Mapping[str, float]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker is done with a trial.

    Parameters
    ----------
    state
        ``"complete"``; ``"failed"``; ``"ended"``: as it was told.
    seconds
        The running time, without the time that it waited for answers.
    error
        The traceback of a failed one.
    """

    number: int
    state: Literal["complete", "failed", "ended"]
    metrics: Mapping[str, float]
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker died, or cannot be reached any more.

    Parameters
    ----------
    why
        What is known of it, in words.
    began
        Whether the trial had begun there: if not, it is not the trial's fault.
    """

    number: int
    why: str
    began: bool = True


Message = Reported | Ended | Lost


class Crew(Protocol):
    """Workers for one run."""

    @property
    def capacity(self) -> int:
        """How many trials run at a time, 1 or more; it may change while the crew works."""

    @property
    def is_seeding(self) -> bool:
        """Whether the global random generators are each trial's own: not where several share a process."""

    def assign(self, assignment: Assignment) -> None:
        """Give a trial to a free worker; returns at once. Never more at a time than the capacity."""

    def receive(self, timeout: float) -> Message | None:
        """The next message of any worker; None if none came within so many seconds."""

    def answer(self, number: int, go: bool) -> None:
        """Let a trial that reported go on; or have it end, which its worker says with `Ended`."""

    def abandon(self, number: int) -> None:
        """Be rid of a trial that does not end: kill its worker, or let it be where it cannot be killed.

        No message of that trial follows. A worker takes its place.
        """

    def close(self) -> None:
        """Let go of every worker; whoever still runs a trial is abandoned."""
