"""A narrower space: around what is good, inside of what there was, and everything in it was legal before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.search.test_space import parameters
from tunekit.core.trial import Trial
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space


@given(parameters(), st.integers(0, 2**32), st.floats(1e-6, 1.0))
def test_all_that_is_left_was_there_before_and_the_centre_is_left(
    parameter: Parameter, seed: int, factor: float
) -> None:
    rng = np.random.default_rng(seed)
    old = Space(p=parameter)
    around = old.sample(rng)
    new = old.narrow(around, factor)
    new.check(around)
    for _ in range(5):
        old.check(new.sample(rng))
    count = new["p"].count
    assert count is None or count >= min(2, parameter.count or 2)
    assert type(new["p"]) is type(parameter)


@given(parameters(), st.integers(0, 2**32), st.floats(0.05, 1.0))
def test_ranges_keep_at_most_their_share(parameter: Parameter, seed: int, factor: float) -> None:
    old = Space(p=parameter)
    new = old.narrow(old.sample(np.random.default_rng(seed)), factor)["p"]
    if isinstance(parameter, Choice):
        assert new == parameter
    elif isinstance(parameter, (Float, Int)) and isinstance(new, (Float, Int)):
        scale = math.log if parameter.log else float
        least = 0.0 if parameter.count is None else scale(new.low + (parameter.step or 1)) - scale(new.low)
        share = factor * (scale(parameter.high) - scale(parameter.low))
        assert scale(new.high) - scale(new.low) <= max(share, least) * (1 + 1e-6) + 1e-9
        assert (new.log, new.step) == (parameter.log, parameter.step)


def test_each_kind_around_a_middle() -> None:
    space = Space(
        lr=Float(1e-4, 1e-2, log=True),
        drop=Float(0, 1),
        share=Float(0, 1, step=0.1),
        width=Int(16, 116),
        units=Int(8, 512, log=True),
        batch=Int(8, 128, step=8),
        act=Choice("relu", "gelu"),
    )
    around = {"lr": 1e-3, "drop": 0.4, "share": 0.5, "width": 66, "units": 64, "batch": 64, "act": "gelu"}
    assert repr(space.narrow(around, 0.5)) == (
        "Space(lr: Float(0.000316228, 0.00316228, log=True), drop: Float(0.15, 0.65), "
        "share: Float(0.3, 0.7, step=0.1), width: Int(41, 91), units: Int(23, 181, log=True), "
        "batch: Int(40, 88, step=8), act: Choice('relu', 'gelu'))"
    )
    assert repr(space.narrow(Trial(3, around))) == repr(space.narrow(around, 0.5))


def test_at_an_edge_it_is_cut_off() -> None:
    space = Space(drop=Float(0, 1), width=Int(0, 100))
    narrow = space.narrow({"drop": 0.0, "width": 100}, 0.5)
    assert repr(narrow) == "Space(drop: Float(0, 0.25), width: Int(75, 100))"


def test_whole_numbers_keep_two_values() -> None:
    space = Space(depth=Int(1, 4), width=Int(1, 1000, log=True))
    assert repr(space.narrow({"depth": 4, "width": 1}, 0.01)) == "Space(depth: Int(3, 4), width: Int(1, 2, log=True))"


def test_conditions_hold_on() -> None:
    space = Space(
        layers=Int(1, 9),
        optimizer=["adam", "sgd"],
        second=Int(1, 100, when={"layers": [2, 9]}),
        momentum=Float(0, 1, when={"optimizer": "sgd"}),
    )
    narrow = space.narrow({"layers": 2, "optimizer": "adam", "second": 50}, 0.2)
    assert repr(narrow) == (
        "Space(layers: Int(1, 9), optimizer: Choice('adam', 'sgd'), second: Int(41, 59, when={'layers': [2, 9]}), "
        "momentum: Float(0, 1, when={'optimizer': 'sgd'}))"
    )


@pytest.mark.parametrize(
    ("around", "factor", "words"),
    [
        ({"x": 0.5}, 0, "above 0 to 1: got 0"),
        ({"x": 0.5}, 1.5, "above 0 to 1: got 1.5"),
        ({"x": 0.5}, float("nan"), "above 0 to 1: got nan"),
        ({"x": 0.5}, True, "above 0 to 1: got True"),
        ({"x": 2.0}, 0.5, "x must be a number from 0.0 to 1.0: got 2.0"),
        ({}, 0.5, "'x' are missing"),
        (Trial(0, {"y": 1}), 0.5, "unknown parameter 'y'"),
    ],
)  # fmt: skip
def test_bad_input_says_the_rule_and_the_value(around: Any, factor: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Space(x=Float(0, 1)).narrow(around, factor)
