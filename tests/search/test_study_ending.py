"""What ends a run before its number of trials, and that the study says which it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.history import History

SPACE = tk.Space(x=tk.Int(1, 10))


def plain(x: int) -> float:
    return x / 10


def both(x: int) -> Mapping[str, float]:
    return {"accuracy": x / 10, "size": float(abs(x - 7))}


def study(objective: Callable[..., Any] = plain, **options: Any) -> tk.Study:
    return tk.Study(objective, SPACE, **{"sampler": _Upwards(), **options})


class _Upwards:
    """Proposes 1, 2, 3, ..."""

    def propose(self, space: tk.Space, history: History, rng: np.random.Generator) -> Mapping[str, Any]:
        return {"x": len(history) % 10 + 1}


class _Hopeful(_Upwards):
    """Expects nothing it could tell for three trials, then half of what the trial before had."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def expected_gain(self, space: tk.Space, history: History, rng: np.random.Generator) -> float | None:
        self.asked.append(float(rng.random()))
        return None if len(history) < 3 else 0.5 ** (len(history) - 2)


def test_a_number_is_the_target_of_the_aim() -> None:
    one = study()
    assert one.run(10, until=0.5).words.endswith("Ended because the target 0.5 was reached.")
    assert len(one.trials) == 5
    assert repr(one).endswith("Ended because the target 0.5 was reached.")


def test_downwards_it_is_reached_from_above_and_better_will_do() -> None:
    one = study(lambda x: 10.0 - 3 * x, minimize="loss")
    assert "the target 2 was reached" in one.run(10, until={"loss": 2}).words
    assert [trial.metrics["loss"] for trial in one.trials] == [7.0, 4.0, 1.0]


def test_what_is_reached_already_needs_no_trial_and_a_higher_target_goes_on() -> None:
    one = study()
    one.run(10, until=0.5)
    one.run(10, until=0.5)
    assert len(one.trials) == 5
    assert "Ended because" not in one.run(2, until=0.95).words
    assert len(one.trials) == 7


def test_several_targets_are_reached_by_one_trial() -> None:
    one = study(both, maximize="accuracy", minimize="size")
    words = one.run(10, until={"accuracy": 0.3, "size": 1}).words
    assert "Ended because the target accuracy 0.3 and size 1 was reached." in words
    assert len(one.trials) == 6


def test_a_trial_outside_of_the_limits_reaches_nothing() -> None:
    one = study(both, maximize="accuracy", constraints={"size": (None, 2)})
    one.run(10, until=0.2)
    assert len(one.trials) == 5


def test_a_target_told_from_elsewhere_ends_it_too() -> None:
    one = study()
    one.tell({"x": 9}, 0.9)
    one.run(10, until=0.85)
    assert len(one.trials) == 1


def test_it_ends_when_the_sampler_expects_too_little() -> None:
    sampler = _Hopeful()
    one = study(sampler=sampler, seed=0)
    words = one.run(10, until={"gain": 0.1}).words
    assert words.endswith("Ended because the next trial was expected to improve score by less than 0.1.")
    assert len(one.trials) == 6
    assert len(set(sampler.asked)) == 7


def test_without_a_gain_the_sampler_is_not_asked() -> None:
    sampler = _Hopeful()
    study(sampler=sampler).run(3, until=5.0)
    assert sampler.asked == []


def test_no_trial_begins_after_the_seconds_and_the_last_one_is_finished() -> None:
    def slow(x: int) -> float:
        time.sleep(0.05)
        return plain(x)

    one = study(slow)
    words = one.run(10_000, until={"seconds": 0.2}).words
    assert "Ended because the 200 ms for new trials were over." in words
    assert 1 <= len(one.trials) <= 4
    assert {trial.state for trial in one.trials} == {"complete"}


def test_of_several_conditions_the_first_that_holds_is_named() -> None:
    one = study(sampler=_Hopeful())
    assert "the target 0.4 was reached" in one.run(10, until={"score": 0.4, "gain": 0.1, "seconds": 60}).words
    assert "less than 0.3" in study(sampler=_Hopeful()).run(10, until={"score": 0.9, "gain": 0.3}).words


def test_a_metric_of_the_name_of_a_condition_is_a_target() -> None:
    one = study(lambda x: {"seconds": 10.0 - x}, minimize="seconds")
    assert "the target 7 was reached" in one.run(10, until={"seconds": 7}).words
    assert len(one.trials) == 3


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ({"accuracy": 0.9}, "unknown 'accuracy'; the known ones are 'score', 'gain', 'seconds'"),
        ("0.9", "finite numbers: got '0.9' for 'score'"),
        (float("nan"), "finite numbers: got nan for 'score'"),
        (True, "finite numbers: got True for 'score'"),
        ({"seconds": 0}, "'seconds' in until= is above 0: got 0"),
        ({"gain": -1}, "'gain' in until= is above 0: got -1"),
        ({"gain": 0.1}, r"needs a sampler with expected_gain\(space, history, rng\): _upwards has none; samplers that"),
    ],
)  # fmt: skip
def test_bad_input_says_the_rule_and_the_value(until: Any, words: str) -> None:
    one = study()
    with pytest.raises(ValueError, match=words):
        one.run(3, until=until)
    assert one.trials == ()
