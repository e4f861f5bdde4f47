"""Whether what insight says of a function is so."""

from __future__ import annotations

import numpy as np
import pytest

from tests.insight.histories import told
from tunekit.insight.edges import edges
from tunekit.insight.effects import effect, slice_at
from tunekit.insight.gain import expected_gain
from tunekit.insight.next_point import next_point
from tunekit.insight.random_band import random_band
from tunekit.insight.surrogate import surrogate
from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space
from tunekit.search.study import Study

SQUARE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))


def test_shares_of_a_known_function_lie_in_their_intervals() -> None:
    study = told(SQUARE, lambda params: params["x"] + 2 * params["y"], 20)
    found = study.importance()
    assert found.is_known
    assert found["y"].total.low <= 0.8 <= found["y"].total.high
    assert found["x"].total.value == pytest.approx(0.2, abs=0.03)
    assert found.words.startswith("y matters most: ")
    assert found.pairs[0].share.value < 0.02


@pytest.mark.parametrize("maximize", [True, False])
def test_a_search_that_has_converged_says_the_same_of_the_whole_space(maximize: bool) -> None:
    """Most of its trials are close to the best: that makes what is far from it no less known."""
    sign = 1 if maximize else -1

    def bowl(x: float, y: float) -> float:
        return -sign * ((x - 0.3) ** 2 + 2 * (y - 0.7) ** 2)

    maximized, minimized = ("score", None) if maximize else (None, "score")
    study = Study(bowl, SQUARE, sampler="bayes", seed=0, maximize=maximized, minimize=minimized)
    study.run(40)
    found = study.importance()
    assert found["y"].total.value == pytest.approx(0.8, abs=0.04)
    assert found["x"].total.value == pytest.approx(0.2, abs=0.04)
    assert found.pairs[0].share.value < 0.05
    along = effect(study.history, SQUARE, "x")
    assert along.mean == pytest.approx([bowl(x, 0.7) - sign * 2 * 0.37 / 3 for x in along.values], abs=0.04)


def test_what_is_not_known_is_said() -> None:
    rng = np.random.default_rng(0)
    space = Space({f"x{number}": Float(0.0, 1.0) for number in range(4)})
    found = told(space, lambda _: float(rng.standard_normal()), 8).importance()
    assert not found.is_known
    assert found.words.startswith("Not known yet after 8 trials: ")


def test_an_effect_is_the_average_over_the_others() -> None:
    study = told(SQUARE, lambda params: (params["x"] - 0.5) ** 2 + params["y"], 25, minimize="loss")
    found = effect(study.history, study.space, "x")
    truth = (np.array(found.values) - 0.5) ** 2 + 0.5
    assert found.mean == pytest.approx(truth, abs=0.05)
    assert np.mean((found.low - 0.01 <= truth) & (truth <= found.high + 0.01)) > 0.9
    assert found.span == pytest.approx(0.25, abs=0.05)
    cut = slice_at(study.history, study.space, "x", {"x": 0.1, "y": 1.0})
    assert cut.mean == pytest.approx(truth + 0.5, abs=0.1)


def test_a_parameter_that_does_not_count_has_no_slice() -> None:
    space = Space(kind=Choice("a", "b"), x=Float(0.0, 1.0, when={"kind": "a"}))
    study = told(space, lambda params: params.get("x", 0.0), 20)
    with pytest.raises(ValueError, match="x counts only where"):
        slice_at(study.history, study.space, "x", {"kind": "b"})
    assert effect(study.history, study.space, "x").mean[-1] == pytest.approx(1.0, abs=0.15)


def test_noise_is_told_in_the_unit_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    study = told(SQUARE, lambda params: 100 * (params["x"] + 0.1 * rng.standard_normal()), 60)
    learned = surrogate(study.history, study.space)
    assert np.hypot(learned.noise, learned.roughness) == pytest.approx(10.0, rel=0.35)


def test_an_edge_that_holds_the_search_back_is_named_and_a_dead_one_is_not() -> None:
    study = told(SQUARE, lambda params: params["x"], 30)
    found = edges(study.history, study.space)
    assert [(edge.name, edge.side, edge.bound) for edge in found] == [("x", "high", 1.0)]
    assert found[0].words.endswith("lies at the upper end of its range: let it go above 1.00.")
    inside = told(SQUARE, lambda params: -((params["x"] - 0.5) ** 2) - (params["y"] - 0.5) ** 2, 30)
    assert edges(inside.history, inside.space) == ()


def test_less_is_gained_where_the_best_is_found() -> None:
    peak = told(SQUARE, lambda params: -((params["x"] - 0.5) ** 2) - (params["y"] - 0.5) ** 2, 40)
    peak.tell({"x": 0.5, "y": 0.5}, 0.0)
    found = expected_gain(peak.history, peak.space)
    assert not found.is_worth_it
    assert found.value < 0.01
    few = told(SQUARE, lambda params: np.sin(9 * params["x"]) * np.sin(8 * params["y"]), 6)
    assert expected_gain(few.history, few.space).is_worth_it
    assert expected_gain(few.history, few.space, trials=1).value <= expected_gain(few.history, few.space).value + 1e-9
    with pytest.raises(ValueError, match="whole number from 1: got 0"):
        expected_gain(few.history, few.space, trials=0)


