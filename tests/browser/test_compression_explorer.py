"""The explorer of a compression as a person uses it: every control, by its role and its name, on light and on dark."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorer import NETS, grave_faults
from tests.browser.lab import Lab, Theme
from tests.browser.panels import panel, until
from tests.house.tree import ROOT

# To look at after a run; not kept in git.
SCREENSHOTS = ROOT / ".screenshots"
LEFT = "len(__import__('ipywidgets').widgets.widget._instances)"


def arrange(explorer: Locator, kind: str, rows: list[str], wanted: str, found: list[str]) -> None:
    """Sort a table that is one page by each of its columns, and filter it; `rows` are in the order of the first."""
    table = explorer.get_by_role("table", name=f"All {kind}s")

    def is_shown(expected: list[str]) -> bool:
        return table.get_by_role("rowheader").all_inner_texts() == expected

    until(lambda: is_shown(rows))
    first, *others = table.get_by_role("columnheader").all()
    for header in (*others, first):
        header.get_by_role("button").click()
        expect(header).to_have_attribute("aria-sort", "ascending")
    first.get_by_role("button").press("Enter")
    expect(first).to_have_attribute("aria-sort", "descending")
    until(lambda: is_shown(rows[::-1]))
    for name in (f"Previous {kind}s", f"Next {kind}s"):
        expect(explorer.get_by_role("button", name=name)).to_be_disabled()
    field = explorer.get_by_role("searchbox", name="Filter")
    field.fill(wanted)
    until(lambda: is_shown(found))
    field.fill("")
    until(lambda: is_shown(rows[::-1]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_control_does_what_it_says(lab: Lab, theme: Theme) -> None:
    lab.write("nets.ipynb", [NETS, "explorer = lab.explore()", "PAUSE = 0.2\nlab.start([tk.FineTune(10_000)])"])
    narrow = theme == "dark"
    page = lab.open("nets.ipynb", theme, size=(620 if narrow else 1100, 1100), scale=1)
    page.run_cell(0, timeout=300)
    page.run_cell(1)
    explorer = panel(page, "Explorer of")
    SCREENSHOTS.mkdir(exist_ok=True)

    def look(name: str) -> None:
        explorer.screenshot(path=SCREENSHOTS / f"nets-{name}-{theme}.png")
        assert grave_faults(page, ".tunekit-explorer") == []

    explorer.get_by_role("tab", name="Progress").click()
    look("progress")

    explorer.get_by_role("tab", name="Rows").click()
    arrange(explorer, "row", ["0", "1", "2", "3"], "failed", ["3"])
    explorer.get_by_role("button", name="row 2", exact=True).click()
    explorer.get_by_text("Row 2, complete").wait_for()
    look("rows")
    # by the keyboard alone
    explorer.get_by_role("button", name="row 3", exact=True).focus()
    page.page.keyboard.press("Enter")
    error = explorer.get_by_role("region", name="Error")
    error.wait_for()
    assert "OSError: no <b>disk</b>" in error.inner_text()
    look("failed")

    explorer.get_by_role("tab", name="Layers").click()
    arrange(explorer, "layer", ["first", "last", "middle"], "MACs>1000", ["middle", "first"])
    explorer.get_by_role("button", name="layer middle").click()
    explorer.get_by_text("is not measured yet").first.wait_for()
    assert explorer.get_by_role("button", name="Stop", exact=True).is_disabled()
    explorer.get_by_role("button", name="Measure").click()
    explorer.get_by_text("Measured: ").wait_for(timeout=120_000)
    slider = explorer.get_by_role("slider", name="amount")
    slider.fill("40")
    explorer.get_by_text("Without 40 % of the weights of middle").wait_for()
    explorer.get_by_text("With 40 % of middle at zero").wait_for(timeout=120_000)
    explorer.get_by_role("button", name="Write the recipe").click()
    recipe = explorer.get_by_role("textbox", name="Recipe")
    until(lambda: recipe.input_value() == "[Prune(0.4, layers=('middle',))]")
    look("layers")
    explorer.get_by_label("Taking away").select_option("channels")
    explorer.get_by_text("With its channels").wait_for()
    explorer.get_by_role("button", name="Measure").click()
    explorer.get_by_text("Without 40 % of the channels").wait_for(timeout=120_000)

    explorer.get_by_role("tab", name="Trade-off").click()
    explorer.get_by_role("img", name=re.compile("file size against accuracy")).wait_for()
    look("trade-off")

    explorer.get_by_role("tab", name="Export").click()
    explorer.get_by_label("Row", exact=True).select_option(label="1: Prune(0.5)")
    explorer.get_by_role("button", name="Write", exact=True).click()
    explorer.get_by_text(
        re.compile(r'Row 1 is in model\.tunekit: [\d,]+ bytes; tk\.load\("model\.tunekit"\)')
    ).wait_for()
    assert (lab.server.root / "model.tunekit").exists()
    explorer.get_by_label("Format").select_option("ONNX")
    path = explorer.get_by_role("textbox", name="Path")
    until(lambda: path.input_value() == "model.onnx")
    explorer.get_by_role("button", name="Write", exact=True).click()
    explorer.get_by_text(re.compile(r"Row 1 is in model\.onnx: [\d,]+ bytes")).wait_for()
    assert (lab.server.root / "model.onnx").exists()
    path.fill("nowhere/model.onnx")
    path.press("Tab")
    explorer.get_by_role("button", name="Write", exact=True).click()
    explorer.get_by_text("a folder that exists").wait_for()
    look("export")
    if find_spec("executorch") is not None:
        explorer.get_by_label("Format").select_option("ExecuTorch")
        until(lambda: path.input_value() == "nowhere/model.pte")
        path.fill("model.pte")
        path.press("Tab")
        explorer.get_by_role("button", name="Write", exact=True).click()
        explorer.get_by_text(re.compile(r"Row 1 is in model\.pte: [\d,]+ bytes")).wait_for(timeout=120_000)

    page.run_cell(2)
    explorer.get_by_role("tab", name="Progress").click()
    begun = explorer.get_by_role("group", name="Progress")
    begun.get_by_role("button", name="Pause").click()
    begun.get_by_role("status").filter(has_text=re.compile("^Paused")).wait_for()
    look("paused")
    begun.get_by_role("button", name="Resume").click()
    begun.get_by_role("status").filter(has_text=re.compile("^(?!Paus)")).wait_for()
    begun.get_by_role("button", name="Stop").click()
    page.wait(timeout=30)
    until(lambda: page.kernel("lab.state") == "'over'")

    explorer.get_by_role("tab", name="Layers").click()
    measured = page.kernel("id(lab.last_sensitivity)")
    explorer.get_by_role("button", name="Measure").click()
    explorer.get_by_text(re.compile(r"\d+ % done")).wait_for()
    explorer.get_by_role("button", name="Stop", exact=True).click()
    explorer.get_by_text("Measured: ").wait_for()
    assert page.kernel("id(lab.last_sensitivity)") == measured  # what was measured before stays

    explorer.get_by_role("button", name="Close").click()
    page.cell(1).locator.locator(".jp-OutputArea img:not(.tunekit-picture)").wait_for()
    until(lambda: page.kernel(LEFT) == "0")
    assert not page.complaints


DEEP = """
import torch, tunekit as tk
from torch import nn

x = torch.randn(40, 4)
data = x, x.argmax(1)
net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(30)))
lab = tk.Compression(net, tk.Task(data, data, loss=nn.functional.cross_entropy))
"""


def test_a_long_table_is_turned_a_page_at_a_time(lab: Lab) -> None:
    lab.write("deep.ipynb", [DEEP, "lab.explore()"])
    page = lab.open("deep.ipynb", size=(1100, 1100), scale=1)
    page.run_all()
    explorer = panel(page, "Explorer of")
    explorer.get_by_role("tab", name="Layers").click()
    rows = explorer.get_by_role("table", name="All layers").get_by_role("rowheader")
    back, on = (explorer.get_by_role("button", name=f"{way} layers") for way in ("Previous", "Next"))
    expect(rows).to_have_count(25)
    explorer.get_by_text("1 to 25 of 30 layers").wait_for()
    expect(back).to_be_disabled()
    on.click()
    expect(rows).to_have_count(5)
    explorer.get_by_text("26 to 30 of 30 layers").wait_for()
    expect(on).to_be_disabled()
    back.press("Enter")
    expect(rows).to_have_count(25)
    assert not page.complaints
