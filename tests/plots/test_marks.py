"""The figures at the marks of an axis: neighbours are told apart, the axis's name says what they share."""

from __future__ import annotations

import pytest

from tunekit.plots import theme
from tunekit.plots.image import png

AXES = [
    ((0.0, 1.0), ["0.00", "0.25", "0.50", "0.75", "1.00"], "score"),
    ((3e6, 7e6), ["3e6", "4e6", "5e6", "6e6", "7e6"], "score"),
    ((0.9750, 0.97503), ["0", "8e-6", "1.6e-5", "2.4e-5"], "score - 0.975"),
    ((-1e9 - 4e-4, -1e9), ["-4e-4", "-3e-4", "-2e-4", "-1e-4", "0"], "score + 1e9"),
    ((-3e-7, 0.0), ["-2.4", "-1.6", "-0.8", "0.0"], "score, in 1e-7"),
]


@pytest.mark.parametrize(("ends", "written", "name"), AXES)
def test_marks_are_short_and_the_name_says_the_rest(ends: tuple[float, float], written: list[str], name: str) -> None:
    figure, (axes,) = theme.new_figure()
    theme.label(axes, "A finding", "trial", "score")
    axes.set_ylim(*ends)
    png(figure)
    low, high = ends
    shown = [
        label.get_text()
        for at, label in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
        if low <= at <= high
    ]
    assert (shown, axes.get_ylabel()) == (written, name)
    assert axes.yaxis.get_offset_text().get_text() == ""


def test_a_long_name_leaves_room_for_what_the_marks_have_in_common() -> None:
    figure, (axes,) = theme.new_figure()
    theme.label(axes, "A finding", "trial", "validation_accuracy_of_the_distilled_student")
    axes.set_ylim(0.9750, 0.97503)
    png(figure)
    assert axes.get_ylabel().endswith("\u2026 - 0.975")
