"""What is said of few trials, of trials that are all alike, and of chance: true sentences with figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.insight.histories import told
from tunekit.insight.repeats import repeats
from tunekit.insight.surrogate import surrogate
from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space
from tunekit.search.study import Study

LINE = Space(x=Float(0.0, 1.0))
SQUARE = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0))


def lines(study: Study) -> list[str]:
    return repr(study.explain()).splitlines()


def scored(*scores: float, space: Space = LINE, **options: Any) -> Study:
    study = Study(None, space, seed=0, **options)
    for place, score in enumerate(scores):
        study.tell({"x": 0.1 * (place + 1)}, score)
    return study


def test_two_trials_say_who_is_ahead_and_what_is_not_known() -> None:
    assert lines(scored(0.5, 0.75)) == [
        "The best of 2 trials is trial 1: score 0.750, x=0.200.",
        "The second, trial 0, is 0.250 behind: score 0.500, x=0.100.",
        "Tried so far: x from 0.100 to 0.200 (of 0 to 1).",
        "No two of 2 complete trials have the same settings: how far score differs by chance is not known.",
        "What matters can be told from 4 complete trials on: 2 are missing.",
    ]


def test_before_the_second_trial_there_is_little_to_say() -> None:
    assert lines(scored()) == ["No trial yet.", "What matters can be told from 4 complete trials on: 4 are missing."]
    assert lines(scored(0.5))[0] == "The only trial is trial 0: score 0.500, x=0.100."


def test_of_a_choice_it_is_told_how_many_values_were_tried() -> None:
    study = Study(None, Space(x=Float(0.0, 1.0), act=Choice("relu", "gelu", "tanh")))
    for act in ("relu", "gelu", "relu"):
        study.tell({"x": 0.5, "act": act}, 0.1)
    assert "Tried so far: x at 0.500 (of 0 to 1), 2 of 3 values of act." in lines(study)


def test_what_failed_altogether_is_told_with_its_reasons() -> None:
    study = told(SQUARE, lambda _: np.nan, 3)
    assert lines(study)[:3] == [
        "All 3 trials failed; the last, trial 2: RuntimeError: it broke.",
        "The reason was the same each of the 3 times.",
        "All that is known of a failure is in study.trials[2].error.",
    ]
    study.enqueue({"x": 0.5, "y": 0.5})
    study.tell(study.ask(), error="ValueError: else")
    assert "There were 2 reasons; 3 trials had the most frequent: RuntimeError: it broke." in lines(study)
    assert len(lines(study)) == 5


def test_equal_scores_say_so_with_their_score() -> None:
    said = lines(scored(0.5, 0.5, 0.5, 0.5, 0.5))
    assert said[1] == "All 5 complete trials have the same score, 0.500: nothing tells settings apart."
    assert said[2] == "5 trials share the best score: look whether it depends on the settings at all."
    assert len(said) == 5


@pytest.mark.parametrize("trials", [2, 3, 4])
@pytest.mark.parametrize("high", [-1.0, 0.4], ids=["none", "some"])
def test_limits_are_told_of_few_trials(trials: int, high: float) -> None:
    study = scored(*np.linspace(0.2, 0.9, trials), constraints={"score": (None, high)})
    said = lines(study)
    assert 5 <= len(said) <= 10
    if high < 0:
        assert any(line.startswith(f"Limits aside, trial {trials - 1} has the best score: 0.900, ") for line in said)
    elif trials < 4:
        assert any("keep" in line and "the limits" in line for line in said)


def test_each_aim_has_its_best() -> None:
    study = Study(None, LINE, maximize="accuracy", minimize="size")
    study.tell({"x": 0.1}, {"accuracy": 0.9, "size": 40.0})
    study.tell({"x": 0.2}, {"accuracy": 0.8, "size": 30.0})
    assert "The best of each aim: accuracy 0.900 at trial 0, size 30.0 at trial 1." in lines(study)
    assert len(lines(study)) == 5


def test_with_one_parameter_there_are_no_others() -> None:
    said = repr(scored(*np.linspace(0.1, 0.9, 9)).explain())
    assert "On average x is best at about" in said
    assert "others" not in said


def test_an_exact_function_is_not_measured_again() -> None:
    study = Study(lambda x, y: -((x - 0.3) ** 2) - (y - 0.6) ** 2, SQUARE, sampler="bayes", seed=0)
    study.run(14)
    said = repr(study.explain())
    assert "Trials with the same or nearly the same settings differ by about" in said
    assert "confirm" not in said


def test_settings_that_come_to_the_same_again_are_not_measured_again() -> None:
    study = Study(None, LINE)
    for x in (0.1, 0.9, 0.3, 0.7, 0.9, 0.5, 0.1, 0.2):
        study.tell({"x": x}, x + (0.25 if x > 0.6 else 0.0))
    assert repeats(study.history, study.space) == [[0.1, 0.1], [1.15, 1.15]]
    said = repr(study.explain())
    assert "those with the very same ones do not differ." in said
    assert "confirm" not in said


def noisy(maximize: tuple[str, ...]) -> Study:
    rng, study = np.random.default_rng(0), Study(None, LINE, maximize=maximize)
    for x in (0.1, 0.5, 0.9) * 6:
        study.tell({"x": x}, {name: float(x + 0.3 * rng.standard_normal()) for name in maximize})
    return study


def test_noise_is_measured_again_where_one_aim_says_which_is_best() -> None:
    assert "more than the best is ahead of the second: confirm() measures them again." in repr(noisy(("a",)).explain())
    assert "confirm" not in repr(noisy(("a", "b")).explain()), "it needs one aim"


def test_noise_is_seen_without_repeats_where_a_search_has_come_close() -> None:
    rng = np.random.default_rng(0)

    def hill(x: float, y: float) -> float:
        return float(-((x - 0.3) ** 2) - (y - 0.6) ** 2 + 0.02 * rng.standard_normal())

    study = Study(hill, SQUARE, sampler="bayes", seed=0)
    study.run(24)
    assert repeats(study.history, study.space) == []
    assert surrogate(study.history, study.space).is_noisy
    study.tell({"x": 0.3, "y": 0.6}, study.best.metrics["score"])
    assert "confirm() measures them again" in repr(study.explain())


def test_close_scores_keep_the_figures_that_tell_them_apart() -> None:
    study = told(SQUARE, lambda params: 1e6 + params["x"], 12)
    best = max(trial.metrics["score"] for trial in study.trials)
    said = repr(study.explain())
    assert f"score {best:,.0f}, " in lines(study)[0]
    assert "(1,000,000 to 1,000,000)" not in said
    assert f"Best score {best:,.0f} at trial" in repr(study)


def test_the_ends_of_a_narrow_range_are_told_apart() -> None:
    study = told(Space(x=Float(1000.0, 1001.0)), lambda params: params["x"], 9)
    assert "x is best at about 1001 (" in repr(study.explain())
    assert "worst at about 1000 (" in repr(study.explain())
