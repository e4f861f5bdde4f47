"""Settings that were tried more than once: what they tell of chance."""

from __future__ import annotations

from tunekit.core.history import History
from tunekit.insight.observed import observed
from tunekit.search.space import Space


def repeats(history: History, space: Space) -> list[list[float]]:
    """The values of the first aim of complete trials, for each settings that more than one of them had.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(None, Space(x=(0.0, 1.0)))
    >>> for x, score in ((0.1, 3.0), (0.2, 4.0), (0.1, 3.5)):
    ...     _ = study.tell({"x": x}, score)
    >>> repeats(study.history, study.space)
    [[3.0, 3.5]]
    """
    seen = observed(history, space)
    groups: dict[tuple[float, ...], list[float]] = {}
    for number, place, value in zip(seen.numbers, seen.places.round(12), seen.values, strict=True):
        if history[int(number)].state == "complete":
            groups.setdefault(tuple(place.tolist()), []).append(float(value))
    return [values for values in groups.values() if len(values) > 1]
