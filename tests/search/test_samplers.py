"""What every sampler holds. It runs on all that are registered: a new one inherits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tunekit.core import seeds
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers import Sampler, resolve, samplers
from tunekit.search.samplers.bayes import Bayes
from tunekit.search.samplers.grid import Grid
from tunekit.search.space import Space

resolve("random")  # reads the modules that register themselves
NAMES = list(samplers)

MIXED = Space(
    lr=Float(1e-4, 1e-1, log=True),
    width=Int(4, 64, log=True),
    layers=Choice((64,), (64, 128)),
    norm=Choice(True, False),
    momentum=Float(0, 0.99, when={"norm": True}),
)


def score(params: Mapping[str, Any]) -> float:
    return float(-((np.log10(params["lr"]) + 2.5) ** 2) + 0.3 * params["norm"] - abs(np.log2(params["width"]) - 4) / 4)


def played(name: str, trials: int, space: Space = MIXED, seed: int = 0, maximize: bool = True) -> History:
    history = History(Goal(Aim("score", maximize)))
    return go_on(resolve(name)[1], history, trials, space, seed)


def go_on(sampler: Sampler, history: History, trials: int, space: Space, seed: int = 0, fail_every: int = 0) -> History:
    for number in range(len(history), len(history) + trials):
        params = sampler.propose(space, history, seeds.generator(seed, number))
        if params is None:
            break
        history.apply(TrialStarted(number, params))
        failed = fail_every and number % fail_every == 0
        value = score(params) if "lr" in params else float(len(repr(params)))
        value = value if history.goal.aim.maximize else -value
        end = (
            TrialEnded(number, "failed", {}, 0.0, "boom")
            if failed
            else TrialEnded(number, "complete", {"score": value}, 0.0)
        )
        history.apply(end)
    return history


@pytest.mark.parametrize("name", NAMES)
class TestEverySampler:
    def test_settings_belong_to_the_space(self, name: str) -> None:
        for trial in played(name, 16):
            MIXED.check(trial.params)
            assert isinstance(trial.params["layers"], tuple)
            assert isinstance(trial.params["norm"], bool)
            assert ("momentum" in trial.params) == trial.params["norm"]

    def test_the_same_seed_gives_the_same_settings(self, name: str) -> None:
        assert [t.params for t in played(name, 12)] == [t.params for t in played(name, 12)]

    def test_it_may_lose_its_memory(self, name: str) -> None:
        undisturbed = played(name, 12)
        resumed = go_on(resolve(name)[1], played(name, 8), 4, MIXED)
        assert [t.params for t in resumed] == [t.params for t in undisturbed]

    def test_it_never_repeats_and_ends_when_all_is_tried(self, name: str) -> None:
        space = Space(act=Choice("relu", "gelu", "tanh"), deep=Int(1, 3))
        history = played(name, 20, space)
        assert len(history) == 9
        assert len({space.key(trial.params) for trial in history}) == 9

    def test_failures_do_not_stop_it(self, name: str) -> None:
        history = go_on(resolve(name)[1], History(Goal()), 12, MIXED, fail_every=2)
        assert len(history) == 12
        assert all(trial.state == "failed" for trial in history if trial.number % 2 == 0)

    def test_the_sign_of_the_goal_changes_nothing(self, name: str) -> None:
        up = [trial.params for trial in played(name, 9)]
        down = [trial.params for trial in played(name, 9, maximize=False)]
        assert up == down

    @pytest.mark.parametrize(
        "space",
        [
            Space(x=(0.0, 1.0)),
            Space(x=(0, 4)),
            Space(x=["only"]),
            Space(a=[True, False], b=["x", "y"]),
            Space(x=(1, 10**6, "log")),
        ],
        ids=["one float", "one int", "one value", "only choices", "many ints"],
    )  # fmt: skip
    def test_small_and_odd_spaces_work(self, name: str, space: Space) -> None:
        history = played(name, 7, space)
        assert len(history) == min(5 if name == "grid" else 7, space.count or 7)

    def test_scores_that_are_all_the_same_do_not_stop_it(self, name: str) -> None:
        history = History(Goal())
        sampler = resolve(name)[1]
        for number in range(10):
            params = sampler.propose(MIXED, history, seeds.generator(0, number))
            assert params is not None
            history.apply(TrialStarted(number, params))
            history.apply(TrialEnded(number, "complete", {"score": 1.0}, 0.0))


def test_the_model_finds_a_better_setting_than_chance() -> None:
    """Six seeds, thirty trials, a smooth score with its peak inside a typed space: in five of six at least."""
    wins = 0
    for seed in range(6):
        with_model, by_chance = played("bayes", 30, seed=seed).best, played("random", 30, seed=seed).best
        assert with_model is not None
        assert by_chance is not None
        wins += with_model.metrics["score"] > by_chance.metrics["score"]
    assert wins >= 5


def test_the_optimizer_is_bayes_opts_own_and_predicts() -> None:
    from bayes_opt import BayesianOptimization

    from tunekit.search.samplers.unit_parameters import spread

    history = played("random", 30)
    optimizer = Bayes().optimizer(MIXED, history, np.random.default_rng(0))
    assert isinstance(optimizer, BayesianOptimization)
    told = [optimizer.predict(spread(MIXED, MIXED.to_unit(trial.params))) for trial in history]
    scores = [trial.metrics["score"] for trial in history]
    assert np.corrcoef(np.array(told, dtype=float), scores)[0, 1] > 0.99


def test_a_failed_setting_counts_as_the_worst_seen() -> None:

    history = go_on(resolve("random")[1], History(Goal()), 10, MIXED, fail_every=3)
    target = Bayes().optimizer(MIXED, history, np.random.default_rng(0)).space.target
    complete = [trial.metrics["score"] for trial in history if trial.state == "complete"]
    assert sorted(target)[:4] == pytest.approx([min(complete)] * 4)
    assert len(target) == 10


def test_the_grid_is_in_order_and_says_its_values() -> None:
    space = Space(lr=(1e-3, 1e-1, "log"), width=(8, 10), act=["relu", "gelu"])
    settings = list(Grid(points=3).settings(space))
    assert len(settings) == 18
    assert [s["lr"] for s in settings[::6]] == [0.001, 0.01, 0.1]
    assert [s["width"] for s in settings[:6:2]] == [8, 9, 10]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: resolve("gird"), "unknown sampler 'gird': the known ones are 'bayes', 'grid', 'random'"),
        (lambda: resolve(object()), "a name or an object with propose"),  # type: ignore[arg-type]
        (lambda: Grid(points=0), "at least one value of each parameter: got points=0"),
        (lambda: Bayes(start=0), "at least one random setting: got start=0"),
    ],
)  # fmt: skip
def test_bad_input_says_what_would_do(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()
