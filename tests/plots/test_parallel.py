"""Parallel coordinates: where each trial lies on each axis, and what the best have in common."""

from __future__ import annotations

import pytest

import tunekit as tk
from tunekit.plots import plot
from tunekit.plots.parallel import parallel_data

SPACE = tk.Space(
    lr=tk.Float(1e-4, 1e-1, log=True),
    act=tk.Choice("relu", "gelu"),
    slope=tk.Float(0, 1, when={"act": "gelu"}),
)


def tuned(trials: int = 20) -> tk.Study:
    study = tk.Study(None, SPACE)
    for number in range(trials):
        share = number / trials
        params = {"lr": 10 ** (-4 + 3 * share), "act": "relu" if number % 2 else "gelu"}
        study.tell({**params, "slope": share} if params["act"] == "gelu" else params, share)
    return study


def test_each_axis_has_its_own_scale() -> None:
    study = tuned()
    data = parallel_data(study.history, study.space)
    assert [scale.name for scale in data.scales] == ["lr", "act", "slope", "score"]
    assert data.scales[0].ends == ("0.0001", "0.1")
    assert [label for _, label in data.scales[1].ticks] == ["relu", "gelu"]
    first = min(data.others, key=lambda line: line[-1] or 0.0)
    assert first == (0.0, 0.75, 0.0, 0.0)


def test_what_does_not_count_has_no_place() -> None:
    study = tuned()
    best = parallel_data(study.history, study.space).leaders[0]
    assert best[1:3] == (0.25, None)
    assert best[3] == 1.0


def test_the_title_says_what_the_best_have_in_common() -> None:
    study = tuned()
    data = parallel_data(study.history, study.space)
    assert data.title == "The best 5 have lr 0.0178 to 0.0708"
    assert "too few" in parallel_data(tuned(1).history, SPACE).title


def test_failed_ones_end_before_the_metric() -> None:
    study = tuned(3)
    study.tell({"lr": 0.1, "act": "relu"}, error="diverged")
    assert parallel_data(study.history, study.space).failed == ((1.0, 0.25, None),)


def test_of_many_parameters_those_are_shown_on_which_the_best_agree() -> None:
    space = tk.Space({f"p{number}": (0.0, 1.0) for number in range(12)})
    study = tk.Study(None, space, sampler="random", seed=0)
    for _ in range(60):
        trial = study.ask()
        study.tell(trial, -abs(trial.params["p11"] - 0.5))
    data = parallel_data(study.history, space)
    assert len(data.scales) == 9
    assert "p11" in [scale.name for scale in data.scales]
    assert data.note == "8 of 12 parameters are shown"


def test_the_parameters_may_be_chosen() -> None:
    study = tuned()
    axes = plot("parallel", study, parameters=["act", "lr"]).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["act", "lr", "score"]
    with pytest.raises(ValueError, match="unknown parameter 'width': the known ones are 'lr', 'act', 'slope'"):
        plot("parallel", study, parameters=["width"])


def test_less_that_is_better_is_said() -> None:
    study = tk.Study(None, SPACE, minimize="loss")
    study.tell({"lr": 0.1, "act": "relu"}, 1.0)
    assert parallel_data(study.history, SPACE).note == "less loss is better"


@pytest.mark.parametrize(
    ("sizes", "subject"),
    [([0.0] * 10, "The only trial on the front has"), ([1.0, 0.9] + [2.0] * 10, "The 2 on the front have")],
)
def test_the_title_counts_the_trials_on_the_front(sizes: list[float], subject: str) -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize="score", minimize="size")
    for number, size in enumerate(sizes):
        study.tell({"x": 0.9 - number / 20}, {"score": -float(number), "size": size + number * (size == 0)})
    assert parallel_data(study.history, study.space).title.startswith(subject)
