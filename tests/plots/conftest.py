"""What holds for the tests of plots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tunekit.insight import importance, surrogate


@pytest.fixture(scope="session", autouse=True)
def _learned_once() -> Iterator[None]:
    """Each plot is drawn for the same jobs: what is learned from one is kept for all."""
    patch = pytest.MonkeyPatch()
    for module in (surrogate, importance):
        patch.setattr(module, "_MOST_KEPT", 64)
    yield
    patch.undo()
