"""Traps of a bare Gaussian-process optimizer, each of which a study must pass with warnings as errors.

The traps were met in bayes_opt 3.4: some break the next suggestion, some silently search something else.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import tunekit as tk

# Enough for the model to be asked after its start.
TRIALS = 14

Objective = Callable[..., float]


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def searched(objective: Objective, space: tk.Space, trials: int = TRIALS, **options: Any) -> tk.Study:
    study = tk.Study(objective, space, seed=0, **options)
    study.run(trials)
    return study


def ridge(x: float, y: float) -> float:
    return -((x - 0.3) ** 2) - (y + 1) ** 2


RIDGE = tk.Space(x=tk.Float(0, 1), y=tk.Float(-2, 2))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, TRIALS - 3])
def test_a_score_that_is_not_finite_is_a_failed_trial_and_the_next_is_proposed(bad: float, at: int) -> None:
    def objective(x: float, y: float, trial: Any) -> float:
        return bad if trial.number == at else ridge(x, y)

    study = searched(objective, RIDGE)
    assert [trial.state for trial in study.trials] == ["failed" if n == at else "complete" for n in range(TRIALS)]
    assert math.isfinite(study.best.metrics["score"])


@pytest.mark.parametrize("make", [lambda: tk.Float(1.0, 0.0), lambda: tk.Int(9, 2), lambda: tk.Space(x=(1.0, 0.0))])
def test_reversed_bounds_are_an_error_at_once(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"low < high.*did you mean"):
        make()


@pytest.mark.parametrize("sampler", ["bayes", "random", "sobol", "grid"])
def test_a_space_that_is_used_up_ends_the_study(sampler: str) -> None:
    study = tk.Study(lambda a, b: a + b, tk.Space(a=tk.Int(1, 3), b=tk.Choice(0, 10)), sampler=sampler, seed=0)
    words = study.run(20).words
    assert len({(trial.params["a"], trial.params["b"]) for trial in study.trials}) == len(study.trials) == 6
    assert study.best.params == {"a": 3, "b": 10}
    assert "every setting has been tried" in words
    study.run(1)
    assert len(study.trials) == 6


def test_a_single_category_is_one_value_as_any() -> None:
    study = searched(lambda x, kind: -abs(x - 0.3) * len(kind), tk.Space(x=tk.Float(0, 1), kind=tk.Choice("only")))
    assert {trial.params["kind"] for trial in study.trials} == {"only"}
    assert len({trial.params["x"] for trial in study.trials}) == TRIALS


def test_values_reach_the_objective_as_what_they_are() -> None:
    seen: list[tuple[type, ...]] = []

    def objective(layers: tuple[int, ...], norm: bool, width: int, one: Any) -> float:
        seen.append((type(layers), type(layers[0]), type(norm), type(width), type(one)))
        return sum(layers) + norm + width

    space = tk.Space(
        layers=tk.Choice((64,), (64, 128)), norm=tk.Choice(True, False), width=tk.Int(1, 10**6, log=True),
        one=tk.Choice(1, True, 1.0),
    )  # fmt: skip
    study = searched(objective, space)
    assert {kinds[:4] for kinds in seen} == {(tuple, int, bool, int)}
    assert {kinds[4] for kinds in seen} == {int, bool, float}
    assert [trial.params["norm"] in (True, False) for trial in study.trials] == [True] * TRIALS


def test_an_unknown_category_is_an_error_at_once() -> None:
    study = searched(lambda x, act: x, tk.Space(x=tk.Float(0, 1), act=tk.Choice("relu", "gelu")))
    for params in ({"x": 0.5, "act": "tanh"}, {"x": 0.5, "act": 0}):
        with pytest.raises(ValueError, match="act must be one of 'relu', 'gelu': got"):
            study.tell(params, 1.0)
    assert len(study.trials) == TRIALS


def test_a_small_space_is_searched_without_a_repeat_until_nothing_is_left() -> None:
    space = tk.Space(depth=tk.Int(1, 4), act=tk.Choice("relu", "gelu", "tanh"), norm=tk.Choice(True, False))
    study = searched(lambda depth, act, norm: depth * len(act) - norm, space, trials=24)
    assert len({tuple(trial.params.values()) for trial in study.trials}) == 24


def test_a_setting_that_was_measured_before_is_one_more_measurement(capfd: pytest.CaptureFixture[str]) -> None:
    study = tk.Study(ridge, RIDGE, seed=0)
    for trial in searched(ridge, RIDGE).trials[:6]:
        study.tell(dict(trial.params), dict(trial.metrics))
        study.tell(dict(trial.params), {name: value + 0.01 for name, value in trial.metrics.items()})
    study.ask()
    sampler: Any = study.sampler
    assert len(sampler.optimizer(RIDGE, study.history).space) == 12
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("cut", [2, 10, 17])
def test_a_study_that_goes_on_proposes_what_the_undisturbed_one_does(cut: int) -> None:
    undisturbed = searched(ridge, RIDGE, trials=20)
    # another session: nothing of the first is left but its trials, which are told one after the other
    resumed = tk.Study(ridge, RIDGE, seed=0)
    for trial in undisturbed.trials[:cut]:
        resumed.tell(dict(trial.params), dict(trial.metrics))
    resumed.run(20 - cut)
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in undisturbed.trials]


def test_the_threads_of_the_caller_stay_as_they_are() -> None:
    from threadpoolctl import threadpool_limits

    searched(ridge, RIDGE)  # whatever it loads is loaded
    inside: list[dict[str, int]] = []

    def objective(x: float, y: float) -> float:
        inside.append(threads())
        return ridge(x, y)

    with threadpool_limits(limits=3, user_api="blas"):
        before = threads()
        searched(objective, RIDGE)
        assert threads() == before
    assert inside == [before] * TRIALS


def threads() -> dict[str, int]:
    return {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}


# Objectives and spaces that break a careless normalisation


def test_a_constant_score_is_a_result() -> None:
    study = searched(lambda x, y: 0.5, RIDGE)
    assert study.best.number == 0
    assert len({tuple(trial.params.values()) for trial in study.trials}) == TRIALS


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_peak_is_found_whatever_the_unit_of_the_score(scale: float) -> None:
    """Twenty trials come nearer to the peak than twenty random ones do in nine of ten searches."""
    study = searched(lambda x, y: scale * ridge(x, y), RIDGE, trials=20)
    assert all(trial.state == "complete" for trial in study.trials)
    rng = np.random.default_rng(0)
    by_chance = [max(ridge(x, y) for x, y in rng.uniform((0, -2), (1, 2), (20, 2))) for _ in range(1000)]
    assert study.best.metrics["score"] / scale > np.quantile(by_chance, 0.9)


def test_scores_of_24_orders_of_magnitude_are_told_apart() -> None:
    study = searched(lambda x, y: 10 ** (24 * x - 12), RIDGE, trials=20)
    assert study.best.params["x"] == max(trial.params["x"] for trial in study.trials)
    assert study.best.params["x"] > 0.95


def test_categories_alone_are_learned() -> None:
    """The one best of 256 settings is found within 40 trials: by chance in one of six searches."""
    space = tk.Space({f"p{i}": tk.Choice(False, True) for i in range(8)})
    study = searched(lambda **params: float(sum(params.values())), space, trials=40)
    assert study.best.metrics["score"] == 8


@pytest.mark.parametrize(
    ("parameter", "best"), [(tk.Float(0, 1), 0.3), (tk.Float(1e-6, 1, log=True), 0.3), (tk.Int(0, 10**6), 0.3e6)]
)
def test_one_parameter_is_a_space(parameter: Any, best: float) -> None:
    study = searched(lambda x: -abs(x - best) / best, tk.Space(x=parameter), trials=20)
    assert study.best.metrics["score"] > -0.05
