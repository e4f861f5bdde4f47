"""Every registered plot holds what all plots hold; and the suite finds what is wrong with one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.job import Job
from tunekit.plots import plot, plots, registered, theme
from tunekit.testing.plot_jobs import jobs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def suite(name: str) -> type[tk.testing.PlotConformance]:
    class Suite(tk.testing.PlotConformance):
        def make(self) -> Callable[..., Figure]:
            return plots[name]

    Suite.__name__ = Suite.__qualname__ = f"Test{name.title().replace('_', '')}"
    return Suite


for registered_name in registered():
    made = suite(registered_name)
    globals()[made.__name__] = made


class Faulty(tk.testing.PlotConformance):
    """A plot that is sound but for one thing, drawn for three jobs."""

    fault = ""

    def jobs(self) -> dict[str, Callable[[], Job]]:
        wanted = ("nothing yet", "only failures", "hostile names", "trials without a clock", "a thousand trials")
        return {name: make for name, make in super().jobs().items() if name in wanted}

    def make(self) -> Callable[..., Figure]:
        def draw(job: Job) -> Figure:
            figure, (axes,) = theme.new_figure()
            theme.label(axes, "" if self.fault == "no title" else "It is drawn", "trial", "score")
            if self.fault == "cut":
                axes.text(1.2, 0.5, "beyond the edge", transform=axes.transAxes)
            if self.fault == "formula":
                axes.text(0.5, 0.5, "$x$")
            if self.fault == "clock":
                theme.say(figure, f"It took {sum(trial.seconds or 0.0 for trial in job.history):.3f} s")
            if self.fault == "random":
                axes.plot(np.random.rand(20))
            if self.fault == "wide":
                figure.set_size_inches(8, 2)
            if self.fault == "opaque":
                figure.set_facecolor("white")
            if self.fault == "strict" and not job.history.complete:
                raise ValueError("nothing there")
            if self.fault == "slow":
                began = time.thread_time()
                while time.thread_time() - began < 1.1 * self.seconds:
                    pass
            return figure

        return draw


FAULTS = {
    "no title": "test_the_title_states_a_finding",
    "cut": "test_no_words_are_cut",
    "formula": "test_names_are_shown_as_they_are_written",
    "clock": "test_the_words_know_no_clock",
    "random": "test_the_same_job_has_the_same_picture",
    "wide": "test_it_is_a_small_transparent_picture",
    "opaque": "test_it_is_a_small_transparent_picture",
    "strict": "test_each_job_is_drawn_or_refused_in_words",
    "slow": "test_a_thousand_trials_are_no_end",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    class One(Faulty):
        seconds = 0.05 if fault == "slow" else 15.0

    One.fault = fault
    with pytest.raises(AssertionError):
        getattr(One(), FAULTS[fault])()


def test_a_plot_that_is_not_for_a_job_says_which_it_is_for() -> None:
    lab = jobs()["a compression"]()
    with pytest.raises(ValueError, match=r"'parallel' is for a study.*: got a Compression"):
        plot("parallel", lab)


def test_an_unknown_setting_lists_the_known_ones() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)})
    with pytest.raises(ValueError, match="unknown setting 'z' of the plot 'contour': the known ones are 'x', 'y'"):
        study.plot("contour", z="lr")
    with pytest.raises(ValueError, match="unknown setting 'z' of the plot 'curves': the known ones are none"):
        study.plot("curves", z=1)
