"""Pictures of each tab of an explorer, in light and dark: ``python -m tests.browser.screenshots FOLDER``."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, sync_playwright

from tests.browser.chromium import launch
from tests.browser.explorer import STUDY, TABS, explorers, turn_to
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
    if tab != "What if":
        explorer.get_by_role("img").first.wait_for(timeout=120_000)
    page.page.wait_for_timeout(500)


def take(folder: Path) -> None:
    """Write ``TAB-THEME-SIZE.png`` for each."""
    folder.mkdir(parents=True, exist_ok=True)
    with _lab() as lab:
        lab.write("explorer.ipynb", [STUDY, "explorer = study.explore()"])
        themes: tuple[Theme, ...] = ("light", "dark")
        for theme in themes:
            page = lab.open("explorer.ipynb", theme, size=(SIZES["wide"], 1600), scale=2)
            page.run_all()
            for size, width in SIZES.items():
                page.page.set_viewport_size({"width": width, "height": 1600})
                for tab in TABS:
                    _settle(page, explorers(page), tab)
                    name = f"{tab.lower().replace(' ', '-')}-{theme}-{size}.png"
                    explorers(page).screenshot(path=folder / name)
            lab.close()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
