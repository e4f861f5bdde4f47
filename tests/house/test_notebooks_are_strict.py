"""The project's own pytest configuration compares what a notebook shows: only a time may differ."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tests.house.tree import ROOT

SHOWN = '<b>accuracy 0.953</b> <span class="tunekit-time">41 s</span>'
CODE = "from IPython.display import HTML, display\ndisplay(HTML({now!r}))"


def replay(folder: Path, saved: str, now: str) -> subprocess.CompletedProcess[str]:
    """Run a notebook that was saved with one output and shows another today, as `pytest` would."""
    output = v4.new_output("display_data", {"text/plain": "<IPython.core.display.HTML object>", "text/html": saved})
    cell = v4.new_code_cell(CODE.format(now=now), outputs=[output], execution_count=1)
    notebook = folder / "notebook.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell]), notebook)
    pytest_ = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        f"--config-file={ROOT / 'pyproject.toml'}",
    ]
    return subprocess.run([*pytest_, str(notebook)], cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_another_time_is_no_difference(tmp_path: Path) -> None:
    run = replay(tmp_path, SHOWN, SHOWN.replace("41 s", "2 min\\n3 s"))
    assert run.returncode == 0, run.stdout
    assert "1 passed" in run.stdout


@pytest.mark.parametrize(
    "now",
    [
        pytest.param(SHOWN.replace("0.953", "0.954"), id="another figure"),
        pytest.param(SHOWN.replace("tunekit-time", "elsewhere"), id="another span"),
    ],
)
def test_anything_else_is(tmp_path: Path, now: str) -> None:
    run = replay(tmp_path, SHOWN, now)
    assert run.returncode == 1, run.stdout
    assert "1 failed" in run.stdout
