"""Population-based training: who goes on with whose net and settings, whatever ends, fails or runs beside it."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tunekit as tk
from tunekit.core import seeds
from tunekit.core.events import EndState, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.plots.lineage import lineage_data
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.samplers.perturbing import explored, moved
from tunekit.testing.spaces import spaces

SPACE = {"rate": tk.Float(1e-3, 1.0, log=True), "kind": tk.Choice("a", "b", "c")}


def training(epochs: int = 1000, fails: Callable[[Any], bool] = lambda trial: False, sign: float = 1.0) -> Any:
    """An objective whose score grows by its rate: what it has learned is in its checkpoint."""

    def train(rate: float, kind: str, trial: Any) -> Iterator[float]:
        state = {"learned": 0.0}
        for _ in range(trial.load(state), epochs):
            state["learned"] += rate * {"a": 1.0, "b": 0.9, "c": 0.5}[kind]
            if fails(trial):
                raise ValueError("as the test wants it")
            trial.save(state)
            yield sign * state["learned"]

    return train


def studied(objective: Any = None, members: int = 4, steps: int = 2, **options: Any) -> tk.Study:
    sampler = tk.Population(members=members, steps=steps)
    return tk.Study(training() if objective is None else objective, SPACE, sampler=sampler, **{"seed": 0, **options})


def legs_of(study: tk.Study) -> list[tuple[int, int | None, int]]:
    return [(trial.number, trial.parent, len(trial.reports)) for trial in study.trials]


def scores(trial: Trial) -> list[float]:
    return [report["score"] for report in trial.reports]


def test_every_member_gets_a_leg_in_turn_and_the_curves_go_on() -> None:
    study = studied()
    study.run(16)
    assert {trial.state for trial in study.trials} == {"complete"}
    assert [trial.parent for trial in study.trials[:4]] == [None] * 4
    assert [len(trial.reports) for trial in study.trials] == [2] * 4 + [4] * 4 + [6] * 4 + [8] * 4
    for trial in study.trials[4:]:
        assert trial.parent is not None
        parent = study.trials[trial.parent]
        assert trial.number // 4 == parent.number // 4 + 1
        assert scores(trial)[:-2] == scores(parent)
        assert scores(trial)[-2] > scores(parent)[-1]


def test_the_weakest_takes_over_from_the_strongest_and_the_others_go_on_as_they_were() -> None:
    study = studied()
    study.run(8)
    founders = sorted(study.trials[:4], key=lambda trial: -trial.metrics["score"])
    children = {trial.parent: trial for trial in study.trials[4:] if trial.params == study.trials[trial.parent].params}  # type: ignore[index]
    assert set(children) == {trial.number for trial in founders[:3]}
    (explorer,) = [trial for trial in study.trials[4:] if trial not in children.values()]
    assert explorer.parent == founders[0].number
    assert explorer.params != founders[0].params


@pytest.mark.parametrize("members", [8, 9, 12])
def test_a_quarter_is_replaced_in_each_generation(members: int) -> None:
    study = studied(members=members)
    study.run(4 * members)
    for generation in (1, 2, 3):
        trials = study.trials[generation * members : (generation + 1) * members]
        others = [trial for trial in trials if trial.params != study.trials[trial.parent].params]  # type: ignore[index]
        assert len(others) == members // 4
        best = sorted(study.trials[(generation - 1) * members :][:members], key=lambda one: -one.metrics["score"])
        assert {trial.parent for trial in others} <= {trial.number for trial in best[: members // 4]}


def test_to_minimize_is_to_maximize_the_negative() -> None:
    up, down = studied(), studied(training(sign=-1.0), minimize="score")
    for study in (up, down):
        study.run(20)
    assert [(trial.params, trial.parent) for trial in up.trials] == [
        (trial.params, trial.parent) for trial in down.trials
    ]


def test_of_several_aims_the_first_counts() -> None:
    def two(rate: float, kind: str, trial: Any) -> Iterator[dict[str, float]]:
        for score in training()(rate, kind, trial):
            yield {"score": score, "size": score}

    one, both = studied(), tk.Study(
        two, SPACE, maximize="score", minimize="size", sampler=tk.Population(members=4, steps=2), seed=0
    )  # fmt: skip
    for study in (one, both):
        study.run(12)
    assert legs_of(one) == legs_of(both)


def test_a_study_that_goes_on_proposes_what_the_undisturbed_one_would_have() -> None:
    undisturbed, parts = studied(), studied()
    undisturbed.run(20)
    for trials in (3, 1, 9, 7):
        parts.run(trials)
    assert [trial.params for trial in parts.trials] == [trial.params for trial in undisturbed.trials]
    assert legs_of(parts) == legs_of(undisturbed)


def test_a_member_that_fails_is_replaced_by_a_good_one() -> None:
    study = studied(training(fails=lambda trial: trial.number in (1, 6)))
    study.run(16)
    assert [trial.number for trial in study.trials if trial.state == "failed"] == [1, 6]
    assert sum(trial.parent is None for trial in study.trials) == 4
    best = max((study.trials[number] for number in (0, 2, 3)), key=lambda trial: trial.metrics["score"])
    assert study.trials[4].parent == best.number
    assert all(trial.parent not in (1, 6) for trial in study.trials)
    lengths = [len(trial.reports) for trial in study.trials if trial.state == "complete"]
    assert lengths == [2] * 3 + [4] * 4 + [6] * 4 + [8] * 3


def test_where_a_whole_generation_fails_each_member_makes_its_leg_again() -> None:
    study = studied(training(fails=lambda trial: 8 <= trial.number < 12))
    study.run(24)
    lengths = [len(trial.reports) for trial in study.trials if trial.state == "complete"]
    assert lengths == [2] * 4 + [4] * 4 + [6] * 4 + [8] * 4 + [10] * 4


def test_among_equals_nobody_takes_over() -> None:
    def train(rate: float, kind: str, trial: Any) -> Iterator[float]:
        for _ in training()(rate, kind, trial):
            yield 0.5

    study = studied(train)
    study.run(12)
    assert sorted(trial.parent for trial in study.trials[4:]) == list(range(8))  # type: ignore[type-var]


def test_where_the_training_ends_new_members_begin() -> None:
    study = studied(training(epochs=5))
    study.run(30)
    assert {trial.state for trial in study.trials} == {"complete"}
    assert max(len(trial.reports) for trial in study.trials) == 5
    founders = [trial.number for trial in study.trials if trial.parent is None]
    assert founders == [0, 1, 2, 3, 12, 13, 14, 15, 24, 25, 26, 27]
    assert len({trial.params["rate"] for trial in study.trials if trial.parent is None}) == 12


def test_where_a_leg_finds_nothing_left_to_do_the_others_are_not_asked() -> None:
    study = studied(training(epochs=4))
    study.run(13)
    idle = [trial for trial in study.trials if trial.parent is not None and trial.reports == study.trials[trial.parent].reports]  # fmt: skip  # noqa: E501
    assert len(idle) == 1
    assert [trial.number for trial in study.trials if trial.parent is None] == [0, 1, 2, 3, 9, 10, 11, 12]


@pytest.mark.parametrize("options", [{"executor": "threads"}, {}, {"deterministic": True}])
def test_several_workers(options: Any) -> None:
    study = studied(members=4, steps=2)
    study.run(14, workers=2, **options)
    assert {trial.state for trial in study.trials} == {"complete"}
    for trial in study.trials[4:]:
        assert trial.parent is not None
        assert len(trial.reports) == len(study.trials[trial.parent].reports) + 2
    assert sum(trial.parent is None for trial in study.trials) == 4


def test_with_rounds_several_workers_make_the_same_study_each_time() -> None:
    first, second = studied(), studied()
    for study in (first, second):
        study.run(13, workers=2, executor="threads", deterministic=True)
    assert [(trial.params, trial.parent) for trial in first.trials] == [
        (trial.params, trial.parent) for trial in second.trials
    ]


def test_a_member_whose_worker_dies_is_replaced() -> None:
    def train(rate: float, kind: str, trial: Any) -> Iterator[float]:
        for score in training()(rate, kind, trial):
            if trial.number == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            yield score

    study = studied(train)
    study.run(14, workers=2)
    assert [trial.number for trial in study.trials if trial.state == "failed"] == [5]
    assert sum(trial.parent is None for trial in study.trials) == 4
    assert {trial.state for trial in study.trials[6:]} == {"complete"}


def test_a_population_goes_on_from_its_journal(tmp_path: Path) -> None:
    undisturbed = studied()
    undisturbed.run(17)
    path = tmp_path / "legs.jsonl"
    for trials in (6, 11, 17):  # what is in the journal counts
        study = studied(journal=path)
        study.run(trials)
        found = [(dict(trial.params), trial.parent, scores(trial)) for trial in study.trials]
        del study
        gc.collect()
    assert found == [(dict(trial.params), trial.parent, scores(trial)) for trial in undisturbed.trials]


def test_more_workers_than_members_make_a_second_population() -> None:
    study = studied(members=2, steps=2)
    study.run(12, workers=5, executor="threads")
    assert {trial.state for trial in study.trials} == {"complete"}
    assert sum(trial.parent is None for trial in study.trials) >= 2


def test_the_net_of_the_best_trial_is_there_and_few_others() -> None:
    study = studied(members=8)
    study.run(80)
    found: dict[str, float] = {}
    assert study.checkpoint(study.best).load(found) == 20
    assert found["learned"] == study.best.metrics["score"]
    home = study.checkpoint(study.best).path.parent.parent
    assert len(list(home.iterdir())) <= 8 + 2 + 3


def test_few_settings_may_be_used_by_several_members() -> None:
    def train(kind: str, trial: Any) -> Iterator[float]:
        yield from training()(0.1, kind, trial)

    study = tk.Study(train, {"kind": ["a", "b"]}, sampler=tk.Population(members=4, steps=1), seed=0)
    study.run(12)
    assert len(study.trials) == 12
    assert [len(trial.reports) for trial in study.trials] == [1] * 4 + [2] * 4 + [3] * 4


def test_settings_that_were_enqueued_begin_a_member() -> None:
    study = studied()
    study.enqueue({"rate": 1.0, "kind": "a"})
    study.run(12)
    assert study.trials[0].params == {"rate": 1.0, "kind": "a"}
    assert sum(trial.parent is None for trial in study.trials) == 4
    assert study.best.params["kind"] == "a"


# Objectives that cannot go on


def without_trial(rate: float, kind: str) -> Iterator[float]:
    while True:
        yield rate


def without_load(rate: float, kind: str, trial: Any) -> Iterator[float]:
    while True:
        trial.save({"rate": rate})
        yield rate


def without_save(rate: float, kind: str, trial: Any) -> Iterator[float]:
    for _ in range(trial.load({}), 100):
        yield rate


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        (without_trial, "the objective has not loaded it: give it a parameter named trial, call trial.load"),
        (without_load, "the objective has not loaded it"),
        (without_save, "of which there is no checkpoint: an objective calls trial.save"),
    ],
)
def test_an_objective_that_does_not_load_or_save_is_told_so(objective: Any, words: str) -> None:
    study = studied(objective)
    with pytest.raises(RuntimeError, match=f"went on from another one all failed(.|\n)*{words}"):
        study.run(20)
    assert [trial.state for trial in study.trials] == ["complete"] * 4 + ["failed"] * 3


def test_one_that_returns_is_searched_at_random() -> None:
    study = tk.Study(lambda rate, kind: rate, SPACE, sampler="population", seed=0)
    study.run(12)
    assert {trial.state for trial in study.trials} == {"complete"}
    assert {trial.parent for trial in study.trials} == {None}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"members": 1}, "the members of a population are a whole number from 2: got members=1"),
        ({"steps": 0}, "the steps of a population are a whole number from 1: got steps=0"),
        ({"steps": True}, "got steps=True"),
        ({"quantile": 0.6}, "above 0 and at most 0.5: got quantile=0.6"),
        ({"resample": 1.5}, "a probability, 0 to 1: got resample=1.5"),
        ({"factors": (0.8,)}, r"two numbers above 0: got factors=\(0.8,\)"),
        ({"factors": (0.0, 1.2)}, "two numbers above 0"),
    ],
)
def test_bad_options_say_the_rule(options: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tk.Population(**options)


# Exploring


@pytest.mark.parametrize(
    ("parameter", "value", "down", "up"),
    [
        (Float(1e-4, 1e-1, log=True), 1e-2, 0.008, 0.012),
        (Float(1e-4, 1e-1, log=True), 0.09, 0.072, 0.1),
        (Float(0.0, 1.0), 0.5, 0.4, 0.6),
        (Float(0.0, 1.0), 0.0, 0.0, 0.1),
        (Float(-4.0, 4.0), 0.0, -0.8, 0.8),
        (Float(0.0, 0.55, step=0.1), 0.2, 0.1, 0.3),
        (Float(0.0, 0.55, step=0.1), 0.5, 0.4, 0.5),
        (Int(1, 8), 4, 3, 5),
        (Int(1, 3), 3, 2, 3),
        (Int(16, 128, log=True), 100, 80, 120),
        (Int(1, 9, log=True), 2, 1, 3),
        (Int(0, 100, step=25), 50, 25, 75),
        (Choice("a", "b"), "b", "b", "b"),
    ],
)
def test_a_number_moves_on_its_own_scale(parameter: Parameter, value: Any, down: Any, up: Any) -> None:
    for factor, wanted in ((0.8, down), (1.2, up)):
        found = moved(parameter, value, factor)
        assert found == pytest.approx(wanted) if isinstance(wanted, float) else found == wanted
        assert type(found) is type(value)
        assert parameter.complaint(found) is None


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(spaces(), st.integers(0, 1000), st.sampled_from([0.0, 0.25, 1.0]))
def test_what_is_explored_are_settings_of_the_space(space: tk.Space, seed: int, resample: float) -> None:
    rng = np.random.default_rng(seed)
    params: Mapping[str, Any] = space.sample(rng)
    for _ in range(4):
        params = explored(space, params, rng, resample, (0.8, 1.2))
        space.check(params)


def test_a_share_of_the_settings_is_drawn_anew() -> None:
    space = tk.Space({f"x{place}": (0.0, 1.0) for place in range(400)})
    params = space.sample(np.random.default_rng(0))
    found = explored(space, params, np.random.default_rng(1), 0.25, (0.8, 1.2))
    far = [name for name in space if abs(found[name] - params[name]) > 0.1 + 1e-9]
    assert 40 < len(far) < 120  # a quarter, less those that land near where they were


# A history as such


def leg(
    history: History, score: float, params: Any = None, parent: int | None = None, end: EndState | None = "complete"
) -> None:
    """One leg of one step, added to a history."""
    number = len(history)
    history.apply(TrialStarted(number, params or {"rate": 0.001 * (number + 1), "kind": "a"}, parent=parent))
    inherited = [] if parent is None else list(history[parent].reports)
    for report in (*inherited, {"score": score}):
        history.apply(TrialReported(number, report))
    if end is not None:
        metrics = {"score": score} if end == "complete" else {}
        history.apply(TrialEnded(number, end, metrics, 0.0))


def proposal(history: History, members: int = 4) -> Any:
    space = tk.Space(SPACE)
    return tk.Population(members=members, steps=1).propose(space, history, seeds.generator(0, len(history)))


@pytest.mark.parametrize("maximize", [True, False])
def test_nobody_waits_for_a_trial_that_runs(maximize: bool) -> None:
    history = History(Goal(Aim("score", maximize)))
    for score in (1.0, 2.0, 3.0, 4.0):
        leg(history, score if maximize else -score)
    history = history.before(3)
    leg(history, 0.0, end=None)
    found = proposal(history)
    assert found.parent == 0  # three that came as far are too few to tell who is among the weakest quarter
    assert found == history[0].params


def test_trials_that_were_cut_off_are_members_still() -> None:
    history = History(Goal())
    for score in (1.0, 2.0, 3.0):
        leg(history, score)
    leg(history, 0.0, end="stopped")
    assert proposal(history).parent == 0


def test_decide_ends_a_leg_and_counts_own_steps_only() -> None:
    history = History(Goal())
    leg(history, 1.0)
    sampler = tk.Population(steps=2)
    reports = [{"score": score} for score in (1.0, 2.0, 3.0)]
    verdicts = [
        sampler.decide(history, Trial(1, {}, parent=0, reports=tuple(reports[:count]))) for count in range(1, 4)
    ]
    assert verdicts == ["go", "go", "finish"]


# The picture


def test_the_picture_shows_members_takeovers_and_the_way_to_the_best() -> None:
    history = History(Goal())
    strong, weak, other = ({"rate": rate, "kind": "a"} for rate in (0.5, 0.1, 0.6))
    leg(history, 1.0, strong)
    leg(history, 0.1, weak)
    leg(history, 2.0, strong, parent=0)
    leg(history, 3.0, other, parent=0)
    leg(history, 2.5, strong, parent=2, end="failed")
    data = lineage_data(history)
    assert [(leg.member, leg.start, leg.end) for leg in data.legs] == [
        (0, 0, 1), (1, 0, 1), (0, 1, 2), (1, 1, 2), (0, 2, 3),
    ]  # fmt: skip
    assert [leg.number for leg in data.legs if leg.is_takeover] == [3]
    assert [leg.number for leg in data.legs if leg.is_of_best] == [0, 3]
    assert [leg.rank for leg in data.legs] == [pytest.approx(1 / 3), 0.0, pytest.approx(2 / 3), 1.0, None]
    assert data.title == "The best net (score 3.00) went through 2 members; 1 takeover"


def test_without_parents_the_picture_says_so() -> None:
    study = tk.Study(lambda x: x, {"x": [1, 2]}, sampler="grid")
    study.run(2)
    assert lineage_data(study.history).title == "No trial went on from the checkpoint of another"


def test_the_rows_of_a_study_are_its_members() -> None:
    study = studied(members=6)
    study.run(36)
    data = lineage_data(study.history)
    assert {leg.member for leg in data.legs} == set(range(6))
    for start in range(0, 36, 6):
        assert sorted(leg.member for leg in data.legs[start : start + 6]) == list(range(6))
    assert study.plot("lineage").axes[0].get_title(loc="left") == data.title
