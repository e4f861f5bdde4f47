"""What a study has shown, in sentences with figures, the most useful first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Result
from tunekit.insight.edges import edges
from tunekit.insight.effects import effect
from tunekit.insight.failures import common_cause
from tunekit.insight.figures import failures, figures
from tunekit.insight.gain import expected_gain
from tunekit.insight.importance import importance
from tunekit.insight.random_band import random_band
from tunekit.insight.repeats import repeats
from tunekit.insight.savings import savings
from tunekit.insight.surrogate import LEAST, Surrogate, surrogate
from tunekit.search import sentences
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

_FEWEST, _MOST = 5, 10
# How many parameters are told the course of, how many edges.
_COURSES, _EDGES = 2, 2
# Parameters and pairs that explain less are not worth a sentence.
_LEAST_SHARE = 0.05


def explain(history: History, space: Space) -> Result:
    """Five to ten sentences on the first aim, fewer before the second trial: the same for the same history.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: 3 * x + y, Space(x=(0.0, 1.0), y=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(3)
    >>> explain(study.history, study.space)
    The best of 3 trials is trial 1: score 3.77, x=0.930, y=0.984.
    The second, trial 2, is 1.15 behind: score 2.63, x=0.723, y=0.455.
    The 3 complete trials reach from score 0.716 to 3.77, with 2.63 in the middle.
    Tried so far: x from 0.210 to 0.930 (of 0 to 1), y from 0.0852 to 0.984 (of 0 to 1).
    What matters can be told from 4 complete trials on: 1 is missing.
    """
    complete, ended = len(history.complete), sum(trial.state != "running" for trial in history)
    said, missing = [*_first(history)], [] if complete >= LEAST else [_missing(LEAST - complete)]
    if complete >= LEAST:
        said += _learned(history, space)
    said += _failed(history, space)
    saved = savings(history)
    if saved is not None:
        said.append(saved.words)
    if ended > 1:
        said += islice(figures(history, space), max(0, _FEWEST - len(said) - len(missing)))
    return Result("\n".join([*said[: _MOST - len(missing)], *missing]))


def _missing(count: int) -> str:
    return f"What matters can be told from {LEAST} complete trials on: {count} {'is' if count == 1 else 'are'} missing."


def _first(history: History) -> Iterator[str]:
    """What the trials came to."""
    best = history.best
    if best is None and history.complete:
        yield f"No trial keeps the limits yet: {sentences.closest(history)}."
    elif best is None and len(history) > 1 and all(trial.state == "failed" for trial in history):
        yield from failures(history)
    elif best is None:
        yield sentences.outcome(history)
    elif len(history.goal.aims) > 1:
        yield f"{sentences.front_in_words(history)}; what follows is about {history.goal.metric}."
    else:
        which = "The only trial" if len(history) == 1 else f"The best of {len(history):,} trials"
        score = sentences.best_score(history)
        yield f"{which} is trial {best.number}: {history.goal.metric} {score}, {text.settings(best.params)}."


def _learned(history: History, space: Space) -> Iterator[str]:
    """What the surrogate has to say."""
    scores = [trial.metrics[history.goal.metric] for trial in history.complete]
    if min(scores) == max(scores):
        yield (
            f"All {len(scores)} complete trials have the same {history.goal.metric}, {text.number(scores[0])}: nothing "
            "tells settings apart."
        )
        return
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
    yield _noise(history, space, surrogate(history, space))


def _course(history: History, space: Space, name: str) -> str:
    """Where a parameter is best on average, and how much worse at its worst."""
    found = effect(history, space, name)
    maximize = history.goal.aim.maximize
    best = int(np.argmax(found.mean) if maximize else np.argmin(found.mean))
    worst = int(np.argmin(found.mean) if maximize else np.argmax(found.mean))
    aside = ", limits aside," if history.goal.limits else ""
    average = "On average over the others" if len(space) > 1 else "On average"
    top, bottom = text.told_apart(float(found.mean[best]), float(found.mean[worst]))
    values = found.values[best], found.values[worst]
    if isinstance(space[name], Choice):
        there, elsewhere = map(text.value, values)
    else:
        there, elsewhere = (f"about {value.replace(',', '')}" for value in text.told_apart(*values))
    return f"{average}{aside} {name} is best at {there} ({found.metric} {top}) and worst at {elsewhere} ({bottom})."


def _beside_random(history: History, space: Space) -> Iterator[str]:
    best = history.best
    if best is None or len(history.goal.aims) > 1 or history.goal.limits:
        return  # the band knows one aim, and no limits
    band = random_band(history, space)
    stands = band.beside(best.metrics[history.goal.metric], history.goal.aim)
    mean, low, high = text.told_apart(*(float(line[-1]) for line in (band.mean, band.low, band.high)))
    yield f"As many trials at random would come to about {mean} ({low} to {high}): the search is {stands} that."


def _noise(history: History, space: Space, learned: Surrogate) -> str:
    """How far trials differ at the same place, and whether measuring the best ones again is of use."""
    spread = text.number(float(np.hypot(learned.noise, learned.roughness)))
    scores = sorted((history.goal.aim.gain(trial.metrics[learned.metric]) for trial in history.feasible), reverse=True)
    again = repeats(history, space)
    words = f"Trials with the same or nearly the same settings differ by about {spread} in {learned.metric}"
    if again and all(min(values) == max(values) for values in again):
        return f"{words}; those with the very same ones do not differ."
    # of an exact function nothing is learned by measuring again
    if len(history.goal.aims) == 1 and (again or learned.is_noisy) and _lead(scores) < learned.noise:
        return f"{words}, more than the best is ahead of the second: confirm() measures them again."
    return f"{words}."


def _lead(ranked: Sequence[float]) -> float:
    return ranked[0] - ranked[1] if len(ranked) > 1 else np.inf


def _failed(history: History, space: Space) -> Iterator[str]:
    failed = [trial for trial in history if trial.state == "failed"]
    if not failed or (len(failed) == len(history) > 1):
        return
    cause = common_cause(history, space)
    if cause is not None:
        yield cause.words
    elif len(failed) == 1:
        yield f"Trial {failed[0].number} failed: {failed[0].reason}."
    else:
        last = failed[-1].reason
        yield f"{len(failed)} trials failed, and nothing in their settings sets them apart: the last, {last}."
