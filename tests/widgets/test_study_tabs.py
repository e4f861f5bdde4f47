"""The tabs of a study: what they say at each stage, what their buttons do, and that what is the user's is escaped."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tunekit as tk
from tests.widgets.test_explorer import until
from tunekit.core.job import Job
from tunekit.insight.next_point import next_point
from tunekit.insight.surrogate import surrogate
from tunekit.widgets.explorer import Explorer
from tunekit.widgets.importance_tab import ImportanceTab
from tunekit.widgets.progress_tab import ProgressTab
from tunekit.widgets.settings_tab import SettingsTab
from tunekit.widgets.study_progress_tab import StudyProgressTab
from tunekit.widgets.tabs import tabs_of
from tunekit.widgets.what_if_tab import WhatIfTab

EVIL = "<img src=x onerror=alert(1)>"


def make(trials: int = 0) -> tk.Study:
    def objective(**settings: Any) -> float:
        top: float = settings["x"] if settings["act"] == "up" else 1 - settings["x"]
        return top

    space = {"x": (0.0, 1.0), "act": ["up", "down"], EVIL: tk.Float(0, 1, when={"act": "up"})}
    study = tk.Study(objective, tk.Space(space), sampler="sobol", seed=0)
    if trials:
        study.run(trials)
    return study


@pytest.fixture
def show() -> Iterator[Callable[..., Any]]:
    opened: list[Explorer] = []

    def show_one(job: Job, kind: Callable[[Explorer], Any]) -> Any:
        opened.append(Explorer(job, [kind]))
        return opened[-1]._tabs[0]

    yield show_one
    for explorer in opened:
        explorer.close()


def test_a_study_has_five_tabs_and_another_job_its_progress() -> None:
    study = make()
    assert [tab.title for tab in tabs_of(study)] == ["Progress", "Settings", "Importance", "What if", "Trials"]  # type: ignore[attr-defined]


def test_more_trials_are_run_from_the_buttons(show: Callable[..., Any]) -> None:
    study = make()
    tab: StudyProgressTab = show(study, StudyProgressTab)
    until(lambda: tab._panel.words == "No trial yet.")
    tab._more[0].click()
    until(lambda: tab._panel.words.startswith("10 trials, all complete"))
    until(lambda: not tab._run.disabled)
    tab._count.value = 3
    tab._run.click()
    until(lambda: tab._panel.words.startswith("13 trials"))
    until(lambda: tab._panel.alt.startswith("Best score"))
    assert study.view is None


def test_more_trials_are_run_as_the_last_ones_were(show: Callable[..., Any]) -> None:
    both_here = threading.Barrier(2, timeout=20)

    def objective(x: float) -> float:
        both_here.wait()  # one worker alone would wait here until it fails
        return x

    study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    study.run(2, workers=2, executor="threads")
    tab: StudyProgressTab = show(study, StudyProgressTab)
    tab._more[0].click()
    until(lambda: tab._panel.words.startswith("12 trials, all complete"))


def test_while_it_runs_no_more_can_be_asked_for_and_the_panel_stops_it(show: Callable[..., Any]) -> None:
    def endless(x: float) -> Iterator[float]:
        while True:
            time.sleep(0.005)
            yield x

    study = tk.Study(endless, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    tab: StudyProgressTab = show(study, StudyProgressTab)
    tab._more[1].click()
    until(lambda: tab._run.disabled)
    for button, state in (("pause", "paused"), ("resume", "running"), ("stop", "over")):
        tab._panel._handle_custom_msg({"press": button}, [])
        until(lambda: tab._panel.state == state)  # noqa: B023
    until(lambda: not tab._run.disabled)


def test_a_study_that_runs_elsewhere_says_why_it_cannot_be_run_here(show: Callable[..., Any]) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.disable_default_handler()
    study = tk.watch(optuna.create_study(direction="maximize"))
    tab: StudyProgressTab = show(study, StudyProgressTab)
    tab._more[0].click()
    until(lambda: "objective" in tab.explorer._header.notice)


def test_with_too_few_trials_the_tabs_say_so(show: Callable[..., Any]) -> None:
    study = make(2)
    asked: WhatIfTab = show(study, WhatIfTab)
    until(lambda: "needs at least 4 complete trials" in asked._answer.value)
    explained: ImportanceTab = show(study, ImportanceTab)
    until(lambda: "What matters can be told from 4 complete trials on: 2 are missing." in explained._sentences.value)


def test_what_if_answers_and_says_what_comes_next_and_why(show: Callable[..., Any]) -> None:
    study = make(12)
    tab: WhatIfTab = show(study, WhatIfTab)
    until(lambda: re.search(r"score \S+ expected, \S+ to \S+ \(95 %\). Best so far", tab._answer.value), 60)
    until(lambda: "the chance of that is" in tab._ahead.value, 60)
    assert EVIL not in tab._answer.value + tab._ahead.value
    before = tab._answer.value
    tab._controls._handle_custom_msg({"turn": 0, "to": 3}, [])
    until(lambda: tab._answer.value != before)
    tab._try.click()
    until(lambda: "tried with the next run" in tab._note.value)
    (waiting,) = study.history.waiting
    assert waiting == tab._controls.settings
    until(lambda: "which was enqueued" in tab._ahead.value)
    tab._best.click()
    assert tab._controls.settings == study.best.params
    tab._take.click()
    assert tab._controls.settings == waiting
    assert EVIL not in tab._note.value + tab._ahead.value


def test_an_answer_takes_less_than_50_ms_at_500_trials(show: Callable[..., Any]) -> None:
    study = make()
    rng = np.random.default_rng(0)
    for _ in range(500):
        settings = study.space.sample(rng)
        study.tell(settings, settings["x"] + rng.normal(0, 0.1))
    learned = surrogate(study.history, study.space)
    tab: WhatIfTab = show(study, WhatIfTab)
    history = study.history.before(500)
    seconds = []
    for _ in range(20):
        began = time.thread_time()
        tab._answered(history, {"score": learned})
        seconds.append(time.thread_time() - began)
    assert sorted(seconds)[10] < 0.05


def test_settings_and_importance_are_pictures_with_their_finding(show: Callable[..., Any]) -> None:
    study = make(16)
    settings: SettingsTab = show(study, SettingsTab)
    until(lambda: settings._picture.alt, 60)
    first = settings._picture.alt
    settings._menu.value = "parallel"
    until(lambda: settings._picture.alt not in ("", first), 60)
    importance: ImportanceTab = show(study, ImportanceTab)
    until(lambda: importance._picture.alt, 60)
    until(lambda: "<li>" in importance._sentences.value, 60)
    assert EVIL not in importance._sentences.value


def test_a_panel_of_any_job_shows_its_progress(show: Callable[..., Any]) -> None:
    tab: ProgressTab = show(make(3), ProgressTab)
    until(lambda: tab._panel.picture and tab._panel.words.startswith("3 trials"))


@pytest.mark.parametrize(("x", "better"), [(0.99, True), (0.2, False)])
def test_the_next_point_is_judged_by_the_best(x: float, better: bool) -> None:
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="sobol", seed=0)
    for known in (0.05, 0.2, 0.4, 0.6, 0.7, 0.8):
        study.tell({"x": known}, known)
    point = next_point({"x": x}, study.history, surrogate(study.history, study.space))
    assert (point.chance > 0.9) == better
    assert (point.improvement > 0.1) == better
    assert ("expected to beat" in point.words) == better
    assert point.low <= point.mean <= point.high


def test_without_a_best_trial_there_is_nothing_to_judge_by() -> None:
    study = make(8)
    learned = surrogate(study.history, study.space)
    with pytest.raises(ValueError, match="there is none yet; run more trials"):
        next_point({"x": 0.5, "act": "down"}, study.history.before(0), learned)


def test_closed_it_leaves_no_widget_of_any_tab() -> None:
    from ipywidgets.widgets.widget import _instances

    before = set(_instances)
    explorer = Explorer(make(6), tabs_of(make()))
    assert len(_instances) > len(before)
    explorer.close()
    assert set(_instances) - before == set()
