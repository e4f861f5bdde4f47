"""A study of several metrics and of limits: what counts, what it says, what is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import tunekit as tk
from tunekit.plots.front import front_data
from tunekit.plots.history import history_data

SPACE = {"x": tk.Int(0, 10), "y": tk.Int(0, 10)}


def net(x: int, y: int) -> Mapping[str, float]:
    return {"accuracy": float(x), "size_kb": 10.0 * x + y}


def study(objective: Callable[..., Any] | None = net, **options: Any) -> tk.Study:
    return tk.Study(objective, SPACE, **{"sampler": "random", "seed": 0, **options})


def told(*points: tuple[int, int], **options: Any) -> tk.Study:
    one = study(None, **options)
    for x, y in points:
        one.tell({"x": x, "y": y}, net(x, y))
    return one


BOTH: dict[str, Any] = {"maximize": "accuracy", "minimize": "size_kb"}
LIMITED: dict[str, Any] = {"maximize": "accuracy", "constraints": {"size_kb": (None, 50)}}


def test_several_metrics_make_a_front() -> None:
    one = told((1, 0), (3, 5), (3, 1), (2, 9), (5, 0), **BOTH)
    assert [trial.number for trial in one.front] == [4, 2, 3, 0]
    assert one.hypervolume({"accuracy": 0, "size_kb": 60}) == 5 * 10 + 3 * (50 - 31) + 2 * (31 - 29) + 1 * (29 - 10)
    with pytest.raises(RuntimeError, match=r"goes for 'accuracy', 'size_kb'; use study.front"):
        _ = one.best
    assert "Front of 4 trials: accuracy 1.00 to 5.00, size_kb 10.0 to 50.0." in repr(one)


def test_the_reference_is_the_worst_of_the_complete_trials() -> None:
    one = told((1, 0), (3, 1), (5, 0), **BOTH)
    assert one.hypervolume() == one.hypervolume({"accuracy": 1, "size_kb": 50}) == 2 * (50 - 31)
    assert study(None, **BOTH).hypervolume() == 0
    with pytest.raises(ValueError, match="a value for each aim, 'accuracy', 'size_kb': got 'accuracy'"):
        one.hypervolume({"accuracy": 1})
    with pytest.raises(ValueError, match="are finite: got accuracy=nan, size_kb=50"):
        one.hypervolume({"accuracy": float("nan"), "size_kb": 50})


def test_maximized_metrics_come_first_and_each_way_is_kept() -> None:
    one = study(None, maximize=["a", "b"], minimize=("c",))
    assert [(aim.metric, aim.maximize) for aim in one.history.goal.aims] == [("a", True), ("b", True), ("c", False)]


def test_a_study_with_aims_and_limits_runs_with_every_sampler() -> None:
    for sampler in ("random", "grid", "bayes"):
        one = study(**BOTH, constraints={"size_kb": (None, 60)}, sampler=sampler)
        one.run(12)
        assert len(one.front) >= 1
        assert all(trial.metrics["size_kb"] <= 60 for trial in one.front)


def test_what_breaks_a_limit_is_not_the_best() -> None:
    one = told((9, 0), (4, 0), (5, 0), (6, 0), **LIMITED)
    assert one.best.params == {"x": 5, "y": 0}
    assert repr(one).endswith(
        "4 trials, all complete. 2 of 4 keep the limits. Best accuracy 5.00 at trial 2: x=5, y=0."
    )


def test_where_nothing_keeps_the_limits_it_says_what_came_closest() -> None:
    one = told((9, 0), (6, 0), (7, 0), **LIMITED)
    words = "trial 1 came closest, its size_kb 60.0 is 10.0 above the limit 50.0"
    with pytest.raises(RuntimeError, match=f"keeps the limits: none does yet; {words}"):
        _ = one.best
    assert f"None keeps the limits: {words}." in repr(one)
    assert one.front == ()


def test_closest_is_told_for_lower_bounds_and_several_limits() -> None:
    limits = {"size_kb": (100, None), "accuracy": (8, 9)}
    one = told((1, 0), (7, 9), **{**LIMITED, "constraints": limits})
    with pytest.raises(
        RuntimeError, match=r"trial 1 .* size_kb 79.0 is 21.0 below .* 100 and its accuracy 7.00 is 1.00"
    ):
        _ = one.best


def test_the_status_tells_the_front_and_the_limits() -> None:
    seen: list[str] = []

    def objective(x: int, y: int) -> Mapping[str, float]:
        seen.append(one.status().words)
        return net(x, y)

    one = study(objective, **BOTH)
    one.run(4)
    assert "no score yet" in seen[0]
    assert "front of " in seen[-1]
    one = study(objective, maximize="accuracy", constraints={"size_kb": (None, -5)})
    one.run(3)
    assert "none within the limits yet, trial " in seen[-1]


# What the objective must give


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (0.5, "must give a dict with 'accuracy', 'size_kb': a single number is enough where .* got 0.500"),
        ({"accuracy": 1.0}, "must give the metric 'size_kb' .* it gave 'accuracy'"),
        ({}, "must give the metrics 'accuracy', 'size_kb' .* it gave none"),
        ({"accuracy": 1.0, "size_kb": float("nan")}, "size_kb is nan"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("goal", [BOTH, LIMITED], ids=["aims", "limits"])
def test_a_trial_without_all_metrics_fails(goal: dict[str, Any], given: Any, reason: str) -> None:
    one = study(lambda x, y: given, **goal)
    with pytest.raises(RuntimeError, match=reason):
        one.run(5)


def test_after_a_step_the_first_metric_is_enough_and_at_the_end_it_is_not() -> None:
    def dear(x: int, y: int) -> Iterator[Mapping[str, float]]:
        yield {"accuracy": 0.5}
        yield {"accuracy": 0.6, "size_kb": 5.0} if x != y else {"accuracy": 0.6}

    one = tk.Study(dear, {"x": tk.Choice(1), "y": tk.Choice(1, 2)}, sampler="grid", **BOTH)
    one.run(2)
    assert [trial.state for trial in one.trials] == ["failed", "complete"]
    assert "must give the metric 'size_kb'" in (one.trials[0].reason or "")
    assert one.trials[1].metrics == {"accuracy": 0.6, "size_kb": 5.0}


# Pictures


def test_the_history_shows_what_breaks_the_limits_apart() -> None:
    data = history_data(told((4, 0), (9, 0), (5, 0), (6, 0), **LIMITED).history)
    assert (data.numbers, data.scores, data.best, data.best_number) == ((0, 2), (4.0, 5.0), (4.0, 5.0), 2)
    assert (data.outside_numbers, data.outside_scores) == ((1, 3), (9.0, 6.0))
    assert data.title == "Best accuracy 5.00, at trial 2"
    assert history_data(told((9, 0), **LIMITED).history).title == "No accuracy within the limits yet"


def test_the_history_of_several_aims_says_which_it_shows() -> None:
    data = history_data(told((1, 0), (3, 5), (5, 0), **BOTH).history)
    assert data.title == "Front of 3 trials; best accuracy 5.00, at trial 2"


def test_the_front_is_told_from_the_rest() -> None:
    one = told((1, 0), (3, 5), (3, 1), (5, 0), (9, 9), **BOTH, constraints={"accuracy": (None, 8)})
    data = front_data(one.history)
    assert data.front == ((10.0, 1.0), (31.0, 3.0), (50.0, 5.0))
    assert (data.others, data.outside) == (((35.0, 3.0),), ((99.0, 9.0),))
    assert data.steps == "steps-post"
    assert data.title == "Front of 3 trials, accuracy from 1.00 to 5.00"
    assert front_data(told((1, 0), maximize=["accuracy", "size_kb"]).history).steps == "steps-pre"


# Bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maximize": "a", "minimize": "a"}, "an aim once, in maximize= or in minimize=: 'a' stands there twice"),
        ({"maximize": ["a", "b", "a"]}, "'a' stands there twice"),
        ({"maximize": ["a", 3]}, r"the name of a metric, or several in a list: got \['a', 3\]"),
        ({"minimize": ""}, "the name of a metric, or several in a list: got ''"),
        ({"maximize": {"a"}}, "in a list: got"),
        ({"constraints": ("a", 1)}, "bounds by metric, such as"),
        ({"constraints": {"": (0, 1)}}, "bounds a metric by its name: got ''"),
        ({"constraints": {"a": 100}}, r"'a' is a pair .* got 100; write \(None, 100\)"),
        ({"constraints": {"a": (None, None)}}, r"bounds something: got \(None, None\)"),
        ({"constraints": {"a": (2, 1)}}, r"low <= high: got \(2, 1\); did you mean \(1, 2\)"),
        ({"constraints": {"a": (None, "100")}}, "of finite numbers: got '100'"),
        ({"constraints": {"a": (float("nan"), None)}}, "of finite numbers: got nan"),
        ({"constraints": {"a": (None, True)}}, "of finite numbers: got True"),
    ],
)  # fmt: skip
def test_a_goal_that_breaks_a_rule_is_an_error(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        study(**options)
