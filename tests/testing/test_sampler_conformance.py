"""The suite for samplers finds what is wrong with one: each fault by the test that is about it."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import tunekit as tk
from tunekit.core import seeds
from tunekit.core.history import History
from tunekit.search.samplers import Sampler
from tunekit.search.samplers.random import Random, draw_untried
from tunekit.search.space import Space
from tunekit.testing.play import play

Params = Mapping[str, Any] | None
Propose = Callable[[Space, History, np.random.Generator], Params]


class Made:
    """A sampler whose proposals are a function's."""

    def __init__(self, propose: Propose) -> None:
        self._propose = propose

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Params:
        return self._propose(space, history, rng)


def suite(make: Callable[[], Sampler]) -> tk.testing.SamplerConformance:
    class Suite(tk.testing.SamplerConformance):
        def make(self) -> Sampler:
            return make()

    return Suite()


def names() -> list[str]:
    return [name for name in dir(tk.testing.SamplerConformance) if name.startswith("test_")]


@pytest.mark.parametrize("name", names())
def test_a_sound_sampler_passes(name: str) -> None:
    getattr(suite(Random), name)()


def any_settings(space: Space, history: History, rng: np.random.Generator) -> Params:
    return space.sample(rng)


def of_numpys_types(space: Space, history: History, rng: np.random.Generator) -> Params:
    params = draw_untried(space, history, rng)
    return params and {n: np.float64(v) if isinstance(v, float) else v for n, v in params.items()}


def out_of_bounds(space: Space, history: History, rng: np.random.Generator) -> Params:
    params = draw_untried(space, history, rng)
    return params and {n: v * 1.5 if isinstance(v, float) else v for n, v in params.items()}


def with_all_names(space: Space, history: History, rng: np.random.Generator) -> Params:
    params = draw_untried(space, history, rng)
    return params and {name: space[name].from_unit(0.5) for name in space} | dict(params)


def with_bools_as_numbers(space: Space, history: History, rng: np.random.Generator) -> Params:
    params = draw_untried(space, history, rng)
    return params and {n: float(v) if isinstance(v, bool) else v for n, v in params.items()}


def blind_to_running_trials(space: Space, history: History, rng: np.random.Generator) -> Params:
    ended = History(history.goal)
    play(Made(lambda space, ended, rng: history[len(ended)].params), space, len(history.complete), history=ended)
    return draw_untried(space, ended, np.random.default_rng(len(ended)))


def up_to_the_third_failure(space: Space, history: History, rng: np.random.Generator) -> Params:
    return draw_untried(space, history, rng) if sum(t.state == "failed" for t in history) < 3 else None


def divided_by_the_range(space: Space, history: History, rng: np.random.Generator) -> Params:
    gains = [trial.metrics["score"] for trial in history.complete]
    if len(gains) > 4 and max(gains) == min(gains):
        raise ZeroDivisionError("float division by zero")
    return draw_untried(space, history, rng)


def near_the_largest(space: Space, history: History, rng: np.random.Generator) -> Params:
    """Only what maximizes: the metric's own sign decides, whichever way the goal counts."""
    largest = max(history.complete, key=lambda trial: trial.metrics["score"], default=None)
    if largest is None or space.count is not None:
        return draw_untried(space, history, rng)
    return space.from_unit((space.to_unit(largest.params) + rng.random(len(space))) / 2)


def with_a_warning(space: Space, history: History, rng: np.random.Generator) -> Params:
    warnings.warn("a matrix is nearly singular", RuntimeWarning, stacklevel=1)
    return draw_untried(space, history, rng)


def with_a_word(space: Space, history: History, rng: np.random.Generator) -> Params:
    print("asking")
    return draw_untried(space, history, rng)


def from_global_numbers(space: Space, history: History, rng: np.random.Generator) -> Params:
    return draw_untried(space, history, np.random.default_rng(random.getrandbits(32)))


def seeding_numpy(space: Space, history: History, rng: np.random.Generator) -> Params:
    np.random.seed(0)
    return draw_untried(space, history, rng)


def leaving_one_thread(space: Space, history: History, rng: np.random.Generator) -> Params:
    threadpool_limits(limits=1, user_api="blas")
    return draw_untried(space, history, rng)


def silencing_numpy(space: Space, history: History, rng: np.random.Generator) -> Params:
    np.seterr(all="ignore")
    return draw_untried(space, history, rng)


def silencing_warnings(space: Space, history: History, rng: np.random.Generator) -> Params:
    warnings.simplefilter("ignore")
    return draw_untried(space, history, rng)


def writing_into_the_history(space: Space, history: History, rng: np.random.Generator) -> Params:
    for trial in history:
        trial.metrics["cost"] = 1.0  # type: ignore[index]
    return draw_untried(space, history, rng)


def of_the_only_aim(space: Space, history: History, rng: np.random.Generator) -> Params:
    (_aim,) = history.goal.aims
    return draw_untried(space, history, rng)


def while_some_keep_the_limits(space: Space, history: History, rng: np.random.Generator) -> Params:
    if len(history.complete) > 4:
        assert history.best is not None
    return draw_untried(space, history, rng)


