"""Scores that differ by a millionth of themselves: every title and label has the figures that tell them apart."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.events import TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.plots import plot
from tunekit.plots.contour import contour_data
from tunekit.plots.front import front_data
from tunekit.plots.history import beside_random, history_data
from tunekit.plots.parallel import parallel_data
from tunekit.plots.trade_off import trade_off_data
from tunekit.plots.trial_curve import trial_curve_data

SQUARE = {"x": (0.0, 1.0), "y": (0.0, 1.0)}


@cache
def close(base: float = 1e6, span: float = 1.0, minimize: bool = False) -> tk.Study:
    sign = -1 if minimize else 1
    study = tk.Study(
        lambda x, y: base + sign * span * (1 - (x - 0.3) ** 2 - (y - 0.6) ** 2),
        SQUARE,
        maximize=None if minimize else "score",
        minimize="score" if minimize else None,
        sampler="sobol",
        seed=0,
    )
    study.run(12)
    return study


def test_the_history_tells_the_best_and_random_search_apart() -> None:
    study = close()
    data = history_data(study.history)
    assert data.title == f"Best score {study.best.metrics['score']:,.0f}, at trial {study.best.number}"
    title = beside_random(data, study.history, study.space).title
    low, high = title.rpartition("(")[2].rstrip(")").split(" to ")
    assert low != high


@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize(("base", "span"), [(1e6, 1.0), (1e9, 0.5)])
def test_the_contour_names_its_heights(base: float, span: float, minimize: bool) -> None:
    study = close(base, span, minimize)
    data = contour_data(study.history, study.space)
    (axes,) = plot("contour", study).axes
    assert axes.collections, "there are heights to draw"
    pale, blue = axes.get_xlabel().partition("(score ")[2].partition(", the bluer")[0].split(" to ")
    heights = [float(each.replace(",", "")) for each in (pale, blue)]
    # whole figures tell them apart
    assert heights == pytest.approx(sorted([data.mean.min(), data.mean.max()], reverse=minimize), abs=0.5)
    assert heights[0] != heights[1]
    assert data.title.startswith(f"score {blue} expected near x ")


def test_where_the_heights_are_equal_no_figure_is_written() -> None:
    study = tk.Study(None, SQUARE)
    for at in np.linspace(0.1, 0.9, 6):
        study.tell({"x": float(at), "y": float(1 - at)}, 0.1)
    (axes,) = plot("contour", study).axes
    assert axes.get_xlabel() == "x (the bluer, the better the score)"
    assert not axes.collections


def test_the_ends_of_the_score_in_parallel_coordinates_differ() -> None:
    low, high = parallel_data(close().history, close().space).scales[-1].ends
    assert low != high


def test_the_ends_of_a_front_differ() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize="accuracy", minimize="size")
    for accuracy, size in ((0.95312, 2.0), (0.95314, 3.0)):
        study.tell({"x": size / 4}, {"accuracy": accuracy, "size": size})
    assert front_data(study.history).title == "Front of 2 trials, accuracy from 0.95312 to 0.95314"
    assert "Front of 2 trials: accuracy 0.95312 to 0.95314, size 2.00 to 3.00." in repr(study)


def test_a_missed_limit_is_told_from_its_bound() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize="accuracy", constraints={"size": (None, 1000.0)})
    study.tell({"x": 0.5}, {"accuracy": 0.9, "size": 1000.4})
    assert "its size 1,000.4 is 0.400 above the limit 1,000.0" in repr(study)


def test_a_curve_is_told_from_that_of_the_best() -> None:
    history = History(Goal())
    for number, score in enumerate((0.95314, 0.95312)):
        history.apply(TrialStarted(number, {}))
        history.apply(TrialReported(number, {"score": score}))
        history.apply(TrialEnded(number, "complete", {"score": score}, 1.0))
    assert trial_curve_data(history, 1).title == "Trial 1: 0.95312 after 1 step; the best had 0.95314 there"
    assert trial_curve_data(history, 0).title == "Trial 0: 0.953 after 1 step, the best"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [(0.95, 0.9504, "0.9500 → 0.9504"), (2.5e-5, 2.4e-5, "2.5e-05 → 2.4e-05"), (0.976, 0.846, "0.976 → 0.846")],
)
def test_a_small_change_is_seen_in_the_trade_off(before: float, after: float, words: str) -> None:
    history = History(Goal())
    for number, (score, size) in enumerate(((before, 2000.0), (after, 1000.0))):
        history.apply(TrialStarted(number, {"step": "FineTune()"}))
        history.apply(TrialEnded(number, "complete", {"score": score, "size": size}, 1.0))
    assert trade_off_data(history).title == f"2.0x smaller; score {words}"
