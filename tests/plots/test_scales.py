"""The axis of a parameter: which values are written at it, and where."""

from __future__ import annotations

import pytest

import tunekit as tk
from tunekit.plots.scales import category_names, place, scale
from tunekit.search.parameters import Parameter
from tunekit.testing.spaces import MIXED, ODD

AXES: list[tuple[Parameter, list[str]]] = [
    (tk.Float(1e-4, 1e-1, log=True), ["0.0001", "0.001", "0.01", "0.1"]),
    (tk.Float(0.01, 0.05, log=True), ["0.01", "0.02", "0.04"]),
    (tk.Float(0.0, 1.0), ["0", "0.25", "0.5", "0.75", "1"]),
    (tk.Float(0.0, 0.5, step=0.25), ["0", "0.25", "0.5"]),
    (tk.Int(16, 128, log=True), ["16", "32", "64", "128"]),
    (tk.Int(16, 128), ["30", "60", "90", "120"]),
    (tk.Int(1, 3), ["1", "2", "3"]),
    (tk.Int(16, 128, step=16), ["32", "64", "96", "128"]),
    (tk.Choice("relu", "gelu"), ["relu", "gelu"]),
]


@pytest.mark.parametrize(("parameter", "labels"), AXES)
def test_round_values_are_written_where_they_lie(parameter: Parameter, labels: list[str]) -> None:
    axis = scale("x", parameter)
    written = [label for _, label in axis.ticks]
    assert len(written) <= 6
    assert written == labels
    assert [at for at, _ in axis.ticks] == sorted(at for at, _ in axis.ticks)


@pytest.mark.parametrize("space", [MIXED, *ODD.values()])
def test_every_parameter_has_an_axis(space: tk.Space) -> None:
    for name in space.names:
        axis = scale(name, space[name])
        assert axis.ticks
        assert all(0 <= at <= 1 for at, _ in axis.ticks)
        assert len({label for _, label in axis.ticks}) == len(axis.ticks)


def test_categories_that_look_alike_are_told_apart() -> None:
    assert category_names(tk.Choice("True", True)) == ("'True'", "True")
    assert category_names(tk.Choice("", "a\nb")) == ("''", "a b")


def test_a_value_that_is_none_of_the_parameter_has_no_place() -> None:
    parameter = tk.Float(0.0, 1.0)
    assert place(parameter, {"x": 0.25}, "x") == 0.25
    assert place(parameter, {"x": 2.0}, "x") is None
    assert place(parameter, {}, "x") is None
