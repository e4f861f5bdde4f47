"""A loop of a person's own: ask and tell; what is enqueued; also while the study runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.trial import Trial

SPACE = tk.Space(x=tk.Float(0, 1), act=tk.Choice("relu", "gelu"))


def plain(x: float, act: str) -> float:
    return x


def study(objective: Callable[..., Any] | None = None, **options: Any) -> tk.Study:
    return tk.Study(objective, SPACE, **{"sampler": "random", "seed": 0, **options})


# To ask and to tell


@pytest.mark.parametrize("sampler", ["random", "grid", "bayes"])
def test_asking_and_telling_visits_what_a_run_does(sampler: str) -> None:
    ran, asked = study(plain, sampler=sampler), study(sampler=sampler)
    ran.run(7)
    for _ in range(7):
        trial = asked.ask()
        asked.tell(trial, plain(**trial.params))
    assert [(t.params, t.seed, t.metrics) for t in asked.trials] == [(t.params, t.seed, t.metrics) for t in ran.trials]
    assert asked.best == asked.trials[ran.best.number]


def test_a_trial_is_running_until_it_is_told_of() -> None:
    one = study()
    trial = one.ask()
    assert (trial.number, trial.state, trial.seed is None) == (0, "running", False)
    assert repr(one).endswith("1 trial: 1 running.")
    ended = one.tell(trial, {"score": 0.5, "loss": 2})
    assert ended == one.trials[0]
    assert (ended.state, ended.metrics) == ("complete", {"score": 0.5, "loss": 2.0})
    assert ended.seconds is not None
    assert ended.seconds > 0


def test_many_may_be_open_and_are_told_of_in_any_order() -> None:
    one = study()
    trials = [one.ask() for _ in range(4)]
    assert len({trial.params["x"] for trial in trials}) == 4
    for trial in (trials[2], trials[0]):
        one.tell(trial, trial.number)
    assert [trial.state for trial in one.trials] == ["complete", "running", "complete", "running"]
    assert one.best.number == 2


def test_failures_are_told_as_words_exceptions_or_numbers_that_are_none() -> None:
    one = study()
    assert one.tell(one.ask(), error="out of memory").reason == "out of memory"
    try:
        plain_error: list[int] = []
        plain_error[3]
    except IndexError as error:
        told = one.tell(one.ask(), error=error)
    assert told.reason == "IndexError: list index out of range"
    assert "test_failures_are_told" in (told.error or "")
    for value in (float("nan"), float("inf")):
        assert "a score is a finite number" in (one.tell(one.ask(), value).reason or "")
    assert {trial.state for trial in one.trials} == {"failed"}


def test_a_point_measured_elsewhere_is_a_trial() -> None:
    one = study()
    told = one.tell({"x": 0.25, "act": "gelu"}, 3.0)
    assert told == Trial(0, {"x": 0.25, "act": "gelu"}, state="complete", metrics={"score": 3.0}, seconds=0.0)
    assert one.best == told
    assert one.tell({"x": 0.25, "act": "relu"}, error="diverged").state == "failed"


def test_numbers_of_numpy_become_pythons_own() -> None:
    one = tk.Study(None, {"x": (0.0, 1.0), "width": (1, 9)})
    told = one.tell({"width": np.int64(3), "x": np.float32(0.5)}, np.float32(0.25))
    one.enqueue({"width": 3, "x": 1})
    assert repr(told) == "Trial(0, score=0.250, x=0.500, width=3)"
    assert [type(value) for value in (*told.params.values(), *one.ask().params.values())] == [float, int, float, int]


def test_listeners_hear_of_it() -> None:
    one, heard = study(), []
    one.subscribe(lambda: heard.append(len(one.trials)))
    trial = one.ask()
    one.tell(trial, 1.0)
    one.enqueue({"x": 0.5, "act": "relu"})
    assert heard == [1, 1, 1]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (lambda s: s.tell(Trial(9, {"x": 0.5}), 1.0), r"it has no Trial\(9.*tell\(trial.params"),
        (lambda s: s.tell(Trial(0, {"x": 0.5, "act": "relu"}), 1.0), "a trial that it was asked for: it has no"),
        (lambda s: s.tell(s.tell(s.trials[0], 1.0), 2.0), "told of a trial once: trial 0 is complete"),
        (lambda s: s.tell({"x": 3.0, "act": "relu"}, 1.0), "x must be a number from 0.0 to 1.0: got 3.0"),
        (lambda s: s.tell({"x": 0.5}, 1.0), "'act' are missing"),
        (lambda s: s.tell(s.trials[0]), "or error= where it failed: got None and error=None"),
        (lambda s: s.tell(s.trials[0], 1.0, error="bad"), "give one of them"),
        (lambda s: s.tell(s.trials[0], "0.9"), "must be a number: got '0.9'"),
        (lambda s: s.tell(s.trials[0], {"loss": 1.0}), "must give the metric 'score'"),
        (lambda s: s.tell(s.trials[0], error=3), "in words or as an exception: got 3"),
        (lambda s: s.enqueue({"x": 0.5}), "'act' are missing"),
        (lambda s: s.run(3), r"made with None; use ask\(\) and tell\(\)"),
        (lambda s: s.confirm(), r"made with None; use ask\(\) and tell\(\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_an_error_and_the_trial_stays_open(told: Callable[[tk.Study], Any], words: str) -> None:
    one = study()
    trial = one.ask()
    with pytest.raises((ValueError, TypeError), match=words):
        told(one)
    assert len(one.trials) == 1
    if one.trials[0].state == "running":
        assert one.tell(trial, 1.0).state == "complete"


def test_when_everything_is_tried_there_is_nothing_to_ask_for() -> None:
    one = tk.Study(None, {"act": ["a", "b"]}, sampler="grid")
    trials = [one.ask(), one.ask()]
    with pytest.raises(RuntimeError, match="every setting of the space has been tried"):
        one.ask()
    assert [trial.params["act"] for trial in trials] == ["a", "b"]


# Beside a run


def test_a_trial_that_was_never_told_of_hinders_no_run() -> None:
    one = study(plain)
    one.ask()
    words = one.run(3).words
    assert [trial.state for trial in one.trials] == ["running", "complete", "complete", "complete"]
    assert words.startswith("4 trials: 3 complete, 1 running.")
    assert one.status().fraction == 1.0


def test_a_run_and_a_loop_may_share_a_study() -> None:
    def steps(x: float, act: str) -> Iterator[float]:
        for _ in range(3):
            time.sleep(0.001)
            yield x

    one = study(steps)
    one.start(20)
    for _ in range(20):
        trial = one.ask()
        time.sleep(0.002)
        one.tell(trial, trial.params["x"])
        one.tell({"x": 0.5, "act": "gelu"}, 0.5)
    one.wait()
    assert [trial.number for trial in one.trials] == list(range(60))
    assert {trial.state for trial in one.trials} == {"complete"}
    assert all(trial.metrics["score"] == trial.params["x"] for trial in one.trials)
    assert sum(len(trial.reports) == 3 for trial in one.trials) == 20


def test_what_the_study_runs_itself_cannot_be_told() -> None:
    go = threading.Event()

    def waits(x: float, act: str) -> float:
        go.wait(10)
        return x

    one = study(waits)
    one.start(1)
    while not one.trials:
        time.sleep(0.001)
    with pytest.raises(ValueError, match=r"the study itself runs trial 0: tell it of those that ask\(\) gave"):
        one.tell(one.trials[0], 1.0)
    go.set()
    one.wait()
    assert one.trials[0].state == "complete"


def test_a_pause_while_the_next_trial_is_chosen_acts_before_it_runs() -> None:
    ran: list[float] = []

    class Pausing:
        def propose(self, space: tk.Space, history: Any, rng: Any) -> Any:
            one.pause()
            return space.sample(rng)

    def objective(x: float, act: str) -> float:
        ran.append(x)
        return x

    one = study(objective, sampler=Pausing())
    one.start(1)
    while one.state != "paused":
        time.sleep(0.001)
    assert ran == []
    assert one.ask().number == 1
    one.stop()
    one.wait()
    assert [trial.state for trial in one.trials] == ["stopped", "running"]


def test_a_trial_that_was_cut_off_comes_first_also_for_who_asks() -> None:
    def steps(x: float, act: str) -> Iterator[float]:
        if one.trials[-1].number == 1 and not handed_out:
            one.stop()
        yield x

    handed_out: list[Trial] = []
    one, undisturbed = study(steps), study(plain)
    one.run(9)
    assert [trial.state for trial in one.trials] == ["complete", "stopped"]
    handed_out.append(one.ask())
    one.run(2)
    one.tell(handed_out[0], handed_out[0].params["x"])
    undisturbed.run(4)
    assert [trial.params for trial in one.trials] == [trial.params for trial in undisturbed.trials]
    assert {trial.state for trial in one.trials} == {"complete"}


# What is enqueued


def test_what_is_enqueued_is_tried_first_and_in_order() -> None:
    one, undisturbed = study(plain), study(plain)
    first, second = {"x": 0.125, "act": "gelu"}, {"x": 0.75, "act": "relu"}
    one.enqueue(first)
    one.enqueue(second)
    one.run(4)
    undisturbed.run(4)
    assert [trial.params for trial in one.trials[:2]] == [first, second]
    assert [trial.params for trial in one.trials[2:]] == [trial.params for trial in undisturbed.trials[2:]]


def test_it_can_be_enqueued_while_it_runs_and_outlives_a_stop() -> None:
    wanted = [{"x": place / 8, "act": "gelu"} for place in range(1, 5)]

    def objective(x: float, act: str) -> float:
        if not one.trials[-1].number:
            for params in wanted:
                one.enqueue(params)
        if one.trials[-1].number == 2:
            one.stop()
        return x

    one = study(objective)
    words = one.run(50).words
    assert "2 enqueued settings to try next." in words
    assert repr(one) == repr(one)
    one.run(2)
    assert [trial.params for trial in one.trials[1:]] == wanted


def test_ask_gives_what_is_enqueued() -> None:
    one = study()
    params = {"x": 0.5, "act": "gelu"}
    one.enqueue(params)
    params["x"] = 0.75
    assert one.ask().params == {"x": 0.5, "act": "gelu"}
