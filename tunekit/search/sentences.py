"""What a study says of its trials, in sentences: the best, the front, what keeps the limits."""

from __future__ import annotations

from tunekit.core import text
from tunekit.core.goal import Limit
from tunekit.core.history import History
from tunekit.core.trial import Trial

# The states of trials, in the order in which they are told, and what a person reads.
_STATES = {
    "complete": "complete",
    "halted": "halted early",
    "failed": "failed",
    "stopped": "stopped",
    "running": "running",
}


def leader(history: History) -> str:
    """What is best so far, for a status line.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> leader(History(Goal()))
    'no score yet'
    """
    best = history.best
    if best is None:
        return "no score yet" if not history.complete else f"none within the limits yet, {closest(history)}"
    if len(history.goal.aims) > 1:
        return f"front of {text.plural(len(history.front), 'trial')}"
    return f"best {history.goal.metric} {best_score(history)} at trial {best.number}"


def best_score(history: History) -> str:
    """The score of the best trial, which there is, with as many figures as tell it from the worst one."""
    best, metric = history.best, history.goal.metric
    assert best is not None
    worst = min(history.complete, key=lambda trial: history.goal.aim.gain(trial.metrics[metric]))
    return text.told_apart(best.metrics[metric], worst.metrics[metric])[0]


def outcome(history: History, reason: str | None = None, waiting: int = 0, already: int = 0) -> str:
    """What all trials came to.

    Parameters
    ----------
    history
        The trials.
    reason
        What ended the last run before its number of trials, as it stands after "because"; None where nothing did.
    waiting
        How many settings were enqueued and not tried yet.
    already
        How many trials of the last run were in the journal.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> outcome(History(Goal()))
    'No trial yet.'
    """
    ended = [f"{text.plural(already, 'trial')} of this run from the journal."] if already else []
    ended += [f"Ended because {reason}."] if reason else []
    ended += [f"{text.plural(waiting, 'enqueued setting')} to try next."] if waiting else []
    if not len(history):
        return " ".join(["No trial yet.", *ended])
    counts = {state: sum(trial.state == state for trial in history) for state in _STATES}
    told = [f"{count} {_STATES[state]}" for state, count in counts.items() if count]
    trials = text.plural(len(history), "trial")
    everything = counts["complete"] == len(history)
    parts = [f"{trials}, all complete." if everything and len(history) > 1 else f"{trials}: {', '.join(told)}."]
    parts += [_within_limits(history)] if history.goal.limits and history.complete else []
    parts += [_winner(history)] if history.best is not None else []
    parts += ended
    if counts["stopped"]:
        parts.append("The trial that was cut off is run again first when the study goes on.")
    return " ".join(parts)


def _within_limits(history: History) -> str:
    feasible, complete = len(history.feasible), len(history.complete)
    if not feasible:
        return f"None keeps the limits: {closest(history)}."
    if feasible == complete:
        return "All keep the limits." if complete > 1 else "It keeps the limits."
    return f"{feasible} of {complete} keep the limits."


def _winner(history: History) -> str:
    best, goal = history.best, history.goal
    assert best is not None
    if len(goal.aims) == 1:
        return f"Best {goal.metric} {best_score(history)} at trial {best.number}: {text.settings(best.params)}."
    return f"{front_in_words(history)}."


def front_in_words(history: History) -> str:
    """How many trials the front has, and from where to where it goes in each aim."""
    front = history.front
    ranges = []
    for aim in history.goal.aims:
        values = sorted(trial.metrics[aim.metric] for trial in front)
        ends = dict.fromkeys(text.told_apart(values[0], values[-1]))
        ranges.append(f"{aim.metric} {' to '.join(ends)}")
    return f"Front of {text.plural(len(front), 'trial')}: {', '.join(ranges)}"


def closest(history: History) -> str:
    """Which complete trial comes closest to keeping the limits, and by how much it misses them.

    The closest is the one whose largest excess, as a share of the bound that it breaks, is the smallest.
    """
    trial = min(history.complete, key=lambda trial: max(_shares(history.goal.limits, trial)))
    missed = [
        _missed(limit, trial.metrics[limit.metric])
        for limit in history.goal.limits
        if limit.excess(trial.metrics[limit.metric]) > 0
    ]
    return f"trial {trial.number} came closest, {' and '.join(missed)}"


def _shares(limits: tuple[Limit, ...], trial: Trial) -> list[float]:
    return [
        limit.excess(value) / (abs(_broken_bound(limit, value)) or 1.0)
        for limit in limits
        for value in [trial.metrics[limit.metric]]
    ]


def _broken_bound(limit: Limit, value: float) -> float:
    """The bound that a value breaks, or would break first."""
    if limit.high is not None and (limit.low is None or value - limit.high >= limit.low - value):
        return limit.high
    assert limit.low is not None
    return limit.low


def _missed(limit: Limit, value: float) -> str:
    bound = _broken_bound(limit, value)
    side = "above" if value > bound else "below"
    excess = text.number(limit.excess(value))
    shown, allowed = text.told_apart(value, bound)
    return f"its {limit.metric} {shown} is {excess} {side} the limit {allowed}"


def no_best(history: History) -> str:
    """Why there is no best trial, and what to ask instead."""
    goal = history.goal
    if len(goal.aims) > 1:
        return (
            f"a study has one best trial where it has one aim: this one goes for "
            f"{text.listed(aim.metric for aim in goal.aims)}; use study.front"
        )
    if history.complete:
        return f"the best trial is one that keeps the limits: none does yet; {closest(history)}"
    return f"the best trial is one that is complete: there is none yet among {len(history)}"
