"""What holds for every test."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from _pytest.doctest import DoctestModule
from hypothesis import HealthCheck, settings

# No test is wrong because a machine is slow; whatever else was set, for a server of continuous integration say, stays.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Read doctests in the package only: a `>>>` in a test is material of that test, not an example."""
    collectors = yield
    return [collector for collector in collectors if not isinstance(collector, DoctestModule)]
