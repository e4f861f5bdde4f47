"""Pictures of each tab of both explorers, in light and dark: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

from tests.browser.chromium import launch
from tests.browser.explorer import NET_TABS, NETS, STUDY, TABS, explorers, turn_to
from tests.browser.lab import Lab, LabPage, Theme
from tests.browser.server import serve

# Wide and narrow, in CSS pixels of the whole page: of 560 the notebook's output has a little more than 400.
SIZES = {"wide": 1100, "narrow": 560}


@contextmanager
def _lab() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        root, home = Path(folder) / "notebooks", Path(folder) / "home"
        root.mkdir()
        home.mkdir()
        browser = launch(playwright)
        with serve(root, home) as server:
            yield Lab(server, browser)
        browser.close()


def _settle(page: LabPage, explorer: Locator, tab: str) -> None:
    """Choose a tab and wait until it shows what it has to show."""
    turn_to(explorer, tab)
    match tab:
        case "What if":
            explorer.get_by_text("the chance of that").wait_for(timeout=120_000)
        case "Trials":
            explorer.get_by_role("searchbox").fill("failed")
            explorer.get_by_role("button", name="trial", exact=False).first.wait_for()
            page.page.wait_for_timeout(600)
            explorer.locator("tbody button").first.click()
            explorer.get_by_role("region", name="Error").wait_for()
        case "Importance":
            explorer.get_by_role("listitem").first.wait_for(timeout=120_000)
        case "Rows":
            explorer.get_by_role("button", name="row 3", exact=True).click()
            explorer.get_by_role("region", name="Error").wait_for()
        case "Layers":
            explorer.get_by_role("button", name="layer middle").click()
            if explorer.get_by_text("is not measured yet").count():
                explorer.get_by_role("button", name="Measure").click()
            explorer.get_by_text("Measured: ").wait_for(timeout=120_000)
    if tab not in ("What if", "Rows", "Layers", "Export"):
        explorer.get_by_role("img").first.wait_for(timeout=120_000)
    page.page.wait_for_timeout(500)


def take(folder: Path) -> None:
    """Write ``WHAT-TAB-THEME-SIZE.png`` for each."""
    folder.mkdir(parents=True, exist_ok=True)
    themes: tuple[Theme, ...] = ("light", "dark")
    with _lab() as lab:
        lab.write("study.ipynb", [STUDY, "explorer = study.explore()"])
        lab.write("nets.ipynb", [NETS, "explorer = lab.explore()"])
        for what, tabs in (("study", TABS), ("nets", NET_TABS)):
            for theme in themes:
                page = lab.open(f"{what}.ipynb", theme, size=(SIZES["wide"], 1600), scale=2)
                page.run_all(timeout=600)
                for size, width in SIZES.items():
                    page.page.set_viewport_size({"width": width, "height": 1600})
                    for tab in tabs:
                        _settle(page, explorers(page), tab)
                        name = f"{what}-{tab.lower().replace(' ', '-')}-{theme}-{size}.png"
                        explorers(page).screenshot(path=folder / name)
                lab.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
