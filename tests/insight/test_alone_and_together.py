"""What each parameter does alone is told from what they do together."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.insight_problems import PROBLEMS, truth
from tunekit.insight.draws import Draws
from tunekit.insight.hyperposterior import drawn_hyperparameters
from tunekit.insight.importance import importance
from tunekit.insight.process import Process, misfit
from tunekit.insight.surrogate import surrogate
from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space
from tunekit.search.study import Study
from tunekit.search.surrogate.covariances import squares_by_parameter
from tunekit.search.surrogate.encoding import Encoding

SPACE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0), kind=Choice("a", "b", "c"))


def _told(value: object, trials: int) -> Study:
    study = Study(value, SPACE, sampler="random", seed=1)  # type: ignore[arg-type]
    study.start(trials).wait()
    return study


def test_parameters_that_act_alone_share_nothing() -> None:
    # two humps of x, a valley of y: neither changes what the other does
    study = _told(lambda x, y, kind: np.sin(9 * x) + 3 * (y - 0.4) ** 2 + (kind == "b"), 40)
    found = importance(study.history, study.space)
    assert all(pair.share.value < 0.02 for pair in found.pairs)
    for name in SPACE.names:
        assert found[name].total.value - found[name].first.value < 0.03


def test_one_that_acts_alone_is_told_from_two_that_act_together() -> None:
    problem = PROBLEMS["ishigami"]
    study = Study(lambda **params: problem(params), problem.space, sampler="random", seed=1)
    study.start(100).wait()
    pairs = {pair.names: pair.share for pair in importance(study.history, study.space).pairs}
    first, total, _ = truth("ishigami")
    assert pairs["x0", "x2"].value == pytest.approx(total[0] - first[0], abs=0.05)
    assert pairs["x0", "x1"].value < 0.02
    assert pairs["x1", "x2"].value < 0.02


def test_drawn_functions_are_those_that_are_predicted() -> None:
    study = _told(lambda x, y, kind: np.sin(5 * x) * y + 0.3 * (kind == "c"), 25)
    learned = surrogate(study.history, study.space)
    places = np.random.default_rng(3).random((40, 3))
    features = learned.encoding.features(places)
    drawn = Draws.of(learned, 40).at(places)
    expected = np.mean([process.mean(features) for process in learned.processes], axis=0)
    assert np.allclose(drawn.mean(axis=0), expected, atol=0.15)


def test_without_some_trials_a_function_goes_on_through_the_others_alone() -> None:
    study = _told(lambda x, y, kind: np.sin(9 * x + 2 * y) + (kind == "b"), 30)
    learned = surrogate(study.history, study.space)
    groups = [np.array([0, 1, 2]), np.array([10, 20])]
    count = len(learned.processes)
    drawn = Draws.of(learned, 2)
    # of each process: its two functions, then the first one without either group
    found = drawn.and_without(groups).at(learned.places).reshape(count, 4, -1)
    assert np.allclose(found[:, :2], drawn.at(learned.places).reshape(count, 2, -1), atol=1e-3)
    moved = np.abs(found[:, 2:] - found[:, :1]).mean(axis=0)
    for number, group in enumerate(groups):
        assert moved[number, group].min() > 2 * np.delete(moved[number], group).max()


def test_an_interval_holds_what_is_true_where_the_function_is_no_draw_of_the_process() -> None:
    problem, first = PROBLEMS["ishigami"], truth("ishigami")[0]
    held = []
    for seed in range(6):
        study = Study(lambda **params: problem(params), problem.space, sampler="random", seed=seed)
        study.start(40).wait()
        shares = [importance(study.history, study.space)[name].first for name in problem.space.names]
        held += [share.low <= value + 1e-9 and value <= share.high for share, value in zip(shares, first, strict=True)]
    assert np.mean(held) >= 0.85


def test_an_interval_holds_what_is_true_where_a_search_stayed_near_its_best() -> None:
    held = []
    for seed in range(6):
        for name in ("ishigami", "typed"):
            problem = PROBLEMS[name]
            study = Study(lambda problem=problem, **params: problem(params), problem.space, seed=seed)
            study.start(40).wait()
            found = importance(study.history, study.space)
            for parameter, first in zip(study.space.names, truth(name)[0], strict=True):
                held.append(found[parameter].first.low <= first <= found[parameter].first.high)
    assert np.mean(held) > 0.88


@pytest.mark.parametrize("noise", [1e-6, 0.1])
def test_the_slope_of_the_misfit_is_its_slope(noise: float) -> None:
    rng = np.random.default_rng(0)
    encoding = Encoding(SPACE)
    features = encoding.features(rng.random((12, 3)))
    squares, targets = squares_by_parameter(features, encoding.owners, 3), rng.standard_normal(12)
    place = np.concatenate([np.log([0.3, 0.8, 2.0, 1.0, 0.5, 3.0]), np.log([0.7, 1.2, noise, 0.05])])
    steps = 1e-5 * np.eye(len(place))
    slope = [misfit(place + step, squares, targets)[0] - misfit(place - step, squares, targets)[0] for step in steps]
    assert np.allclose(misfit(place, squares, targets)[1], np.array(slope) / 2e-5, rtol=1e-3, atol=1e-3)


def test_what_was_observed_is_predicted() -> None:
    rng = np.random.default_rng(0)
    encoding = Encoding(SPACE)
    features = encoding.features(rng.random((20, 3)))
    targets = features[:, 0] - features[:, 1]
    for known in drawn_hyperparameters(features, targets, encoding.owners, 4, rng):
        mean, deviation = Process(features, targets, encoding.owners, known).predict(features)
        assert np.allclose(mean, targets, atol=0.1)
        assert (deviation < 0.1).all()
