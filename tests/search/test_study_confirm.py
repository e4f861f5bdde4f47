"""Measuring the best again: new seeds, honest intervals, and nothing of it becomes a trial."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

import tunekit as tk
from tunekit.core.goal import Aim, Goal
from tunekit.core.trial import Trial
from tunekit.search.confirm import Confirmation, Confirmed


def noisy(x: float) -> float:
    return x + 0.5 * np.random.standard_normal()


def study(objective: Callable[..., Any] = noisy, **options: Any) -> tk.Study:
    return tk.Study(objective, {"x": (0.0, 1.0)}, **{"sampler": "random", "seed": 0, **options})


def searched(objective: Callable[..., Any] = noisy, trials: int = 20, **options: Any) -> tk.Study:
    one = study(objective, **options)
    one.run(trials)
    return one


def test_the_best_are_measured_again_with_new_seeds() -> None:
    seeds: list[tuple[int, int]] = []

    def objective(x: float, trial: Any) -> float:
        seeds.append((trial.number, trial.seed))
        return noisy(x)

    one = searched(objective)
    seen, ranked = list(seeds), sorted(one.trials, key=lambda trial: -trial.metrics["score"])
    seeds.clear()
    result = one.confirm(top=3, repeats=4)
    assert [row.trial for row in result.trials] == ranked[:3]
    assert [number for number, _ in seeds] == [trial.number for trial in ranked[:3]] * 4
    assert len({seed for _, seed in (*seeds, *seen)}) == 32
    for row in result.trials:
        assert row.searched == row.trial.metrics["score"]
        assert len(set(row.scores)) == 4


def test_the_repeats_are_no_trials_and_the_study_says_the_same_as_before() -> None:
    one = searched()
    one.run(5, timeout=1e-9)
    before = repr(one), one.trials
    assert "timeout were over" in before[0]
    one.confirm()
    assert (repr(one), one.trials) == before
    other = searched(trials=22)
    one.run(22 - len(one.history.complete))
    assert [trial.metrics for trial in one.trials] == [trial.metrics for trial in other.trials]


def test_with_a_seed_it_is_the_same_each_time_and_without_it_works_too() -> None:
    one, other = searched(), searched()
    assert repr(one.confirm()) == repr(other.confirm())
    assert one.confirmation is not None
    assert [row.scores for row in one.confirm().trials] == [row.scores for row in one.confirmation.trials]
    free = searched(seed=None)
    assert len(set(free.confirm(1, 6).trials[0].scores)) == 6


def test_mean_and_interval_are_students() -> None:
    scores = (0.91, 0.94, 0.90, 0.97)
    row = Confirmed(Trial(0, {}), 0.99, scores)
    low, high = stats.t.interval(0.95, 3, loc=np.mean(scores), scale=stats.sem(scores))
    assert row.mean == pytest.approx(np.mean(scores))
    assert row.interval == pytest.approx((low, high))
    assert Confirmed(Trial(0, {}), 0.99, (0.9,)).interval is None
    assert Confirmed(Trial(0, {}), 0.99).mean is None


def test_the_winner_of_a_noisy_search_was_too_good() -> None:
    one = searched(trials=60)
    row = one.confirm(top=1, repeats=20).trials[0]
    assert row.interval is not None
    assert row.interval[1] < row.searched
    assert row.interval[0] < row.trial.params["x"] < row.interval[1]


def test_a_stop_acts_at_a_step_and_keeps_what_is_there() -> None:
    started = threading.Event()
    is_slow = False

    def steps(x: float) -> Iterator[float]:
        for _ in range(3 if not is_slow else 50):
            time.sleep(0.001)
            yield x
        started.set()

    one = searched(steps, trials=4)
    is_slow = True
    started.clear()
    results: list[Confirmation] = []
    thread = threading.Thread(target=lambda: results.append(one.confirm(top=2, repeats=100)))
    thread.start()
    started.wait(10)
    assert "Measuring trial" in one.status().words
    assert "of 200 done" in one.status().words
    with pytest.raises(RuntimeError, match="one thing at a time"):
        one.confirm()
    one.stop()
    thread.join()
    (result,) = results
    assert one.confirmation == result
    assert result.is_partial
    assert len(result.trials[0].scores) >= 1
    assert "stopped after" in repr(result)
    assert "of 200 repeats, what was measured is kept" in repr(result)
    assert len(one.trials) == 4


def test_failed_repeats_are_counted_and_said() -> None:
    is_over = False

    def objective(x: float, trial: Any) -> float:
        if is_over and trial.seed % 2:
            raise ValueError("odd")
        return x

    one = searched(objective)
    is_over = True
    result = one.confirm(top=1, repeats=8)
    failed = result.trials[0].failed
    assert 0 < failed < 8
    assert len(result.trials[0].scores) == 8 - failed
    assert f"{failed} of 8 repeats of trial {result.trials[0].trial.number} failed." in repr(result)
    assert not result.is_partial


def test_only_trials_within_the_limits_are_confirmed_and_a_broken_limit_is_said() -> None:
    def objective(x: float) -> Mapping[str, float]:
        return {"score": x, "size": x + 0.2 * np.random.standard_normal()}

    one = searched(objective, constraints={"size": (None, 0.7)})
    result = one.confirm(top=2, repeats=10)
    assert all(row.trial.metrics["size"] <= 0.7 for row in result.trials)
    outside = result.trials[0].outside
    assert 0 < outside <= 10
    assert f"{outside} of 10 repeats of trial {result.trials[0].trial.number} broke a limit." in repr(result)


def test_equal_settings_are_confirmed_once() -> None:
    one = tk.Study(lambda act: noisy(0.5), {"act": ["relu", "gelu"]}, sampler="grid", seed=0)
    for score in (0.1, 0.9, 0.5):
        one.tell({"act": "relu"}, score)
    one.tell({"act": "gelu"}, 0.3)
    assert [row.trial.number for row in one.confirm(top=4, repeats=2).trials] == [1, 3]


# What it says


def row(number: int, searched: float, *scores: float) -> Confirmed:
    return Confirmed(Trial(number, {}), searched, scores)


def test_it_says_which_stays_best_and_which_cannot_be_told_apart() -> None:
    clear = Confirmation(Goal(), (row(7, 0.95, 0.94, 0.95), row(2, 0.94, 0.50, 0.51)), 2)
    assert "Trial 7 stays best.\nIn the repeats trial 7 is 0.005 worse than in the search." in repr(clear)
    assert (clear.best, clear.tied) == (Trial(7, {}), ())
    turned = Confirmation(
        Goal(), (row(7, 0.95, 0.80, 0.81, 0.82), row(2, 0.94, 0.90, 0.93, 0.96), row(5, 0.9, 0.91, 0.92, 0.93)), 3
    )
    assert "Trial 2 is now best, in the search it was trial 7." in repr(turned)
    assert "It cannot be told apart from trial 5: their intervals overlap." in repr(turned)


def test_downwards_the_lowest_mean_is_best() -> None:
    goal = Goal(Aim("loss", maximize=False))
    result = Confirmation(goal, (row(1, 0.10, 0.30, 0.31), row(2, 0.12, 0.12, 0.13)), 2)
    assert result.best == Trial(2, {})
    assert "Trial 2 is now best, in the search it was trial 1." in repr(result)
    assert "In the repeats trial 1 is 0.205 worse than in the search." in repr(result)


def test_stopped_at_once_it_says_so() -> None:
    nothing = Confirmation(Goal(), (row(1, 0.5), row(2, 0.4)), 5)
    assert nothing.best is None
    assert "2 trials measured again with new seeds; stopped after 0 of 10 repeats" in repr(nothing)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: searched().confirm(top=0), "top is a whole number from 1: got 0"),
        (lambda: searched().confirm(repeats=1), "repeats is a whole number from 2: got 1"),
        (lambda: study().confirm(), "there is none yet; run the study first"),
        (lambda: study(lambda x: {"a": x, "b": x}, maximize=["a", "b"]).confirm(), "goes for 'a', 'b'; look at"),
    ],
)  # fmt: skip
def test_bad_input_says_the_rule_and_the_value(make: Any, words: str) -> None:
    with pytest.raises((ValueError, RuntimeError), match=words):
        make()
