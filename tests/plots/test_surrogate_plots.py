"""The pictures of what the trials show: importance, slices, contour, process, and the history beside random search."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

import tunekit as tk
from tunekit.plots import plot
from tunekit.plots.contour import contour_data
from tunekit.plots.history import beside_random, history_data
from tunekit.plots.importance import importance_data
from tunekit.plots.process import process_data
from tunekit.plots.slices import slices_data

SPACE = tk.Space(
    lr=tk.Float(1e-4, 1e-1, log=True),
    act=tk.Choice("relu", "gelu"),
    slope=tk.Float(0, 1, when={"act": "gelu"}),
)


def height(lr: float, act: str, slope: float = 0.0) -> float:
    return -((math.log10(lr) + 2) ** 2) + 1.2 * (act == "gelu")


@cache
def tuned(trials: int = 24) -> tk.Study:
    study = tk.Study(height, SPACE, sampler="sobol", seed=0)
    study.run(trials)
    return study


@cache
def along_a_line() -> tk.Study:
    study = tk.Study(lambda x: -((x - 2) ** 2), {"x": (0.0, 5.0)}, sampler="sobol", seed=0)
    study.run(8)
    return study


def test_the_importance_names_what_matters_most() -> None:
    data = importance_data(tuned().history, SPACE)
    assert data.bars[0].name == "lr"
    assert data.is_known
    assert data.title.startswith("lr matters most: ")
    assert all(bar.low <= bar.total <= bar.high for bar in data.bars)


def test_a_slice_says_where_it_is_best_and_holds_only_trials_in_which_it_counts() -> None:
    study = tuned()
    data = slices_data(study.history, SPACE)
    by_name = {one.scale.name: one for one in data.slices}
    assert next(iter(by_name)) == "lr"
    assert by_name["lr"].title == "lr best near 0.01"
    assert by_name["act"].title == "act best with gelu"
    with_slope = sum("slope" in trial.params for trial in study.trials)
    assert int(np.isfinite(by_name["slope"].across).sum()) == with_slope < len(study.trials)


def test_the_slices_may_be_chosen() -> None:
    assert len(plot("slices", tuned(), parameters=["act"]).axes) == 1
    with pytest.raises(ValueError, match="unknown parameter 'width'"):
        plot("slices", tuned(), parameters=["width"])


def test_the_contour_is_of_the_most_important_two() -> None:
    data = contour_data(tuned().history, SPACE)
    assert data.x is not None
    assert data.y is not None
    assert (data.x.name, data.y.name) == ("lr", "act")
    assert data.mean.shape == (len(data.rows), len(data.columns)) == (2, 25)
    assert "act gelu" in data.title
    assert data.note.startswith("1 other as in trial ")


def test_the_contour_is_empty_where_a_parameter_does_not_count() -> None:
    data = contour_data(tuned().history, SPACE, x="act", y="slope")
    relu, gelu = data.mean[:, 0], data.mean[:, 1]
    assert np.isnan(relu).all()
    assert np.isfinite(gelu).all()


def test_a_contour_needs_two_parameters() -> None:
    assert "One parameter" in contour_data(along_a_line().history, along_a_line().space).title
    with pytest.raises(ValueError, match="two different parameters"):
        contour_data(tuned().history, SPACE, x="lr", y="lr")


def test_the_process_goes_through_its_trials_and_says_where_to_go_next() -> None:
    study = along_a_line()
    data = process_data(study.history, study.space)
    for across, up in zip(data.across, data.up, strict=True):
        assert float(np.interp(across, data.places, data.mean)) == pytest.approx(up, abs=0.2)
    assert all(value >= 0 for value in data.worth)
    assert data.next_place == data.places[int(np.argmax(data.worth))]
    assert 1 < 5 * data.next_place < 3
    assert data.note == ""


@cache
def limited(low: float | None = None, high: float | None = None) -> tk.Study:
    study = tk.Study(
        lambda x: {"acc": x, "size": 100 * x},
        {"x": (0.0, 1.0)},
        maximize="acc",
        constraints={"size": (low, high)} if low or high else None,
        sampler="sobol",
        seed=0,
    )
    study.run(9)
    return study


def test_the_process_goes_no_farther_than_the_limits() -> None:
    free, study = limited(), limited(high=50.0)
    assert process_data(free.history, free.space).next_place == 1.0
    data = process_data(study.history, study.space)
    assert data.next_place == pytest.approx(0.5, abs=0.02)
    beyond = [worth for at, worth in zip(data.places, data.worth, strict=True) if at > 0.6]
    assert beyond == pytest.approx([0.0] * len(beyond), abs=1e-6)
    best = study.best.metrics["acc"]
    assert 0 < max(data.worth) < 0.52 - best, "what broke the limits is no best so far"
    assert data.title.startswith("Most improvement is expected at x 0.5: ")


def test_while_nothing_keeps_the_limits_the_process_says_where_they_may_be_kept() -> None:
    data = process_data((study := limited(low=98.0)).history, study.space)
    assert data.worth_of == "chance to keep the limits"
    assert data.title.startswith("The limits are most likely kept at x 1: ")
    assert data.next_place == 1.0
    assert all(0 <= worth <= 1 for worth in data.worth)
    assert "chance to keep the limits" in [one.get_text() for one in plot("process", study).axes[1].texts]
    never = process_data((study := limited(low=900.0)).history, study.space)
    assert never.title == "Hardly anything along x keeps the limits"
    assert never.next_place is None
    assert len(plot("process", study).axes) == 2


def test_the_process_believes_in_no_share_above_one() -> None:
    study = tk.Study(
        lambda x: {"accuracy": min(1.0, 0.6 + x)}, {"x": (0.0, 1.0)}, maximize="accuracy", sampler="sobol", seed=0
    )
    study.run(9)
    data = process_data(study.history, study.space)
    assert max(data.high) <= 1.0
    assert max(data.worth) == 0.0
    assert data.title == "No improvement is expected along x"


def test_of_several_parameters_the_process_is_a_slice_through_the_best() -> None:
    study = tuned()
    data = process_data(study.history, SPACE)
    assert data.scale is not None
    assert data.scale.name == "lr"
    assert data.note == f"2 others as in trial {study.best.number}"
    assert len(plot("process", study, parameter="act").axes) == 2


def test_the_history_stands_beside_random_search() -> None:
    study = tuned()
    data = beside_random(history_data(study.history), study.history, SPACE)
    assert len(data.random_numbers) == len(data.random_low) == len(data.random_high) == len(study.trials)
    assert all(low <= high for low, high in zip(data.random_low, data.random_high, strict=True))
    assert all(np.diff(data.random_low) >= 0)
    assert "random search" in data.title
    assert "random search" not in str(plot("history", study, random=False).axes[0].get_label())


@pytest.mark.parametrize("name", ["importance", "slices", "contour", "process"])
def test_too_few_trials_show_nothing_yet(name: str) -> None:
    title = plot(name, tuned(2)).axes[0].get_title(loc="left")
    assert title == "Not known yet: 2 of the 4 trials that it takes have a score"


@pytest.mark.parametrize("name", ["importance", "slices", "contour", "process"])
def test_an_unknown_metric_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match="unknown metric 'loss': the known ones are 'score'"):
        plot(name, tuned(), metric="loss")


@pytest.mark.parametrize(("factor", "drawn"), [(1e-300, True), (1e299, True), (1.7e308, False)])
def test_scores_of_any_size_have_a_process(factor: float, drawn: bool) -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)})
    for x in np.linspace(0.05, 0.95, 8):
        study.tell({"x": float(x)}, factor * (2 * float(x) - 1))
    with np.errstate(all="ignore"):
        data = process_data(study.history, study.space)
        assert len(plot("process", study).axes) == 2
    assert (data.scale is not None) is drawn
    if drawn:
        assert 0.01 * factor < max(data.worth) < factor
        assert data.next_place == 1.0
    else:
        assert data.title == "The values of score are too far apart to say what is expected"


def test_the_course_of_the_surrogate_lies_within_the_picture() -> None:
    study = tk.Study(None, tk.Space(x=tk.Float(0.0, 1.0), y=tk.Float(0.0, 1.0)))
    for number in range(12):
        x, y = (number * 0.618) % 1 * 0.7, number / 12
        study.tell({"x": x, "y": y}, 3e6 + 4e6 * x * (1 - y))
    process, slices = process_data(study.history, study.space), slices_data(study.history, study.space)
    assert max(process.mean) > max(process.up)
    assert process.edges[1] >= max(process.mean)
    assert slices.low <= min(min(one.mean) for one in slices.slices)
    assert slices.high >= max(max(one.mean) for one in slices.slices)
