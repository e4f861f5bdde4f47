"""Workers that die, hang, or do not listen; and a run that dies with workers at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import tunekit as tk
from tests.faults.waiting import SECONDS, is_alive, until

SPACE = {"x": (0.0, 1.0)}


def study(objective: Callable[..., Any], **settings: Any) -> tk.Study:
    return tk.Study(
        objective, settings.pop("space", SPACE), sampler=settings.pop("sampler", "random"), seed=0, **settings
    )


def marks(folder: Path) -> list[int]:
    """The processes that have said in a folder that they run a trial."""
    return [int(path.name) for path in folder.iterdir()]


def deadly(kind: str) -> Iterator[float]:
    yield 1.0
    if kind == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    yield 2.0


KINDS = {"kind": ["fine", "deadly"]}


def test_a_killed_worker_is_one_failed_trial_and_is_replaced() -> None:
    new = study(deadly, space=KINDS)
    for kind in ("fine", "deadly", "fine", "deadly", "fine", "fine"):
        new.enqueue({"kind": kind})
    new.run(6, workers=2)
    for trial in new.trials:
        assert trial.state == ("failed" if trial.params["kind"] == "deadly" else "complete")
        assert len(trial.reports) == (1 if trial.state == "failed" else 2)
        if trial.error is not None:
            assert "worker died" in trial.error
            assert "SIGKILL" in trial.error


def test_settings_that_kill_are_not_run_again() -> None:
    new = study(deadly, space=KINDS)
    for kind in ("fine", "deadly", "fine"):
        new.enqueue({"kind": kind})
    new.run(3, workers=1, executor="processes")
    new.enqueue({"kind": "fine"})
    new.run(1, workers=1, executor="processes")
    assert [trial.state for trial in new.trials] == ["complete", "failed", "complete", "complete"]
    assert [len(trial.reports) for trial in new.trials] == [2, 1, 2, 2]


def test_a_death_with_children_that_hold_the_line_is_noticed(tmp_path: Path) -> None:
    def objective(x: float) -> float:
        if not (tmp_path / "child").exists():
            child = os.fork()  # as a loader of data does: it inherits the connection
            if child == 0:
                time.sleep(SECONDS)
                os._exit(0)
            (tmp_path / "child").write_text(str(child))
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    new = study(objective)
    new.run(3, workers=1, executor="processes")
    assert [trial.state for trial in new.trials] == ["failed", "complete", "complete"]
    until(lambda: not is_alive(int((tmp_path / "child").read_text())))  # it goes with its worker


def test_an_executor_that_breaks_with_its_worker_ends_the_run_and_keeps_what_is_done() -> None:
    new = study(deadly, space=KINDS)
    for kind in ("fine", "fine", "deadly", "fine"):
        new.enqueue({"kind": kind})
    broken = pytest.raises(RuntimeError, match=r"the executor takes no more trials .*run on with a new one")
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor, broken:
        new.run(4, executor=executor)
    assert [trial.state for trial in new.trials[:3]] == ["complete", "complete", "failed"]
    assert {trial.state for trial in new.trials[3:]} <= {"stopped"}
    assert "worker died" in (new.trials[2].error or "")
    with ProcessPoolExecutor(1, mp_context=get_context("forkserver")) as executor:
        new.run(1, executor=executor)
    assert [trial.state for trial in new.trials] == ["complete", "complete", "failed", "complete"]


def hanging(kind: str) -> float:
    if kind == "hangs":
        time.sleep(SECONDS)
    return 1.0


@pytest.mark.parametrize("options", [{"workers": 2}, {}, {"executor": "threads", "workers": 2}])
def test_a_trial_that_hangs_is_ended(options: dict[str, Any]) -> None:
    new = study(hanging, space={"kind": ["fine", "hangs"]})
    for kind in ("fine", "hangs", "fine", "fine"):
        new.enqueue({"kind": kind})
    began = time.monotonic()
    new.run(4, trial_timeout=2, **options)
    assert time.monotonic() - began < SECONDS / 2
    assert [trial.state for trial in new.trials] == ["complete", "failed", "complete", "complete"]
    assert new.trials[1].reason == "TrialTimeout: it took longer than the 2 s of trial_timeout"


def test_a_pause_does_not_count_towards_the_timeout_of_a_trial() -> None:
    def objective(x: float) -> Iterator[float]:
        for _ in range(3):
            time.sleep(0.1)
            yield x

    new = study(objective)
    new.start(1, workers=2, trial_timeout=2)
    until(lambda: len(new.history) > 0 and len(new.history[0].reports) > 0)
    new.pause()
    until(lambda: new.state == "paused")
    time.sleep(2.5)
    new.resume()
    assert new.wait().words.startswith("1 trial: 1 complete")


def deaf(x: float, folder: Path) -> float:
    (folder / str(os.getpid())).touch()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        pass
    return x


def test_a_worker_that_does_not_listen_is_killed_soon_after_a_stop(tmp_path: Path) -> None:
    new = study(lambda x: deaf(x, tmp_path))
    new.start(4, workers=2)
    until(lambda: len(marks(tmp_path)) == 2)
    workers = marks(tmp_path)
    began = time.monotonic()
    new.stop()
    words = new.wait().words
    assert time.monotonic() - began < 10  # two seconds, and what a busy machine adds
    assert words.startswith("2 trials: 2 stopped.")
    until(lambda: not any(map(is_alive, workers)))


SCRIPT = """
import os, signal, sys, time
from pathlib import Path
import tunekit as tk

folder = Path(sys.argv[1])

def objective(x):
    (folder / str(os.getpid())).touch()
    while True:
        time.sleep(0.05)
        if sys.argv[2] != "deaf":
            yield x
    yield x

if __name__ == "__main__":
    study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    if sys.argv[2] == "ends":
        study.start(4, workers=2)
        while len(list(folder.iterdir())) < 2:
            time.sleep(0.05)
    else:
        study.run(4, workers=2)
"""


@pytest.mark.parametrize(
    ("kind", "signals"),
    [
        ("listens", [signal.SIGKILL]),
        ("deaf", [signal.SIGKILL]),
        ("listens", [signal.SIGINT]),
        ("deaf", [signal.SIGINT]),
        ("ends", []),
    ],
)
def test_a_run_that_ends_leaves_no_worker(tmp_path: Path, kind: str, signals: list[signal.Signals]) -> None:
    folder = tmp_path / "marks"
    folder.mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.Popen(
        [sys.executable, str(script), str(folder), kind],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        until(lambda: len(marks(folder)) == 2)
        for each in signals:
            run.send_signal(each)
        run.wait(SECONDS)
        until(lambda: not any(map(is_alive, marks(folder))), 20)
    finally:
        run.kill()


def test_a_script_without_a_guard_says_what_to_write(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import tunekit as tk\ntk.Study(lambda x: x, {'x': (0.0, 1.0)}, sampler='random').run(2, workers=2)\n"
    )
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode != 0
    assert "no worker could start" in run.stderr
    assert "if __name__ == '__main__':" in run.stderr
