"""What all early stopping holds, as tests that run on one of your own."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core.events import EndState, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.early_stopping import EarlyStopping, Verdict
from tunekit.search.study import Study

_STEPS = 20
_SCORE = Goal(Aim("score"))

Curves = NDArray[np.float64]


class EarlyStoppingConformance(ABC):
    """Subclass it in a test file, say how to make the thing, and pytest runs what all early stopping holds.

    Attributes
    ----------
    quiet_steps
        So many steps of a trial it does not judge.
    compares
        Whether it looks at other trials.
    named
        Whether it can be made for a metric by name; one that cannot looks at the first aim.

    Examples
    --------
    >>> from tunekit.search.early_stopping.asha import ASHA
    >>> class TestASHA(EarlyStoppingConformance):
    ...     quiet_steps = 1
    ...
    ...     def make(self, metric=None):
    ...         return ASHA(metric=metric)
    >>> TestASHA().test_the_same_question_has_the_same_answer()
    """

    quiet_steps = 0
    compares = True
    named = True

    @abstractmethod
    def make(self, metric: str | None = None) -> EarlyStopping:
        """A new one, which knows nothing yet; where it can be, for that metric of the study's aims."""

    # A pure function of the history

    def test_the_same_question_has_the_same_answer(self) -> None:
        """The same history and trial: the same verdict, from this object or from a new one."""
        kept = self.make()
        for history in _histories():
            number = _begin(history)
            for value in _curve(number, 0.6):
                history.apply(TrialReported(number, {"score": value}))
                asked = (kept, kept, self.make())
                once, again, fresh = (one.decide(history, history[number]) for one in asked)
                assert once == again == fresh, (
                    f"early stopping is a pure function: got {once}, then {again}, then {fresh} from a new one"
                )
                assert once in ("go", "halt", "finish"), f"a verdict is 'go', 'halt' or 'finish': got {once!r}"

    def test_the_history_stays_as_it_is(self) -> None:
        """It reads, and changes nothing."""
        for history in _histories():
            before = copy.deepcopy(list(history))
            self.verdict(history, [0.2] * _STEPS)
            assert list(history)[: len(before)] == before, "early stopping changes no trial of the history"

    def test_a_history_without_the_trial_itself_is_enough(self) -> None:
        """Several workers of a study that is the same each time compare with the trials of earlier rounds alone."""
        for history in _histories():
            number = _begin(history)
            for value in _curve(number, 0.5):
                history.apply(TrialReported(number, {"score": value}))
                whole = self.make().decide(history, history[number])
                snapshot = self.make().decide(history.before(number), history[number])
                assert whole == snapshot, f"the trial itself is not compared with: got {whole}, without it {snapshot}"

    def test_it_may_be_asked_late(self) -> None:
        """A trial that goes on from a checkpoint has reports that nobody asked about."""
        for history in _histories():
            number = _begin(history)
            kept, skipping = self.make(), self.make()
            for step, value in enumerate(_curve(number, 0.4), start=1):
                history.apply(TrialReported(number, {"score": value}))
                always = kept.decide(history, history[number])
                if step > _STEPS // 2:
                    late = skipping.decide(history, history[number])
                    assert late == always, f"it does not matter what was asked before: got {late} and {always}"

    # What it spares

    def test_the_only_trial_is_not_halted(self) -> None:
        """There is nothing that it could be worse than."""
        for curve in (_curve(0, 0.5), _curve(0, 0.5)[::-1], [0.0] * _STEPS):
            verdict = self.verdict(History(_SCORE), curve)
            assert verdict[0] != "halt", f"the only trial is not halted: it was, at step {verdict[1]}"

    def test_the_best_at_its_step_is_not_halted(self) -> None:
        """What leads goes on, however its curve has come there."""
        for history in _histories():
            best = np.max([[report["score"] for report in _padded(trial.reports)] for trial in history], axis=0)
            verdict = self.verdict(history, best + 1e-6)
            assert verdict[0] != "halt", f"the best of all at its step is not halted: it was, at step {verdict[1]}"

    def test_what_equals_all_others_is_not_halted(self) -> None:
        """Ties are no reason."""
        history = _history([[0.5] * _STEPS] * 12)
        verdict = self.verdict(history, [0.5] * _STEPS)
        assert verdict[0] != "halt", f"one that equals all others is not halted: it was, at step {verdict[1]}"

    def test_the_first_steps_are_not_judged(self) -> None:
        """Nothing ends before its warm-up."""
        for history in _histories():
            verdict, step = self.verdict(history, [-1.0] * _STEPS)
            assert verdict == "go" or step > self.quiet_steps, (
                f"{self.quiet_steps} steps are not judged: step {step} was"
            )

    def test_what_is_hopeless_ends(self) -> None:
        """A curve below all others that never moves."""
        history = _history([_curve(number, 0.7) for number in range(12)])
        verdict, _ = self.verdict(history, [-1.0] * _STEPS)
        assert verdict != "go", "a trial that stays below all twelve others for twenty steps ends early"

    # Histories of every kind

    def test_failed_and_stopped_trials_do_not_count(self) -> None:
        """What they reported, good or bad, changes nothing."""
        curves = [_curve(number, 0.5) for number in range(18)]
        states: list[EndState] = ["complete", "failed", "stopped"]
        for seed in range(6):
            mine, found = _curve(seed, 0.45), []
            for shift in (-5.0, 0.0, 5.0):
                history = History(_SCORE)
                for number, curve in enumerate(curves):
                    state = states[number % 3]
                    _add(history, curve if state == "complete" else np.add(curve, shift), state)
                found.append(self.verdict(history, mine))
            assert found[0] == found[1] == found[2], f"failed and stopped trials do not count: got {found}"

    def test_trials_without_reports_do_not_stop_it(self) -> None:
        """Those of a plain function, those that were told, and those that have only begun."""
        history = _history([_curve(number, 0.5) for number in range(8)])
        for state in ("complete", "failed", "stopped"):
            _add(history, [], state)
        number = _begin(history)
        assert self.make().decide(history, history[number]) == "go", "a trial without a report goes on"
        self.verdict(history, [0.1] * _STEPS)
        alone = History(_SCORE)
        for _ in range(8):
            _add(alone, [], "complete")
        verdict = self.verdict(alone, _curve(0, 0.2))
        assert verdict[0] != "halt", "a trial is not halted where no other has a curve"

    def test_a_report_without_the_metric_changes_nothing(self) -> None:
        """What is dear to measure comes now and then."""
        for history in _histories():
            number = _begin(history)
            for value in [-1.0] * _STEPS:
                history.apply(TrialReported(number, {"other": value}))
                verdict = self.make().decide(history, history[number])
                assert verdict == "go", f"a report without the metric says nothing: got {verdict!r}"

    def test_to_minimize_is_to_maximize_the_negative(self) -> None:
        """The same verdicts, whichever way the metric counts."""
        for seed, level in _places():
            curves = [_curve(number + 100 * seed, 0.5) for number in range(12)]
            up = self.verdict(_history(curves), _curve(seed, level))
            goal = Goal(Aim("score", maximize=False))
            down = self.verdict(_history(-np.array(curves), goal), [-value for value in _curve(seed, level)])
            assert up == down, f"to minimize a metric is to maximize its negative: got {up} and {down}"

    def test_one_of_several_aims_by_name(self) -> None:
        """It looks at that one alone, the way that the study goes."""
        if not self.named:
            return
        goal = Goal(Aim("size"), Aim("loss", maximize=False))
        for seed, level in _places():
            curves = [_curve(number + 100 * seed, 0.5) for number in range(12)]
            alone = self.verdict(_history(curves), _curve(seed, level))
            history, number = History(goal), len(curves)
            for curve in curves:
                _add(history, -np.array(curve), "complete", metric="loss", also={"size": float(len(history))})
            history.apply(TrialStarted(number, {}))
            found: tuple[Verdict, int] = ("go", _STEPS)
            for step, value in enumerate(_curve(seed, level), start=1):
                history.apply(TrialReported(number, {"size": 0.0, "loss": -value}))
                verdict = self.make("loss").decide(history, history[number])
                if verdict != "go":
                    found = verdict, step
                    break
            assert found == alone, f"one of several aims is judged as if it were alone: got {found} and {alone}"

    # In a study

    def test_a_study_is_the_same_each_time(self) -> None:
        """From the objective to the end of each trial: what is halted has the figures of its last report."""
        first, second = self._run(), self._run()
        assert first == second, "a study with a seed is the same each time"
        for trial in first:
            if trial.state == "halted":
                assert trial.metrics == trial.reports[-1], f"a halted trial has the figures of its last report: {trial}"
                assert len(trial.reports) > self.quiet_steps
        ended = [trial for trial in first if len(trial.reports) < _STEPS]
        assert ended, "a study of thirty trials, most of them bad, ends some of them early"
        assert any(trial.state == "complete" for trial in first), "some trials are run to their end"

    def _run(self) -> list[Trial]:
        def objective(level: float, speed: float) -> Iterator[float]:
            for step in range(_STEPS):
                yield level * (1.0 - np.exp(-speed * min(step, 12)))

        space = {"level": (0.0, 1.0), "speed": (0.1, 1.0)}
        study = Study(objective, space, sampler="random", early_stopping=self.make(), seed=0)
        study.run(30)
        return [replace(trial, seconds=None) for trial in study.trials]

    def verdict(self, history: History, curve: Sequence[float] | Curves) -> tuple[Verdict, int]:
        """What becomes of one more trial with this curve, and after which step; the trial stays in the history."""
        rule, number = self.make(), _begin(history)
        for step, value in enumerate(curve, start=1):
            history.apply(TrialReported(number, {"score": float(value)}))
            verdict = rule.decide(history, history[number])
            if verdict != "go":
                return verdict, step
        return "go", len(curve)


