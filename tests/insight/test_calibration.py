"""Calibration: the error is the field's, and chance is told from a fault."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tunekit.insight.calibration import BINS, calibration, probabilities


def drawn(sure: float, right: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Two classes, always as sure of the first, right as often as is said."""
    shares = np.tile([sure, 1 - sure], (count, 1))
    return shares, (np.arange(count) >= right * count).astype(int)


def test_it_is_the_weighted_distance_of_each_bin() -> None:
    """By hand: 3 at 0.9 of which 2 are right, 1 at 0.6 that is wrong."""
    shares = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
    found = calibration(shares, np.array([0, 0, 1, 1]))
    assert found.error == pytest.approx((3 * abs(2 / 3 - 0.9) + 0.6) / 4)
    assert [(one.accuracy.count, round(one.confidence, 3)) for one in found.bins] == [(1, 0.6), (3, 0.9)]
    assert found.confidence == pytest.approx(0.825)
    assert found.accuracy == 0.5


@pytest.mark.parametrize(
    ("right", "words"), [(0.9, "no fault beyond chance"), (0.7, "20.0 points too sure"), (1, "too unsure")]
)
def test_it_says_in_which_direction(right: float, words: str) -> None:
    found = calibration(*drawn(0.9, right))
    assert words in repr(found)
    assert found.is_off == (right != 0.9)
    assert [one.is_off for one in found.bins] == [found.is_off]


def test_faults_that_cancel_are_not_told_as_none() -> None:
    """As much too sure in one half as too unsure in the other: on average it is right as often as it says."""
    sure, unsure = drawn(0.9, 0.7), drawn(0.6, 0.8)
    shares, targets = (np.concatenate(pair) for pair in zip(sure, unsure, strict=True))
    found = calibration(shares, targets)
    assert found.confidence == pytest.approx(found.accuracy)
    assert found.words == "20.0 points off, both ways"


def test_a_model_that_means_what_it_says_is_seldom_blamed() -> None:
    rng = np.random.default_rng(1)
    blamed = 0
    for _ in range(60):
        sure = rng.uniform(0.5, 1, 300)
        shares = np.stack([sure, 1 - sure], 1)
        blamed += calibration(shares, (rng.random(300) >= sure).astype(int)).is_off
    assert blamed <= 9  # 3 are to be expected


def test_edges_of_bins_and_certainty_fall_into_bins() -> None:
    sure = np.array([0.5, 1.0, 8 / BINS, 9 / BINS])
    found = calibration(np.stack([sure, 1 - sure], 1), np.zeros(4, dtype=int))
    assert sum(one.accuracy.count for one in found.bins) == 4


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1, max_size=5))
def test_logits_logarithms_and_probabilities_are_the_same_to_it(rows: list[list[float]]) -> None:
    assume(not all(min(row) >= 0 and sum(row) == pytest.approx(1, abs=0.01) for row in rows))  # these are probabilities
    logits = torch.tensor(rows, dtype=torch.float64)
    shares = probabilities(logits)
    assert shares.sum(1) == pytest.approx(1)
    assert probabilities(logits.log_softmax(1)) == pytest.approx(shares, abs=1e-9)
    assert probabilities(logits.softmax(1)) == pytest.approx(shares, abs=1e-9)
