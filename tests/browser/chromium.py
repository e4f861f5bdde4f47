"""A browser: Playwright's own Chromium where it is there, else the system's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Playwright

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
QUIET = [
    "--no-sandbox",  # Chromium refuses to sandbox for root, as in a container
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
    "--use-fake-ui-for-media-stream",  # and that may be used
]


def _candidates() -> Iterator[tuple[str, str | None]]:
    yield "Playwright's own", None
    yield from ((path, path) for path in map(shutil.which, NAMES) if path)


def launch(playwright: Playwright) -> Browser:
    """Start the first browser that starts; fail in words if none does."""
    refusals = []
    for name, path in _candidates():
        try:
            return playwright.chromium.launch(executable_path=path, args=QUIET, timeout=60_000)
        except Error as error:
            refusals.append(f"{name}: {error.message.strip().splitlines()[0]}")
    pytest.fail(
        "No browser starts. Install one: `playwright install chromium`, or the system's "
        "(`apt-get install chromium`).\n" + "\n".join(refusals)
    )
