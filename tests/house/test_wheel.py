"""What a build puts into the wheel: the whole package, and nothing but it."""

from __future__ import annotations

import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.house.test_manners import tracked
from tests.house.tree import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    run = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_it_holds_every_file_of_the_package_and_no_other(wheel: Path) -> None:
    inside = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == {name for name in tracked() if name.startswith("tunekit/")}


def test_it_brings_the_types_and_the_front_end(wheel: Path) -> None:
    inside = set(ZipFile(wheel).namelist())
    assert "tunekit/py.typed" in inside
    assert any(name.startswith("tunekit/widgets/") and name.endswith(".js") for name in inside)


def test_its_metadata_names_the_licence(wheel: Path) -> None:
    archive = ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
