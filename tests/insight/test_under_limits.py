"""Under limits only what keeps them counts: advice, gains and chances say so."""

from __future__ import annotations

import numpy as np
import pytest

from tunekit.insight.edges import edges
from tunekit.insight.gain import expected_gain
from tunekit.insight.limits import Limits
from tunekit.insight.next_point import next_point
from tunekit.insight.surrogate import surrogate
from tunekit.search.parameters import Float
from tunekit.search.space import Space
from tunekit.search.study import Study

SQUARE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))


def limited(low: float | None = None, high: float | None = None, trials: int = 24) -> Study:
    """The accuracy is x, the size a hundred times that."""
    study = Study(
        lambda x, y: {"accuracy": x, "size": 100 * x},
        SQUARE,
        maximize="accuracy",
        constraints={"size": (low, high)},
        sampler="sobol",
        seed=0,
    )
    study.run(trials)
    return study


def test_an_edge_beyond_the_limit_is_none() -> None:
    study = limited(high=50.0)
    assert edges(study.history, SQUARE) == ()
    assert "let it go" not in repr(study.explain())


def test_an_edge_at_which_the_limit_is_kept_is_one() -> None:
    study = limited(low=20.0)
    assert [(edge.name, edge.side) for edge in edges(study.history, SQUARE)] == [("x", "high")]


def test_an_edge_is_none_where_the_best_trials_are_near_it_and_the_limit_breaks_at_it() -> None:
    study = limited(high=97.0)
    best = study.history.best
    assert best is not None
    assert best.params["x"] > 0.9
    assert edges(study.history, SQUARE) == ()


def test_a_gain_is_over_the_best_that_keeps_the_limit_and_ends_at_the_limit() -> None:
    study = limited(high=70.0, trials=8)
    best = study.history.best
    assert best is not None
    room = 0.7 - best.params["x"]
    assert room > 0.02
    assert expected_gain(study.history, SQUARE).value == pytest.approx(room, rel=0.5)


def test_what_keeps_a_limit_that_is_far_away_is_gained() -> None:
    few = limited(high=1000.0, trials=6)
    free = Study(lambda x, y: x, SQUARE, maximize="accuracy", sampler="sobol", seed=0)
    free.run(6)
    assert expected_gain(few.history, SQUARE).value == pytest.approx(expected_gain(free.history, SQUARE).value)


def test_the_chance_to_beat_the_best_counts_the_limits() -> None:
    study = limited(high=50.0)
    learned = surrogate(study.history, SQUARE)
    outside = next_point({"x": 1.0, "y": 0.5}, study.history, learned)
    assert outside.chance == pytest.approx(0.0, abs=0.001)
    assert outside.improvement == pytest.approx(0.0, abs=0.001)
    assert "would beat the best so far if it kept the limits; the chance of that is below 0.1 %" in outside.words
    inside = next_point({"x": 0.4, "y": 0.5}, study.history, learned)
    assert inside.kept > 0.99
    assert "The chance that it keeps the limits is 100.0 %." in inside.words


def test_the_chance_to_keep_limits_is_known_where_trials_were() -> None:
    study = limited(low=20.0, high=50.0)
    limits = Limits.of(study.history, SQUARE)
    places = np.array([[0.1, 0.5], [0.35, 0.5], [0.6, 0.5]])
    assert limits.chance(places) == pytest.approx([0.0, 1.0, 0.0], abs=0.01)
    assert limits.kept(places).mean(axis=0) == pytest.approx([0.0, 1.0, 0.0], abs=0.01)


@pytest.mark.parametrize(("high", "kept"), [(7.0, 1.0), (6.0, 0.0)])
def test_a_limited_metric_that_is_always_the_same_keeps_its_limit_or_not(high: float, kept: float) -> None:
    study = Study(
        lambda x, y: {"accuracy": x, "size": 7.0},
        SQUARE,
        maximize="accuracy",
        constraints={"size": (None, high)},
        sampler="sobol",
        seed=0,
    )
    study.run(8)
    limits, places = Limits.of(study.history, SQUARE), np.array([[0.1, 0.5], [1.0, 1.0]])
    assert limits.chance(places).tolist() == [kept, kept]
    assert limits.kept(places).mean(axis=0).tolist() == [kept, kept]


def test_while_nothing_keeps_the_limits_that_is_what_is_said() -> None:
    study = limited(high=-1.0)
    said = repr(study.explain())
    assert said.startswith("No trial keeps the limits yet: trial ")
    assert "let it go" not in said
    assert "expected to gain" not in said
    assert all(line[0].isupper() for line in said.splitlines() if not line.startswith("x matters"))
    assert edges(study.history, SQUARE) == ()
    with pytest.raises(ValueError, match="best trial that keeps the limits: none does yet"):
        expected_gain(study.history, SQUARE)
    with pytest.raises(ValueError, match="none keeps the limits yet"):
        next_point({"x": 0.5, "y": 0.5}, study.history, surrogate(study.history, SQUARE))


def test_while_nothing_keeps_the_limits_several_aims_say_so_too() -> None:
    study = Study(
        lambda x, y: {"accuracy": x, "speed": y, "size": 1.0},
        SQUARE,
        maximize=["accuracy", "speed"],
        constraints={"size": (None, 0.0)},
        sampler="sobol",
        seed=0,
    )
    study.run(6)
    assert repr(study.explain()).startswith("No trial keeps the limits yet: trial 0 came closest")
