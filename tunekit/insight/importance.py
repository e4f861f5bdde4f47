"""Which parameters matter: how the variance of a metric divides among them, and how far that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.insight import jackknife
from tunekit.insight.decomposition import decompose
from tunekit.insight.doubt import views
from tunekit.insight.draws import Draws
from tunekit.insight.observed import observed
from tunekit.insight.spread import evenly_spread
from tunekit.insight.surrogate import WIDE, Surrogate, check_enough, surrogate
from tunekit.search.space import Space

Array = NDArray[np.float64]

# Shares are known as soon as no interval is wider than this, or the same one is the largest in so many of the draws.
_WIDEST, _SURE = 0.5, 0.95
# A smaller share is not told from none: an interval that begins below it begins at 0, and a pair is not shown.
_NONE = 0.01
# How exact a share of a known function is: sums stand for integrals (measured on Ishigami's, Sobol's and a typed one).
_EXACT = 0.005


@dataclass(frozen=True, slots=True)
class Share:
    """A share of the variance, 0 to 1, with the bounds of its 95 % interval.

    Examples
    --------
    >>> Share(0.612, 0.48, 0.72)
    61 % (48 to 72 %)
    """

    value: float
    low: float
    high: float

    def __repr__(self) -> str:
        """In whole per cent."""
        return f"{_percent(self.value)} % ({_percent(self.low)} to {_percent(self.high)} %)"


@dataclass(frozen=True, slots=True)
class ParameterImportance:
    """What one parameter stands for.

    Parameters
    ----------
    name
        Of the parameter.
    first
        What it explains alone.
    total
        What depends on it, alone or together with others.
    """

    name: str
    first: Share
    total: Share


@dataclass(frozen=True, slots=True)
class PairImportance:
    """What two parameters stand for together, beyond what each does alone."""

    names: tuple[str, str]
    share: Share


@dataclass(frozen=True, slots=True, repr=False)
class Importance:
    """How the variance of a metric over the whole space divides among the parameters.

    Parameters
    ----------
    metric
        Which one.
    trials
        How many trials it was learned from.
    parameters
        One for each parameter, the one with the largest total share first.
    pairs
        One for each pair, the largest first.
    is_known
        Whether large shares are told from small ones: no interval is wider than half, or the same parameter has the
        largest share in 95 % of all that is held possible.
    words
        What was found, in a sentence.
    """

    metric: str
    trials: int
    parameters: tuple[ParameterImportance, ...]
    pairs: tuple[PairImportance, ...]
    is_known: bool
    words: str

    def __getitem__(self, name: str) -> ParameterImportance:
        """The importance of the parameter of that name; an unknown name lists the known ones."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        known = text.listed(parameter.name for parameter in self.parameters)
        raise ValueError(f"unknown parameter {name!r}: the known ones are {known}")

    def __repr__(self) -> str:
        """A small table: what each parameter explains alone, and together with others."""
        rows = [(one.name, repr(one.first), repr(one.total)) for one in self.parameters]
        rows += [(" × ".join(pair.names), "", repr(pair.share)) for pair in self.pairs if pair.share.value >= _NONE]
        head = (f"share of the variance of {self.metric}", "alone", "with others")
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(3)]
        lines = [
            f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}".rstrip() for row in (head, *rows)
        ]
        return text.printable("\n".join([*lines, self.words]))


def importance(history: History, space: Space, metric: str | None = None) -> Importance:
    """Divide the variance of a metric among the parameters of its space.

    Functions are drawn from all that the trials leave possible, and each is divided: so an interval says what is not
    known yet. Where the shares hinge more than that on which trials there are, or on how often a search was near the
    same place, it is wider. Each function is a sum of what every parameter does alone and of what all do together: that
    one which matters shares its part with others is found, not taken for granted. Roughness and noise are left out.
    Settings count alike all over the space, whether good or bad, and a long tail of bad values as the surrogate draws
    it in. What depends on a parameter that counts only under a condition counts where it does. A search that stayed
    near its best knows little of the rest: a few dozen settings drawn evenly tell more.

    Parameters
    ----------
    history, space
        The trials, and where their settings come from.
    metric
        One of the metrics of the trials; None: the first aim.

    Raises
    ------
    ValueError
        If no trial has such a metric, or fewer than four complete trials have it.

    References
    ----------
    Marrel, Iooss, Laurent and Roustant, "Calculations of Sobol indices for the Gaussian process metamodel", Reliability
    Engineering & System Safety 2009, for the indices of drawn functions.

    Examples
    --------
    >>> from tunekit.search.study import Study
    >>> study = Study(lambda x, y: 3 * x + y, Space(x=(0.0, 1.0), y=(0.0, 1.0)), sampler="sobol", seed=0)
    >>> result = study.run(12)
    >>> importance(study.history, study.space)["x"].total.value.__round__(1)
    0.9
    """
    check_enough(observed(history, space, metric), "importance")
    learned = surrogate(history, space, metric, overall=True)
    for known, found in _kept:
        if known is learned:
            return found
    found = _of(learned)
    _kept.insert(0, (learned, found))
    del _kept[_MOST_KEPT:]
    return found


