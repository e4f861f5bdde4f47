"""Watching an optuna study: its trials at any moment, and its own loop with pause and stop."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

import tunekit as tk
from tunekit.search.study import Study


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def tune(trial: Any) -> float:
    """A conditional parameter, reports, pruned and failing trials."""
    kind = trial.suggest_categorical("kind", ["sgd", "adam"])
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    momentum = trial.suggest_float("momentum", 0.0, 0.9) if kind == "sgd" else 0.0
    for step in range(3):
        trial.report(lr * step, step)
        if lr > 0.05 and step == 1:
            raise optuna.TrialPruned
    if lr < 2e-4:
        raise RuntimeError("too small")
    return float(lr + momentum)


def finished(trials: int = 20) -> Any:
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    study.optimize(tune, trials, catch=(RuntimeError,))
    return study


def test_trials_that_are_there_are_trials_of_ours() -> None:
    theirs = finished()
    study = tk.watch(theirs)
    assert [dict(trial.params) for trial in study.trials] == [trial.params for trial in theirs.trials]
    states = {"COMPLETE": "complete", "PRUNED": "failed", "FAIL": "failed"}
    assert [trial.state for trial in study.trials] == [states[trial.state.name] for trial in theirs.trials]
    assert {trial.state.name for trial in theirs.trials} == set(states), "the example must have all of them"
    for mine, other in zip(study.trials, theirs.trials, strict=True):
        assert [report["value"] for report in mine.reports] == list(other.intermediate_values.values())
        assert mine.metrics == ({"value": other.value} if mine.state == "complete" else {})
        if other.state.name == "PRUNED":
            assert mine.reason == "pruned: optuna ended it early at step 1"
    assert study.best.number == theirs.best_trial.number
    assert study.plot("history") is not None


def test_the_space_is_read_off_the_trials() -> None:
    space = tk.watch(finished()).space
    assert repr(space) == (
        "Space(kind: Choice('sgd', 'adam'), lr: Float(0.0001, 0.1, log=True), "
        "momentum: Float(0, 0.9, when={'kind': ['sgd']}))"
    )
    assert space.from_unit([0.9, 0.5, 0.5]).keys() == {"kind", "lr"}


def test_ranges_that_move_make_one_space_and_a_reason_that_is_not_found_is_no_error() -> None:
    theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def moving(trial: Any) -> float:
        value = trial.suggest_float("k", 1 + trial.number, 8 + trial.number)
        if trial.number in (1, 2):
            value += trial.suggest_float("extra", 0, 1)
        return float(value)

    study = tk.watch(theirs, moving)
    study.run(4)
    assert repr(study.space) == "Space(k: Float(1, 11), extra: Float(0, 1))"
    for trial in study.trials:
        study.space.check(trial.params)
        assert study.space.to_unit(trial.params).shape == (2,)


def test_a_study_without_trials_gets_its_space_from_the_first() -> None:
    study = tk.watch(optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0)), tune)
    assert repr(study) == "Study(tune; optuna, TPESampler). No trial yet."
    assert len(study.space) == 0
    study.run(3)
    assert study.space.names[:2] == ("kind", "lr")


def test_it_goes_on_with_their_sampler_as_their_own_loop_does() -> None:
    own = finished(25)
    watched = finished(10)
    study = tk.watch(watched, tune)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.run(15)
    assert [trial.params for trial in watched.trials] == [trial.params for trial in own.trials]
    assert [trial.state for trial in watched.trials] == [trial.state for trial in own.trials]
    assert [trial.values for trial in watched.trials] == [trial.values for trial in own.trials]
    assert len(study.trials) == 25
    ours = [trial for trial in study.trials[10:] if trial.state == "failed" and "pruned" not in (trial.reason or "")]
    assert all(trial.reason == "RuntimeError: too small" for trial in ours)


def test_what_they_run_afterwards_is_seen_at_once() -> None:
    theirs = optuna.create_study()
    study = tk.watch(theirs)
    heard: list[int] = []
    study.subscribe(lambda: heard.append(len(study.trials)))
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), 3, callbacks=[study])  # type: ignore[list-item]
    assert heard == [1, 2, 3]
    trial = theirs.ask()
    assert [t.state for t in study.trials] == ["complete"] * 3 + ["running"]
    assert study.trials[3].params == {}
    x = trial.suggest_float("x", 0, 1)
    trial.report(0.5, 0)
    assert study.trials[3].params == {"x": x}
    assert study.trials[3].reports == ({"value": 0.5},)
    trial.report(0.25, 1)
    theirs.tell(trial, 0.125)
    assert study.trials[3].metrics == {"value": 0.125}
    assert [report["value"] for report in study.trials[3].reports] == [0.5, 0.25]
    theirs.enqueue_trial({"x": 0.75})
    assert len(study.trials) == 4, "a waiting trial has not begun"


def test_it_follows_a_study_that_another_process_writes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    theirs = optuna.create_study(study_name="one", storage=url)
    study = tk.watch(optuna.load_study(study_name="one", storage=url))
    trial = theirs.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(1.0, 0)
    assert [t.state for t in study.trials] == ["running"]
    theirs.tell(trial, 2.0)
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), 2)
    assert [t.state for t in study.trials] == ["complete"] * 3
    assert study.trials[0].metrics == {"value": 2.0}
    assert study.trials[0].reports == ({"value": 1.0},)


def test_following_shows_what_runs_elsewhere_until_it_is_stopped() -> None:
    theirs = optuna.create_study()
    study = tk.watch(theirs)
    study.follow()  # type: ignore[attr-defined]
    assert not study.is_over
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), 4)
    assert "4 trials, all complete" in study.status().words
    study.stop()
    assert "4 trials, all complete" in study.wait().words


def test_several_directions_are_several_aims() -> None:
    theirs = optuna.create_study(directions=["minimize", "maximize"])

    def two(trial: Any) -> tuple[float, float]:
        x = trial.suggest_float("x", 0, 1)
        return x, x**2

    study = tk.watch(theirs, two)
    study.run(6)
    assert {aim.metric: aim.maximize for aim in study.history.goal.aims} == {"value_0": False, "value_1": True}
    assert {trial.number for trial in study.front} == {trial.number for trial in theirs.best_trials}
    for mine, other in zip(study.trials, theirs.trials, strict=True):
        assert [mine.metrics["value_0"], mine.metrics["value_1"]] == other.values


def test_names_of_metrics_and_constraints_are_theirs() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls both experimental
        sampler = optuna.samplers.TPESampler(seed=0, constraints_func=lambda trial: [trial.params["x"] - 0.5])
        theirs = optuna.create_study(direction="maximize", sampler=sampler)
        theirs.set_metric_names(["accuracy"])
    theirs.optimize(lambda trial: trial.suggest_float("x", 0, 1), 15)
    study = tk.watch(theirs)
    assert study.best.params["x"] <= 0.5
    assert study.best.number == theirs.best_trial.number
    assert study.best.metrics["accuracy"] == theirs.best_value
    assert study.best.metrics["constraint_0"] <= 0


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (float("nan"), "not NaN"),
        ("high", "an objective returns numbers: got 'high'"),
        (None, "an objective returns numbers: got None"),
        ((1.0, 2.0), "a value for each direction, 1 of them: got 2"),
        (float("inf"), "a score is a finite number"),
    ],
)
def test_what_is_no_score_is_a_failed_trial(returned: Any, reason: str) -> None:
    calls = 0

    def objective(trial: Any) -> Any:
        nonlocal calls
        calls += 1
        x = trial.suggest_float("x", 0, 1)
        return returned if calls == 2 else x

    study = tk.watch(optuna.create_study(), objective)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.run(3)
    assert [trial.state for trial in study.trials] == ["complete", "failed", "complete"]
    assert reason in (study.trials[1].reason or "")


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not happen within 30 s"
        time.sleep(0.01)


def test_pause_and_stop_act_at_a_report_and_the_cut_off_settings_come_again() -> None:
    allowed = threading.Semaphore(0)

    def slow(trial: Any) -> float:
        x = float(trial.suggest_float("x", 0, 1))
        for step in range(3):
            allowed.acquire(timeout=30)
            trial.report(x, step)
        return x

    theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study: Study = tk.watch(theirs, slow)
    study.start(2)
    allowed.release()
    wait_until(lambda: bool(study.trials) and len(study.trials[0].reports) == 1)
    study.pause()
    allowed.release()
    wait_until(lambda: study.state == "paused")
    assert len(study.trials[0].reports) == 2
    study.stop()
    words = study.wait().words
    assert "1 trial: 1 failed" in words
    assert "stopped by hand" in (study.trials[0].reason or "")
    for _ in range(3):
        allowed.release()
    study.run(1)
    assert study.trials[1].params == study.trials[0].params
    assert study.trials[1].state == "complete"


def test_their_stop_and_until_end_a_run() -> None:
    def objective(trial: Any) -> float:
        if trial.number == 2:
            trial.study.stop()
        return float(trial.suggest_float("x", 0, 1))

    theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    study = tk.watch(theirs, objective)
    assert "Ended because the study's stop() was called." in study.run(9).words
    assert len(study.trials) == 3
    assert "Ended because the target 0.99 was reached" in study.run(9, until=0.99).words
    assert len(study.trials) == 3
    grid = optuna.create_study(sampler=optuna.samplers.GridSampler({"x": [0.25, 0.5]}))
    assert "2 trials, all complete" in tk.watch(grid, lambda trial: trial.suggest_float("x", 0, 1)).run(9).words


def test_enqueued_settings_are_tried_next() -> None:
    study = tk.watch(optuna.create_study(), lambda trial: trial.suggest_float("x", 0, 1))
    study.enqueue({"x": 0.5})
    study.run(2)
    assert study.trials[0].params == {"x": 0.5}


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: tk.watch(finished(1)).run(3), r"this one was watched without; use watch\(study, objective\)"),
        (lambda: tk.watch(finished(1)).ask(), "trials of this study begin in optuna, TPESampler: ask there"),
        (lambda: tk.watch(finished(1)).tell({"lr": 0.1}, 1.0), "end in optuna, TPESampler: tell it there"),
        (lambda: tk.watch(finished(1)).confirm(), "to confirm is to measure settings again"),
        (lambda: tk.watch(finished(1), 3), "the objective is a function of an optuna trial: got 3"),  # type: ignore[arg-type]
        (lambda: tk.watch(finished(1), tune).run(0), "the number of trials is a whole number from 1: got 0"),
    ],
)
def test_what_cannot_be_done_says_why(act: Callable[[], Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        act()


def test_an_error_ends_the_run_where_that_is_wanted() -> None:
    def broken(trial: Any) -> float:
        raise KeyError("oops")

    theirs = optuna.create_study()
    with pytest.raises(KeyError, match="oops"):
        tk.watch(theirs, broken).run(3, on_error="raise")
    assert [trial.state.name for trial in theirs.trials] == ["FAIL"]
    with pytest.raises(RuntimeError, match="the first 5 trials all failed"):
        tk.watch(optuna.create_study(), broken).run(9)
