"""What diverged does not flatten the rest, and nothing that matters is left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tunekit as tk
from tunekit.plots import live, plot
from tunekit.plots.outliers import beyond, kept_range


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.booleans())
def test_the_best_and_the_middle_are_always_shown(values: list[float], maximize: bool) -> None:
    low, high = kept_range(values, maximize=maximize)
    assert (high == max(values)) if maximize else (low == min(values))
    assert low <= np.median(values) <= high
    assert sum(not low <= value <= high for value in values) <= len(values) / 4


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_to_minimize_is_to_maximize_the_negative(values: list[float]) -> None:
    low, high = kept_range(values, maximize=True)
    assert kept_range([-value for value in values], maximize=False) == (-high, -low)


@pytest.mark.parametrize("diverged", [1, 3])
def test_what_diverged_is_left_out(diverged: int) -> None:
    values = [*np.linspace(0.5, 0.9, 12), *[-1e6] * diverged]
    low, high = kept_range(values, maximize=True)
    assert (low, high) == (0.5, 0.9)
    assert beyond(values, low, high).startswith(f"{diverged} score")


def test_scores_that_spread_evenly_or_are_few_are_all_shown() -> None:
    assert kept_range([0.1, 0.9, 0.5, 0.2, 0.6], maximize=True) == (0.1, 0.9)
    assert kept_range([0.5, -1e6], maximize=True) == (-1e6, 0.5)


def test_the_picture_and_its_words_say_so() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, minimize="loss")
    for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        study.tell({"x": x}, x)
    study.tell({"x": 1.0}, 1e9)
    axes = plot("history", study).axes[0]
    assert axes.get_xlabel() == "trial (1 score above the picture)"
    assert axes.get_ylim()[1] < 1
    assert "1 score above the picture" in live.LivePainter(study).paint().alt
