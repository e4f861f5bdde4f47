"""A study with a journal: what is written comes back, and the same cells go on where they were."""

from __future__ import annotations

import gc
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tunekit as tk
from tunekit.core.journal import JournalError, JournalHeld
from tunekit.core.values import decode, encode

SPACE = {"x": (0.0, 1.0)}


def rising(x: float) -> Iterator[float]:
    for step in range(1, 4):
        yield x * step


def study(path: Path | str | None, objective: Any = rising, space: Any = None, **settings_: Any) -> tk.Study:
    options = {"sampler": "random", "seed": 0, **settings_}
    return tk.Study(objective, space or SPACE, journal=path, **options)


def record(of: tk.Study) -> list[Any]:
    return [(t.params, t.seed, t.state, t.reports, t.metrics, t.error, t.parent) for t in of.trials]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "digits.jsonl"


# What is written comes back


def test_what_happened_comes_back(path: Path) -> None:
    def objective(x: float) -> Iterator[float]:
        yield x
        if x > 0.8:
            raise LookupError("<b>too far\x1b[31m</b>")
        yield 2 * x

    first = study(path, objective, early_stopping="asha")
    first.run(12)
    first.tell({"x": 0.25}, 0.125)
    first.tell({"x": 0.5}, error="it burned")
    first.enqueue({"x": 0.75})
    again = study(path, objective, early_stopping="asha")
    assert record(again) == record(first)
    assert [trial.seconds for trial in again.trials] == [trial.seconds for trial in first.trials]
    assert again.history.waiting == ({"x": 0.75},)
    assert repr(again) == repr(first)


class Opaque:
    """Something that JSON has no word for."""


OPAQUE = Opaque()


def test_values_of_any_type_come_back_as_the_very_values(path: Path) -> None:
    values = [(1, ("two", 2.5)), None, True, "ünï\n", math.inf, dict, len, OPAQUE, [1, 2], np.float32(0.1)]
    space = tk.Space(kind=tk.Choice(*values), rate=tk.Float(1e-9, 1.0, log=True), size=tk.Int(1, 10**6))
    kinds = [type(value) for value in values]

    def objective(kind: Any, rate: float, size: int) -> float:
        return rate

    first = study(path, objective, space)
    for value in values:
        first.tell({"kind": value, "rate": 0.1 + 0.2, "size": 12345}, 1.0)
    again = study(path, objective, space)
    assert [type(trial.params["kind"]) for trial in again.trials] == kinds
    for trial, value in zip(again.trials, values, strict=True):
        assert trial.params["kind"] is value or trial.params["kind"] == value
        assert trial.params["rate"] == 0.1 + 0.2
    assert again.trials[7].params["kind"] is OPAQUE


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple),
    max_leaves=8,
)


@given(plain)
def test_plain_values_survive_the_way_through_json(value: Any) -> None:
    assert repr(decode(json.loads(json.dumps(encode(value), allow_nan=False)))) == repr(value)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    scores=st.lists(st.floats(-1e300, 1e300) | st.sampled_from(["fails", "enqueue", "measure", "ask"]), max_size=8),
    seed=st.integers(0, 5),
)
def test_any_history_survives(tmp_path_factory: pytest.TempPathFactory, scores: list[Any], seed: int) -> None:
    path = tmp_path_factory.mktemp("any") / "journal.jsonl"
    first = study(path, None, seed=seed)
    for each in scores:
        if each == "enqueue":
            first.enqueue({"x": 0.5})
        elif each == "measure":
            first.tell({"x": 0.25}, {"score": 1.0, "other": -0.0})
        elif each == "ask":
            first.ask()
        else:
            trial = first.ask()
            first.tell(trial, error="no") if each == "fails" else first.tell(trial, each)
    before = record(first)
    first._journal.release()  # type: ignore[union-attr]
    again = study(path, None, seed=seed)
    # what was open when the process ended was cut off
    assert record(again) == [(*each[:2], "stopped" if each[2] == "running" else each[2], *each[3:]) for each in before]


# The same cells, run again


def cells(path: Path | None) -> tk.Study:
    """What a notebook does: each call stands in a cell."""
    new = study(path, sampler="bayes")
    new.tell({"x": 0.5}, 1.5)
    new.enqueue({"x": 0.25})
    new.run(4)
    new.enqueue({"x": 0.25})
    new.run(3)
    return new


