"""What every plot holds: data first, a title that states a finding, a transparent picture; for all registered."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.figure import Figure

import tunekit as tk
from tunekit.core.events import EndState, TrialEnded, TrialReported, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.plots import curves, front, history, live, plot, plots, theme, trade_off
from tunekit.plots.image import png

OF_NETS = ("confusion", "layers", "sensitivity", "trade_off", "weights")  # test_compression_plots.py has these
NAMES = [name for name in plots if name not in OF_NETS]


def finished(fails: bool = False, steps: int = 3) -> tk.Study:
    def objective(x: float) -> object:
        if fails and x < 0.3:
            raise ValueError("too small")
        for step in range(steps):
            yield -((x - 0.5) ** 2) - 1 / (step + 1)

    study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="grid", seed=0)
    study.run(5)
    return study


def squeezed() -> Job:
    """A compression as the pictures see it: sizes and scores with their intervals."""
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, maximize="accuracy", sampler="grid")
    sizes = {"original": (80_000.0, 0.95), "Prune(0.8)": (80_000.0, 0.90), "Quantize()": (20_000.0, 0.94)}
    for number, (step, (size, score)) in enumerate(sizes.items()):
        study.history.apply(TrialStarted(number, {"step": step}))
        figures = {"size": size, "accuracy": score, "accuracy_low": score - 0.01, "accuracy_high": score + 0.01}
        study.history.apply(TrialEnded(number, "complete", figures, 0.0))
    return study


def weighed(aims: int, limit: float | None = None) -> tk.Study:
    """A study of several aims, with a limit or without."""
    names = ["accuracy", "speed", "weight"][:aims]
    constraints = None if limit is None else {"weight": (None, limit)}
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize=names, constraints=constraints)
    for x in (0.1, 0.2, 0.3, 0.4):
        study.tell({"x": x}, {"accuracy": x, "speed": 1 - x * x, "weight": (x - 0.3) ** 2})
    return study


JOBS = {
    "a study": finished(),
    "with failures": finished(fails=True),
    "one step": finished(steps=1),
    "two aims": weighed(2),
    "three aims": weighed(3),
    "within a limit": weighed(1, limit=0.015),
    "outside of a limit": weighed(2, limit=-1.0),
    "a compression": squeezed(),
    "nothing yet": tk.Study(lambda x: x, {"x": (0.0, 1.0)}),
}


@pytest.mark.parametrize("name", NAMES)
class TestEveryPlot:
    @pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
    def test_it_draws_whatever_there_is(self, name: str, job: Job) -> None:
        figure = plot(name, job)
        assert isinstance(figure, Figure)
        title = figure.axes[0].get_title(loc="left")
        assert title
        assert title != figure.axes[0].get_ylabel()

    def test_it_is_a_small_transparent_picture_with_two_pixels_a_point(self, name: str) -> None:
        from PIL import Image

        image = png(plot(name, finished()), final=True)
        pixels = Image.open(io.BytesIO(image.data)).convert("RGBA")
        assert pixels.size == (2 * image.width, 2 * image.height)
        assert np.asarray(pixels)[0, 0, 3] == 0
        assert len(image.data) < 40_000

    def test_no_pyplot_and_the_same_bytes_each_time(self, name: str) -> None:
        assert png(plot(name, finished())).data == png(plot(name, finished())).data

    def test_in_a_notebook_it_shows_itself_and_its_words(self, name: str) -> None:
        data, metadata = plot(name, finished())._repr_mimebundle_()  # type: ignore[attr-defined]
        assert data["image/png"].startswith(b"\x89PNG")
        assert "0x" not in data["text/plain"]
        assert metadata["image/png"]["width"] == theme.WIDTH


def test_the_best_so_far_never_falls() -> None:
    events = [(n, score) for n, score in enumerate([0.3, 0.1, 0.7, 0.7, 0.2])]
    folded = History(Goal())
    for number, score in events:
        folded.apply(TrialStarted(number, {}))
        folded.apply(TrialEnded(number, "complete", {"score": score}, 0.0))
    data = history.history_data(folded)
    assert data.best == (0.3, 0.3, 0.7, 0.7, 0.7)
    assert data.best_number == 2
    assert data.title == "Best score 0.700, at trial 2"


def reported(*curves_: tuple[float, ...], ends: dict[int, EndState] | None = None) -> History:
    """A history of trials with these curves; those without an end run."""
    folded = History(Goal())
    for number, curve in enumerate(curves_):
        folded.apply(TrialStarted(number, {}))
        for score in curve:
            folded.apply(TrialReported(number, {"score": score}))
        if (end := (ends or {}).get(number)) is not None:
            folded.apply(TrialEnded(number, end, {"score": curve[-1]}, 0.0))
    return folded


def test_the_running_curve_is_told_apart() -> None:
    data = curves.curves_data(reported((0.5, 0.75)))
    assert data.running == ((0.5, 0.75),)
    assert data.title == "Trial 0: 0.750 after 2 steps"


def test_of_several_running_curves_the_title_names_the_one_that_is_ahead() -> None:
    data = curves.curves_data(reported((0.5, 0.6), (0.9,), (0.2, 0.3, 0.4)))
    assert data.running == ((0.5, 0.6), (0.9,), (0.2, 0.3, 0.4))
    assert data.title == "Trial 1: 0.900 after 1 step, ahead of 2 others now"


def test_halted_curves_are_told_apart_and_end_in_a_cross() -> None:
    data = curves.curves_data(
        reported((0.5, 0.8), (0.2,), (0.3, 0.7), ends={0: "complete", 1: "halted", 2: "complete"})
    )
    assert (data.best, data.halted, data.others) == ((0.5, 0.8), ((0.2,),), ((0.3, 0.7),))
    assert data.title == "Trial 0 learned best; 1 halted"
    _, (axes,) = theme.new_figure()
    curves.draw_curves(axes, data)
    crosses = [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "x"]  # type: ignore[union-attr]
    assert crosses == [[[1.0, 0.2]]]


HOSTILE = "$\\frac{$<img src=x onerror=alert(1)>\x1b[31m\u202e"


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_drawn_as_it_is_written(name: str) -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize=HOSTILE)
    study.tell({"x": 0.5}, 1.0)
    figure = plot(name, study)
    png(figure)
    words = figure._repr_mimebundle_()[0]["text/plain"]  # type: ignore[attr-defined]
    assert words.isprintable()
    assert repr(study).isprintable()
    assert repr(study.trials[0]).isprintable()


def test_the_front_of_three_aims_is_drawn_in_two_and_says_so() -> None:
    data = front.front_data(weighed(3).history)
    assert (data.up, data.across, data.steps) == ("accuracy", "speed", None)
    assert data.title.endswith("(2 of 3 aims)")


def test_the_front_shows_what_nets_were_before_they_were_compressed() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize="accuracy", minimize="size")
    was = {"original_accuracy": 0.96, "original_size": 9e4}
    study.tell({"x": 0.1}, {"accuracy": 0.95, "size": 8e3, **was})
    study.tell({"x": 0.2}, {"accuracy": 0.90, "size": 2e3, **was})
    data = front.front_data(study.history)
    assert data.originals == ((9e4, 0.96),)
    assert data.front == ((2e3, 0.90), (8e3, 0.95))
    axes = plot("front", study).axes[0]
    assert axes.get_xscale() == "log"
    # few, and written out: between the powers of ten matplotlib's own lie on each other, black on a dark page
    marks = [words.get_text() for words in axes.get_xticklabels(which="both")]
    assert 2 <= len(marks) <= 5
    assert all(float(mark) > 0 for mark in marks)
    legend = axes.get_legend()
    assert legend is not None
    assert [words.get_text() for words in legend.get_texts()] == ["before compression"]
    assert front.front_data(weighed(2).history).originals == ()


def test_the_trade_off_says_how_much_smaller() -> None:
    data = trade_off.trade_off_data(squeezed().history)
    assert data.title == "4.0x smaller; accuracy 0.950 → 0.940"
    assert [point.name for point in data.points] == ["original", "Prune(0.8)", "Quantize()"]
    assert data.smallest == 2


def test_the_live_picture_follows_the_job_on_one_figure() -> None:
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    painter = live.LivePainter(study)
    empty = painter.paint()
    assert "No score yet" in empty.alt
    study.run(3)
    painted = painter.paint()
    assert painted.figure is empty.figure
    assert painted.alt.startswith("Best score")
    assert "3 scores" in painted.alt
    first = png(painted.figure).data
    assert png(painter.paint().figure).data == first


def test_the_live_pictures_of_what_reports_its_steps_share_the_width_of_one() -> None:
    def learned(x: float) -> Iterator[float]:
        yield from (x, 2 * x)

    study = tk.Study(learned, tk.Space(x=(0.0, 1.0)), sampler="random", seed=0)
    painter = live.LivePainter(study)
    assert painter.count == 1
    alone = painter.paint()
    study.run(3)
    assert painter.count == 2
    left, right = painter.paint(0), painter.paint(1)
    assert left.alt.startswith("Best score")
    assert "3 scores" in left.alt
    assert right.alt.startswith("Learning curves: Trial")
    whole = live.live_picture(study)
    assert whole.alt == f"{left.alt} {right.alt}"
    assert png(left.figure).width + png(right.figure).width == png(alone.figure).width == png(whole.figure).width


def test_words_hold_on_both_themes() -> None:
    """WCAG contrast: at least 3 for what is drawn (graphics), on white and on JupyterLab's dark."""

    def luminance(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for colour in (theme.QUIET, theme.ACCENT, theme.WARNING):
        for page in ("#ffffff", "#111111"):
            light, dark = sorted((luminance(colour), luminance(page)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= (4.3 if colour == theme.QUIET else 3.0), (colour, page)


def test_the_front_covers_its_hypervolume() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)}, maximize=["accuracy", "speed"])
    for accuracy, speed in ((1.0, 3.0), (2.0, 2.0), (0.0, 0.0)):
        study.tell({"x": accuracy / 4}, {"accuracy": accuracy, "speed": speed})
    data = front.front_data(study.history)
    assert (data.hypervolume, data.corner) == (5.0, (0.0, 0.0))
    axes = plot("front", study).axes[0]
    assert [words.get_text() for words in axes.texts] == ["hypervolume 5.00"]
    x, y = axes.patches[0].get_path().vertices.T  # type: ignore[union-attr]
    assert abs(sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2 == pytest.approx(5.0)  # the area that is drawn
