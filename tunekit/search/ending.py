"""When a run ends before its number of trials: a target is reached, no more gain is expected, the time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tunekit.core import text
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.search.goals import is_finite_number
from tunekit.search.samplers import Sampler, samplers
from tunekit.search.space import Space

Until = float | Mapping[str, float] | None

# The keys of `until` that are no metrics.
_OTHER_KEYS = ("gain", "seconds")


@runtime_checkable
class ExpectsGain(Protocol):
    """A sampler that says how much better a next trial may be."""

    def expected_gain(self, space: Space, history: History, rng: np.random.Generator) -> float | None:
        """The improvement of the first aim that the next trial is expected to bring; None while it is not known.

        In the metric's own unit, 0 or more.
        """


@dataclass(frozen=True, slots=True)
class Ending:
    """The conditions under which a run ends early: one of them is enough.

    Parameters
    ----------
    goal
        What the study goes for.
    targets
        Values of the aims' metrics that one trial must have, reached or better; that trial keeps the limits.
    gain
        The least improvement that is worth a next trial, in the unit of the first aim's metric.
    seconds
        How long a run may last before no further trial begins, pauses left out.
    """

    goal: Goal
    targets: tuple[tuple[Aim, float], ...] = ()
    gain: float | None = None
    seconds: float | None = None

    def reason(self, history: History, seconds: float, expected_gain: Callable[[], float | None]) -> str | None:
        """Why the run ends now, as it stands after "because"; None while it goes on.

        Parameters
        ----------
        history
            The trials so far.
        seconds
            How long the run has lasted, pauses left out.
        expected_gain
            Asks the sampler; called only where a gain was given.
        """
        if self.targets and any(self._is_reached(trial.metrics) for trial in history.feasible):
            only = len(self.goal.aims) == 1
            told = [f"{value:g}" if only else f"{aim.metric} {value:g}" for aim, value in self.targets]
            return f"the target {' and '.join(told)} was reached"
        if self.seconds is not None and seconds >= self.seconds:
            return f"the {text.duration(self.seconds)} for new trials were over"
        if self.gain is not None:
            expected = expected_gain()
            if expected is not None and expected < self.gain:
                return f"the next trial was expected to improve {self.goal.metric} by less than {self.gain:g}"
        return None

    def _is_reached(self, metrics: Mapping[str, float]) -> bool:
        return all(not aim.better(value, metrics[aim.metric]) for aim, value in self.targets)


def read_until(until: Until, goal: Goal, sampler: Sampler) -> Ending:
    """The conditions that the argument ``until`` of a run says.

    Parameters
    ----------
    until
        A number: the target of the first aim. A mapping: targets by metric, which one trial must reach together, and
        ``"gain"`` and ``"seconds"``; a metric of the goal that has one of these two names is a target.
    goal
        What the study goes for.
    sampler
        Who is asked for the expected gain.

    Raises
    ------
    ValueError
        If a name is unknown, a value is no finite number or not above 0 where it must be, or the sampler knows no gain.

    Examples
    --------
    >>> from tunekit.search.samplers import resolve
    >>> read_until({"score": 0.95, "seconds": 600}, Goal(), resolve("random")[1]).seconds
    600.0
    """
    if until is None:
        return Ending(goal)
    aims = {aim.metric: aim for aim in goal.aims}
    named: Mapping[Any, Any] = until if isinstance(until, Mapping) else {goal.metric: until}
    for name, value in named.items():
        if name not in aims and name not in _OTHER_KEYS:
            raise ValueError(
                f"until= is a target, or a mapping of what ends the run: unknown {name!r}; "
                f"the known ones are {text.listed((*aims, *_OTHER_KEYS))}"
            )
        if not is_finite_number(value):
            raise ValueError(f"until= holds finite numbers: got {value!r} for {name!r}")
        if name not in aims and value <= 0:
            raise ValueError(f"{name!r} in until= is above 0: got {value!r}")
    others = {name: float(named[name]) for name in _OTHER_KEYS if name in named and name not in aims}
    if "gain" in others and not isinstance(sampler, ExpectsGain):
        knowing = [name for name in samplers if hasattr(samplers[name], "expected_gain")]
        raise ValueError(
            f"'gain' in until= needs a sampler with expected_gain(space, history, rng): "
            f"{type(sampler).__name__.lower()} has none; samplers that do: {text.listed(knowing)}"
        )
    targets = tuple((aims[name], float(value)) for name, value in named.items() if name in aims)
    return Ending(goal, targets, others.get("gain"), others.get("seconds"))