def _curve(seed: int, level: float) -> list[float]:
    """A noisy curve that rises to about a level."""
    rng = np.random.default_rng(seed)
    height, speed = level + rng.normal(0, 0.1), rng.uniform(0.1, 0.6)
    rise = height * (1.0 - np.exp(-speed * np.arange(1, _STEPS + 1)))
    return [float(value) for value in rise + rng.normal(0, 0.02, _STEPS)]


def _places() -> list[tuple[int, float]]:
    """Seeds, each with the level of a curve from bad to good."""
    return [(seed, 0.2 + 0.1 * seed) for seed in range(6)]


def _histories() -> Iterator[History]:
    """A dozen complete and halted trials, several times."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        history = History(_SCORE)
        for number in range(12):
            curve = _curve(100 * seed + number, 0.5)
            halted = number > 6 and rng.random() < 0.5
            _add(history, curve[: int(rng.integers(2, 10))] if halted else curve, "halted" if halted else "complete")
        yield history


def _history(curves: Sequence[Sequence[float]] | Curves, goal: Goal = _SCORE) -> History:
    history = History(goal)
    for curve in curves:
        _add(history, curve, "complete")
    return history


def _begin(history: History) -> int:
    number = len(history)
    history.apply(TrialStarted(number, {}))
    return number


def _add(
    history: History,
    curve: Sequence[float] | Curves,
    state: EndState,
    metric: str = "score",
    also: dict[str, float] | None = None,
) -> None:
    """One more trial that has ended."""
    number = _begin(history)
    report = {metric: 0.0, **(also or {})}
    for value in curve:
        report = {metric: float(value), **(also or {})}
        history.apply(TrialReported(number, report))
    history.apply(TrialEnded(number, state, report if state in ("complete", "halted") else {}, 1.0))


def _padded(reports: Sequence[Any]) -> list[Any]:
    return [*reports, *[reports[-1]] * (_STEPS - len(reports))]
