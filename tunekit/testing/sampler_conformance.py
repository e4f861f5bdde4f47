"""What every sampler holds, as tests that run on one of your own."""

from __future__ import annotations

import contextlib
import copy
import io
import random
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from tunekit.core import seeds
from tunekit.core.events import TrialStarted
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History
from tunekit.search.samplers import Sampler
from tunekit.search.samplers.combinations import all_combinations
from tunekit.search.space import Space
from tunekit.testing.play import Metrics, Objective, ask, play, smooth, tell
from tunekit.testing.spaces import CATEGORIES, MIXED, ODD, SMALL, spaces

# Beyond the random start of a usual model-based sampler, so that its model is asked as well.
_TRIALS = 14


class SamplerConformance(ABC):
    """Subclass it in a test file, say how to make the sampler, and pytest runs what every sampler holds.

    Attributes
    ----------
    endless
        Whether it always has something to propose where there is no end of settings; a grid has not.
    several_aims
        Whether it takes several aims at once; one that does not raises a `ValueError`.
    many
        How many trials a long history has.
    examples
        How many random spaces hypothesis tries, 1 or more.

    Examples
    --------
    >>> from tunekit.search.samplers.random import Random
    >>> class TestRandom(SamplerConformance):
    ...     def make(self):
    ...         return Random()
    >>> TestRandom().test_the_same_question_has_the_same_answer()
    """

    endless = True
    several_aims = True
    many = 2000
    examples = 12

    @abstractmethod
    def make(self) -> Sampler:
        """A new sampler, which knows nothing yet."""

    def _play(self, space: Space, trials: int, objective: Objective = smooth, **options: Any) -> History:
        """A search that must neither end before the settings do, nor try one of few settings twice."""
        before = len(options["history"]) if "history" in options else 0
        history = play(self.make(), space, trials, objective, **options)
        combinations = all_combinations(space)
        there_are = trials if combinations is None else min(trials, combinations.count)
        least = there_are if self.endless else 1
        assert len(history) >= before + least, (
            f"a sampler goes on while there are settings to try: None at trial {len(history)} of {space}"
        )
        if space.count is not None:
            keys = _keys(space, history)
            assert len(set(keys)) == len(keys), f"nothing is tried twice: {_settings(history)} in {space}"
        return history

    # What it proposes

    def test_it_proposes_settings_of_the_space(self) -> None:
        """Names, bounds, steps, conditions and exact types are the space's."""
        self._play(MIXED, _TRIALS)

    def test_odd_spaces_work(self) -> None:
        """One parameter, huge ranges, single values, values that equal each other, nested conditions."""
        for space in ODD.values():
            self._play(space, 8)

    def test_random_spaces_work(self) -> None:
        """Any space that hypothesis can think of, with trials that fail among those that do not."""
        import pytest

        pytest.importorskip("hypothesis")
        from hypothesis import given, settings
        from hypothesis import strategies as st

        @settings(max_examples=self.examples, deadline=None, derandomize=True, database=None)
        @given(spaces(), st.integers(0, 2**63))
        def hold(space: Space, seed: int) -> None:
            self._play(space, 7, _failing_every(3), seed=seed)

        hold()

    def test_few_settings_are_tried_once_each_and_then_it_ends(self) -> None:
        """In a small space nothing is tried twice, nothing is left out, and then the answer is None."""
        for name, (space, count) in SMALL.items():
            history = self._play(space, count + 2)
            told = f"a small space is tried whole, {count} settings: {name}, {_settings(history)}"
            assert len(history) == count, told
            assert ask(self.make(), space, history) is None, f"None when every setting has been tried: {name}"

    def test_running_failed_and_stopped_trials_are_tried_as_well(self) -> None:
        """A small space is used up when each setting has been begun, whatever came of it."""
        space, count = SMALL["a condition"]
        history = History(Goal())
        sampler = self.make()
        for number in range(count):
            params = ask(sampler, space, history)
            assert params is not None, f"a small space is tried whole, {count} settings: None at {number}"
            if number % 3 == 0:
                history.apply(TrialStarted(number, params))
            else:
                tell(history, params, None, "failed" if number % 3 == 1 else "stopped")
        assert len(set(_keys(space, history))) == count, f"no setting twice: {_settings(history)}"
        assert ask(sampler, space, history) is None, "None when every setting has been begun"

    def test_four_at_once_are_four_different_ones(self) -> None:
        """Trials that still run are settings that somebody tries: the next ones are others."""
        for before in (0, _TRIALS):
            history = self._play(MIXED, before) if before else History(Goal())
            sampler = self.make()
            for _ in range(4):
                params = ask(sampler, MIXED, history)
                assert params is not None, "a sampler does not wait for trials that run: got None"
                history.apply(TrialStarted(len(history), params))
            keys = _keys(MIXED, history)
            assert len(set(keys)) == len(keys), f"trials at once are different: {_settings(history)[-4:]}"

    # A pure function of space, history and generator

    def test_the_same_question_has_the_same_answer(self) -> None:
        """The same space, history and generator: the same proposal, from this object or from a new one."""
        history = self._play(MIXED, _TRIALS)
        sampler = self.make()
        once, again, fresh = (ask(one, MIXED, history) for one in (sampler, sampler, self.make()))
        assert once == again == fresh, f"a sampler is a pure function: got {once}, then {again}, then {fresh}"

    def test_it_may_lose_its_memory(self) -> None:
        """A search that goes on with a new object, on a history that was read again, is the undisturbed one."""
        undisturbed = self._play(MIXED, _TRIALS + 2)
        resumed = self._play(MIXED, _TRIALS - 2)
        for _ in range(4):
            resumed = _read_again(resumed)
            resumed = play(self.make(), MIXED, 1, history=resumed)
        _same(undisturbed, resumed, "a search that goes on proposes what the undisturbed one would have")

    def test_two_searches_share_one_object(self) -> None:
        """What the object remembers of one search does not reach into another."""
        shared = self.make()
        histories = History(Goal()), History(Goal())
        for _ in range(_TRIALS):
            for history, space in zip(histories, (MIXED, CATEGORIES), strict=True):
                play(shared, space, 1, history=history)
        _same(self._play(MIXED, _TRIALS), histories[0], "a sampler keeps two searches apart")
        _same(self._play(CATEGORIES, _TRIALS), histories[1], "a sampler keeps two searches apart")

    def test_nothing_around_it_changes(self) -> None:
        """History, global random numbers, BLAS threads, numpy's errors, warnings and both outputs stay as they are."""
        history = self._play(MIXED, _TRIALS)
        before = copy.deepcopy(list(history)), repr(MIXED)
        said = io.StringIO()
        with _a_caller_of_its_own(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            surroundings = _surroundings()
            self.make().propose(MIXED, history, seeds.generator(0, len(history)))
            changed = [name for name, state in _surroundings().items() if state != surroundings[name]]
        assert (list(history), repr(MIXED)) == before, "a sampler changes neither the history nor the space"
        assert changed == [], f"a sampler leaves what is the caller's as it is: changed are {', '.join(changed)}"
        assert said.getvalue() == "", f"a sampler prints nothing: got {said.getvalue()!r}"

    # Histories of every kind

    def test_failed_trials_do_not_stop_it(self) -> None:
        """Some that fail, and all so far."""
        self._play(MIXED, _TRIALS, _failing_every(3))
        history = self._play(MIXED, _TRIALS, lambda space, params: None)
        self._play(MIXED, 2, history=history)

    def test_stopped_trials_do_not_stop_it(self) -> None:
        """Trials that a person cut off have no score, and may have been the first."""
        history = History(Goal())
        for number in range(_TRIALS):
            params = ask(self.make(), MIXED, history)
            assert params is not None, f"a sampler goes on after a stopped trial: None at trial {number}"
            tell(history, params, smooth(MIXED, params), "stopped" if number % 4 == 0 else "complete")

    def test_scores_of_any_size_work(self) -> None:
        """All the same; a millionth of a millionth; a million millions; both at once; far from zero."""
        self._play(MIXED, _TRIALS, lambda space, params: {"score": 0.5})
        for scale, offset in ((1e-12, 0.0), (1e12, 0.0), (1.0, 1e12)):
            self._play(MIXED, _TRIALS, partial(_scaled, scale=scale, offset=offset))
        self._play(MIXED, _TRIALS, lambda space, params: {"score": 10.0 ** (24 * space.to_unit(params)[0] - 12)})

    def test_to_minimize_is_to_maximize_the_negative(self) -> None:
        """The same search, whichever way the metric counts."""
        up = self._play(MIXED, _TRIALS)
        downwards = History(Goal(Aim("score", maximize=False)))
        down = self._play(MIXED, _TRIALS, partial(_scaled, scale=-1.0), history=downwards)
        _same(up, down, "to minimize a metric is to maximize its negative")

    def test_limits_work(self) -> None:
        """A limit that some trials keep, or none."""
        for high in (0.5, -1.0):
            goal = Goal(limits=(Limit("size", high=high),))
            self._play(MIXED, _TRIALS, _sized, history=History(goal))

    def test_several_aims_work(self) -> None:
        """Two aims, one each way; or the answer at once that it takes only one."""
        history = History(Goal(Aim("score"), Aim("size", maximize=False), limits=(Limit("size", high=0.5),)))
        if self.several_aims:
            self._play(MIXED, _TRIALS, _sized, history=history)
            return
        with contextlib.suppress(ValueError):
            params = ask(self.make(), MIXED, history)
            raise AssertionError(f"a sampler that takes one aim raises a ValueError at several: got {params}")

    def test_trials_of_an_earlier_study_are_no_trials_of_this_one(self) -> None:
        """It may learn from them: they neither stop it nor make it impure."""
        prior = tuple(play(self.make(), MIXED, _TRIALS, seed=7))
        once, again = (self._play(MIXED, 6, history=History(Goal(), prior=prior)) for _ in range(2))
        _same(once, again, "a search after an earlier one is the same each time")

    def test_many_trials_are_no_end(self) -> None:
        """Its work may grow with the history, and still comes to an end."""
        history = History(Goal())
        rng = np.random.default_rng(0)
        for _ in range(self.many):
            params = MIXED.sample(rng)
            tell(history, params, smooth(MIXED, params))
        self._play(MIXED, 3, history=history)


def _scaled(space: Space, params: Mapping[str, Any], scale: float, offset: float = 0.0) -> Metrics:
    return {"score": scale * smooth(space, params)["score"] + offset}


def _sized(space: Space, params: Mapping[str, Any]) -> Metrics:
    return {**smooth(space, params), "size": float(space.to_unit(params)[1])}


def _failing_every(step: int) -> Objective:
    """An objective whose first call fails, and each ``step``-th after it."""
    calls = 0

    def objective(space: Space, params: Mapping[str, Any]) -> Metrics | None:
        nonlocal calls
        calls += 1
        return None if calls % step == 1 else smooth(space, params)

    return objective


def _keys(space: Space, history: History) -> list[tuple[float, ...]]:
    return [space.key(trial.params) for trial in history]


def _settings(history: History) -> list[dict[str, Any]]:
    return [dict(trial.params) for trial in history]


def _same(one: History, other: History, rule: str) -> None:
    first, second = _settings(one), _settings(other)
    for number, (left, right) in enumerate(zip(first, second, strict=False)):
        assert left == right, f"{rule}: trial {number} is {left} and {right}"
    assert len(first) == len(second), f"{rule}: {len(first)} trials and {len(second)}"


def _read_again(history: History) -> History:
    """The same history in new objects, as from a journal."""
    copied = History(history.goal, copy.deepcopy(history.prior))
    for trial in history:
        tell(copied, copy.deepcopy(dict(trial.params)), dict(trial.metrics) or None)
    return copied


@contextlib.contextmanager
def _a_caller_of_its_own() -> Iterator[None]:
    """Surroundings that no earlier call has touched, and that differ from what a sampler would set for itself."""
    from threadpoolctl import threadpool_limits

    with (
        seeds.seeded(1),
        np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"),
        warnings.catch_warnings(),
        threadpool_limits(limits=3, user_api="blas"),
    ):
        warnings.simplefilter("error")
        yield


def _surroundings() -> dict[str, Any]:
    """What belongs to the caller, by name, in a form that can be compared."""
    from threadpoolctl import threadpool_info

    torch = sys.modules.get("torch")
    return {
        "Python's random": random.getstate(),
        "numpy's random": repr(np.random.get_state()) + np.random.get_state()[1].tobytes().hex(),  # type: ignore[index]
        "torch's random": None if torch is None else torch.get_rng_state().tolist(),
        "numpy's errors": np.geterr(),
        "the warning filters": list(warnings.filters),
        "BLAS threads": {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()},
    }
