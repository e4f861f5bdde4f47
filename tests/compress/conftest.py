"""What holds for the tests of compression."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tunekit.compress import fitting, workshop
from tunekit.compress.exporter import Exporter


@pytest.fixture(scope="session", autouse=True)
def _quick() -> Iterator[None]:
    """Keep what takes seconds and is tested elsewhere short.

    Each cell of the table is timed for a moment only: here it matters that it is timed, not how well. And all labs
    share one exporter, which traces nets that are built alike once.
    """
    patch, exporter = pytest.MonkeyPatch(), Exporter()
    patch.setattr(workshop, "_SECONDS_A_CELL", 0.002)
    patch.setattr(workshop, "Exporter", lambda: exporter)
    patch.setattr(fitting, "sketch", exporter)
    patch.setattr(fitting, "_SECONDS", 0.01)
    patch.setattr(fitting, "_AGAIN", 0.01)
    yield
    patch.undo()