def test_cells_that_are_run_again_run_nothing_again(path: Path) -> None:
    first = cells(path)
    size = path.stat().st_size
    again = cells(path)
    assert record(again) == record(first) == record(cells(None))
    assert path.read_text()[size:].count("\n") == 3  # who has opened it, and twice that nothing runs
    assert "3 trials of this run from the journal" in repr(again)


def test_a_run_goes_on_where_it_was(path: Path) -> None:
    study(path, sampler="bayes").run(7)
    again = study(path, sampler="bayes")
    words = again.run(10).words
    assert "7 trials of this run from the journal" in words
    assert words.startswith("10 trials, all complete")
    undisturbed = study(None, sampler="bayes")
    undisturbed.run(10)
    assert record(again) == record(undisturbed)
    again.run(2)  # and more are more
    assert len(again.trials) == 12


def test_settings_that_are_enqueued_anew_are_new(path: Path) -> None:
    first = study(path)
    first.enqueue({"x": 0.25})
    first.run(2)
    again = study(path)
    again.run(2)
    again.enqueue({"x": 0.25})
    again.run(1)
    assert [trial.params["x"] for trial in again.trials].count(0.25) == 2


def test_without_a_seed_it_goes_on_as_it_would_have(path: Path) -> None:
    first = study(path, seed=None)
    first.run(3)
    proposals = [study(path, seed=None).ask().params for _ in range(1)]
    again = study(path, seed=None)
    assert again.trials[3].params == proposals[0]
    assert again.trials[3].state == "stopped"
    assert first._entropy == again._entropy


def test_what_was_cut_off_is_run_again_first(path: Path) -> None:
    first = study(path)
    first.run(2)
    cut_off = first.ask()
    first._journal.release()  # type: ignore[union-attr]
    again = study(path)
    assert [trial.state for trial in again.trials] == ["complete", "complete", "stopped"]
    again.run(4)
    assert [trial.state for trial in again.trials] == ["complete"] * 4
    assert (again.trials[2].params, again.trials[2].seed) == (cut_off.params, cut_off.seed)
    assert len(again.trials) == 4


def test_rounds_go_on_as_rounds(path: Path) -> None:
    def options() -> dict[str, Any]:
        return {"executor": "threads", "workers": 2, "deterministic": True}

    study(path, sampler="bayes").run(7, **options())
    again = study(path, sampler="bayes")
    again.run(12, **options())
    undisturbed = study(None, sampler="bayes")
    undisturbed.run(12, **options())
    assert record(again)[:6] == record(undisturbed)[:6]
    assert len(again.trials) == 12


# Who holds it


def test_a_newer_study_of_this_process_takes_an_idle_ones_journal_over(path: Path) -> None:
    first = study(path)
    first.run(2)
    second = study(path)
    second.run(4)
    for act in (lambda: first.run(1), lambda: first.ask(), lambda: first.tell({"x": 0.5}, 1.0)):
        with pytest.raises(RuntimeError, match=r"goes on in a newer study .* this one can only be read"):
            act()
    assert len(first.trials) == 2
    assert len(second.trials) == 4


def test_a_running_study_keeps_its_journal(path: Path) -> None:
    def endless(x: float) -> Iterator[float]:
        while True:
            yield x

    first = study(path, endless)
    first.start(1)
    with pytest.raises(JournalHeld, match=r"running in this process holds .*stop\(\) it first"):
        study(path, endless)
    first.stop()
    first.wait()


def in_another_process(code: str, *arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


OPEN = "import sys, tunekit as tk; tk.Study(None, {'x': (0.0, 1.0)}, sampler='random', seed=0, journal=sys.argv[1])"


def test_another_process_is_told_who_holds_it(path: Path) -> None:
    held = study(path)
    refused = in_another_process(OPEN, path)
    assert refused.returncode == 1
    assert f"process {os.getpid()} on " in refused.stderr
    assert "tk.watch(" in refused.stderr
    held.run(2)
    del held
    gc.collect()
    assert in_another_process(OPEN, path).returncode == 0


def test_a_child_that_was_forked_off_does_not_hold_it(path: Path) -> None:
    held = study(path)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        held._journal.release()  # type: ignore[union-attr]
        assert in_another_process(OPEN, path).returncode == 0
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


# What is no journal of this study


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 1}, "its seed is 0, here it is 1"),
        ({"space": {"x": (0.0, 2.0)}}, "the space differs in 'x'"),
        ({"minimize": "loss"}, "its goal is"),
    ],
)
def test_a_journal_of_another_study_is_an_error_that_says_what_differs(
    path: Path, change: dict[str, Any], what: str
) -> None:
    study(path).run(2)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=what):
        study(path, **change)
    assert path.read_bytes().startswith(before)
    assert len(study(path).trials) == 2  # nobody holds it


