from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tunekit.compress.score import difference, of_hits, of_resamples, wilson
from tunekit.compress.task import Answers, hits


@pytest.mark.parametrize(
    ("hits_", "count", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 1998, table I
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(hits_: int, count: int, low: float, high: float) -> None:
    assert wilson(hits_, count) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_wilson_holds_the_share_and_stays_in_bounds(drawn: tuple[int, int]) -> None:
    low, high = wilson(*drawn)
    assert 0 <= low <= drawn[0] / drawn[1] <= high <= 1
    mirrored = wilson(drawn[1] - drawn[0], drawn[1])
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high))


def test_wilson_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = [low <= 0.93 <= high for low, high in (wilson(int(rng.binomial(200, 0.93)), 200) for _ in range(2000))]
    assert 0.93 <= np.mean(covered) <= 0.975


def test_the_paired_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1000):
        easy = rng.random(200)
        one, other = easy < 0.92, (easy < 0.88) | (rng.random(200) < 0.25)
        truth = 0.88 + 0.12 * 0.25 - 0.92
        found = difference(one, other)
        covered.append(found.low <= truth <= found.high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_the_paired_interval_is_narrower_than_two_separate_ones_suggest() -> None:
    right = np.arange(1000) < 950
    worse = np.arange(1000) < 930
    found = difference(right, worse)
    assert found.value == pytest.approx(-0.02)
    assert found.high < 0
    assert of_hits(right).low < of_hits(worse).high


def test_the_difference_turns_its_sign() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.random(300) < 0.9, rng.random(300) < 0.8
    there, back = difference(one, other), difference(other, one)
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))


def test_a_bootstrap_is_the_same_each_time() -> None:
    values = np.random.default_rng(2).normal(size=100)
    one, other = (of_resamples(lambda chosen: float(values[chosen].mean()), 100) for _ in range(2))
    assert one == other
    assert one.low < one.value < one.high


def test_a_share_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson(3, 2)


@pytest.mark.parametrize(
    ("outputs", "targets"),
    [
        (torch.zeros(4), torch.zeros(4, dtype=torch.long)),
        (torch.zeros(4, 2), torch.zeros(4)),
        (torch.zeros(4, 2, 3), torch.zeros(4, 3, dtype=torch.long)),
    ],
)
def test_accuracy_of_something_else_is_an_error(outputs: torch.Tensor, targets: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"accuracy takes outputs \(examples, classes\).*give Task\(\.\.\., metric="):
        hits(Answers(outputs, targets))
