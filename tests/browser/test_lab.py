"""JupyterLab itself, as the other tests of this folder use it: what they rest on, they may trust."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest
from playwright.sync_api import Error

from tests.browser.lab import Lab, Theme
from tests.house.tree import ROOT

BUTTON = """
import ipywidgets, threading
press = threading.Event()
button = ipywidgets.Button(description="Press")
button.on_click(lambda _: press.set())
button
"""


def pinned(name: str) -> str:
    lines = (ROOT / "binder" / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))[name]


def test_a_notebook_runs_with_the_pinned_kernel(lab: Lab) -> None:
    lab.write("tiny.ipynb", ["print('hello')", "import ipykernel\n6 * 7"])
    page = lab.open("tiny.ipynb")
    page.run_all()

    assert [page.cell(0).text, page.cell(-1).text] == ["hello\n", "42"]
    assert page.outputs.first.inner_text().strip() == "hello"
    assert page.cell("6 * 7").execution_count == 2
    assert page.kernel("ipykernel.__version__") == repr(pinned("ipykernel"))
    assert version("jupyterlab") == pinned("jupyterlab")
    assert page.complaints == []


def test_saved_outputs_are_in_the_file_and_the_kernel_restarts_clean(lab: Lab) -> None:
    lab.write("saved.ipynb", ["x = 3", "x + 1"])
    page = lab.open("saved.ipynb")
    page.run_all()
    assert page.save().cells[1].outputs[0].data["text/plain"] == "4"

    page.restart_kernel()
    page.run_cell("x + 1", check=False)
    assert "NameError: name 'x' is not defined" in page.cell(1).text
    assert len(page.errors()) == 1
    with pytest.raises(AssertionError, match="NameError"):
        page.run_cell("x + 1")


def test_a_button_reaches_the_kernel(lab: Lab) -> None:
    lab.write("button.ipynb", [BUTTON, "press.wait(30)"])
    page = lab.open("button.ipynb")
    page.run_cell(0)
    page.button("Press").click()
    page.run_cell(1)
    assert page.cell(1).text == "True"


def test_a_running_cell_leaves_the_page_free_and_can_be_interrupted(lab: Lab) -> None:
    lab.write("long.ipynb", ["import time\nprint('on', flush=True)\ntime.sleep(60)"])
    page = lab.open("long.ipynb")
    page.run_all(wait=False)
    page.outputs.get_by_text("on", exact=True).wait_for()
    with pytest.raises(Error, match="Timeout"):
        page.wait(0.5)
    page.interrupt()
    page.wait(30, check=False)
    assert "KeyboardInterrupt" in page.cell(0).text


@pytest.mark.parametrize(("theme", "ground"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(17, 17, 17)")])
def test_a_page_has_the_theme_that_was_asked_for(lab: Lab, theme: Theme, ground: str, tmp_path: Path) -> None:
    lab.write("theme.ipynb", ["'seen'"])
    page = lab.open("theme.ipynb", theme)
    page.run_all()
    assert page.page.evaluate("getComputedStyle(document.querySelector('.jp-Notebook')).backgroundColor") == ground
    assert page.cell(0).screenshot(tmp_path / "cell.png").read_bytes().startswith(b"\x89PNG")


def test_a_reload_keeps_the_kernel(lab: Lab) -> None:
    lab.write("reload.ipynb", ["x = 41", "x += 1"])
    page = lab.open("reload.ipynb")
    page.run_cell(0)
    page.reload()
    page.run_cell(1)
    assert page.kernel("x") == "42"


def test_closing_leaves_no_kernel(lab: Lab) -> None:
    lab.write("left.ipynb", ["1"])
    lab.open("left.ipynb")
    assert len(lab.server.kernels()) == 1
    lab.close()
    assert lab.server.kernels() == []


def test_a_script_that_does_not_come_back_is_an_error(lab: Lab) -> None:
    lab.write("stuck.ipynb", ["1"])
    page = lab.open("stuck.ipynb")
    with pytest.raises(Error, match="no answer within"):
        page._ask("await new Promise(() => {})", timeout=0.2)
