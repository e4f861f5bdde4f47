"""Words in a picture: a title that does not fit is made to, the whole of it stays for whoever cannot see it."""

from __future__ import annotations

import pytest

import tunekit as tk
from tunekit.plots import live, plot, theme
from tunekit.plots.fitting import fit_name, words

LONG = "validation_accuracy_of_the_distilled_student_on_the_second_half"


def test_a_long_title_loses_its_last_clauses() -> None:
    _, (axes, _) = theme.new_figure(2)
    theme.label(axes, "Front of 17 trials, accuracy from 0.723 to 0.983; hypervolume 20.6", "", "")
    assert axes.get_title(loc="left") == "Front of 17 trials, accuracy from 0.723 to 0.983"
    assert axes.get_label() == "Front of 17 trials, accuracy from 0.723 to 0.983; hypervolume 20.6"


def test_a_title_of_one_of_several_keeps_both_ends_of_its_name() -> None:
    _, (first, second) = theme.new_figure(2)
    drawn = []
    for axes, name in ((first, f"{LONG}_a"), (second, f"{LONG}_b")):
        theme.label(axes, f"{name}: 9.5 points too sure", "", "", name)
        drawn.append(axes.get_title(loc="left"))
        assert axes.get_label() == f"{name}: 9.5 points too sure"
    assert drawn[0] != drawn[1]
    assert all("…" in title and title.endswith(": 9.5 points too sure") for title in drawn)


def test_a_title_with_room_stays_as_it_is() -> None:
    _, (axes,) = theme.new_figure()
    theme.label(axes, "Best score 0.997, at trial 6", "", "")
    assert axes.get_title(loc="left") == "Best score 0.997, at trial 6"


def test_the_two_titles_of_the_live_picture_do_not_touch() -> None:
    def objective(x: float) -> object:
        for step in range(3):
            yield x * step

    study = tk.Study(objective, {"x": (0.0, 1.0)}, maximize=LONG, sampler="random", seed=0)
    study.run(4)
    figure = live.live_picture(study).figure
    figure.draw_without_rendering()
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes]  # type: ignore[attr-defined]
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 <= figure.bbox.width
    names = [axes.yaxis.label.get_window_extent() for axes in figure.axes]
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.height for box in names)


def test_the_words_of_a_picture_have_the_whole_title() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize=LONG * 2)
    study.tell({"x": 0.5}, 1.0)
    data, _ = plot("history", study)._repr_mimebundle_()  # type: ignore[attr-defined]
    assert data["text/plain"] == f"Best {LONG * 2} 1.00, at trial 0"


def test_names_that_begin_alike_are_told_apart() -> None:
    _, (axes,) = theme.new_figure()
    shown = [fit_name(axes, f"parameter_{number}", 8, 50) for number in (11, 12)]
    assert shown[0] != shown[1]
    assert all("…" in name for name in shown)


@pytest.mark.parametrize(("written", "shown"), [("\u5b66\u7fd2 \u00fcber", "\u25a1\u25a1 \u00fcber"), ("a\nb", "a b")])
def test_what_the_font_cannot_write_is_a_box(written: str, shown: str) -> None:
    assert words(written) == shown
