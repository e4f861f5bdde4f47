"""What every plot holds, as tests that run on one of your own."""

from __future__ import annotations

import io
import random
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunekit.core.job import Job
from tunekit.testing.plot_jobs import clocked, jobs, made

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

# The width of a notebook's pictures, in CSS pixels, and what of a word may be beyond the edge, in dots.
_WIDTH, _BEYOND = 640, 1.5


class PlotConformance(ABC):
    """Subclass it in a test file, say how to make the plot, and pytest runs what every plot holds.

    It is drawn for jobs of every kind: of nothing, of failures, of a thousand trials, with names that are markup. A
    plot that is not for a job says so in a `ValueError` with the words "is for".

    Attributes
    ----------
    seconds
        How much of a processor's time it may take for a thousand trials.
    kilobytes
        How large a picture may be as it stays in a notebook.

    Examples
    --------
    >>> from tunekit.plots.history import plot_history
    >>> class TestHistory(PlotConformance):
    ...     def make(self):
    ...         return plot_history
    >>> TestHistory().test_the_words_know_no_clock()
    """

    seconds: ClassVar[float] = 15.0
    kilobytes: ClassVar[float] = 100.0

    _drawn: ClassVar[dict[str, Figure | None]]
    _spent: ClassVar[dict[str, float]]

    @abstractmethod
    def make(self) -> Callable[..., Figure]:
        """The plot: a function of a job, with settings by keyword that may all be left out."""

    def jobs(self) -> dict[str, Callable[[], Job]]:
        """What it is drawn for, each by what is special about it: add your own."""
        return jobs()

    def test_each_job_is_drawn_or_refused_in_words(self) -> None:
        """A picture, or an error that says which jobs the plot is for; at least some are drawn."""
        from matplotlib.figure import Figure

        drawn = list(self._figures())
        assert len(drawn) > 1, f"a plot is for some jobs: drawn were {[name for name, _ in drawn]}"
        for name, figure in drawn:
            assert isinstance(figure, Figure), f"{name}: a plot gives a matplotlib figure: got {type(figure).__name__}"

    def test_the_title_states_a_finding(self) -> None:
        """It is there, it is one line, and it is not the name of an axis."""
        for name, figure in self._figures():
            first = figure.axes[0]
            title = first.get_title(loc="left")
            assert title, f"{name}: the first picture has a title, at its left"
            assert "\n" not in title, f"{name}: a title is one line: {title!r}"
            assert title not in (first.get_xlabel(), first.get_ylabel()), f"{name}: a title is a finding: {title!r}"

    def test_no_words_are_cut(self) -> None:
        """All that is drawn lies within the picture, and no title touches another one."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        for name, figure in self._figures():
            assert isinstance(figure.canvas, FigureCanvasAgg)
            renderer = figure.canvas.get_renderer()
            box = figure.get_tightbbox(renderer)
            width, height = figure.get_size_inches()
            air = _BEYOND / figure.dpi
            cut = [
                side
                for side, is_cut in (
                    ("left", box.x0 < -air),
                    ("below", box.y0 < -air),
                    ("right", box.x1 > width + air),
                    ("above", box.y1 > height + air),
                )
                if is_cut
            ]
            assert not cut, f"{name}: something is cut {' and '.join(cut)}: {box.extents} of {width, height} inches"
            titles = [axes.title for axes in figure.axes] + [_left_title(axes) for axes in figure.axes]
            boxes = [(text, text.get_window_extent(renderer)) for text in titles if text.get_text()]
            for (one, here), (other, there) in combinations(boxes, 2):
                assert not here.overlaps(there), f"{name}: {one.get_text()!r} lies on {other.get_text()!r}"

    def test_it_is_a_small_transparent_picture(self) -> None:
        """As wide as a notebook at most, with two dots a CSS pixel, and few bytes."""
        from PIL import Image

        from tunekit.plots.image import png

        for name, figure in self._figures():
            image = png(figure)
            pixels = Image.open(io.BytesIO(image.data)).convert("RGBA")
            assert image.width <= _WIDTH, f"{name}: a picture is at most {_WIDTH} wide: got {image.width}"
            assert pixels.size == (2 * image.width, 2 * image.height), f"{name}: two dots a pixel, for sharp screens"
            assert np.asarray(pixels)[0, 0, 3] == 0, f"{name}: a picture is transparent, to be on white and on dark"
            size = len(image.data) / 1000
            if size >= self.kilobytes:
                size = len(png(figure, final=True).data) / 1000
            assert size < self.kilobytes, f"{name}: a picture has at most {self.kilobytes:g} kB: got {size:.0f}"

    def test_the_same_job_has_the_same_picture(self) -> None:
        """To the byte."""
        from tunekit.plots.image import png

        for name, figure in list(self._figures())[1::5]:
            again = self._draw(name, made(name, self.jobs()[name]))
            assert again is not None
            assert png(figure).data == png(again).data, f"{name}: drawn twice, the picture is another one"

    def test_words_stand_for_it(self) -> None:
        """In a notebook it has a text as well: facts, on one line, without an address."""
        for name, figure in list(self._figures())[::2]:
            bundle, metadata = figure._repr_mimebundle_()  # type: ignore[attr-defined]
            words = bundle["text/plain"]
            assert words, f"{name}: words stand for a picture where it cannot be seen"
            assert words.isprintable(), f"{name}: no control characters: {words!r}"
            assert " at 0x" not in words, f"{name}: no address: {words!r}"
            assert set(metadata["image/png"]) == {"width", "height", "alt"}
            assert metadata["image/png"]["alt"] == words, f"{name}: a page made of the notebook has the words, too"

    def test_the_words_know_no_clock(self) -> None:
        """They are the same for a study that took longer: what a notebook shows is compared."""
        said = []
        for pace in (1.0, 1.7):
            figure = self._draw("another pace", clocked(pace))
            if figure is not None:
                said.append(figure._repr_mimebundle_()[0]["text/plain"])  # type: ignore[attr-defined]
        assert len(set(said)) <= 1, f"the words are the same whatever time it took: got {said}"

    def test_names_are_shown_as_they_are_written(self) -> None:
        """A dollar sign begins no formula, and nothing is obeyed."""
        from matplotlib.text import Text

        for name, figure in self._figures():
            for text in figure.findobj(Text):
                assert isinstance(text, Text)
                shown = text.get_text() if text.get_visible() else ""
                assert shown.replace("\n", "").isprintable(), f"{name}: no control characters: {shown!r}"
                assert not (_is_formula(text) and "$" in shown), f"{name}: drawn as a formula: {shown!r}"

    def test_nothing_around_it_changes(self) -> None:
        """Neither the trials, nor anybody's random numbers."""
        for name, make in list(self.jobs().items())[1::5]:
            job = made(name, make)
            before, streams = list(job.history), _streams()
            self._draw(name, job)
            assert list(job.history) == before, f"{name}: a plot changes no trial"
            assert _streams() == streams, f"{name}: a plot draws none of the caller's random numbers"

    def test_a_thousand_trials_are_no_end(self) -> None:
        """They are drawn in a time that a person waits."""
        list(self._figures())
        spent = self._spent["a thousand trials"]
        assert spent < self.seconds, f"a thousand trials are drawn within {self.seconds:g} s: it took {spent:.1f}"

    # How it is drawn

    def _figures(self) -> Iterator[tuple[str, Figure]]:
        """What it draws of all jobs that it is for; drawn once for all tests of a class."""
        mine = type(self)
        if "_drawn" not in mine.__dict__:
            mine._drawn, mine._spent = {}, {}
            for name, make in self.jobs().items():
                job, began = made(name, make), time.thread_time()
                mine._drawn[name] = self._draw(name, job)
                mine._spent[name] = time.thread_time() - began
        for name, figure in mine._drawn.items():
            if figure is not None:
                yield name, figure

    def _draw(self, name: str, job: Job) -> Figure | None:
        """The picture as it is shown; None where the plot is not for this job."""
        from tunekit.plots.image import png

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                figure = self.make()(job)
            except ValueError as error:
                if "is for" not in str(error):
                    raise AssertionError(f"{name}: an error says which jobs a plot is for: got {error!r}") from error
                return None
            png(figure)
        return figure


def _left_title(axes: Any) -> Text:
    title: Text = axes._left_title
    return title


def _is_formula(text: Text) -> bool:
    return bool(text.get_parse_math()) and text._preprocess_math(text.get_text())[1] is True  # type: ignore[attr-defined]


def _streams() -> tuple[Any, ...]:
    return random.getstate(), repr(np.random.get_state())
