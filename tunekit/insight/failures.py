"""What failed trials have in common, and whether that may be chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.history import History
from tunekit.search.parameters import Choice
from tunekit.search.space import Space

Array = NDArray[np.float64]

# How many bounds are tried along one number, and how many times the failures are dealt out at random.
_BOUNDS, _DEALS = 40, 999
# What is rarer than this among random deals is no chance.
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class CommonCause:
    """A range or value of one parameter that failures have more often than other trials.

    Parameters
    ----------
    name
        Of the parameter.
    relation
        ``"is"`` that value, ``"from"`` it upwards, or ``"up to"`` it.
    value
        Of the parameter.
    failures, of_failures
        How many failed trials have it, and how many failed at all.
    others, of_others
        The same of the trials that did not fail: complete or halted.
    chance
        How often failures that are dealt out at random have anything as striking in common, 0 to 1.
    """

    name: str
    relation: Literal["is", "from", "up to"]
    value: Any
    failures: int
    of_failures: int
    others: int
    of_others: int
    chance: float

    @property
    def words(self) -> str:
        """The same in a sentence."""
        which = (
            f"All {self.failures}" if self.failures == self.of_failures else f"{self.failures} of {self.of_failures}"
        )
        relation = {"is": "", "from": "from ", "up to": "up to "}[self.relation]
        beyond = " upwards" if self.relation == "from" else ""
        return (
            f"{which} failures have {self.name} {relation}{text.value(self.value)}{beyond}, "
            f"and {self.others or 'none'} of the {self.of_others} other trials."
        )


def common_cause(history: History, space: Space) -> CommonCause | None:
    """The range or value of one parameter that sets failures apart most; None where chance might have done it.

    Each value of a choice and each bound of a number is tried; what is found must be rarer than one in twenty when the
    same number of failures is dealt out at random, so that looking in many places is no advantage.

    References
    ----------
    Westfall and Young, "Resampling-Based Multiple Testing", Wiley 1993; Fisher's exact test for one place.
    """
    trials = [trial for trial in history if trial.state in ("complete", "failed", "halted")]
    failed = np.array([trial.state == "failed" for trial in trials], dtype=bool)
    if not failed.any() or failed.all():
        return None
    settings = [trial.params for trial in trials]
    rules = [rule for name in space for rule in _rules(space, name, settings)]
    if not rules:
        return None
    members = np.array([rule.members for rule in rules]).astype(np.int64)
    surprise = _surprises(members.sum(axis=1), len(trials), int(failed.sum()))
    rng = np.random.default_rng(4)
    dealt = np.stack([rng.permutation(failed) for _ in range(_DEALS)], axis=1).astype(np.int64)
    found = np.take_along_axis(surprise, (members @ failed.astype(np.int64))[:, None], axis=1)[:, 0]
    luck = np.take_along_axis(surprise, members @ dealt, axis=1).max(axis=0)
    best = int(np.argmax(found))
    chance = (1 + int(np.sum(luck >= found[best] - 1e-9))) / (1 + _DEALS)
    return None if chance >= _LEVEL else _cause(rules[best], settings, failed, chance)


@dataclass(frozen=True, slots=True, eq=False)
class _Rule:
    """A range or value of one parameter, and which trials have it, shape (n,)."""

    name: str
    relation: Literal["is", "from", "up to"]
    value: Any
    members: NDArray[np.bool_]


def _rules(space: Space, name: str, settings: Sequence[Mapping[str, Any]]) -> Iterator[_Rule]:
    """Each way to set some trials apart by one parameter, once."""
    has = np.array([name in params for params in settings], dtype=bool)
    parameter = space[name]
    if isinstance(parameter, Choice):
        for value in parameter.values:
            members = [
                name in params and type(params[name]) is type(value) and params[name] == value for params in settings
            ]
            yield _Rule(name, "is", value, np.array(members, dtype=bool))
        return
    numbers = np.array([params.get(name, np.nan) for params in settings], dtype=np.float64)
    known = np.unique(numbers[has])
    if len(known) > _BOUNDS:
        known = known[np.linspace(0, len(known) - 1, _BOUNDS).round().astype(np.int64)]
    for bound in known:
        yield _Rule(name, "from", bound, has & (numbers >= bound))
        yield _Rule(name, "up to", bound, has & (numbers <= bound))


def _surprises(sizes: NDArray[np.int64], count: int, failures: int) -> Array:
    """How surprising 0, 1, ... failures are among so many trials, shape (rules, failures + 1).

    Minus the logarithm of the probability that at least so many are there by chance.
    """
    from scipy.special import gammaln

    def log_choose(whole: Any, part: Any) -> Any:
        return gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1)

    hits = np.arange(failures + 1)
    size = sizes[:, None]
    possible = (hits <= size) & (failures - hits <= count - size)
    inside = np.where(possible, hits, np.maximum(0, failures - (count - size)))
    logs = log_choose(size, inside) + log_choose(count - size, failures - inside) - log_choose(count, failures)
    chances = np.where(possible, np.exp(logs), 0.0)
    tails = np.cumsum(chances[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(-np.log(np.maximum(tails, 1e-300)))


def _cause(rule: _Rule, settings: Sequence[Mapping[str, Any]], failed: NDArray[np.bool_], chance: float) -> CommonCause:
    value = rule.value
    if rule.relation != "is":
        # the bound that failures show, not the one that was tried
        among = [params[rule.name] for params, counts in zip(settings, failed & rule.members, strict=True) if counts]
        value = min(among) if rule.relation == "from" else max(among)
    return CommonCause(
        rule.name,
        rule.relation,
        value,
        int((rule.members & failed).sum()),
        int(failed.sum()),
        int((rule.members & ~failed).sum()),
        int((~failed).sum()),
        chance,
    )
