"""The explorer of a compression as a person uses it: every control, by its role and its name, on light and on dark."""

from __future__ import annotations

import re

import pytest

from tests.browser.explorer import NETS, grave_faults
from tests.browser.lab import Lab, Theme
from tests.browser.panels import panel, until
from tests.house.tree import ROOT

# To look at after a run; not kept in git.
SCREENSHOTS = ROOT / ".screenshots"
LEFT = "len(__import__('ipywidgets').widgets.widget._instances)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_control_does_what_it_says(lab: Lab, theme: Theme) -> None:
    lab.write("nets.ipynb", [NETS, "explorer = lab.explore()"])
    narrow = theme == "dark"
    page = lab.open("nets.ipynb", theme, size=(620 if narrow else 1100, 1100), scale=1)
    page.run_all(timeout=300)
    explorer = panel(page, "Explorer of")
    SCREENSHOTS.mkdir(exist_ok=True)

    def look(name: str) -> None:
        explorer.screenshot(path=SCREENSHOTS / f"nets-{name}-{theme}.png")
        assert grave_faults(page, ".tunekit-explorer") == []

    explorer.get_by_role("tab", name="Progress").click()
    look("progress")

    explorer.get_by_role("tab", name="Rows").click()
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

    explorer.get_by_role("button", name="Close").click()
    page.cell(1).locator.locator(".jp-OutputArea img:not(.tunekit-picture)").wait_for()
    until(lambda: page.kernel(LEFT) == "0")
    assert not page.complaints