@pytest.mark.parametrize("content", [b"loss,accuracy\n1,2\n", b"one line", b'{"a": 1}\n', b"\x00\xff" * 40, b"{}"])
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.csv"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="is no journal of tunekit: it is left as it is"):
        study(path)
    assert path.read_bytes() == content


def test_a_newer_version_is_an_error_that_says_so(path: Path) -> None:
    study(path).run(1)
    text = path.read_text().replace('"tunekit journal": 1', '"tunekit journal": 2')
    path.write_text(text)
    with pytest.raises(JournalError, match=r"version 2, and this tunekit reads version 1: update tunekit"):
        study(path)


@pytest.mark.parametrize("wrong", [3, True, ["a.jsonl"]])
def test_a_journal_is_a_path(wrong: Any) -> None:
    with pytest.raises(TypeError, match="a journal is the path of a file"):
        study(wrong)


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is a folder"):
        study(tmp_path)


# Looking on


def test_a_watched_journal_is_the_study_as_it_stands(path: Path) -> None:
    first = study(path, space=tk.Space(x=tk.Float(0.0, 1.0)))
    watched = tk.watch(path)
    assert len(watched.trials) == 0
    first.run(3)
    assert record(watched) == record(first)
    assert watched.best == first.best
    assert repr(watched.space) == repr(first.space)
    first.run(2)
    assert len(watched.trials) == 5
    watched.plot("history")


def test_values_of_another_program_are_words_to_whoever_watches(path: Path) -> None:
    first = study(path, lambda kind: 1.0, {"kind": [dict, (1, 2)]}, sampler="grid")
    first.run(2)
    watched = tk.watch(path)
    assert [repr(trial.params["kind"]) for trial in watched.trials] == ["dict", "(1, 2)"]


def test_whoever_watches_cannot_write(path: Path) -> None:
    study(path).run(1)
    before = path.read_bytes()
    watched = tk.watch(path)
    acts: list[Callable[[], Any]] = [
        lambda: watched.run(1),
        lambda: watched.ask(),
        lambda: watched.tell({"x": 0.5}, 1.0),
        lambda: watched.enqueue({"x": 0.5}),
    ]
    for act in acts:
        with pytest.raises(TypeError):
            act()
    assert path.read_bytes() == before


def test_several_follow_until_the_run_is_over(path: Path) -> None:
    script = """
import sys, time, tunekit as tk

def objective(x):
    for step in range(5):
        time.sleep(0.05)
        yield x * step

tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=sys.argv[1]).run(6)
"""
    runs = subprocess.Popen([sys.executable, "-c", script, str(path)], stderr=subprocess.DEVNULL)
    while not path.exists() or path.stat().st_size < 1000:
        assert runs.poll() is None
    watchers = [tk.watch(path).follow() for _ in range(3)]  # type: ignore[attr-defined]
    words = [each.wait().words for each in watchers]
    assert runs.wait(60) == 0
    assert all(each.startswith("6 trials, all complete") for each in words)


def test_what_was_cut_off_says_so_to_whoever_watches(path: Path) -> None:
    first = study(path)
    first.run(1)
    first.ask()
    first._journal.release()  # type: ignore[union-attr]
    assert "it was cut off, and goes on where the study is made again with this journal" in repr(tk.watch(path))


def test_there_must_be_a_journal_to_watch(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no journal"):
        tk.watch(path)


def test_a_journal_that_is_deleted_is_said(path: Path) -> None:
    first = study(path)
    first.run(1)
    path.unlink()
    time.sleep(0.05)  # trials that end within an instant share a look at the disk
    with pytest.warns(UserWarning, match=r"the journal cannot be written \(the file was deleted\)"):
        first.tell({"x": 0.5}, 1.0)
    assert len(first.trials) == 2