def test_random_searches_stay_in_their_band() -> None:
    study = told(SQUARE, lambda params: params["x"] * params["y"], 30)
    found = random_band(study.history, study.space, trials=20)
    rng = np.random.default_rng(5)
    best = np.maximum.accumulate(rng.random((2000, 20)) * rng.random((2000, 20)), axis=1)
    assert found.mean == pytest.approx(best.mean(axis=0), abs=0.04)
    inside = (found.low - 0.01 <= best) & (best <= found.high + 0.01)
    assert np.all(inside.mean(axis=0) > 0.9)
    with pytest.raises(ValueError, match="whole number from 1: got 0"):
        random_band(study.history, study.space, trials=0)


def test_explaining_names_what_matters() -> None:
    study = told(SQUARE, lambda params: 2 * params["x"] - (params["y"] - 0.5) ** 2, 20)
    said = repr(study.explain())
    assert said.startswith("The best of 20 trials is trial ")
    for words in ("x matters most", "lies at the upper end of its range", "As many trials at random", "more trials"):
        assert words in said


def test_beside_random_searches_it_is_ahead_within_or_behind() -> None:
    study = told(SQUARE, lambda params: params["x"], 20)
    band, aim = random_band(study.history, study.space), study.history.goal.aim
    low, middle, high = (float(line[-1]) for line in (band.low, band.mean, band.high))
    assert [band.beside(best, aim) for best in (high + 0.01, middle, low - 0.01)] == ["ahead of", "within", "behind"]


def test_of_random_searches_under_limits_nothing_is_said() -> None:
    study = told(SQUARE, lambda params: params["x"], 20, constraints={"score": (None, 0.8)})
    assert "at random" not in repr(study.explain())


def test_the_next_point_names_a_gain_where_there_is_a_chance_of_one() -> None:
    study = told(SQUARE, lambda params: params["x"] + 2 * params["y"], 20)
    learned = surrogate(study.history, study.space)
    good, bad = (next_point({"x": at, "y": at}, study.history, learned) for at in (1.0, 0.0))
    assert good.chance > 0.5
    assert "and the expected improvement" in good.words
    assert bad.chance < 0.001
    assert bad.words.endswith("the chance of that is below 0.1 %.")


def test_where_all_scores_are_equal_nothing_else_is_expected() -> None:
    study = told(SQUARE, lambda _: 0.1, 14)
    band = random_band(study.history, study.space)
    for line in (band.mean, band.low, band.high):
        assert line == pytest.approx(0.1, abs=1e-12)
    assert band.beside(0.1, study.history.goal.aim) == "within"
    found = expected_gain(study.history, study.space)
    assert (found.value, found.low, found.high, found.is_worth_it) == (0.0, 0.0, 0.0, False)
    point = next_point({"x": 1.0, "y": 1.0}, study.history, surrogate(study.history, study.space))
    assert (point.improvement, point.chance) == (0.0, 0.0)
    assert point.words.endswith("All trials so far have the same score: nothing tells where it is better.")


# six trials point to a little more than the 0.95 that there is
@pytest.mark.parametrize(("trials", "most"), [(6, 0.98), (10, 0.96), (14, 0.96)])
def test_random_searches_are_not_believed_to_beat_what_the_trials_point_to(trials: int, most: float) -> None:
    peak = told(
        SQUARE, lambda params: float(0.95 * np.exp(-30 * (params["x"] - 0.6) ** 2)), trials, maximize="accuracy"
    )
    band = random_band(peak.history, peak.space)
    assert np.all(band.high <= most)
    assert np.all(band.low <= band.mean)
    assert np.all(band.mean <= band.high)
    bowl = told(SQUARE, lambda params: (params["x"] - 0.4) ** 2 + (params["y"] - 0.3) ** 2, trials, minimize="loss")
    assert np.all(random_band(bowl.history, bowl.space).low >= 0)


def test_a_share_is_never_above_one() -> None:
    study = told(SQUARE, lambda params: 0.9 + 0.1 * params["x"], 8, maximize="val_accuracy")
    assert np.all(random_band(study.history, study.space).high <= 1.0)
    best = study.history.best
    assert best is not None
    assert expected_gain(study.history, study.space).high <= 1.0 - 0.9 - 0.1 * best.params["x"] + 1e-3


def test_a_search_that_overlooked_what_its_trials_point_to_is_behind_random_ones() -> None:
    study = Study(None, SQUARE, seed=0)
    for x in np.linspace(0.0, 0.3, 10):
        study.tell({"x": float(x), "y": 0.5}, float(x))
    band = random_band(study.history, study.space)
    assert band.beside(0.3, study.history.goal.aim) in ("within", "behind")
    assert band.high[-1] > 0.3


def test_close_scores_are_told_with_the_digits_that_tell_them_apart() -> None:
    study = told(SQUARE, lambda params: 975.1 + 0.01 * params["x"], 12)
    said = next(line for line in repr(study.explain()).splitlines() if line.startswith("On average"))
    top, bottom = (float(words.split(")")[0].removeprefix("score ")) for words in said.split("(")[1:])
    assert top > bottom


def test_importance_says_in_plain_words_what_it_needs() -> None:
    study = told(SQUARE, lambda params: params["x"], 1)
    with pytest.raises(ValueError, match=r"^importance needs at least 4 complete trials: there is 1; run more trials$"):
        study.importance()
