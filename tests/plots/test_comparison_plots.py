"""The pictures of a comparison: data first, titles that state findings, pictures that can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from torch import Tensor

import tunekit as tk
from tunekit.insight.comparison import Comparison
from tunekit.plots.answers import answers_data, finding, plot_answers, shown_classes
from tunekit.plots.calibration import calibration_data
from tunekit.plots.comparison import comparison_plots, plot
from tunekit.plots.disagreements import disagreements_data
from tunekit.plots.image import png
from tunekit.plots.theme import DOTS, WIDTH

X = torch.rand(50, 1, 6, 6, generator=torch.Generator().manual_seed(0))
Y = X.flatten(1)[:, :4].argmax(1)
SETTINGS: dict[str, dict[str, Any]] = {
    "pictures": {},
    "sentences": {"raw": [f"number $x_{n}$ <b> " * (1 + n % 12) for n in range(50)]},
    "sounds": {"raw": np.sin(np.arange(50 * 90)).reshape(50, 90), "rate": 8000},
    "colours": {"raw": np.zeros((50, 6, 6, 3), dtype=np.uint8)},
}


def compared(names: tuple[str, ...] = ("whole", "half"), **settings: Any) -> Comparison:
    def model(place: int) -> Callable[[Tensor], Tensor]:
        return lambda x: 9 * x.flatten(1)[:, :4].roll(place, 1) + 9 * x.flatten(1)[:, :4]

    models = {name: model(place) for place, name in enumerate(names)}
    return tk.compare(models, (X, Y), latency=False, **settings)


plot("calibration", compared())  # so that they are registered


@pytest.mark.parametrize("name", list(comparison_plots))
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_each_is_a_transparent_picture_that_states_a_finding(name: str, settings: dict[str, Any]) -> None:
    figure = compared(("whole", "half", "$third$ of a long name that does not fit"), **settings).plot(name)
    assert isinstance(figure, Figure)
    assert png(figure).data.startswith(b"\x89PNG")
    assert to_rgba(figure.get_facecolor())[3] == 0
    assert all(axes.get_title(loc="left") for axes in figure.axes)


def test_calibration_has_a_dot_for_each_bin_and_says_what_is_wrong() -> None:
    comparison = compared()
    for data, row in zip(calibration_data(comparison), comparison.rows, strict=True):
        assert row.calibration is not None
        assert sum(dot.count for dot in data.dots) == 50
        assert [dot.is_off for dot in data.dots] == [each.is_off for each in row.calibration.bins]
        assert data.title == f"{row.name}: {row.calibration.words}"


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_calibration_of_many_models_stays_on_a_page(count: int) -> None:
    names = tuple(f"pruned to 80 % and then fine-tuned in run {place}" for place in range(count))
    figure = compared(names).plot("calibration")
    figure.draw_without_rendering()
    assert len(figure.axes) == count
    assert figure.bbox.width / DOTS * 100 == WIDTH
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(set(titles)) == count, "the names are told apart"
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
    boxes += [axis.label.get_window_extent() for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]
    boxes += [label.get_window_extent() for axes in figure.axes for label in axes.get_xticklabels()]
    boxes = [box for box in boxes if box.width and box.height]
    assert all(not one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(min(box.x0, box.y0) >= 0 and box.x1 <= figure.bbox.width for box in boxes)


def test_two_models_that_are_one_have_the_same_calibration() -> None:
    one = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 4))
    first, second = calibration_data(tk.compare({"one": one, "other": one}, (X, Y), latency=False))
    assert first.dots == second.dots
    assert first.title.removeprefix("one: ") == second.title.removeprefix("other: ")


def test_the_most_contrary_examples_are_shown_with_their_answers() -> None:
    comparison = compared(labels=["a", "b", "c", "d"])
    found = comparison.disagreements
    data = disagreements_data(comparison)
    assert len(data.cards) == min(10, len(found)) > 2
    first = data.cards[0]
    assert first.picture is not None
    assert np.array_equal(first.picture, comparison.examples.picture(found[0].index))
    assert first.said[0] == f"true: {'abcd'[found[0].truth]}"
    assert first.said[1].startswith(f"whole: {'abcd'[found[0].answers[0]]} ")
    assert first.wrong == (False, *(answer != found[0].truth for answer in found[0].answers))
    assert data.title.startswith(f"They differ on {len(found)} of 50 examples: whole is right on")


def test_where_nobody_differs_that_is_the_finding() -> None:
    same = tk.compare({"one": torch.nn.Flatten(), "other": torch.nn.Flatten()}, (X, Y), latency=False)
    data = disagreements_data(same)
    assert data.cards == ()
    assert data.title == "They give the same answer on all of 50 examples"
    assert png(same.plot("disagreements")).height == 90


def test_answers_stand_side_by_side() -> None:
    comparison = compared()
    one = comparison.disagreements[0]
    replies = comparison.ask_example(one.index)
    labels = comparison.disagreements.labels
    data = answers_data(replies, labels, "2", comparison.examples.picture(one.index))
    assert data.labels == labels
    assert [each.top for each in data.answers] == list(one.answers)
    assert data.title == f"They differ: whole says {one.answers[0]}, half says {one.answers[1]}; the truth is 2"
    assert png(plot_answers(data)).width >= 640
    assert png(plot_answers(answers_data(replies, labels, words="typed $x$ " * 40))).data


def test_of_many_classes_the_most_probable_are_shown() -> None:
    many = tk.compare({"one": torch.nn.Flatten(), "other": lambda x: -x.flatten(1)}, (X, Y), latency=False)
    replies = many.ask_example(0)
    chosen = shown_classes(replies)
    assert len(chosen) == 5
    assert {reply.answer for reply in replies} <= set(chosen)
    assert finding(replies, many.disagreements.labels).startswith("They differ")


LANGUAGES = [
    "Norwegian Bokm\u00e5l",
    "Portuguese (Brazil)",
    "\U0001f680 \u732b",
    "class of a name of thirty-five letters",
]


@pytest.mark.parametrize("settings", [{}, SETTINGS["sentences"]], ids=["pictures", "sentences"])
@pytest.mark.parametrize("names", [("float", "int8"), ("float", "int8 pruned", "distilled"), tuple("abcdef")])
def test_the_words_below_an_example_touch_no_others(names: tuple[str, ...], settings: dict[str, Any]) -> None:
    figure = compared(names, labels=LANGUAGES, **settings).plot("disagreements")
    png(figure)
    boxes = [words.get_window_extent() for words in figure.axes[0].texts]
    assert all(box.x1 <= figure.bbox.width for box in boxes)
    beside = [(one, other) for one, other in combinations(boxes, 2) if abs(one.y0 - other.y0) < 8]
    assert beside
    assert not any(one.x0 < other.x1 and other.x0 < one.x1 for one, other in beside)


@pytest.mark.filterwarnings("error")
def test_signs_that_no_font_has_are_drawn_as_boxes() -> None:
    labels = ["\u732b", "\u72ac", "\u9ce5", "\u9b5a"]
    comparison = compared(labels=labels, raw=["\u5b66\u7fd2 " * 60] * 50)
    assert png(comparison.plot("disagreements")).data
    replies = comparison.ask_example(comparison.disagreements[0].index)
    assert png(plot_answers(answers_data(replies, labels, labels[0], words=labels[1]))).data
