"""What holds for every test."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from _pytest.doctest import DoctestModule


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Read doctests in the package only: a `>>>` in a test is material of that test, not an example."""
    collectors = yield
    return [collector for collector in collectors if not isinstance(collector, DoctestModule)]
