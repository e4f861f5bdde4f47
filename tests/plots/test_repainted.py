"""A picture that is drawn again and again: the pixels of one that is drawn once, for much less."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

import tunekit as tk
from tunekit.core.job import Job
from tunekit.plots import history, live
from tunekit.plots.palette import of_few_colours
from tunekit.plots.theme import new_figure
from tunekit.testing.plot_jobs import jobs


def repainted(figure: Figure) -> NDArray[np.uint8]:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    return np.array(canvas.buffer_rgba())


def drawn_once(figure: Figure) -> NDArray[np.uint8]:
    own = figure.canvas
    try:
        plain = FigureCanvasAgg(figure)
        plain.draw()
        return np.array(plain.buffer_rgba())
    finally:
        figure.set_canvas(own)


def test_every_job_has_its_own_pixels_whatever_was_drawn_before() -> None:
    painters: dict[type[Job], live.LivePainter] = {}
    seen = []
    for name, job in jobs().items():
        made = job()
        painter = painters.setdefault(type(made), live.LivePainter(made))
        painter.job = made
        for place in [*range(painter.count)] * 2:
            figure = painter.paint(place).figure
            seen.append(repainted(figure))
            assert np.array_equal(seen[-1], drawn_once(figure)), name
    assert len({pixels.tobytes() for pixels in seen}) > 0.9 * len(seen) / 2


def test_a_study_that_goes_on_has_the_pixels_of_each_moment() -> None:
    study = tk.Study(lambda lr: lr, tk.Space(lr=(0.0, 1.0)), sampler="random", seed=0, minimize="loss")
    painter = live.LivePainter(study)
    random = np.random.default_rng(0)
    for number in range(30):
        study.tell({"lr": float(random.random())}, float(random.lognormal(0, 2)))
        figure = painter.paint().figure
        assert np.array_equal(repainted(figure), drawn_once(figure)), f"after {number + 1} trials"


def test_marks_and_titles_are_drawn_only_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    study.run(400)
    painter = live.LivePainter(study)
    repainted(painter.paint().figure)
    study.run(1)  # the axis grows, by more than this one needs
    repainted(painter.paint().figure)
    written: list[str] = []
    draw = Text.draw

    def noted(self: Text, *arguments: object, **named: object) -> None:
        if self.get_visible() and self.get_text():
            written.append(self.get_text())
        draw(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(Text, "draw", noted)
    for _ in range(10):
        study.tell({"x": 0.5}, 0.5)
        repainted(painter.paint().figure)
    assert written == []
    study.tell({"x": 0.5}, 2.0)
    repainted(painter.paint().figure)
    assert {"trial", "score", "Best score 2.00, at trial 411"} <= set(written)


def test_limits_stay_while_they_suit_and_a_picture_that_stays_has_none_to_spare() -> None:
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    study.run(100)
    painter = live.LivePainter(study)
    (axes,) = painter.paint().figure.axes
    assert axes.get_xlim() == (-0.5, 99.5)
    study.run(1)
    painter.paint()
    kept = axes.get_xlim()
    assert kept[1] > 104
    study.run(3)
    painter.paint()
    assert axes.get_xlim() == kept
    (once,) = live.live_picture(study).figure.axes
    assert once.get_xlim() == (-0.5, 103.5)


def test_a_picture_that_is_drawn_once_keeps_no_limits() -> None:
    _, (axes,) = new_figure()
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    for trials in (10, 1):
        study.run(trials)
        history.draw_history(axes, history.history_data(study.history))
    assert axes.get_xlim() == (-0.5, 10.5)


@pytest.mark.parametrize("shades", [3, 400])
def test_few_colours_are_near_the_many(shades: int) -> None:
    random = np.random.default_rng(shades)
    colours = random.integers(0, 256, (shades, 4), dtype=np.uint8)
    pixels = np.full((60, 80, 4), (255, 255, 255, 0), dtype=np.uint8)
    pixels[10:50, 10:70] = colours[random.integers(shades, size=(40, 60))]
    image = of_few_colours(pixels)
    shown = np.asarray(image.convert("RGBA")).astype(int)
    assert len(np.unique(np.asarray(image))) <= 256
    assert not shown[:10, :, 3].any()
    far = np.abs(shown - pixels)[10:50, 10:70]
    assert far.max() <= (0 if shades == 3 else 160)
    assert far.mean() < 16
