"""Several workers, a kernel that is lost, a study that is watched: as a person meets them in JupyterLab."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.browser.lab import Lab, LabPage
from tests.browser.panels import panel, until, words

SLOW = """
import os, time, tunekit as tk
from pathlib import Path

def objective(x):
    Path(f"pid-{os.getpid()}").touch()
    for step in range(40):
        time.sleep(0.05)
        yield x * step

"""
WORKERS = 'tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0).run(40, workers=2)'
KEPT = 'study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", journal="kept.jsonl", seed=0)\nstudy.run(4)'


# The second trial goes on until somebody has seen it.
UNTIL_SEEN = """
import time, tunekit as tk
from pathlib import Path

done = []

def objective(x):
    step = 0
    while step < 40 or done and not Path("seen").exists():
        time.sleep(0.05)
        yield x * step
        step += 1
    done.append(x)

"""


def opened(lab: Lab, name: str, cells: list[str]) -> tuple[LabPage, Path]:
    """A notebook in a folder of its own."""
    folder = lab.server.root / name
    folder.mkdir()
    lab.write(f"{name}/{name}.ipynb", cells)
    return lab.open(f"{name}/{name}.ipynb"), folder


def process_ids(folder: Path) -> set[int]:
    return {int(path.name.removeprefix("pid-")) for path in folder.glob("pid-*")}


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_two_workers_pause_resume_and_stop_from_the_panel(lab: Lab) -> None:
    page, folder = opened(lab, "workers", [SLOW + WORKERS])
    page.run_cell(0, wait=False)
    until(lambda: "trials 0 and 1 running at step" in words(page, "Study"))
    page.button("Pause").click()
    until(lambda: words(page, "Study").startswith("Paused at 0 of 40"))
    page.button("Resume").click()
    until(lambda: bool(re.match("[0-9]+ of 40 done", words(page, "Study"))))
    page.button("Stop").click()
    page.wait(timeout=20)
    assert "stopped" in page.cell(0).text
    assert page.kernel("os.getpid()") not in map(str, process_ids(folder))
    until(lambda: not any(map(is_alive, process_ids(folder))))
    assert not page.complaints


def test_a_kernel_that_is_shut_down_leaves_no_worker(lab: Lab) -> None:
    page, folder = opened(lab, "closed", [SLOW + WORKERS])
    page.run_cell(0, wait=False)
    until(lambda: len(process_ids(folder)) == 2)
    page.shut_kernel_down()
    until(lambda: not any(map(is_alive, process_ids(folder))), seconds=20)


def test_after_a_restart_the_same_cell_goes_on_where_it_was(lab: Lab) -> None:
    page, _ = opened(lab, "restarted", [SLOW + KEPT, "[trial.state for trial in study.trials]"])
    page.run_cell(0, wait=False)
    until(lambda: words(page, "Study").startswith("1 of 4 done, trial 1 at step"))
    page.restart_kernel()
    page.run_all(timeout=60)
    assert "4 trials, all complete" in page.cell(0).text
    assert page.cell(-1).text == "['complete', 'complete', 'complete', 'complete']"


def test_another_notebook_watches_and_cannot_disturb(lab: Lab) -> None:
    runs, folder = opened(lab, "runs", [UNTIL_SEEN + KEPT.replace("kept", "../watched")])
    runs.run_cell(0, wait=False)
    until(lambda: "trial 0 at step" in words(runs, "Study"))
    watches, _ = opened(lab, "watches", ['import tunekit as tk\ntk.watch("../watched.jsonl").follow().wait()'])
    watches.run_cell(0, wait=False)
    until(lambda: "Best score" in words(watches, "watched.jsonl"))
    panel(watches, "watched.jsonl").get_by_role("img").last.wait_for()
    (folder / "seen").touch()
    runs.wait(timeout=60)
    watches.wait(timeout=20)
    assert "4 trials, all complete" in runs.cell(0).text
    assert "4 trials, all complete" in watches.cell(0).text
