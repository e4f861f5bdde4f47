"""Watching a bayes_opt optimizer: the same points as its own loop, and it knows them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bayes_opt import BayesianOptimization, SequentialDomainReductionTransformer
from bayes_opt.acquisition import ExpectedImprovement
from scipy.optimize import NonlinearConstraint

import tunekit as tk


def black_box(x: float, y: float) -> float:
    """The example of bayes_opt's own documentation."""
    return -(x**2) - (y - 1) ** 2 + 1


BOUNDS = {"x": (2, 4), "y": (-3, 3)}


def optimizer(**options: Any) -> BayesianOptimization:
    return BayesianOptimization(black_box, BOUNDS, **{"random_state": 1, "verbose": 0, **options})


CONFIGURED: list[dict[str, Any]] = [
    {},
    {"acquisition_function": "ei"},
    {"bounds_transformer": "domain reduction"},
    {"constraint": "x + y"},
]


def configured(options: dict[str, Any]) -> BayesianOptimization:
    made: dict[str, Any] = {}
    if "acquisition_function" in options:
        made["acquisition_function"] = ExpectedImprovement(xi=0.01)
    if "bounds_transformer" in options:
        made["bounds_transformer"] = SequentialDomainReductionTransformer()
    if "constraint" in options:
        made["constraint"] = NonlinearConstraint(lambda x, y: x + y, -np.inf, 4.0)
    return optimizer(**made)


@pytest.mark.parametrize("options", CONFIGURED, ids=["as it is", "ei", "domain reduction", "constraint"])
def test_it_visits_exactly_the_points_that_maximize_does(options: dict[str, Any]) -> None:
    own, watched = configured(options), configured(options)
    own.maximize(init_points=2, n_iter=10)
    study = tk.watch(watched, init_points=2)
    study.run(12)
    assert [trial.params for trial in study.trials] == [point["params"] for point in own.res]
    assert watched.res == own.res
    assert watched.max == own.max


def test_points_that_were_there_before_come_first() -> None:
    own, watched = optimizer(), optimizer()
    for one in (own, watched):
        one.maximize(init_points=2, n_iter=2)
    own.maximize(init_points=0, n_iter=3)
    study = tk.watch(watched, init_points=0)
    assert len(study.trials) == 4
    study.run(3)
    assert watched.res == own.res
    assert len(study.trials) == 7


def test_probes_in_the_queue_are_visited_first() -> None:
    own, watched = optimizer(), optimizer()
    for one in (own, watched):
        one.probe({"x": 3.0, "y": 1.0}, lazy=True)
    own.maximize(init_points=2, n_iter=2)
    tk.watch(watched, init_points=2).run(5)
    assert watched.res == own.res
    assert watched.res[0]["params"] == {"x": 3.0, "y": 1.0}


def test_a_point_that_fails_is_told_as_the_worst_and_the_search_goes_on() -> None:
    calls = 0

    def sometimes(x: float, y: float) -> float:
        nonlocal calls
        calls += 1
        return float("nan") if calls == 3 else black_box(x, y)

    one = BayesianOptimization(sometimes, BOUNDS, random_state=1, verbose=0)
    words = tk.watch(one, init_points=2).run(6).words
    assert "6 trials: 5 complete, 1 failed." in words
    assert np.isfinite(one.space.target).all()
    assert len(one.res) == 6


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: tk.watch(black_box), "an optuna.Study, hyperopt's Trials or the path of a journal: got black_box"),
        (lambda: tk.watch(optimizer(), black_box), "only an optuna study is watched with an objective: got black_box"),
        (lambda: tk.watch(BayesianOptimization(None, BOUNDS)), "made with f=None"),
        (lambda: tk.watch(optimizer(), init_points=-1), "whole number from 0: got -1"),
    ],
)
def test_bad_input_says_the_rule_and_the_value(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()
