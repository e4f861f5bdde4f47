"""One browser and one JupyterLab for all tests of this folder; fresh pages and kernels for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.chromium import launch
from tests.browser.lab import Lab
from tests.browser.server import Server, serve
from tests.house.tree import ROOT


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a browser, so that it can be left out."""
    for item in items:
        if item.path.is_relative_to(ROOT / "tests" / "browser"):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab that serves a copy of the notebooks, so that no test changes them."""
    root = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", root, ignore=shutil.ignore_patterns(".ipynb_checkpoints", "runs"))
    with serve(root, tmp_path_factory.mktemp("jupyter")) as server:
        yield server


@pytest.fixture
def lab(lab_server: Server, browser: Browser) -> Iterator[Lab]:
    """JupyterLab, ready to open notebooks."""
    lab = Lab(lab_server, browser)
    yield lab
    lab.close()
