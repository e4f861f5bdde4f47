"""A trial: one thing tried, with its settings, its curve, its figures and its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tunekit.core import text

# How a traceback begins, and one of a group of errors.
_TRACEBACK = re.compile(r"(  \+ Exception Group )?Traceback \(most recent call last\):")

State = Literal["running", "complete", "failed", "halted", "stopped"]


@dataclass(frozen=True, slots=True, repr=False)
class Trial:
    """One thing tried: a hyperparameter setting, or a compressed model.

    Parameters
    ----------
    number
        Its place in the history, from 0.
    params
        Its settings by name.
    seed
        What its randomness was seeded with, or None where the job has no seed.
    state
        ``"running"``; ``"complete"``; ``"failed"`` (an error or a score that is not finite); ``"halted"`` (ended by
        early stopping, as not promising enough to go on with); ``"stopped"`` (cut off by a person, or by the end of the
        process: run again first when the job goes on).
    reports
        Its curve: what was reported after each step, metrics by name.
    metrics
        Its final figures by name, those of the last step for a halted trial; empty until it has ended.
    error
        The traceback, when it failed.
    seconds
        How long it ran, pauses left out; None while it runs.
    parent
        The number of the trial whose checkpoint it went on from; None for one that began from nothing.
    began
        When it began, in seconds since 1970; None where nobody looked at a clock. Trials that differ only in it are
        equal.

    Examples
    --------
    >>> Trial(9, {"lr": 0.01}, seed=None, state="complete", metrics={"score": 0.9531})
    Trial(9, score=0.953, lr=0.01)
    """

    number: int
    params: Mapping[str, Any]
    seed: int | None = None
    state: State = "running"
    reports: tuple[Mapping[str, float], ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    seconds: float | None = None
    parent: int | None = None
    began: float | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        """Facts only: no clock, no address."""
        figures = self.metrics or (self.reports[-1] if self.reports else {})
        parts = [str(self.number)]
        parts += [f"{name}={text.number(value)}" for name, value in figures.items()]
        parts += [text.settings(self.params)] if self.params else []
        parts += [] if self.state == "complete" else [self.state]
        return text.printable(f"Trial({', '.join(parts)})")

    @property
    def reason(self) -> str | None:
        """The kind of the error and the first line of its message: what went wrong, without the way there."""
        lines = [line.rstrip() for line in (self.error or "").splitlines() if line.strip()]
        # of errors that led to each other, the last one ended the trial
        begins = max((place for place, line in enumerate(lines) if _TRACEBACK.fullmatch(line)), default=None)
        if begins is None:
            return lines[0] if lines else None
        # the way there is indented, the error itself is not; in a group of errors both stand behind a bar
        after = (line.removeprefix("  | ") for line in lines[begins + 1 :])
        return next((line for line in after if not line[0].isspace()), lines[-1])
