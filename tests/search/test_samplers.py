"""What every sampler holds, by one suite that runs on all that are known; and what is particular to some."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunekit.core import seeds
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.search import engines
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers import Sampler, resolve, samplers
from tunekit.search.samplers.bayes import Bayes
from tunekit.search.samplers.combinations import Combinations, all_values
from tunekit.search.samplers.grid import Grid
from tunekit.search.samplers.sobol import scrambled_points
from tunekit.search.space import Space
from tunekit.testing import SamplerConformance
from tunekit.testing.play import play, tell
from tunekit.testing.spaces import spaces

resolve("random")  # reads the modules that register themselves
NAMES = [*samplers, *engines.names()]
# these say at once that they take one aim
ONE_AIM = {"hyperopt:anneal", "hyperopt:tpe", "optuna:cmaes"}

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


class TestEverySampler(SamplerConformance):
    @pytest.fixture(autouse=True, params=NAMES)
    def _choose(self, request: pytest.FixtureRequest) -> None:
        self.name = str(request.param)
        if ":" in self.name:
            pytest.importorskip(self.name.partition(":")[0])
        self.endless = self.name != "grid"
        self.several_aims = self.name not in ONE_AIM

    def make(self) -> Sampler:
        return resolve(self.name)[1]


def test_the_model_finds_a_better_setting_than_chance() -> None:
    """Six seeds, thirty trials, a smooth score with its peak inside a typed space: in five of six at least."""
    wins = 0
    for seed in range(6):
        with_model, by_chance = played("bayes", 30, seed=seed).best, played("random", 30, seed=seed).best
        assert with_model is not None
        assert by_chance is not None
        wins += with_model.metrics["score"] > by_chance.metrics["score"]
    assert wins >= 5


def test_the_grid_is_in_order_and_says_its_values() -> None:
    space = Space(lr=(1e-3, 1e-1, "log"), width=(8, 10), act=["relu", "gelu"])
    tried = list(Grid(points=3).settings(space))
    assert len(tried) == 18
    assert [params["lr"] for params in tried[::6]] == [0.001, 0.01, 0.1]
    assert [params["width"] for params in tried[:6:2]] == [8, 9, 10]


def test_the_grid_says_its_size_before_it_starts() -> None:
    assert Grid(points={"width": 3}).size(MIXED) == 5 * 3 * 2 * (5 + 1)
    assert Grid(points=7).describe(Space(lr=(0.0, 1.0), act=["relu", "gelu"])) == "grid of 14"
    assert Grid(points=1000).describe(Space({f"x{i}": (0.0, 1.0) for i in range(3)})) == "grid of 1,000,000,000"


def test_the_grid_takes_as_many_values_of_each_parameter_as_it_is_told() -> None:
    space = Space(lr=(1e-4, 1e-1, "log"), width=(1, 100), act=list("abcdefgh"), drop=Float(0, 0.6, step=0.2))
    tried = list(Grid(points={"lr": 4, "width": 1}).settings(space))
    assert sorted({params["lr"] for params in tried}) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert {params["width"] for params in tried} == {51}
    assert {params["act"] for params in tried} == set("abcdefgh")
    assert sorted({params["drop"] for params in tried}) == [0.0, 0.2, 0.4, 0.6]


def test_a_grid_that_goes_on_leaves_out_what_was_tried_in_whatever_order() -> None:
    space = Space(a=(1, 3), b=["x", "y"])
    history = History(Goal())
    for params in ({"a": 2, "b": "y"}, {"a": 1, "b": "x"}):
        tell(history, params, {"score": 0.0})
    play(Grid(), space, 10, history=history)
    tried = [(trial.params["a"], trial.params["b"]) for trial in history]
    assert tried[2:] == [(1, "y"), (2, "x"), (3, "x"), (3, "y")]


def test_a_grid_without_end_proposes_at_once() -> None:
    space = Space({f"x{i}": (0.0, 1.0) for i in range(40)})
    assert Grid(points=10).size(space) == 10**40
    history = play(Grid(points=10), space, 12)
    assert [round(9 * trial.params["x39"]) for trial in history] == [*range(10), 0, 1]


def listed_by_hand(space: Space, values: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """All combinations, with what does not count thrown out of each, and what is then the same left out."""
    found: list[dict[str, Any]] = []
    for combination in product(*values.values()):
        params: dict[str, Any] = {}
        for name, value in zip(values, combination, strict=True):
            if space.is_active(name, params):
                params[name] = value
        if not any(repr(params) == repr(known) for known in found):
            found.append(params)
    return found


@settings(max_examples=60, deadline=None)
@given(spaces(), st.integers(1, 4))
def test_combinations_are_complete_in_order_and_counted(space: Space, points: int) -> None:
    values = {name: list(islice(all_values(space[name]) or [0.25, 0.5, 0.75], points)) for name in space}
    combinations = Combinations(space, values)
    expected = listed_by_hand(space, values)
    assert repr(list(combinations)) == repr(expected)
    assert combinations.count == len(expected)


def test_conditions_on_conditions_do_not_multiply() -> None:
    space = Space(
        kind=Choice("a", "b", "c"),
        deep=Choice(True, False, when={"kind": ["a", "b"]}),
        depth=Int(1, 10, when={"deep": True, "kind": "b"}),
        seed=Int(1, 5),
    )
    # a: 2; b: 10 + 1; c: 1; each with five seeds
    assert Grid(points=10).size(space) == (2 + 11 + 1) * 5
    assert len(list(Grid(points=10).settings(space))) == 70


def test_a_few_settings_beside_many_that_do_not_count_are_all_found() -> None:
    """A product of 2,000,000 settings of which 2,000 differ: hardly one of the last of them is drawn by chance."""
    space = Space(
        kind=Choice("a", "b"), x=Int(1, 1000, when={"kind": "a"}), y=Int(1, 1000, when={"kind": "b"})
    )  # fmt: skip
    history = play(resolve("random")[1], space, 2001)
    assert len({space.key(trial.params) for trial in history}) == len(history) == 2000


def test_the_points_of_one_study_are_one_scrambled_sequence() -> None:
    space = Space(x=(0.0, 1.0), y=(0.0, 1.0), z=(0.0, 1.0))
    for seed in range(3):
        history = play(resolve("sobol")[1], space, 64, seed=seed)
        for name in space:  # each 64th of each axis holds one point
            assert sorted(int(64 * trial.params[name]) for trial in history) == list(range(64))
    first, second = (play(resolve("sobol")[1], space, 1, seed=seed)[0].params for seed in (0, 1))
    assert first != second


def test_a_sobol_sequence_covers_a_space_of_categories_evenly() -> None:
    space = Space(a=Choice(*range(4)), b=Choice(*range(4)))
    for seed in range(5):
        history = play(resolve("sobol")[1], space, 16, seed=seed)
        assert len({space.key(trial.params) for trial in history}) == len(history) == 16


def test_scrambled_points_go_on_where_they_ended() -> None:
    whole = scrambled_points(5, start=0, count=37, seed=3)
    assert whole.shape == (37, 5)
    assert whole.min() >= 0
    assert whole.max() < 1
    for start, count in ((0, 1), (1, 1), (5, 32), (36, 1)):
        assert (scrambled_points(5, start, count, seed=3) == whole[start : start + count]).all()
    assert (scrambled_points(5, 0, 37, seed=4) != whole).any()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: resolve("gird"), "unknown sampler 'gird': the known ones are 'bayes', 'grid', 'population', 'random'"),
        (lambda: resolve(object()), "a name or an object with propose"),
        (lambda: Grid(points=0), "at least one value of each parameter: got points=0"),
        (lambda: Grid(points={"lr": True}), r"at least one value of each parameter: got points\['lr'\]=True"),
        (lambda: Grid(points={"rl": 3}).size(MIXED), "unknown parameter 'rl': the known ones are 'lr', 'width'"),
        (lambda: Grid(points={"norm": 1}).size(MIXED), "takes a Choice whole.*leave it out"),
        (lambda: Bayes(start=0), "at least one setting: got start=0"),
        (lambda: Bayes(acquisition="luck"), "unknown acquisition 'luck': the known ones are 'expected improvement'"),
    ],
)  # fmt: skip
def test_bad_input_says_what_would_do(make: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        make()
