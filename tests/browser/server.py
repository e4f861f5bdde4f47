"""A real `jupyter lab` on loopback that knows nothing of the user's own settings."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

# No news, no questions, nothing that asks the network: the page shows what the notebook shows.
SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "doNotDisturbMode": True, "fetchNews": "false"},
    "docmanager-extension/plugin": {"autosave": False},
}


@dataclass(frozen=True)
class Server:
    """Where the server is, and what it serves."""

    url: str
    token: str
    root: Path

    def request(self, path: str, method: str = "GET", timeout: float = 30) -> Any:
        """Ask the server's own interface, as JSON."""
        request = Request(self.url + path, method=method, headers={"Authorization": f"token {self.token}"})
        with urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read() or "null")

    def kernels(self) -> list[str]:
        """The kernels that run."""
        return [kernel["id"] for kernel in self.request("api/kernels")]

    def shut_kernels_down(self) -> None:
        """End every session and its kernel, whatever state their pages are in."""
        for session in self.request("api/sessions"):
            self.request(f"api/sessions/{session['id']}", "DELETE")
        for kernel in self.kernels():
            self.request(f"api/kernels/{kernel}", "DELETE")


def _environment(home: Path, token: str) -> dict[str, str]:
    own = {
        "IPYTHONDIR": "ipython",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON"))}
    # By the environment, not the command line: the list of processes is for everyone to read.
    return kept | {name: str(home / folder) for name, folder in own.items()} | {"JUPYTER_TOKEN": token}


def _settle(home: Path) -> None:
    for name, values in SETTINGS.items():
        path = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


@contextmanager
def serve(root: Path, home: Path, timeout: float = 90) -> Iterator[Server]:
    """Serve `root` with settings and logs under `home`, until the block ends."""
    _settle(home)
    token = secrets.token_hex(16)
    log = home / "server.log"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
    command += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={root}"]
    command += ["--LabApp.extension_manager=readonly"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=_environment(home, token),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = Server(_address(process, home, log, timeout), token, root)
            yield server
        finally:
            _end(process)


def _address(process: subprocess.Popen[bytes], home: Path, log: Path, timeout: float) -> str:
    """Wait until the server has written where it listens, and answers there."""
    note = home / "runtime" / f"jpserver-{process.pid}.json"
    until = time.monotonic() + timeout
    while time.monotonic() < until and process.poll() is None:
        try:
            told = json.loads(note.read_text())
            Server(told["url"], told["token"], home).request("api/status", timeout=5)
        except (OSError, ValueError):  # not written, half written, or not listening yet
            time.sleep(0.1)
        else:
            return str(told["url"])
    raise RuntimeError(f"jupyter lab does not answer within {timeout:g} s. Its log ends:\n{log.read_text()[-3000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)  # it takes its kernels with it
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
