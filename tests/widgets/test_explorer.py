"""The explorer, seen from the kernel: what follows the job, what is drawn, and what is left when it is closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tunekit as tk
from tests.widgets.test_live_view import LEFT, executed
from tunekit.widgets import as_shown
from tunekit.widgets.explorer import Explorer, Tab


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "it took too long"
        time.sleep(0.01)


def study() -> tk.Study:
    return tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)


class Count(Tab):
    """Shows how often it was drawn, and how many trials there were."""

    title = "Count"

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self.seen: list[int] = []
        self._label = ipywidgets.Label("")

    @property
    def widget(self) -> Any:
        return self._label

    def refresh(self) -> None:
        self.seen.append(len(self.job.history))
        self._label.value = str(self.seen)


class Other(Count):
    title = "Other"


class Failing(Count):
    title = "Failing"

    def refresh(self) -> None:
        super().refresh()
        raise ValueError("no such <b>picture</b>")


@pytest.fixture
def open_explorer() -> Iterator[Callable[..., Explorer]]:
    opened: list[Explorer] = []

    def open_one(*arguments: Any) -> Explorer:
        opened.append(Explorer(*arguments))
        return opened[-1]

    yield open_one
    for explorer in opened:
        if not explorer.is_closed:
            explorer.close()


class Brief(Count):
    title = "Brief"
    is_brief = True


def test_words_alone_come_as_often_as_the_processors_let_them(
    open_explorer: Callable[..., Explorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def seconds(_: object) -> float:
        asked.append(explorer._tabs[explorer._book.selected_index or 0].title)
        return 0.05

    monkeypatch.setattr("tunekit.widgets.explorer.Pace.seconds", seconds)
    job = study()
    explorer = open_explorer(job, [Count, Brief])
    count, brief = explorer._tabs
    assert isinstance(count, Count)
    assert isinstance(brief, Brief)
    for _ in range(3):
        job.run(1)
        until(lambda: count.seen[-1:] == [len(job.history)])
    assert asked == []
    explorer._book.selected_index = 1
    for _ in range(3):
        job.run(1)
        until(lambda: brief.seen[-1:] == [len(job.history)])
    until(lambda: len(asked) >= 3)
    assert set(asked) == {"Brief"}


def test_the_visible_tab_alone_follows_the_job(open_explorer: Callable[..., Explorer]) -> None:
    job = study()
    explorer = open_explorer(job, [Count, Other])
    count, other = explorer._tabs
    assert isinstance(count, Count)
    assert isinstance(other, Other)
    job.run(3)
    until(lambda: count.seen[-1:] == [3])
    assert other.seen == []
    explorer._book.selected_index = 1
    until(lambda: other.seen == [3])


def test_it_is_drawn_four_times_a_second_at_most(open_explorer: Callable[..., Explorer]) -> None:
    def slow(x: float) -> float:
        time.sleep(0.01)
        return x

    job = tk.Study(slow, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    explorer = open_explorer(job, [Count])
    count = explorer._tabs[0]
    assert isinstance(count, Count)
    began = time.perf_counter()
    job.run(120)
    assert len(count.seen) <= 4 * (time.perf_counter() - began) + 2
    until(lambda: count.seen[-1] == 120)


def test_what_is_wished_is_done_by_the_thread_that_draws(open_explorer: Callable[..., Explorer]) -> None:
    explorer = open_explorer(study(), [Count])
    done: list[str] = []
    explorer.act(lambda: done.append(threading.current_thread().name))
    until(lambda: done)
    assert done == ["tunekit-explorer"]


def test_what_fails_is_said_in_words_and_the_explorer_goes_on(open_explorer: Callable[..., Explorer]) -> None:
    explorer = open_explorer(study(), [Failing])
    failing = explorer._tabs[0]
    assert isinstance(failing, Failing)
    until(lambda: "no such <b>picture</b>" in explorer._header.notice)
    before = len(failing.seen)
    explorer.act(lambda: 1 / 0)
    until(lambda: len(failing.seen) > before)


def test_it_is_for_notebooks_and_says_so() -> None:
    with pytest.raises(RuntimeError, match="a panel in a notebook"):
        study().explore()


def test_what_an_explorer_begins_opens_no_view_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    job = study()
    with as_shown():
        job.start(1)
    assert job.view is None
    job.wait()
    assert capsys.readouterr() == ("", "")


WORDS = "Explorer of Study(objective over x; random). It needs its kernel: run this cell again."


def test_in_a_cell_it_is_words_and_a_widget_and_once_closed_a_picture(tmp_path: Path) -> None:
    opened, _, _ = executed(tmp_path, "explorer = study.explore()", "study.run(2);", "explorer.close()")
    assert opened[0]["data"]["text/plain"] == WORDS
    # a headless run hears of updates only where they come from the cell that it is running
    (closed,) = executed(tmp_path, "study.run(2);", "explorer = study.explore()\nexplorer.close()")[1]
    assert set(closed["data"]) == {"text/plain", "image/png"}
    assert closed["data"]["text/plain"] == WORDS


def test_of_a_study_without_trials_words_alone_are_left(tmp_path: Path) -> None:
    ((closed,),) = executed(tmp_path, "study.explore().close()")
    assert closed["data"] == {"text/plain": WORDS}


def test_a_cell_shows_it_once_and_another_cell_too(tmp_path: Path) -> None:
    first, second = executed(tmp_path, "explorer = study.explore()\nexplorer", "explorer")
    assert [len(first), len(second)] == [1, 1]
    assert "application/vnd.jupyter.widget-view+json" in second[0]["data"]


def test_after_twenty_studies_nothing_is_left_of_their_explorers(tmp_path: Path) -> None:
    many = """
for _ in range(20):
    new = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    explorer = new.explore()
    new.run(1)
    explorer.close()
"""
    _, (left,) = executed(tmp_path, many, LEFT)
    assert left["data"]["text/plain"] == "(0, 0, [])"


AGAIN = """
import comm
shell = get_ipython()
parent = shell.get_parent()
ran_again = {**parent, "metadata": {"cellId": "the same"}, "header": {**parent["header"], "msg_id": "another run"}}
parent["metadata"]["cellId"] = "the same"
first = study.explore()
shell.set_parent(ran_again)
second = study.explore()
shell.set_parent(parent)
first._thread.join(10)
(first.is_closed, first._thread.is_alive(), second.is_closed)
"""


def test_a_cell_that_is_run_again_closes_what_it_had_shown(tmp_path: Path) -> None:
    (outputs,) = executed(tmp_path, AGAIN)
    assert outputs[-1]["data"]["text/plain"] == "(True, False, False)"
