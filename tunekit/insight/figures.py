"""What trials say by themselves: figures that are read off them, where they are too few or too alike to learn from."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight.repeats import repeats
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

# Of so many parameters it is told what was tried: of those of which it is least.
_TOLD = 3


def figures(history: History, space: Space) -> Iterator[str]:
    r"""Sentences on complete trials and on what was tried, the most useful first.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: 3 * x + y, Space(x=(0.0, 1.0), y=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(2)
    >>> print(*figures(study.history, study.space), sep="\n")
    The second, trial 0, is 3.06 behind: score 0.716, x=0.210, y=0.0852.
    Tried so far: x from 0.210 to 0.930 (of 0 to 1), y from 0.0852 to 0.984 (of 0 to 1).
    No two of 2 complete trials have the same settings: how far score differs by chance is not known.
    """
    if history.complete:
        yield from _limits(history)
        yield from _each_aim(history)
        yield from _second(history)
        yield from _spread(history)
    yield from _tried(history, space)
    if history.complete:
        yield from _again(history, space)


def failures(history: History) -> Iterator[str]:
    """Sentences on trials of which none came to anything, several of them."""
    failed = [trial for trial in history if trial.state == "failed"]
    reasons = [trial.reason for trial in failed]
    last = failed[-1]
    everything = "Both" if len(failed) == 2 else f"All {len(failed)}"
    yield f"{everything} trials failed; the last, trial {last.number}: {last.reason}."
    often = max(dict.fromkeys(reasons), key=reasons.count)
    if len(set(reasons)) == 1:
        yield f"The reason was the same each of the {len(failed)} times."
    else:
        yield f"There were {len(set(reasons))} reasons; {reasons.count(often)} trials had the most frequent: {often}."
    yield f"All that is known of a failure is in study.trials[{last.number}].error."


def _limits(history: History) -> Iterator[str]:
    complete, feasible, aim = history.complete, len(history.feasible), history.goal.aim
    if not history.goal.limits:
        return
    if feasible:
        yield f"Of {text.plural(len(complete), 'complete trial')}, {feasible} {_keep(feasible)} the limits."
        return
    best = max(complete, key=lambda trial: aim.gain(trial.metrics[aim.metric]))
    score = text.number(best.metrics[aim.metric])
    yield f"Limits aside, trial {best.number} has the best {aim.metric}: {score}, {text.settings(best.params)}."


def _keep(count: int) -> str:
    return "keeps" if count == 1 else "keep"


def _each_aim(history: History) -> Iterator[str]:
    """Which trial is best in each of several aims."""
    aims = history.goal.aims
    if len(history.front) < 2 or len(aims) < 2:
        return
    best = [max(history.front, key=lambda trial: aim.gain(trial.metrics[aim.metric])) for aim in aims]
    said = [
        f"{aim.metric} {text.number(trial.metrics[aim.metric])} at trial {trial.number}"
        for aim, trial in zip(aims, best, strict=True)
    ]
    yield f"The best of each aim: {', '.join(said)}."


def _second(history: History) -> Iterator[str]:
    """How far the best is ahead, where one aim says which is."""
    aim = history.goal.aim
    ranked = sorted(history.feasible, key=lambda trial: -aim.gain(trial.metrics[aim.metric]))
    if len(history.goal.aims) > 1 or len(ranked) < 2:
        return
    scores = [trial.metrics[aim.metric] for trial in ranked]
    if len({trial.metrics[aim.metric] for trial in history.complete}) == 1:
        yield f"{len(scores)} trials share the best {aim.metric}: look whether it depends on the settings at all."
        return
    second = ranked[1]
    behind = "as good" if scores[0] == scores[1] else f"{text.number(abs(scores[0] - scores[1]))} behind"
    score = text.told_apart(*scores[:2])[1]
    yield f"The second, trial {second.number}, is {behind}: {aim.metric} {score}, {text.settings(second.params)}."


def _spread(history: History) -> Iterator[str]:
    scores = sorted(trial.metrics[history.goal.metric] for trial in history.complete)
    if len(scores) < 3 or scores[0] == scores[-1]:
        return
    low, middle, high = text.told_apart(scores[0], statistics.median(scores), scores[-1])
    reach = f"reach from {history.goal.metric} {low} to {high}, with {middle} in the middle"
    yield f"The {len(scores)} complete trials {reach}."


def _tried(history: History, space: Space) -> Iterator[str]:
    """What was tried of the parameters of which it is least."""
    found = []
    for name in space:
        values = [trial.params[name] for trial in history if name in trial.params]
        known = [value for value in values if space[name].complaint(value) is None]
        if known:
            found.append(_tried_of(name, space[name], known))
    least = sorted(range(len(found)), key=lambda place: found[place][0])[:_TOLD]
    if least:
        yield f"Tried so far: {', '.join(found[place][1] for place in sorted(least))}."


def _tried_of(name: str, parameter: Any, values: Sequence[Any]) -> tuple[float, str]:
    """The share of a parameter that was tried, and the same in words."""
    places = [parameter.to_unit(value) for value in values]
    if isinstance(parameter, Choice):
        tried = len(set(places))
        return tried / parameter.count, f"{tried} of {text.plural(parameter.count, 'value')} of {name}"
    low, high = text.value(min(values)), text.value(max(values))
    ends = f"at {low}" if low == high else f"from {low} to {high}"
    return max(places) - min(places), f"{name} {ends} (of {parameter.low:g} to {parameter.high:g})"


def _again(history: History, space: Space) -> Iterator[str]:
    """What settings that were tried more than once tell of chance."""
    metric, groups = history.goal.metric, repeats(history, space)
    apart = max((max(values) - min(values) for values in groups), default=0.0)
    if apart:
        yield f"Settings that were tried more than once differ by up to {text.number(apart)} in {metric}."
    elif groups:
        yield f"Settings that were tried more than once, {len(groups)} of them, came to the same {metric} each time."
    else:
        counted = text.plural(len(history.complete), "complete trial")
        yield f"No two of {counted} have the same settings: how far {metric} differs by chance is not known."