def beside_the_earlier_study(space: Space, history: History, rng: np.random.Generator) -> Params:
    return draw_untried(space, history, rng) if len(history.prior) == 0 else None


def up_to_a_thousand(space: Space, history: History, rng: np.random.Generator) -> Params:
    return draw_untried(space, history, rng) if len(history) < 1000 else None


def never_ending(space: Space, history: History, rng: np.random.Generator) -> Params:
    params = draw_untried(space, history, rng)
    return space.sample(rng) if params is None else params


class Remembering:
    """Goes on with a generator of its own: what it proposes depends on what it was asked before."""

    def __init__(self) -> None:
        self.rng: np.random.Generator | None = None

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Params:
        self.rng = self.rng or rng
        return draw_untried(space, history, self.rng)


class CountingTrials:
    """Takes the number of its own calls for the number of trials."""

    def __init__(self) -> None:
        self.calls = 0

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Params:
        self.calls += 1
        return draw_untried(space, history, np.random.default_rng(self.calls))


FAULTS: list[tuple[Any, str]] = [
    (any_settings, "test_few_settings_are_tried_once_each_and_then_it_ends"),
    (any_settings, "test_running_failed_and_stopped_trials_are_tried_as_well"),
    (never_ending, "test_few_settings_are_tried_once_each_and_then_it_ends"),
    (of_numpys_types, "test_it_proposes_settings_of_the_space"),
    (out_of_bounds, "test_it_proposes_settings_of_the_space"),
    (with_all_names, "test_it_proposes_settings_of_the_space"),
    (with_bools_as_numbers, "test_it_proposes_settings_of_the_space"),
    (with_bools_as_numbers, "test_odd_spaces_work"),
    (out_of_bounds, "test_random_spaces_work"),
    (blind_to_running_trials, "test_four_at_once_are_four_different_ones"),
    (up_to_the_third_failure, "test_failed_trials_do_not_stop_it"),
    (divided_by_the_range, "test_scores_of_any_size_work"),
    (near_the_largest, "test_to_minimize_is_to_maximize_the_negative"),
    (with_a_warning, "test_it_proposes_settings_of_the_space"),
    (with_a_word, "test_nothing_around_it_changes"),
    (from_global_numbers, "test_nothing_around_it_changes"),
    (from_global_numbers, "test_the_same_question_has_the_same_answer"),
    (seeding_numpy, "test_nothing_around_it_changes"),
    (silencing_numpy, "test_nothing_around_it_changes"),
    (silencing_warnings, "test_nothing_around_it_changes"),
    (leaving_one_thread, "test_nothing_around_it_changes"),
    (writing_into_the_history, "test_nothing_around_it_changes"),
    (of_the_only_aim, "test_several_aims_work"),
    (while_some_keep_the_limits, "test_limits_work"),
    (beside_the_earlier_study, "test_trials_of_an_earlier_study_are_no_trials_of_this_one"),
    (up_to_a_thousand, "test_many_trials_are_no_end"),
    (Remembering, "test_the_same_question_has_the_same_answer"),
    (Remembering, "test_it_may_lose_its_memory"),
    (CountingTrials, "test_it_may_lose_its_memory"),
    (CountingTrials, "test_two_searches_share_one_object"),
]  # fmt: skip


@pytest.fixture
def _surroundings_come_back() -> Iterator[None]:
    with seeds.seeded(0), np.errstate(), warnings.catch_warnings(), threadpool_limits(limits=2, user_api="blas"):
        yield


@pytest.mark.usefixtures("_surroundings_come_back")
@pytest.mark.parametrize(("fault", "name"), FAULTS)
def test_a_fault_is_found(fault: Any, name: str) -> None:
    one = suite(fault if isinstance(fault, type) else lambda: Made(fault))
    with pytest.raises((AssertionError, ArithmeticError, ValueError, Warning)):
        getattr(one, name)()


def test_a_grid_may_end_and_others_may_not() -> None:
    ends = Made(lambda space, history, rng: draw_untried(space, history, rng) if len(history) < 3 else None)
    one = suite(lambda: ends)
    with pytest.raises(AssertionError, match="goes on while there are settings to try: None at trial 3"):
        one.test_it_proposes_settings_of_the_space()
    one.endless = False
    one.test_it_proposes_settings_of_the_space()


def test_one_aim_alone_is_said_at_once() -> None:
    one = suite(Random)
    one.several_aims = False
    with pytest.raises(AssertionError, match="raises a ValueError at several"):
        one.test_several_aims_work()
    other = suite(lambda: Made(of_the_only_aim))
    other.several_aims = False
    other.test_several_aims_work()


def test_a_suite_says_how_its_sampler_is_made() -> None:
    with pytest.raises(TypeError, match="make"):
        tk.testing.SamplerConformance()  # type: ignore[abstract]


def test_a_person_runs_it_from_a_file_of_their_own(tmp_path: Any) -> None:
    file = tmp_path / "test_mine.py"
    file.write_text(
        "from tunekit.search.samplers.random import Random\n"
        "from tunekit.testing import SamplerConformance\n\n\n"
        "class TestMine(SamplerConformance):\n"
        "    def make(self):\n"
        "        return Random()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "limits", str(file)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout
    assert "1 passed, 17 deselected" in run.stdout
