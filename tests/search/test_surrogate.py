"""The mathematics under the search: derivatives, scales, volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunekit.core.pareto import hypervolume
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space
from tunekit.search.surrogate.acquisitions import acquisitions, log_improvement
from tunekit.search.surrogate.criterion import Criterion, improvement
from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.fronts import boxes, front_improvement, weighted
from tunekit.search.surrogate.process import Hyperparameters, Process, fit
from tunekit.search.surrogate.warping import Warp

RNG = np.random.default_rng(3)
FEATURES = RNG.random((25, 3))
TARGETS = np.sin(5 * FEATURES[:, 0]) + FEATURES[:, 1]
OWNERS = np.array([0, 1, 1])
KNOWN = Hyperparameters(np.array([0.4, 0.9]), amplitude=1.3, noise=1e-3, roughness=0.2)


def slope_of(function: Callable[[Any], float], at: Any, step: float = 1e-5) -> Any:
    return np.array(
        [(function(at + step * unit) - function(at - step * unit)) / (2 * step) for unit in np.eye(len(at))]
    )


@pytest.mark.parametrize("name", list(acquisitions))
def test_the_slope_of_an_acquisition_is_its_derivative(name: str) -> None:
    for mean, deviation in [(0.3, 0.5), (-2.0, 0.4), (-9.0, 0.3), (1.5, 0.01)]:
        at = np.array([mean, deviation])
        _, by_mean, by_deviation = acquisitions[name](at[:1], at[1:], 0.1)
        found = slope_of(lambda x, of=acquisitions[name]: float(of(x[:1], x[1:], 0.1)[0][0]), at)  # type: ignore[misc]
        assert [by_mean[0], by_deviation[0]] == pytest.approx(found, rel=1e-3, abs=1e-6)


@given(st.floats(-1e5, 30))
def test_the_log_of_the_improvement_is_finite_and_rises(z: float) -> None:
    low, high = log_improvement(np.array([z, z + 1e-3 * max(1.0, abs(z))]))
    assert np.isfinite(low)
    assert low <= high


def test_the_slope_of_a_process_and_of_a_criterion_is_the_derivative() -> None:
    processes = [Process(FEATURES, targets, OWNERS, KNOWN) for targets in (TARGETS, -TARGETS)]
    criterion = Criterion(processes, improvement(acquisitions["log expected improvement"], 0.9, np.array([-0.5])))
    place = np.array([0.31, 0.47, 0.82])
    _, gradient = criterion.slope(place)
    assert gradient == pytest.approx(slope_of(lambda x: float(criterion.values(x[None])[0]), place), rel=1e-3)
    mean, deviation, by_mean, by_deviation = processes[0].slope(place)
    assert (mean, deviation) == pytest.approx([part[0] for part in processes[0].predict(place[None])])
    assert by_mean == pytest.approx(slope_of(lambda x: float(processes[0].predict(x[None])[0][0]), place), rel=1e-3)
    assert by_deviation == pytest.approx(slope_of(lambda x: processes[0].slope(x)[1], place), rel=1e-3)


def test_the_fit_finds_which_parameter_matters_and_how_loud_the_noise_is() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((80, 2))
    scores = np.sin(8 * features[:, 0]) + 0.3 * rng.standard_normal(80)
    found = fit(features, (scores - scores.mean()) / scores.std(), np.array([0, 1]))
    assert found.length_scales[1] > 2 * found.length_scales[0]
    assert found.noise == pytest.approx(0.09 / scores.var(), rel=0.5)


def test_jumps_between_places_are_roughness_and_between_repetitions_noise() -> None:
    rng = np.random.default_rng(0)
    places = np.repeat(rng.random((25, 2)), 2, axis=0)
    jumps = 0.5 * rng.standard_normal(50)
    owners = np.array([0, 1])

    def fitted(deviations: Any) -> Hyperparameters:
        scores = np.sin(4 * places[:, 0]) + deviations
        return fit(places, (scores - scores.mean()) / scores.std(), owners)

    rough, noisy = fitted(np.repeat(jumps[:25], 2)), fitted(jumps)
    assert rough.roughness > 10 * rough.noise
    assert noisy.noise > 10 * noisy.roughness


def test_a_lucky_place_promises_luck_beside_it_only_where_there_is_roughness() -> None:
    # the middle place is better than the smooth course says; it is asked about again, and a little beside it
    features = np.linspace(0, 1, 11)[:, None]
    targets = np.where(np.arange(11) == 5, 2.0, 0.0)
    beside = np.array([[0.5], [0.51]])

    def doubts(noise: float, roughness: float) -> Any:
        known = Hyperparameters(np.array([0.5]), amplitude=1.0, noise=noise, roughness=roughness)
        return Process(features, targets, np.array([0]), known).predict(beside)[1]

    rough, noisy = doubts(1e-6, 0.3), doubts(0.3, 1e-6)
    assert rough[1] > 10 * rough[0]
    assert noisy[1] == pytest.approx(noisy[0], rel=0.05)


@settings(max_examples=60)
@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=30))
def test_a_warp_keeps_the_order_and_can_be_undone(values: list[float]) -> None:
    array = np.array(values)
    warp = Warp.fit(array)
    scaled = warp.apply(array)
    assert np.all(np.isfinite(scaled))
    assert np.all(np.diff(scaled[np.argsort(array)]) >= -1e-9)
    assert warp.undo(scaled) == pytest.approx(array, rel=1e-6, abs=1e-6 * max(1.0, float(np.ptp(array))))


@pytest.mark.parametrize("size", [2, 3])
def test_the_boxes_fill_what_the_front_does_not_dominate(size: int) -> None:
    rng = np.random.default_rng(size)
    front, reference, top = rng.random((12, size)), np.zeros(size), np.ones(size)
    lower, upper = boxes(front, reference)
    filled = np.sum(np.prod(np.minimum(upper, top) - np.minimum(lower, top), axis=1))
    assert filled + hypervolume(front, reference) == pytest.approx(1.0)


def test_the_expected_growth_of_the_front_is_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    front, reference = np.array([[0.2, 0.9], [0.6, 0.5]]), np.zeros(2)
    means, deviations = np.array([[0.5, 0.6]]), np.array([[0.2, 0.3]])
    formula = front_improvement(front, reference, np.empty(0))
    drawn = means + deviations * rng.standard_normal((20_000, 2))
    before = hypervolume(front, reference)
    growth = np.mean([hypervolume(np.vstack([front, point]), reference) - before for point in drawn[:4000]])
    value, by_mean, by_deviation = formula(means, deviations)
    assert np.exp(value[0]) == pytest.approx(growth, rel=0.05)
    assert by_mean[0] == pytest.approx(
        slope_of(lambda m: float(formula(m[None], deviations)[0][0]), means[0]), rel=1e-3
    )
    assert by_deviation[0] == pytest.approx(
        slope_of(lambda d: float(formula(means, d[None])[0][0]), deviations[0]), rel=1e-3
    )


@given(st.integers(2, 4), st.integers(0, 2**31))
def test_whatever_the_weights_a_better_point_is_worth_more(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    others, weights = rng.random((6, size)), rng.dirichlet(np.ones(size))
    point = rng.random(size)
    better = point + rng.random(size)
    worth = weighted(np.stack([point, better]), others, weights)
    assert worth[1] > worth[0]
    assert weighted(others.max(axis=0)[None], others, weights) == pytest.approx([0.0])


def test_settings_that_are_the_same_have_the_same_features() -> None:
    space = Space(n=Int(1, 3), act=Choice("a", "b", "c"), drop=Float(0, 1, when={"act": "b"}))
    encoding = Encoding(space)
    same = np.array([[0.05, 0.1, 0.2], [0.3, 0.3, 0.9]])
    one, other = encoding.features(same)
    assert space.from_unit(same[0]) == space.from_unit(same[1])
    assert one.tolist() == other.tolist()
    apart = encoding.features(np.array([[0.05, 0.5, 0.2], [0.05, 0.5, 0.9]]))
    assert np.linalg.norm(apart[0] - apart[1]) == pytest.approx(0.7)
