"""What all early stopping holds, by one suite that runs on all that are known; and what is particular to some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.events import EndState, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.censored import expected_metrics
from tunekit.search.early_stopping import EarlyStopping, early_stopping, resolve
from tunekit.search.early_stopping.asha import ASHA
from tunekit.search.early_stopping.curves import OnMetric
from tunekit.search.early_stopping.hyperband import Hyperband
from tunekit.search.early_stopping.median import MedianStopping
from tunekit.search.early_stopping.patience import Patience
from tunekit.search.engines.told import told
from tunekit.search.space import Space
from tunekit.search.surrogate.observations import Places, observe
from tunekit.testing import EarlyStoppingConformance

resolve(None, Goal())  # reads the modules that register themselves
NAMES = list(early_stopping)
# the steps that each, as it is by name, does not judge
QUIET = {"asha": 1, "hyperband": 0, "median": 1, "patience": 5}


class TestAllEarlyStopping(EarlyStoppingConformance):
    @pytest.fixture(autouse=True, params=NAMES)
    def _choose(self, request: pytest.FixtureRequest) -> None:
        self.name = str(request.param)
        self.quiet_steps = QUIET.get(self.name, 0)

    def make(self, metric: str | None = None) -> EarlyStopping:
        # those of the package are all classes that take the metric
        rule: Any = early_stopping[self.name]
        made: EarlyStopping = rule() if metric is None else rule(metric=metric)
        return made


class NeverOrAtOnce:
    """The smallest that a person may write: as the suite finds it, it is wrong."""

    def decide(self, history: History, trial: Trial) -> Any:
        return "halt"


def test_the_suite_finds_what_is_wrong() -> None:
    class TestWrong(EarlyStoppingConformance):
        def make(self, metric: str | None = None) -> EarlyStopping:
            return NeverOrAtOnce()

    for name in ("the_only_trial_is_not_halted", "the_best_at_its_step_is_not_halted", "what_equals_all_others"):
        test = next(getattr(TestWrong(), known) for known in dir(TestWrong) if known.startswith(f"test_{name}"))
        with pytest.raises(AssertionError, match="not halted"):
            test()


Ended = tuple[EndState, Sequence[float]]


def grown(*trials: Ended, goal: Goal | None = None, also: dict[str, float] | None = None) -> History:
    """A history of trials with these ends and curves of the first aim; what else each reported stays the same."""
    history = History(goal or Goal())
    for number, (state, curve) in enumerate(trials):
        history.apply(TrialStarted(number, {"x": number / 10}))
        report: dict[str, float] = {}
        for value in curve:
            report = {history.goal.metric: value, **(also or {})}
            history.apply(TrialReported(number, report))
        history.apply(TrialEnded(number, state, report if state in ("complete", "halted") else {}, 1.0))
    return history


def same(count: int, curve: Sequence[float]) -> list[Ended]:
    """So many complete trials with one curve."""
    return [("complete", curve)] * count


def running(number: int, *values: float, metric: str = "score") -> Trial:
    return Trial(number, {}, reports=tuple({metric: value} for value in values))


def halted_after(rule: EarlyStopping, history: History, *values: float) -> int | None:
    """The step after which a trial with these values is ended; None: it is not."""
    number = len(history)
    for step in range(1, len(values) + 1):
        if rule.decide(history, running(number, *values[:step])) != "go":
            return step
    return None


RISING = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_asha_judges_at_rungs_alone_and_keeps_one_in_so_many() -> None:
    shifted: list[Ended] = [("complete", [value + shift for value in RISING]) for shift in (0.0, 0.01, 0.02)]
    history = grown(*shifted)
    assert halted_after(ASHA(), history, *[0.0] * 9) == 2
    assert halted_after(ASHA(min_steps=3), history, *[0.0] * 9) == 3
    # the second of four at the rung of 2 is kept, as one of the better half; the third is not
    assert halted_after(ASHA(), history, 0.1, 0.215) is None
    assert halted_after(ASHA(), history, 0.1, 0.205) == 2
    assert halted_after(ASHA(reduction=4, survivors=1), history, 0.1, 0.215) == 2
    assert halted_after(ASHA(reduction=4, survivors=2), history, 0.1, 0.215) is None


def test_a_rung_that_was_passed_before_a_checkpoint_is_not_judged_again() -> None:
    history = grown(*same(6, RISING))
    behind = running(6, *[0.0] * 3)
    assert ASHA().decide(history, running(6, *[0.0] * 2)) == "halt"
    assert ASHA().decide(history, behind) == "go"
    assert ASHA().decide(history, running(6, *[0.0] * 4)) == "halt"


def test_the_end_of_a_trial_is_no_rung() -> None:
    """Where trials have four steps, nothing is saved by halting one after the fourth."""
    history = grown(*same(6, RISING[:4]))
    assert halted_after(ASHA(min_steps=4), history, 0.0, 0.0, 0.0, 0.0) is None
    assert halted_after(MedianStopping(warmup_steps=3), history, 0.0, 0.0, 0.0, 0.0) is None
    assert halted_after(MedianStopping(warmup_steps=2), history, 0.0, 0.0, 0.0, 0.0) == 3


def test_hyperband_spares_later_brackets_the_first_rungs() -> None:
    rule = Hyperband(min_steps=1, reduction=3, brackets=3)
    first = {}
    for number in range(17):
        history = grown(*same(number, [1.0 + step for step in range(20)]))
        if number:
            first[rule.bracket(number)] = halted_after(rule, history, *[0.0] * 19)
    assert first == {0: 1, 1: 3, 2: 9}
    brackets = [rule.bracket(number) for number in range(2 * 17)]
    assert [brackets.count(bracket) for bracket in range(3)] == [18, 10, 6]  # as in the paper: 9, 5 and 3 a round


def test_the_median_rule_is_that_of_vizier() -> None:
    """The best value so far against the median of running averages: by hand."""
    history = grown(("complete", [0.0, 1.0, 2.0, 3.0]), ("complete", [0.0, 2.0, 4.0, 6.0]), ("complete", [1.0] * 4))
    rule = MedianStopping(warmup_trials=3, warmup_steps=0)
    # the averages up to step 3 are 1, 2 and 1
    assert halted_after(rule, history, 1.0, 0.0, 0.0) is None
    assert halted_after(rule, history, 0.9, 0.9, 0.9) == 2  # after two steps they are 0.5, 1 and 1
    assert halted_after(rule, history, -0.1, 0.9) == 1
    assert halted_after(MedianStopping(warmup_trials=4, warmup_steps=0), history, 0.0, 0.0) is None


def test_patience_finishes_what_no_longer_improves() -> None:
    rule = Patience(steps=2)
    assert halted_after(rule, History(Goal()), 0.1, 0.2, 0.2, 0.3, 0.3, 0.2) == 6
    assert halted_after(Patience(steps=2, tolerance=0.15), History(Goal()), 0.1, 0.2, 0.25) == 3
    assert rule.decide(History(Goal()), running(0, 0.3, 0.3, 0.3)) == "finish"
    down = History(Goal(Aim("loss", maximize=False)))
    assert rule.decide(down, running(0, 0.3, 0.2, 0.1, metric="loss")) == "go"


def test_a_metric_that_is_no_aim_is_told_its_direction() -> None:
    rule = ASHA(metric="loss", maximize=False, survivors=1)
    history = grown(*same(4, [0.5] * 9), also={"loss": 0.5})
    assert rule.decide(history, Trial(4, {}, reports=({"score": 0.0, "loss": 0.9},) * 2)) == "halt"
    assert rule.decide(history, Trial(4, {}, reports=({"score": 0.0, "loss": 0.1},) * 2)) == "go"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: resolve("medain", Goal()), "unknown early stopping 'medain': the known ones are 'asha', 'hyperband'"),
        (lambda: resolve(ASHA, Goal()), "a name .*'asha'.* or an object with decide"),
        (lambda: resolve(ASHA(metric="loss"), Goal()), "'loss' is none of 'score'; add maximize=True or"),
        (lambda: resolve(ASHA(maximize=False), Goal()), "maximizes 'score', got maximize=False; leave maximize out"),
        (lambda: resolve(Patience(metric=3), Goal()), "a metric by its name: got metric=3"),  # type: ignore[arg-type]
        (lambda: resolve(Patience(maximize="up"), Goal()), "got maximize='up'"),  # type: ignore[arg-type]
        (lambda: ASHA(reduction=1), "a whole number from 2: got reduction=1; give reduction=2 or more"),
        (lambda: ASHA(min_steps=0), "a whole number from 1: got min_steps=0"),
        (lambda: ASHA(survivors=True), "a whole number from 1: got survivors=True"),
        (lambda: Hyperband(brackets=1.5), "got brackets=1.5"),  # type: ignore[arg-type]
        (lambda: MedianStopping(warmup_steps=-1), "a whole number from 0: got warmup_steps=-1"),
        (lambda: MedianStopping(warmup_trials=0), "got warmup_trials=0"),
        (lambda: Patience(steps=0), "got steps=0"),
        (lambda: Patience(tolerance=float("nan")), "a finite number from 0.* got tolerance=nan"),
        (lambda: tk.Study(None, {"x": (0.0, 1.0)}, early_stopping=ASHA(metric="f1")), "'f1' is none of 'score'"),
    ],
)  # fmt: skip
def test_bad_input_says_what_would_do(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()


# What a model is told of a halted trial


def test_a_halted_trial_counts_as_what_it_would_have_come_to() -> None:
    history = grown(
        ("complete", [0.1, 0.5, 0.6]), ("complete", [0.3, 0.6, 0.9]), ("complete", [0.2, 0.3, 0.4]), ("halted", [0.0])
    )
    # from the first step on the three gained 0.5, 0.6 and 0.2
    assert expected_metrics(history, history[3]) == pytest.approx({"score": 0.5})


def test_it_is_never_expected_to_beat_the_best() -> None:
    history = grown(("complete", [0.1, 0.9]), ("halted", [0.8]))
    assert expected_metrics(history, history[1]) == pytest.approx({"score": 0.9})
    down = grown(("complete", [0.9, 0.1]), ("halted", [0.2]), goal=Goal(Aim("loss", maximize=False)))
    assert expected_metrics(down, down[1]) == pytest.approx({"loss": 0.1})


def test_without_a_complete_trial_that_came_as_far_it_is_its_last_value() -> None:
    history = grown(("halted", [0.1, 0.2]), ("complete", [0.9]))
    assert expected_metrics(history, history[0]) == {"score": 0.2}
    assert expected_metrics(history, history[1]) is None  # it is known
    alone = grown(("halted", [0.1, 0.2]))
    assert expected_metrics(alone, alone[0]) == {"score": 0.2}


def test_of_other_metrics_it_has_its_own_or_the_median() -> None:
    goal = Goal(Aim("score"), Aim("size", maximize=False), limits=(Limit("ms", high=5.0), Limit("mb", high=9.0)))
    history = History(goal)
    for number, size in enumerate((10.0, 20.0, 90.0)):
        history.apply(TrialStarted(number, {}))
        history.apply(TrialReported(number, {"score": 0.5}))
        history.apply(TrialEnded(number, "complete", {"score": 0.5, "size": size, "ms": size, "mb": 1.0}, 1.0))
    history.apply(TrialStarted(3, {}))
    history.apply(TrialReported(3, {"score": 0.3, "mb": 4.0}))
    history.apply(TrialEnded(3, "halted", {"score": 0.3, "mb": 4.0}, 1.0))
    assert expected_metrics(history, history[3]) == {"score": 0.3, "size": 20.0, "ms": 20.0, "mb": 4.0}


def test_models_learn_of_halted_trials() -> None:
    history = grown(("complete", [0.5, 0.9]), ("halted", [0.1]), ("failed", [0.4]))
    space = Space(x=(0.0, 1.0))
    seen = observe(Places(space), history)
    assert seen.gains[:, 0] == pytest.approx([0.9, 0.5, 0.5])  # the failed one as the worst, the halted one counted
    assert seen.feasible.tolist() == [True, False, False]
    assert [trial.losses for trial in told(history)] == [
        (-0.9,),
        (pytest.approx(-0.5),),
        (pytest.approx(-0.5),),
    ]


def test_what_engines_were_told_stays_as_it_was() -> None:
    """An engine that follows a history would begin anew, were an old trial told otherwise."""
    trials: list[Ended] = [
        ("complete", [0.5, 0.9]), ("halted", [0.1]), ("complete", [0.5, 0.6]), ("halted", [0.2])
    ]  # fmt: skip
    assert told(grown(*trials))[:2] == told(grown(*trials[:2]))


@pytest.mark.parametrize("sampler", ["bayes", "optuna:tpe", "optuna:cmaes", "hyperopt:tpe"])
def test_samplers_go_on_with_halted_trials(sampler: str) -> None:
    """The same study each time, and no setting of a halted trial is tried again."""
    if ":" in sampler:
        pytest.importorskip(sampler.partition(":")[0])

    def objective(x: float, y: float) -> Iterator[float]:
        for step in range(1, 9):
            yield (1.0 - (x - 0.3) ** 2 - (y - 0.7) ** 2) * step / 8

    studies = [
        tk.Study(objective, {"x": (0.0, 1.0), "y": (0.0, 1.0)}, sampler=sampler, early_stopping="asha", seed=1)
        for _ in range(2)
    ]
    for study in studies:
        study.run(20)
    first, second = ([(t.params, t.state, t.reports) for t in study.trials] for study in studies)
    assert first == second
    assert {state for _, state, _ in first} == {"complete", "halted"}
    assert studies[0].best.metrics["score"] > 0.9


# In a study


def levels(level: float) -> Iterator[float]:
    for step in range(1, 9):
        yield level * step


def halting_study(*worst: float) -> tk.Study:
    """Two good trials, and then those, which ASHA halts after two steps."""
    study = tk.Study(levels, {"level": (0.0, 1.0)}, sampler="random", early_stopping="asha", seed=0)
    for level in (0.9, 0.8, *worst):
        study.enqueue({"level": level})
    study.run(2 + len(worst))
    assert [trial.state for trial in study.trials[2:]] == ["halted"] * len(worst)
    return study


def test_a_halted_trial_can_be_taken_up_again() -> None:
    study = halting_study(0.2, 0.1)
    with pytest.raises(ValueError, match="trial 0 is complete; halted are 2, 3"):
        study.thaw(0)
    with pytest.raises(ValueError, match="trial 7 is not there"):
        study.thaw(7)
    study.early_stopping = None
    study.thaw(study.trials[3])
    study.run(1)
    assert [trial.state for trial in study.trials] == ["complete", "complete", "halted", "complete"]
    assert study.trials[3].metrics == pytest.approx({"score": 0.8})
    with pytest.raises(ValueError, match="trial 3 is complete; halted are 2"):
        study.thaw(3)


def test_a_trial_that_patience_has_finished_is_complete() -> None:
    def plateau(level: float) -> Iterator[float]:
        for step in range(30):
            yield level * min(step, 3)

    study = tk.Study(plateau, {"level": (0.1, 1.0)}, sampler="random", early_stopping="patience", seed=0)
    study.run(3)
    assert [(trial.state, len(trial.reports)) for trial in study.trials] == [("complete", 9)] * 3


def test_every_rule_looks_at_a_metric_of_choice() -> None:
    for name in NAMES:
        assert isinstance(early_stopping[name](), OnMetric), name


@pytest.mark.parametrize(("name", "share"), [("median", 0.65), ("asha", 0.5), ("hyperband", 0.5)])
def test_it_saves_steps_and_still_finds_one_of_the_best(name: str, share: float) -> None:
    """Of forty noisy curves that cross, the best, the second or the third is found."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        heights, speeds = rng.uniform(0.3, 1.0, 40), rng.uniform(0.1, 0.8, 40)
        rise = heights[:, None] * (1 - np.exp(-speeds[:, None] * np.arange(1, 28)))
        curves = rise + rng.normal(0, 0.01, (40, 27))

        def replay(row: int, curves: Any = curves) -> Iterator[float]:
            yield from curves[row].tolist()

        study = tk.Study(replay, {"row": (0, 39)}, sampler="grid", early_stopping=name)
        for row in rng.permutation(40):
            study.enqueue({"row": int(row)})
        study.run(40)
        spent = sum(len(trial.reports) for trial in study.trials)
        assert spent <= share * 40 * 27, f"seed {seed}: {spent} steps"
        assert study.best.metrics["score"] >= np.sort(curves[:, -1])[-3], f"seed {seed}"
