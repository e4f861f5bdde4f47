"""Whether the winner is real: the best trials of a study measured again, with seeds that the search never saw."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from tunekit.core import seeds, text
from tunekit.core.events import Event, Progressed
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.job import State, Work
from tunekit.core.trial import Trial
from tunekit.search.context import Context
from tunekit.search.objective import Objective
from tunekit.search.space import Space

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One trial measured again.

    Parameters
    ----------
    trial
        The trial, as the search left it.
    searched
        Its score at search time, in the metric's own unit.
    scores
        The scores of the repeats, in the same unit; failed ones are left out.
    failed
        How many repeats failed.
    outside
        How many of the repeats broke a limit of the study.
    """

    trial: Trial
    searched: float
    scores: tuple[float, ...] = ()
    failed: int = 0
    outside: int = 0

    @property
    def mean(self) -> float | None:
        """The mean of the repeats; None while there is none."""
        return statistics.fmean(self.scores) if self.scores else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, by Student's t; None with less than two repeats."""
        if len(self.scores) < 2 or self.mean is None:
            return None
        from scipy.stats import t

        count = len(self.scores)
        half = float(t.ppf((1 + _CONFIDENCE) / 2, count - 1)) * statistics.stdev(self.scores) / math.sqrt(count)
        return self.mean - half, self.mean + half


@dataclass(frozen=True, slots=True, repr=False)
class Confirmation:
    """What measuring the best trials again came to; it prints the same rounded figures wherever it is shown.

    The best of many noisy scores is too good on average (the winner's curse). The repeats were not selected for their
    score, so their mean has no such bias.

    Parameters
    ----------
    goal
        What the study goes for.
    trials
        The trials that were measured again, the best of the search first.
    repeats
        How often each was to be measured.

    References
    ----------
    Cawley and Talbot, "On Over-fitting in Model Selection and Subsequent Selection Bias in Performance Evaluation",
    JMLR 2010.

    Examples
    --------
    >>> rows = (Confirmed(Trial(4, {}), 0.95, (0.91, 0.92)), Confirmed(Trial(2, {}), 0.94, (0.90, 0.93)))
    >>> print(Confirmation(Goal(), rows, repeats=2))
    2 trials, each measured again 2 times with new seeds:
    trial  score in the search  mean of repeats  95 % interval
        4                0.950            0.915  0.851 to 0.979
        2                0.940            0.915  0.724 to 1.11
    Trial 4 stays best. It cannot be told apart from trial 2: their intervals overlap.
    In the repeats trial 4 is 0.035 worse than in the search.
    """

    goal: Goal
    trials: tuple[Confirmed, ...]
    repeats: int

    @property
    def best(self) -> Trial | None:
        """The trial with the best mean, the best of the search among equals; None while no repeat succeeded."""
        best = self._best
        return None if best is None else best.trial

    @property
    def tied(self) -> tuple[Trial, ...]:
        """The other trials that cannot be told apart from the best: their intervals overlap, or are not known."""
        best = self._best
        if best is None:
            return ()
        others = [one for one in self.trials if one is not best and one.scores]
        return tuple(one.trial for one in others if _overlap(one.interval, best.interval))

    @property
    def is_partial(self) -> bool:
        """Whether it was stopped before each trial had all of its repeats."""
        return any(len(one.scores) + one.failed < self.repeats for one in self.trials)

    @property
    def _best(self) -> Confirmed | None:
        measured = [one for one in self.trials if one.mean is not None]
        return max(measured, key=lambda one: self.goal.aim.gain(one.mean or 0.0), default=None)

    def __repr__(self) -> str:
        """The table and what it says."""
        return "\n".join([self._heading(), *self._table(), *self._sentences()])

    def _heading(self) -> str:
        trials = text.plural(len(self.trials), "trial")
        if not self.is_partial:
            return f"{trials}, each measured again {self.repeats} times with new seeds:"
        done = sum(len(one.scores) + one.failed for one in self.trials)
        return (
            f"{trials} measured again with new seeds; stopped after {done} of "
            f"{text.plural(self.repeats * len(self.trials), 'repeat')}, what was measured is kept:"
        )

    def _table(self) -> list[str]:
        header = ("trial", f"{self.goal.metric} in the search", "mean of repeats", f"{_CONFIDENCE:.0%} interval")
        header = (*header[:3], header[3].replace("%", " %"))
        lines = [header]
        for one in self.trials:
            mean = "–" if one.mean is None else text.number(one.mean)
            ends = one.interval
            interval = "–" if ends is None else f"{text.number(ends[0])} to {text.number(ends[1])}"
            lines.append((str(one.trial.number), text.number(one.searched), mean, interval))
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        return [
            "  ".join([*(cell.rjust(width) for cell, width in zip(line[:3], widths, strict=True)), line[3]])
            for line in lines
        ]

    def _sentences(self) -> list[str]:
        said = []
        best = self._best
        if best is not None:
            first = self.trials[0].trial
            stays = best.trial is first
            words = f"Trial {best.trial.number} {'stays' if stays else 'is now'} best"
            words += "." if stays else f", in the search it was trial {first.number}."
            if self.tied:
                numbers = [str(trial.number) for trial in self.tied]
                noun = "trial" if len(numbers) == 1 else "trials"
                words += f" It cannot be told apart from {noun} {' and '.join(numbers)}: their intervals overlap."
            said.append(words)
        said += self._curse()
        said += [_fault(one.failed, self.repeats, one.trial, "failed") for one in self.trials if one.failed]
        said += [_fault(one.outside, self.repeats, one.trial, "broke a limit") for one in self.trials if one.outside]
        return said

    def _curse(self) -> list[str]:
        """How much of its score the winner of the search owed to luck."""
        winner = self.trials[0]
        if winner.mean is None:
            return []
        where = f"In the repeats trial {winner.trial.number} is"
        if text.number(winner.mean) == text.number(winner.searched):
            return [f"{where} as good as in the search."]
        fall = self.goal.aim.gain(winner.searched) - self.goal.aim.gain(winner.mean)
        return [f"{where} {text.number(abs(fall))} {'worse' if fall > 0 else 'better'} than in the search."]


