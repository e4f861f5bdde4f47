"""A warm start: what an earlier study found goes into a new one where it fits, and nothing else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import tunekit as tk
from tunekit.core.history import History

OLD = tk.Space(lr=tk.Float(0, 1), width=tk.Int(1, 64), act=tk.Choice("relu", "gelu"))


def objective(**params: Any) -> Mapping[str, float]:
    return {"accuracy": params["lr"], "size": 2.0}


def earlier(trials: int = 12, **options: Any) -> tk.Study:
    one = tk.Study(objective, OLD, **{"maximize": "accuracy", "sampler": "random", "seed": 0, **options})
    one.run(trials)
    return one


def later(space: Any = OLD, **options: Any) -> tk.Study:
    return tk.Study(objective, space, **{"maximize": "accuracy", "sampler": "random", "seed": 1, **options})


def test_trials_that_fit_are_known_and_are_no_trials_of_the_new_study() -> None:
    old = earlier()
    for given in (old, old.history):
        one = later(history=given)
        assert one.history.prior == old.trials
        assert one.trials == ()
        assert repr(one) == "Study(objective over lr, width, act; random; knows 12 earlier trials). No trial yet."
        one.run(2)
        assert len(one.trials) == 2


def test_a_smaller_space_takes_what_lies_inside_and_drops_what_it_has_not() -> None:
    old = earlier()
    one = later({"lr": (0.0, 0.5), "act": ["gelu", "tanh"]}, history=old)
    inside = [trial for trial in old.trials if trial.params["lr"] <= 0.5 and trial.params["act"] == "gelu"]
    assert 0 < len(inside) < 12
    assert [trial.params for trial in one.history.prior] == [
        {"lr": trial.params["lr"], "act": "gelu"} for trial in inside
    ]
    assert [trial.metrics for trial in one.history.prior] == [trial.metrics for trial in inside]


def test_a_parameter_that_does_not_count_is_not_needed() -> None:
    space = tk.Space(act=["relu", "gelu"], slope=tk.Float(0, 1, when={"act": "relu"}), lr=(0.0, 1.0))
    one = later(space, history=earlier())
    assert {trial.params["act"] for trial in one.history.prior} == {"gelu"}
    for trial in one.history.prior:
        space.check(trial.params)


def test_the_other_direction_and_another_aim_are_fine_where_the_metrics_are_there() -> None:
    one = later(maximize=None, minimize=["size", "accuracy"], history=earlier())
    assert len(one.history.prior) == 12


def test_only_complete_trials_fit() -> None:
    def fails(**params: Any) -> Mapping[str, float]:
        if params["lr"] < 0.5:
            raise ValueError("too small")
        return objective(**params)

    old = tk.Study(fails, OLD, maximize="accuracy", sampler="random", seed=0)
    old.run(12)
    old.ask()
    fit = later(history=old).history.prior
    assert [trial.number for trial in fit] == [trial.number for trial in old.history.complete]
    assert 0 < len(fit) < 12


def test_what_the_earlier_study_knew_goes_on() -> None:
    second = later(history=earlier())
    second.run(3)
    assert len(later(history=second).history.prior) == 15


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: later({"lr": (2.0, 3.0)}, history=earlier(1)), r"must be a number from 2.0 to 3.0: it has 0.*1 trial"),
        (lambda: later({"lr": (0.0, 1.0), "depth": (1, 3)}, history=earlier()), r"no parameter 'depth' \(12 trials"),
        (lambda: later(maximize="loss", history=earlier()), r"it has no 'loss' but 'accuracy', 'size' \(12 trials\)"),
        (lambda: later(history=later()), "none of the earlier ones fits; there are no trials. Change the space"),
    ],
)  # fmt: skip
def test_where_nothing_fits_the_error_says_what_differs(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_something_else_is_no_history() -> None:
    with pytest.raises(TypeError, match=r"an earlier study, or the history of one: got 'study\.json'"):
        later(history="study.json")


def test_the_sampler_gets_what_is_known() -> None:
    seen: list[int] = []

    class Looks:
        def propose(self, space: tk.Space, history: History, rng: Any) -> Any:
            seen.append(len(history.prior))
            return space.sample(rng)

    later(history=earlier(), sampler=Looks()).run(2)
    assert seen == [12, 12]
