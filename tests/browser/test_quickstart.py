"""The quickstart as a person meets it: its panel, its buttons, its pictures, and the file that is left."""

from __future__ import annotations

import re
import time
from pathlib import Path

import nbformat
from playwright.sync_api import Locator

from tests.browser.lab import Lab, LabPage
from tests.browser.panels import panel, until, words
from tests.house.tree import ROOT

# To look at after a run; not kept in git.
SCREENSHOTS = ROOT / ".screenshots"
SEARCH = "study.run"
SQUEEZE = "lab.run"


def screenshot(page: LabPage, cell: str, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.cell(cell).screenshot(SCREENSHOTS / f"{name}.png")


def is_below(one: Locator, other: Locator) -> bool:
    """Whether the other picture begins where the first one ends."""
    first, second = one.bounding_box(), other.bounding_box()
    assert first is not None
    assert second is not None
    return second["y"] >= first["y"] + first["height"]


def begin_search(page: LabPage) -> None:
    """Run the cells before the search, and begin it."""
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    for index in range(next(place for place, source in enumerate(sources) if SEARCH in source)):
        page.run_cell(index)
    page.cell(SEARCH).run(wait=False)
    panel(page, "Study").get_by_role("button", name="Pause").wait_for()


def test_pause_stands_still_resume_goes_on_and_stop_keeps(lab: Lab) -> None:
    page = lab.open("quickstart.ipynb", "dark", size=(1100, 1000), scale=2)
    begin_search(page)
    study = panel(page, "Study")
    pictures = [study.get_by_role("img", name=name) for name in ("Best accuracy", "Learning curves")]
    until(lambda: bool(re.match(r"[2-9] of 14 done", words(page, "Study"))))
    for picture in pictures:
        picture.wait_for()
    before = [picture.get_attribute("src") for picture in pictures]

    study.get_by_role("button", name="Pause").click()
    until(lambda: words(page, "Study").startswith("Paused at"))
    screenshot(page, SEARCH, "paused-dark")
    standing = words(page, "Study"), study.get_by_role("progressbar").get_attribute("aria-valuenow")
    time.sleep(2)
    assert (words(page, "Study"), study.get_by_role("progressbar").get_attribute("aria-valuenow")) == standing
    assert "nothing is lost" in standing[0]
    page.page.set_viewport_size({"width": 560, "height": 1000})
    until(lambda: is_below(*pictures))
    screenshot(page, SEARCH, "paused-narrow-dark")
    page.page.set_viewport_size({"width": 1100, "height": 1000})
    until(lambda: not is_below(*pictures))

    study.get_by_role("button", name="Resume").click()
    until(lambda: bool(re.match(r"\d+ of 14 done", words(page, "Study"))) and words(page, "Study") != standing[0])
    until(lambda: all(one.get_attribute("src") != was for one, was in zip(pictures, before, strict=True)))
    assert re.match(r"Best accuracy 0\.\d+, at trial \d+", pictures[0].get_attribute("alt") or "")
    time.sleep(2)  # so that the picture to look at has some trials in it
    screenshot(page, SEARCH, "searching-dark")

    study.get_by_role("button", name="Stop").click()
    page.wait()
    text = page.cell(SEARCH).text
    assert re.search(r"\d+ trials: \d+ complete, 1 stopped", text) or "all complete" in text
    assert not page.complaints


def test_the_whole_notebook_runs_and_reads_well_without_a_kernel(lab: Lab) -> None:
    page = lab.open("quickstart.ipynb", "light", size=(1100, 1000), scale=2)
    page.run_all(wait=False)
    squeeze = panel(page, "Compression")
    squeeze.get_by_role("status").filter(has_text=re.compile("epoch 2")).wait_for(timeout=240_000)
    squeeze.get_by_role("button", name="Pause").click()
    until(lambda: words(page, "Compression").startswith("Paused"))
    screenshot(page, SQUEEZE, "squeezing-light")
    squeeze.get_by_role("button", name="Resume").click()
    page.wait(timeout=240)
    assert not page.complaints

    saved = page.save()
    shown = [output for cell in saved.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not any("widget-view" in kind for output in shown for kind in output.get("data", {}))
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    assert not saved.metadata.get("widgets")

    page.shut_kernel_down()
    page.reload()
    for cell in (SEARCH, SQUEEZE):
        picture = page.cell(cell).locator.locator(".jp-OutputArea img")
        assert picture.evaluate("image => image.complete && image.naturalWidth === 2 * image.width")
        screenshot(page, cell, f"reopened-{'search' if cell == SEARCH else 'squeeze'}")
    table = page.page.locator(".tunekit-table table")
    assert table.locator("tbody tr").count() == 4
    table.scroll_into_view_if_needed()
    page.page.locator(".tunekit-table").screenshot(path=SCREENSHOTS / "table-light.png")
    assert "Error" not in page.outputs.all_inner_texts()


def test_a_click_while_a_cell_blocks_is_heard(lab: Lab) -> None:
    """`run` blocks the kernel's main thread in plain Python; the click comes by another, late as that may be."""
    source = """
import time, tunekit as tk

def objective(x):
    for step in range(10**6):
        time.sleep(0.01)
        yield float(step)

tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0).run(1)
"""
    lab.write("blocking.ipynb", [source])
    page = lab.open("blocking.ipynb")
    page.delay_subshells(3)
    page.run_cell(0, wait=False)
    page.button("Stop").click()
    page.wait(timeout=20)
    assert "1 trial: 1 stopped" in page.cell(0).text


def test_the_kernels_own_square_stops_it_and_keeps_the_picture(lab: Lab, tmp_path: Path) -> None:
    source = """
import time, tunekit as tk

def objective(x):
    for step in range(5):
        time.sleep(0.02)
        yield float(step)

study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0)
study.run(1000)
"""
    lab.write("interrupt.ipynb", [source, "len(study.history.complete) > 0, study.is_over"])
    page = lab.open("interrupt.ipynb")
    page.run_cell(0, wait=False)
    until(lambda: bool(re.match(r"[1-9]\d* of 1000", words(page, "Study"))))
    page.interrupt()
    page.wait(timeout=20, check=False)
    kinds = [set(output.get("data", {})) for output in page.cell(0).outputs]
    assert {"image/png", "text/plain"} in kinds
    assert "KeyboardInterrupt" in page.cell(0).text
    page.run_cell(1, check=False)
    assert page.cell(1).text == "(True, True)"