# The last few: a picture, a panel and a sentence ask for the same one.
_MOST_KEPT = 4
_kept: list[tuple[Surrogate, Importance]] = []


def _of(learned: Surrogate) -> Importance:
    names = learned.space.names
    if learned.is_flat:
        nothing = Share(0.0, 0.0, 1.0)
        return Importance(
            learned.metric,
            len(learned.values),
            tuple(ParameterImportance(name, nothing, nothing) for name in names),
            tuple(PairImportance(pair, nothing) for pair in combinations(names, 2)),
            False,
            f"Not known yet: all {len(learned.values)} trials have the same {learned.metric}.",
        )
    features = learned.processes[0].features
    groups = jackknife.groups(features, evenly_spread(features, learned.encoding))
    found_by = [_View.of(view, groups) for view in views(learned)]
    first, total, pairs = (_shares(parts) for parts in zip(*(view.parts for view in found_by), strict=True))
    parameters = [
        ParameterImportance(name, alone, everything)
        for name, alone, everything in zip(names, first, total, strict=True)
    ]
    found = sorted(parameters, key=lambda one: -one.total.value)
    together = [PairImportance(pair, share) for pair, share in zip(combinations(names, 2), pairs, strict=True)]
    leaders = found_by[0].parts[1].drawn.argmax(axis=1)
    largest = np.bincount(leaders).max() / len(leaders)
    is_known = largest >= _SURE or max(one.total.high - one.total.low for one in found) <= _WIDEST
    return Importance(
        learned.metric,
        len(learned.values),
        tuple(found),
        tuple(sorted(together, key=lambda pair: -pair.share.value)),
        is_known,
        _words(found, learned.metric, len(learned.values), is_known),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Shares of k functions that are held possible, shape (k, p), and the deviation by which trials are, (p,)."""

    drawn: Array
    hinges: Array


@dataclass(frozen=True, slots=True)
class _View:
    """What a surrogate holds possible: of each parameter alone, of each with others, and of each pair."""

    parts: tuple[_Part, _Part, _Part]

    @classmethod
    def of(cls, learned: Surrogate, groups: Sequence[NDArray[np.int64]]) -> _View:
        draws, processes = Draws.of(learned), len(learned.processes)
        each = len(draws) // processes
        parts = []
        # of each process first the functions that are held possible, then those that would be without some trials
        for shares in decompose(draws.and_without(groups).at, learned.encoding).shares:
            divided = shares.reshape(processes, each + len(groups), shares.shape[1])
            without = np.median(divided[:, each:], axis=0)
            parts.append(_Part(divided[:, :each].reshape(len(draws), -1), jackknife.deviation(without)))
        first, total, pairs = parts
        return cls((first, total, pairs))


def _shares(parts: Sequence[_Part]) -> list[Share]:
    """The medians of the first, with intervals that reach as far as any of the draws and hinges do."""
    middle = np.median(parts[0].drawn, axis=0)
    lows, highs = [], []
    for part in parts:
        low, own, high = np.quantile(part.drawn, [0.025, 0.5, 0.975], axis=0)
        lows += [low, own - WIDE * part.hinges]
        highs += [high, own + WIDE * part.hinges]
    return [
        Share(float(value), max(0.0, float(one) - _EXACT) if one >= _NONE else 0.0, min(1.0, float(other) + _EXACT))
        for value, one, other in zip(middle, np.min(lows, axis=0), np.max(highs, axis=0), strict=True)
    ]


def _words(found: list[ParameterImportance], metric: str, trials: int, is_known: bool) -> str:
    first = found[0]
    if len(found) == 1:
        return f"{first.name} is the only parameter: all that depends on settings depends on it."
    if not is_known:
        return (
            f"Not known yet after {text.plural(trials, 'trial')}: {first.name} may stand for "
            f"{_percent(first.total.low)} to {_percent(first.total.high)} % of the variance of {metric}."
        )
    return f"{first.name} matters most: {first.total!r} of the variance of {metric}."


def _percent(share: float) -> int:
    return round(100 * share)
