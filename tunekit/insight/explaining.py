"""What a study has shown, in sentences with figures, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Result
from tunekit.insight.edges import edges
from tunekit.insight.effects import effect
from tunekit.insight.failures import common_cause
from tunekit.insight.gain import expected_gain
from tunekit.insight.importance import importance
from tunekit.insight.random_band import random_band
from tunekit.insight.savings import savings
from tunekit.insight.surrogate import LEAST, Surrogate, surrogate
from tunekit.search import sentences
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

_MOST = 10
# How many parameters are told the course of, how many edges.
_COURSES, _EDGES = 2, 2
# Parameters and pairs that explain less are not worth a sentence.
_LEAST_SHARE = 0.05


def explain(history: History, space: Space) -> Result:
    """Up to ten sentences on the first aim: the same for the same history.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: 3 * x + y, Space(x=(0.0, 1.0), y=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(3)
    >>> explain(study.history, study.space)
    The best of 3 trials is trial 1: score 3.77, x=0.930, y=0.984.
    After fewer than 4 complete trials nothing more can be said: run more.
    """
    said = [_best(history)]
    if len(history.complete) < LEAST:
        said.append(f"After fewer than {LEAST} complete trials nothing more can be said: run more.")
    elif np.ptp([trial.metrics[history.goal.metric] for trial in history.complete]) == 0:
        said.append(f"All complete trials have the same {history.goal.metric}: nothing tells settings apart.")
    else:
        said += _learned(history, space)
    said += _failed(history, space)
    saved = savings(history)
    if saved is not None:
        said.append(saved.words)
    return Result("\n".join(said[:_MOST]))


def _best(history: History) -> str:
    best = history.best
    if best is None:
        if not history.complete:
            return sentences.outcome(history)
        return f"No trial keeps the limits yet: {sentences.closest(history)}."
    if len(history.goal.aims) > 1:
        return f"{sentences.front_in_words(history)}; what follows is about {history.goal.metric}."
    score = text.number(best.metrics[history.goal.metric])
    return (
        f"The best of {text.plural(len(history), 'trial')} is trial {best.number}: "
        f"{history.goal.metric} {score}, {text.settings(best.params)}."
    )


def _learned(history: History, space: Space) -> Iterator[str]:
    """What the surrogate has to say."""
    shares = importance(history, space)
    yield shares.words
    if shares.is_known:
        yield from (
            _course(history, space, one.name) for one in shares.parameters[:_COURSES] if one.first.value >= _LEAST_SHARE
        )
        pair = shares.pairs[0] if shares.pairs else None
        if pair is not None and pair.share.value >= _LEAST_SHARE:
            yield f"{' and '.join(pair.names)} depend on each other: {pair.share!r} of the variance is theirs together."
    yield from (edge.words for edge in edges(history, space)[:_EDGES])
    if history.best is not None:
        yield expected_gain(history, space).words
    yield from _beside_random(history, space)
    yield _noise(history, surrogate(history, space))


def _course(history: History, space: Space, name: str) -> str:
    """Where a parameter is best on average, and how much worse at its worst."""
    found = effect(history, space, name)
    maximize = history.goal.aim.maximize
    best = int(np.argmax(found.mean) if maximize else np.argmin(found.mean))
    worst = int(np.argmin(found.mean) if maximize else np.argmax(found.mean))
    about = "" if isinstance(space[name], Choice) else "about "
    aside = ", limits aside," if history.goal.limits else ""
    top, bottom = _told_apart(float(found.mean[best]), float(found.mean[worst]))
    return (
        f"On average over the others{aside} {name} is best at {about}{text.value(found.values[best])} "
        f"({found.metric} {top}) and worst at {about}{text.value(found.values[worst])} ({bottom})."
    )


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two numbers with three significant figures, or with as many as tell one from the other."""
    written = text.number(one), text.number(other)
    # fewer figures than before the point would be written with an exponent
    digits = max(4, len(str(int(max(abs(one), abs(other))))))
    while written[0] == written[1] and one != other:
        written = f"{one:,.{digits}g}", f"{other:,.{digits}g}"
        digits += 1
    return written


def _beside_random(history: History, space: Space) -> Iterator[str]:
    best = history.best
    if best is None or len(history.goal.aims) > 1 or history.goal.limits:
        return  # the band knows one aim, and no limits
    band = random_band(history, space)
    stands = band.beside(best.metrics[history.goal.metric], history.goal.aim)
    yield (
        f"As many trials at random would come to about {text.number(float(band.mean[-1]))} "
        f"({text.number(float(band.low[-1]))} to {text.number(float(band.high[-1]))}): the search is {stands} that."
    )


def _noise(history: History, learned: Surrogate) -> str:
    spread = text.number(float(np.hypot(learned.noise, learned.roughness)))
    scores = sorted((history.goal.aim.gain(trial.metrics[learned.metric]) for trial in history.feasible), reverse=True)
    words = f"Trials with the same or nearly the same settings differ by about {spread} in {learned.metric}"
    if len(scores) > 1 and scores[0] - scores[1] < learned.noise:
        return f"{words}, more than the best is ahead of the second: confirm() measures them again."
    return f"{words}."


def _failed(history: History, space: Space) -> Iterator[str]:
    failed = [trial for trial in history if trial.state == "failed"]
    if not failed:
        return
    cause = common_cause(history, space)
    if cause is not None:
        yield cause.words
    elif len(failed) == 1:
        yield f"Trial {failed[0].number} failed: {failed[0].reason}."
    else:
        last = failed[-1].reason
        yield f"{len(failed)} trials failed, and nothing in their settings sets them apart: the last, {last}."
