"""A running job in a notebook, seen from the kernel: a real one, headless; what is left when it is over."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import v4

STUDY = """
import time
import tunekit as tk

def objective(x):
    for step in range(3):
        time.sleep(0.005)
        yield x + step

study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0)
"""

LEFT = """
import gc, threading, comm, ipywidgets
time.sleep(0.5)
(len(comm.get_comm_manager().comms), len(ipywidgets.widgets.widget._instances),
 [thread.name for thread in threading.enumerate() if thread.name.startswith("tunekit")])
"""


def executed(folder: Path, *cells: str, errors: bool = False) -> list[nbformat.NotebookNode]:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in (STUDY, *cells)])
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", allow_errors=errors, resources={"metadata": {"path": str(folder)}}
    )
    return [cell.outputs for cell in client.execute().cells[1:]]


def test_a_run_leaves_a_picture_and_its_words(tmp_path: Path) -> None:
    ((panel, result),) = executed(tmp_path, "study.run(4)")
    assert set(panel["data"]) == {"text/plain", "image/png"}
    assert panel["data"]["text/plain"] == "Study(objective over x; random)"
    assert panel["metadata"]["image/png"] | {"alt": ""} == {"width": 640, "height": 230, "alt": ""}
    assert panel["metadata"]["image/png"]["alt"].startswith("Best score ")
    assert result["data"]["text/plain"].startswith("4 trials, all complete. Best score ")
    assert set(result["data"]) == {"text/plain"}


def test_what_was_started_in_one_cell_is_final_there_once_another_has_waited(tmp_path: Path) -> None:
    started, shown, waited = executed(tmp_path, "study.start(4)", "study", "study.wait()")
    for (output,) in (started, shown):
        assert set(output["data"]) == {"text/plain", "image/png"}
    assert waited[-1]["data"]["text/plain"].startswith("4 trials")


def test_a_finished_study_shows_its_picture_and_a_new_one_its_words(tmp_path: Path) -> None:
    new, _, (shown,) = executed(tmp_path, "study", "study.run(2);", "study")
    assert new[0]["data"] == {"text/plain": "Study(objective over x; random). No trial yet."}
    assert set(shown["data"]) == {"text/plain", "image/png"}


def test_run_and_show_in_one_cell_show_it_once(tmp_path: Path) -> None:
    (outputs,) = executed(tmp_path, "result = study.run(2)\nstudy")
    assert len(outputs) == 1


def test_after_twenty_studies_nothing_is_left(tmp_path: Path) -> None:
    many = "for _ in range(10):\n    study.run(1)\n    study.start(1)\n    study.wait()"
    _, (left,) = executed(tmp_path, many, LEFT)
    assert left["data"]["text/plain"] == "(0, 0, [])"


def test_awaited_it_leaves_the_same(tmp_path: Path) -> None:
    ((panel, result),) = executed(tmp_path, "await study.start(3)")
    assert set(panel["data"]) == {"text/plain", "image/png"}
    assert result["data"]["text/plain"].startswith("3 trials")


def test_an_error_that_ends_it_leaves_the_picture_too(tmp_path: Path) -> None:
    failing = "tk.Study(lambda x: 1 / 0, {'x': (0.0, 1.0)}, sampler='random').run(9)"
    (outputs,) = executed(tmp_path, failing, errors=True)
    assert set(outputs[0]["data"]) == {"text/plain", "image/png"}
    assert outputs[-1]["output_type"] == "error"
    assert "first 5 trials all failed" in outputs[-1]["evalue"]


def test_where_a_busy_kernel_hears_no_button_the_panel_says_what_to_press(tmp_path: Path) -> None:
    deaf = """
from tunekit.widgets.panel import Panel
Panel.hears_while_blocked = property(lambda self: False)
study.start(1000)
study.view.tick()
hint = study.view._panel.hint
study.stop()
study.wait()
hint
"""
    (outputs,) = executed(tmp_path, deaf)
    assert "press ■ in the notebook's toolbar to stop. What is finished is kept." in outputs[-1]["data"]["text/plain"]


@pytest.mark.parametrize("press", ["pause", "resume", "stop", "explode", 3, None])
def test_a_press_reaches_its_handler_and_nothing_else_does(press: object) -> None:
    from tunekit.widgets.panel import Panel

    heard: list[str] = []
    panel = Panel("a study", heard.append)
    panel._handle_custom_msg({"press": press}, [])
    panel.dispose()
    assert heard == ([press] if press in ("pause", "resume", "stop") else [])


def test_in_a_terminal_it_is_one_line_that_vanishes(capsys: pytest.CaptureFixture[str]) -> None:
    import tunekit as tk
    from tunekit.widgets.terminal import TerminalLine

    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    study.run(3)
    line = TerminalLine(study)
    line.tick()
    line.finish()
    written = capsys.readouterr()
    assert written.out == ""
    assert "3 trials, all complete" in written.err
    assert written.err.endswith("\r")
    assert "\n" not in written.err
