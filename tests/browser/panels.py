"""The live panel as a person finds it: by its role and its name."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Locator

from tests.browser.lab import LabPage


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it holds; an error if that takes too long."""
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "it took too long"
        time.sleep(0.05)


def panel(page: LabPage, name: str) -> Locator:
    """The panel whose heading has that name in it."""
    return page.page.get_by_role("group", name=re.compile(name))


def words(page: LabPage, name: str) -> str:
    """The sentence of that panel."""
    return panel(page, name).get_by_role("status").inner_text()
