"""Spaces: every value goes to the unit cube and comes back; bad input says the rule, the value and the fix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

units = st.floats(0, 1)


@st.composite
def parameters(draw: st.DrawFn) -> Parameter:
    kind = draw(st.sampled_from(["float", "log float", "step float", "int", "log int", "step int", "choice"]))
    if kind == "choice":
        values = draw(
            st.lists(st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.none()), min_size=1, max_size=6)
        )
        return Choice(*{(type(value), value): value for value in values}.values())
    if kind == "step float":
        return Float(0.0, draw(st.integers(1, 40)) * 0.25, step=0.25)
    if kind == "step int":
        low, step = draw(st.integers(-100, 100)), draw(st.integers(1, 9))
        return Int(low, low + draw(st.integers(step, 200)), step=step)
    log = kind.startswith("log")
    if kind.endswith("int"):
        low = draw(st.integers(1 if log else -(10**6), 10**6))
        return Int(low, low + draw(st.integers(1, 10**6)), log=log)
    if log:
        low_float = draw(st.floats(1e-9, 1e3))
        return Float(low_float, low_float * draw(st.floats(2, 1e6)), log=True)
    low_float = draw(st.floats(-1e3, 1e3))
    return Float(low_float, low_float + draw(st.floats(1e-2, 1e6)))


@given(parameters(), units)
def test_what_is_proposed_comes_back_the_same(parameter: Parameter, unit: float) -> None:
    value = parameter.from_unit(unit)
    again = parameter.from_unit(parameter.to_unit(value))
    assert again == value
    assert type(again) is type(value)
    assert parameter.complaint(value) is None


@given(parameters(), st.lists(units, min_size=1, max_size=8))
def test_snapping_goes_to_the_place_of_the_value(parameter: Parameter, places: list[float]) -> None:
    snapped = parameter.snap(np.array(places))
    for place, found in zip(places, snapped, strict=True):
        assert found == pytest.approx(parameter.to_unit(parameter.from_unit(place)), abs=1e-6)


@given(parameters())
def test_the_ends_of_the_unit_interval_are_the_ends_of_the_range(parameter: Parameter) -> None:
    low, high = parameter.from_unit(0.0), parameter.from_unit(1.0)
    if isinstance(parameter, Choice):
        assert (low, high) == (parameter.values[0], parameter.values[-1])
    elif isinstance(parameter, (Float, Int)):
        assert low == parameter.low
        assert high <= parameter.high
        assert parameter.count is not None or high == parameter.high


@given(st.lists(parameters(), min_size=1, max_size=4), st.integers(0, 2**32))
def test_settings_go_to_the_cube_and_back(each: list[Parameter], seed: int) -> None:
    space = Space({f"p{place}": parameter for place, parameter in enumerate(each)})
    params = space.sample(np.random.default_rng(seed))
    unit = space.to_unit(params)
    assert unit.shape == (len(space),)
    assert ((unit >= 0) & (unit <= 1)).all()
    assert space.from_unit(unit) == params


def test_values_keep_their_type() -> None:
    space = Space(deep=Choice(True, 1, 1.0, "1", (64, 128), None))
    values = [space.from_unit([(place + 0.5) / 6])["deep"] for place in range(6)]
    assert [type(value) for value in values] == [bool, int, float, str, tuple, type(None)]
    assert [space.key({"deep": value}) for value in values] == sorted({space.key({"deep": value}) for value in values})


def test_the_shorthand_says_the_same() -> None:
    short = Space(lr=(1e-4, 1e-1, "log"), width=(16, 256), drop=(0, 0.5), act=["relu", "gelu"], deep=(1, 9, "log"))
    long = Space(
        lr=Float(1e-4, 1e-1, log=True),
        width=Int(16, 256),
        drop=Float(0, 0.5),
        act=Choice("relu", "gelu"),
        deep=Int(1, 9, log=True),
    )  # fmt: skip
    assert repr(short) == repr(long)


def test_a_log_scale_gives_each_ratio_its_share() -> None:
    lr = Float(1e-4, 1e-1, log=True)
    draws = [lr.from_unit(unit) for unit in np.linspace(0, 1, 3001)]
    assert sum(value < 1e-3 for value in draws) == pytest.approx(1000, abs=2)
    width = Int(1, 4, log=True)
    counts = np.bincount([width.from_unit(unit) for unit in np.linspace(0, 1, 9001)], minlength=5)[1:]
    assert (np.diff(counts) < 0).all()


def test_a_parameter_counts_only_where_its_condition_holds() -> None:
    space = Space(optimizer=["adam", "sgd"], momentum=Float(0, 0.99, when={"optimizer": "sgd"}))
    assert space.from_unit([0.1, 0.7]) == {"optimizer": "adam"}
    assert "momentum" in space.from_unit([0.9, 0.7])
    assert space.to_unit({"optimizer": "adam"}).tolist() == [0.25, 0.5]
    with pytest.raises(ValueError, match="momentum counts only where"):
        space.check({"optimizer": "adam", "momentum": 0.5})
    with pytest.raises(ValueError, match="'momentum' are missing"):
        space.check({"optimizer": "sgd"})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Float(1, 0), r"low < high: got low=1, high=0; did you mean Float\(0, 1\)"),
        (lambda: Int(3, 3), "low < high: got low=3, high=3"),
        (lambda: Float(0, 1, log=True), "a log scale needs low > 0: got low=0"),
        (lambda: Int(-2, 8, log=True), "a log scale needs low > 0: got low=-2"),
        (lambda: Float(float("nan"), 1), "finite: got low=nan"),
        (lambda: Float(0, float("inf")), "finite: got high=inf"),
        (lambda: Float("0", 1), "are numbers: got low='0'"),  # type: ignore[arg-type]
        (lambda: Int(0.5, 3), "whole numbers: low=0.5; use Float"),  # type: ignore[arg-type]
        (lambda: Int(False, 3), "are numbers: got low=False"),
        (lambda: Float(0, 1, step=0), "above 0 and at most"),
        (lambda: Float(1e-3, 1, log=True, step=0.1), "leave one of them out"),
        (lambda: Int(1, 9, step=1.5), "whole number: got step=1.5"),  # type: ignore[arg-type]
        (lambda: Choice(), "at least one value"),
        (lambda: Choice("a", "b", "a"), "'a' is there twice"),
        (lambda: Choice(1.0, float("nan")), "must equal themselves"),
        (lambda: Space(), "at least one parameter"),
        (lambda: Space(x=3), "the parameter 'x' is a Float, an Int or a Choice"),
        (lambda: Space(x=(True, False)), "the parameter 'x'"),
        (lambda: Space(x=(1, 2, "logarithmic")), "the parameter 'x'"),
        (lambda: Space(x=Float(0, 1, when={"y": 1})), "stands before it: got 'y'"),
        (lambda: Space(a=["r", "g"], x=Float(0, 1, when={"a": "b"})), "'a' must be one of 'r', 'g': got 'b'"),
        (lambda: Space(x=(0, 1)).from_unit([2.0]), "1 numbers from 0 to 1"),
        (lambda: Space(x=(0, 5)).to_unit({"x": 9}), "x must be a whole number from 0 to 5: got 9"),
        (lambda: Space(x=(0, 5)).to_unit({"x": True}), "x must be a whole number from 0 to 5: got True"),
        (lambda: Space(x=(0, 5)).to_unit({"y": 1}), "unknown parameter 'y': the known ones are 'x'"),
        (lambda: Space(a=["r", "g"]).to_unit({"a": "b"}), "a must be one of 'r', 'g': got 'b'"),
        (lambda: Space(x=Float(0, 1, step=0.25)).to_unit({"x": 0.3}), "in steps of 0.25: got 0.3"),
        (lambda: Space(x=(0, 1)).keeping("x", share=0), "a number above 0 to 1: got share=0"),
        (lambda: Space(x=(0, 1)).keeping("x", share=True), "a number above 0 to 1: got share=True"),
    ],
)  # fmt: skip
def test_bad_input_says_the_rule_and_the_value(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_what_is_kept_stays_so_in_a_narrower_space() -> None:
    space = Space(width=(16, 128), amount=(0.0, 0.9))
    assert (space.kept, space.share) == ((), 1.0)
    kept = space.keeping("width", share=0.25).narrow({"width": 64, "amount": 0.5})
    assert (kept.kept, kept.share) == (("width",), 0.25)
    with pytest.raises(ValueError, match="unknown parameter 'widht'"):
        space.keeping("widht", share=0.25)
