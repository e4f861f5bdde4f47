"""The explorer as a person meets it: every control of every tab, by its role and its name, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorer import STUDY, TABS, explorers, grave_faults, no_dialog, turn_to
from tests.browser.lab import Lab, LabPage, Theme
from tests.browser.panels import until

# A busy machine draws its first picture in more than the usual five seconds.
expect.set_options(timeout=60_000)

LEFT = (
    "(len(__import__('comm').get_comm_manager().comms), "
    "[thread.name for thread in __import__('threading').enumerate() if thread.name.startswith('tunekit')])"
)


def opened(lab: Lab, theme: Theme = "light", width: int = 1100, *cells: str) -> tuple[LabPage, Locator]:
    lab.write("explorer.ipynb", [STUDY, "explorer = study.explore()", *cells])
    page = lab.open("explorer.ipynb", theme, size=(width, 1200))
    page.run_cell(0)
    page.run_cell(1)
    explorers(page).first.wait_for()
    return page, explorers(page).first


def press(explorer: Locator, name: str) -> None:
    explorer.get_by_role("button", name=name, exact=True).click()


def words(explorer: Locator) -> str:
    return explorer.get_by_role("group", name="Progress").get_by_role("status").inner_text()


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 560)])
def test_every_control_of_every_tab(lab: Lab, theme: Theme, width: int) -> None:
    page, explorer = opened(lab, theme, width)
    with no_dialog(page):
        progress(explorer)
        for tab in TABS:
            turn_to(explorer, tab)
            if tab == "Settings":
                settings(explorer)
            elif tab == "Importance":
                expect(explorer.get_by_role("listitem").first).to_contain_text("trials", timeout=180_000)
            elif tab == "What if":
                what_if(explorer)
            elif tab == "Trials":
                trials(explorer)
            assert grave_faults(page, ".tunekit-explorer") == []
        assert "<img src=x onerror=alert(1)>" in explorer.inner_text()
    assert explorer.evaluate("box => box.scrollWidth <= box.clientWidth + 1")
    press(explorer, "Close")
    until(lambda: {"text/plain", "image/png"} in [set(output["data"]) for output in page.cell(1).outputs])
    until(lambda: page.kernel(LEFT) == "(0, [])")
    assert page.complaints == []


def progress(explorer: Locator) -> None:
    expect(explorer.get_by_role("img", name=re.compile("Best score"))).to_be_visible()
    press(explorer, "Run 50 more")
    until(lambda: bool(re.match(r"\d+ of 90", words(explorer))))
    expect(explorer.get_by_role("button", name="Run 10 more")).to_be_disabled()
    press(explorer, "Pause")
    until(lambda: words(explorer).startswith("Paused at"))
    press(explorer, "Resume")
    until(lambda: bool(re.match(r"\d+ of 90", words(explorer))))
    press(explorer, "Stop")
    until(lambda: "trials: " in words(explorer))
    explorer.get_by_role("spinbutton", name="More trials").fill("2")
    explorer.get_by_role("spinbutton", name="More trials").press("Tab")
    before = count(explorer)
    press(explorer, "Run more")
    # a trial that was cut off is the first of the two, and no new one
    until(lambda: count(explorer) > before and explorer.get_by_role("button", name="Run more").is_enabled())
    before = count(explorer)
    press(explorer, "Run 10 more")
    until(lambda: count(explorer) == before + 10)


def count(explorer: Locator) -> int:
    found = re.search(r"(\d+) trials", words(explorer))
    return int(found[1]) if found else -1


def settings(explorer: Locator) -> None:
    menu = explorer.get_by_role("combobox", name="Picture")
    picture = explorer.get_by_role("img")
    seen: set[str | None] = set()
    for choice in menu.get_by_role("option").all_inner_texts():
        menu.select_option(choice)
        expect(picture).to_be_visible(timeout=120_000)
        until(lambda: picture.get_attribute("alt") not in seen)
        seen.add(picture.get_attribute("alt"))


def what_if(explorer: Locator) -> None:
    answer = explorer.get_by_role("status").filter(has_text="expected")
    answer.wait_for(timeout=120_000)
    lr = explorer.get_by_role("slider", name="lr")
    before = answer.inner_text(), lr.get_attribute("aria-valuetext")
    lr.focus()
    for _ in range(20):
        lr.press("ArrowRight")
    until(lambda: lr.get_attribute("aria-valuetext") != before[1])
    until(lambda: answer.inner_text() != before[0])
    act, slope = explorer.get_by_role("combobox", name="act"), explorer.get_by_role("slider", name="slope")
    act.select_option("'relu'")
    expect(slope).to_be_disabled()
    act.select_option("'gelu'")
    expect(slope).to_be_enabled()
    explorer.get_by_role("slider", name="<img").press("Home")
    explorer.get_by_role("slider", name="width").press("End")
    until(lambda: explorer.get_by_role("slider", name="width").get_attribute("aria-valuetext") == "128")
    press(explorer, "Try these settings")
    explorer.get_by_text("tried with the next run").wait_for()
    explorer.get_by_text("Next point, which was enqueued").wait_for(timeout=60_000)
    press(explorer, "Settings of the best trial")
    until(lambda: explorer.get_by_role("slider", name="width").get_attribute("aria-valuetext") != "128")
    press(explorer, "Settings of the next point")
    until(lambda: explorer.get_by_role("slider", name="width").get_attribute("aria-valuetext") == "128")


def trials(explorer: Locator) -> None:
    rows = explorer.get_by_role("table", name="All trials").locator("tbody tr")
    expect(rows).to_have_count(25)

    def numbers() -> list[int]:
        return [int(text) for text in rows.locator("button").all_inner_texts()]

    header = explorer.get_by_role("columnheader", name="trial", exact=True)
    header.get_by_role("button").press("Enter")
    until(lambda: numbers() == list(range(25)))
    expect(header).to_have_attribute("aria-sort", "ascending")
    press(explorer, "Next trials")
    until(lambda: numbers()[0] == 25)
    press(explorer, "Previous trials")
    until(lambda: numbers()[0] == 0)
    explorer.get_by_role("columnheader", name="lr").get_by_role("button").click()
    until(lambda: numbers() != list(range(25)))
    explorer.get_by_role("searchbox", name="Filter").fill("failed, width>20")
    until(lambda: "failed" in rows.first.inner_text() and "of" in explorer.locator(".tunekit-count").inner_text())
    chosen = explorer.get_by_role("button", name=f"trial {numbers()[0]}", exact=True)
    chosen.press("Space")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(explorer.get_by_role("region", name="Error")).to_contain_text("Traceback")
    expect(explorer.get_by_role("region", name="Error")).to_contain_text("is no activation")
    expect(explorer.get_by_role("img", name=re.compile("Learning curve. Trial"))).to_be_visible()


def test_two_views_are_in_step_and_a_reload_brings_them_back(lab: Lab) -> None:
    page, first = opened(lab, "light", 1100, "explorer", "second = study.explore()")
    page.run_cell(2)
    page.run_cell(3)
    expect(explorers(page)).to_have_count(3)
    turn_to(first, "Trials")
    first.get_by_role("searchbox", name="Filter").fill("failed")
    again, other = explorers(page).nth(1), explorers(page).nth(2)
    expect(again.get_by_role("searchbox", name="Filter")).to_have_value("failed")
    press(other, "Run 10 more")
    first.get_by_text(re.compile("of 50 trials")).wait_for()
    until(lambda: "50 trials" in words(other))

    page.save()
    page.reload()
    first, again = explorers(page).nth(0), explorers(page).nth(1)  # JupyterLab draws what is on the screen
    for view in (first, again):
        expect(view.get_by_role("searchbox", name="Filter")).to_have_value("failed")
    turn_to(again, "Progress")
    press(again, "Run 10 more")
    until(lambda: "60 trials" in words(first))

    page.restart_kernel()
    saved = page.save()
    (output,) = saved.cells[1].outputs
    assert output.data["text/plain"].endswith("It needs its kernel: run this cell again.")
    assert "image/png" in output.data


def test_it_answers_while_a_cell_blocks_the_kernel(lab: Lab) -> None:
    page, explorer = opened(lab, "light", 1100, "study.run(10_000)")
    page.run_cell(2, wait=False)
    until(lambda: bool(re.match(r"\d+ of 10040", words(explorer))))
    turn_to(explorer, "What if")
    explorer.get_by_role("status").filter(has_text="expected").wait_for(timeout=120_000)
    lr = explorer.get_by_role("slider", name="lr")
    before = lr.get_attribute("aria-valuetext")
    lr.press("PageUp")
    until(lambda: lr.get_attribute("aria-valuetext") != before, 10)
    press(explorer, "Try these settings")
    explorer.get_by_text("tried next").wait_for()
    turn_to(explorer, "Progress")
    press(explorer, "Stop")
    page.wait(timeout=30)
    assert "stopped" in page.cell(2).text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_live_panel_shuts_nobody_out(lab: Lab, theme: Theme) -> None:
    page, _ = opened(lab, theme, 1100, "study.start(10_000)")
    page.run_cell(2)
    live = page.cell(2).locator
    live.get_by_role("img").last.wait_for()
    assert grave_faults(page, ".tunekit-panel") == []
    live.get_by_role("button", name="Pause").press("Enter")
    live.get_by_role("button", name="Resume").wait_for()
    until(lambda: live.get_by_role("status").inner_text().startswith("Paused at"))
    live.get_by_role("button", name="Stop").press("Space")
    until(lambda: {"text/plain", "image/png"} in [set(output["data"]) for output in page.cell(2).outputs])


def test_a_live_panel_says_that_its_kernel_has_gone(lab: Lab) -> None:
    page, explorer = opened(lab, "light", 1100, "study.start(10_000)")
    page.run_cell(2)
    live = page.cell(2).locator
    live.get_by_role("img").last.wait_for()
    page.restart_kernel()
    gone = "The kernel that this panel belongs to has gone: run the cell again."
    live.get_by_text(gone).wait_for()
    assert live.get_by_role("button", name="Pause").is_disabled()
    explorer.get_by_role("alert").get_by_text(gone).wait_for()
