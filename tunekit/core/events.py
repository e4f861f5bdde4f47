"""What happens during a job, one frozen record each: the truth that all else is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

EndState = Literal["complete", "failed", "halted", "stopped"]


@dataclass(frozen=True, slots=True)
class TrialStarted:
    """A trial began; a number that was there before begins again from nothing.

    ``parent`` is the number of the trial whose checkpoint it goes on from; ``enqueued`` says that its settings are
    those that waited longest. ``began`` is the time in seconds since 1970, where it is known; events that differ only
    in it are equal.
    """

    number: int
    params: Mapping[str, Any]
    seed: int | None = None
    parent: int | None = None
    enqueued: bool = False
    began: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SettingsEnqueued:
    """Settings wait to be tried next."""

    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrialReported:
    """A trial finished one step and says where it is: one point of its curve."""

    number: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrialEnded:
    """A trial ended: ``seconds`` is its running time without pauses; ``error`` the traceback of a failed one.

    Of a halted trial the metrics are those of its last step.
    """

    number: int
    state: EndState
    metrics: Mapping[str, float]
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TrialMeasured:
    """Figures that were measured after a trial had ended are added to it."""

    number: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Progressed:
    """Something goes on inside a step: words for the person who waits. It leaves no trace in the history.

    ``fraction`` is the share of this step that is done, 0 to 1, or None where it is not known.
    """

    words: str
    fraction: float | None = None


Event = SettingsEnqueued | TrialStarted | TrialReported | TrialEnded | TrialMeasured | Progressed