def _overlap(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return True
    return one[0] <= other[1] and other[0] <= one[1]


def _fault(count: int, repeats: int, trial: Trial, what: str) -> str:
    return f"{count} of {repeats} repeats of trial {trial.number} {what}."


@dataclass
class Confirming:
    """Measures the best trials of a study again: one repeat of each in turn, so that a stop leaves all alike.

    Parameters
    ----------
    objective, space, history
        Those of the study.
    entropy
        What the study's randomness comes from.
    is_seeded
        Whether each repeat gets a seed of its own; otherwise the randomness is what it is.
    top, repeats
        How many trials, and how often each.

    Raises
    ------
    ValueError
        If a count is out of its range.
    RuntimeError
        If the study has several aims, or no trial that counts.
    """

    objective: Objective
    space: Space
    history: History
    entropy: int
    is_seeded: bool
    top: int
    repeats: int
    result: Confirmation = field(init=False)
    _now: str = field(init=False, default="Measuring the best trials again")

    def __post_init__(self) -> None:
        """Choose the trials."""
        for name, least in (("top", 1), ("repeats", 2)):
            count = getattr(self, name)
            if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
                raise ValueError(f"{name} is a whole number from {least}: got {count!r}")
        goal = self.history.goal
        if len(goal.aims) > 1:
            raise RuntimeError(
                f"confirming says which trial stays best, which needs one aim: this study goes for "
                f"{text.listed(aim.metric for aim in goal.aims)}; look at study.front"
            )
        rows = tuple(Confirmed(trial, trial.metrics[goal.metric]) for trial in self._candidates())
        if not rows:
            raise RuntimeError(
                "what is confirmed are the best trials that count: there is none yet; run the study first"
            )
        self.result = Confirmation(goal, rows, int(self.repeats))

    def _candidates(self) -> list[Trial]:
        """The best trials, of equal settings the best one."""
        goal = self.history.goal
        ranked = sorted(self.history.feasible, key=lambda trial: -goal.aim.gain(trial.metrics[goal.metric]))
        distinct: dict[tuple[float, ...], Trial] = {}
        for trial in ranked:
            distinct.setdefault(self.space.key(trial.params), trial)
        return list(distinct.values())[: self.top]

    @property
    def done(self) -> int:
        """How many repeats are measured."""
        return sum(len(one.scores) + one.failed for one in self.result.trials)

    @property
    def share(self) -> float:
        """How much of it is measured, 0 to 1."""
        return self.done / (len(self.result.trials) * self.result.repeats)

    def words(self, state: State) -> str:
        """What is going on, while it goes on."""
        total = len(self.result.trials) * self.result.repeats
        end = {
            "pausing": "; pausing after this step",
            "paused": "; paused, nothing is lost, Resume goes on from here",
            "stopping": "; stopping after this step, what is measured is kept",
        }.get(state, "")
        return f"{self._now}; {self.done} of {total} done{end}."

    def work(self) -> Work:
        """Measure; each repeat is kept in ``result`` as soon as it is there."""
        for repeat in range(self.result.repeats):
            for place, one in enumerate(self.result.trials):
                self._now = f"Measuring trial {one.trial.number} again: repeat {repeat + 1} of {self.result.repeats}"
                yield Progressed(self._now, self.share)
                yield from self._repeat(place, repeat)

    def _repeat(self, place: int, repeat: int) -> Iterator[Event]:
        one = self.result.trials[place]
        seed = _repeat_seed(self.entropy, one.trial.number, repeat) if self.is_seeded else None
        try:
            with seeds.seeded(seed):
                for step in self.objective.steps(one.trial.params, Context(one.trial.number, seed)):
                    metrics = step.metrics
                    if step.kind != "final":
                        yield Progressed(self._now, self.share)
        except Exception:  # a repeat that fails is one of the figures
            self._put(place, replace(one, failed=one.failed + 1))
            return
        goal = self.result.goal
        is_outside = any(limit.excess(metrics[limit.metric]) > 0 for limit in goal.limits)
        scores = (*one.scores, metrics[goal.metric])
        self._put(place, replace(one, scores=scores, outside=one.outside + is_outside))

    def _put(self, place: int, one: Confirmed) -> None:
        rows = list(self.result.trials)
        rows[place] = one
        self.result = replace(self.result, trials=tuple(rows))


def _repeat_seed(entropy: int, number: int, repeat: int) -> int:
    """The seed of one repeat, 0 to 2**31 - 1: none that the search gave to a trial."""
    sequence = np.random.SeedSequence(entropy, spawn_key=(number, 2, repeat))
    return int(sequence.generate_state(1)[0] >> 1)
