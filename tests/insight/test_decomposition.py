"""The parts of the variance of known functions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tunekit.insight.decomposition import decompose, nodes
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space
from tunekit.search.surrogate.encoding import Encoding

Array = NDArray[np.float64]


def floats(count: int) -> Encoding:
    return Encoding(Space({f"x{number}": Float(0.0, 1.0) for number in range(count)}))


def test_ishigami() -> None:
    def ishigami(places: Array) -> Array:
        x, y, z = (np.pi * (2 * column - 1) for column in places.T)
        return np.array([np.sin(x) + 7 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)])

    found = decompose(ishigami, floats(3))
    assert found.variance[0] == pytest.approx(13.845, rel=0.02)
    assert found.first[0] / found.variance[0] == pytest.approx([0.3139, 0.4424, 0.0], abs=0.01)
    assert found.total[0] / found.variance[0] == pytest.approx([0.5576, 0.4424, 0.2437], abs=0.01)
    assert found.pairs[0] / found.variance[0] == pytest.approx([0.0, 0.2437, 0.0], abs=0.01)


def test_an_additive_function_has_no_pairs() -> None:
    found = decompose(lambda places: np.array([places[:, 0] + 2 * places[:, 1]]), floats(3))
    assert found.first[0] == pytest.approx([1 / 12, 4 / 12, 0.0], abs=1e-6)
    assert found.total[0] == pytest.approx(found.first[0], abs=1e-6)
    assert found.pairs[0] == pytest.approx(0.0, abs=1e-6)


def test_each_function_is_decomposed_by_itself() -> None:
    found = decompose(lambda places: np.stack([places[:, 0], places[:, 1]]), floats(2))
    assert found.first == pytest.approx(np.array([[1 / 12, 0.0], [0.0, 1 / 12]]), abs=1e-6)


def test_categories_and_conditions_count_as_often_as_they_are_drawn() -> None:
    space = Space(kind=Choice("a", "b", "c"), x=Float(0.0, 1.0, when={"kind": "a"}))
    encoding = Encoding(space)

    def value(places: Array) -> Array:
        settled = encoding.settle(places)
        return np.array([np.where(settled[:, 0] < 1 / 3, settled[:, 1], 0.5)])

    found = decompose(value, encoding)
    # x counts in one of three settings, and on average it changes nothing there
    assert found.total[0, 1] == pytest.approx(1 / 36, rel=0.05)
    assert found.first[0, 0] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(
    ("parameter", "count"),
    [(Choice(*range(20)), 20), (Int(1, 4), 4), (Int(1, 4, log=True), 4), (Float(0, 1, step=0.25), 5), (Int(1, 99), 16)],
)
def test_values_weigh_as_they_are_drawn(parameter: Choice | Int | Float, count: int) -> None:
    space = Space(x=parameter)
    places, weights = nodes(Encoding(space), 0)
    assert len(places) == len(weights) == count
    assert weights.sum() == pytest.approx(1.0)
    if parameter.count is not None and parameter.count == count:
        drawn = np.array([space["x"].to_unit(space["x"].from_unit(float(u))) for u in (np.arange(9999) + 0.5) / 9999])
        shares = np.isclose(drawn[:, None], places, atol=1e-9).mean(axis=0)
        assert weights == pytest.approx(shares, abs=1e-3)
