"""A warm start: what an earlier study found that still holds in the space of a new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tunekit.core import text
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.search.space import Space

# An error names this many of the differences, the most frequent first.
_TOLD = 3


def fitting_trials(earlier: Job | History, space: Space, goal: Goal) -> tuple[Trial, ...]:
    """The complete trials of an earlier study that a new one can learn from.

    A trial fits if it has a legal value for each parameter that counts in the new space, and every metric of the new
    goal; parameters that only the earlier study had are left out. What that study had from a still earlier one counts
    too.

    Parameters
    ----------
    earlier
        The earlier study, or its history.
    space, goal
        Those of the new study.

    Raises
    ------
    TypeError
        If it is neither a study nor a history.
    ValueError
        If no trial fits; the error says what differs.

    Examples
    --------
    >>> known = Trial(0, {"lr": 0.1, "act": "relu"}, state="complete", metrics={"score": 0.9})
    >>> fitting_trials(History(Goal(), prior=(known,)), Space(lr=(0.0, 1.0)), Goal())
    (Trial(0, score=0.900, lr=0.100),)
    """
    history = earlier.history if isinstance(earlier, Job) else earlier
    if not isinstance(history, History):
        raise TypeError(f"history= is an earlier study, or the history of one: got {text.value(earlier)}")
    fitting: list[Trial] = []
    differences: Counter[str] = Counter()
    for trial in (*history.prior, *history):
        difference = _difference(trial, space, goal)
        if difference is None:
            fitting.append(replace(trial, params=_projected(trial.params, space)))
        else:
            differences[difference] += 1
    if not fitting:
        told = [f"{words} ({text.plural(count, 'trial')})" for words, count in differences.most_common(_TOLD)]
        raise ValueError(
            "a warm start needs complete trials whose settings belong to this space and which have its metrics: "
            f"none of the earlier ones fits; {'; '.join(told) or 'there are no trials'}. "
            "Change the space, or leave out history="
        )
    return tuple(fitting)


def _projected(params: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The settings that the space has a parameter for, where that parameter counts."""
    kept: dict[str, Any] = {}
    for name in space:
        if name in params and space.is_active(name, kept):
            kept[name] = params[name]
    return kept


def _difference(trial: Trial, space: Space, goal: Goal) -> str | None:
    """Why a trial does not fit, or None."""
    if trial.state != "complete":
        return f"it is {trial.state}"
    missing = [metric for metric in goal.metrics if metric not in trial.metrics]
    if missing:
        return f"it has no {text.listed(missing)} but {text.listed(trial.metrics)}"
    kept = _projected(trial.params, space)
    for name in space:
        if not space.is_active(name, kept):
            continue
        if name not in kept:
            return f"it has no parameter {name!r}"
        complaint = space[name].complaint(kept[name])
        if complaint:
            return f"{name} must be {complaint}: it has {text.value(kept[name])}"
    return None
