"""The image that Binder would build, read without building it; and the pins that Binder, CI and the README share."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.test_manners import tracked
from tests.house.tree import ROOT

BINDER = ROOT / "binder"
ON_CONDA = {"torch": "pytorch-cpu"}  # where conda-forge's name is another


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What repo2docker would build of the files that git holds, as Binder's own user."""
    tree = tmp_path_factory.mktemp("binder")
    for name in tracked():
        if (ROOT / name).is_file():  # git still lists a file that was deleted and not committed
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    command = [
        sys.executable,
        "-m",
        "repo2docker",
        "--no-build",
        "--debug",
        "--user-id=1000",
        "--user-name=jovyan",
        ".",
    ]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Name and version of each line of environment.yml: conda's pins, then pip's."""
    lines = yaml.safe_load((BINDER / "environment.yml").read_text())["dependencies"]
    conda = [line for line in lines if isinstance(line, str)]
    (pip,) = (line["pip"] for line in lines if isinstance(line, dict))
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pip), "pip lines are pinned with =="
    return dict([*(line.partition("=")[::2] for line in conda), *(line.split("==") for line in pip)])


def constraints() -> dict[str, str]:
    """Name and version of each line of constraints.txt."""
    lines = (BINDER / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def project() -> dict[str, list[Requirement]]:
    """What pyproject.toml asks for: under "" what the package needs, then each extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": table["dependencies"], **table["optional-dependencies"]}
    return {extra: [Requirement(line) for line in lines] for extra, lines in groups.items()}


def test_torch_comes_in_a_layer_that_outlives_commits(dockerfile: str) -> None:
    update = dockerfile.index('env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"')
    copies = [match.start() for match in re.finditer(r"^COPY .* src/ ", dockerfile, re.MULTILINE)]
    assert len(copies) == 1
    assert update < copies[0], "the environment is built after the commit's files are copied: no commit would reuse it"


def test_the_package_is_installed_after_it(dockerfile: str) -> None:
    assert dockerfile.index(" src/ ") < dockerfile.index("RUN ./binder/postBuild")
    assert "python -m pip install --no-deps" in (BINDER / "postBuild").read_text()


def test_the_start_script_wraps_the_server(dockerfile: str) -> None:
    assert re.search(r'^ENV R2D_ENTRYPOINT="\$\{REPO_DIR\}/binder/start"$', dockerfile, re.MULTILINE)


def test_the_start_script_sets_one_thread_and_passes_the_command_on() -> None:
    shell = ["bash", "-c", 'echo "$OMP_NUM_THREADS $1"; exit 3', "bash", "two words"]
    run = subprocess.run([str(BINDER / "start"), *shell], capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.returncode) == ("1 two words\n", 3)


@pytest.mark.parametrize("script", ["binder/postBuild", "binder/start", ".ci/run", ".ci/pin"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def test_each_line_of_the_environment_is_pinned_as_in_the_constraints(environment: dict[str, str]) -> None:
    pins = {ON_CONDA.get(name, name): version for name, version in constraints().items()}
    others = {name: version for name, version in environment.items() if pins.get(name) != version}
    assert set(others) == {"python", "pip"}, "these differ from constraints.txt"
    assert re.fullmatch(r"3\.\d+", others["python"])


def test_the_environment_holds_all_that_the_package_needs(environment: dict[str, str]) -> None:
    needed = {ON_CONDA.get(requirement.name, requirement.name) for requirement in project()[""]}
    assert needed - set(environment) == set()


def test_the_environment_leaves_jupyterlab_to_binder(environment: dict[str, str]) -> None:
    assert "jupyterlab" not in environment


@pytest.mark.parametrize("extra", ["", "notebooks", "test"])
def test_the_constraints_pin_all_that_the_project_asks_for(extra: str) -> None:
    pins = constraints()
    for requirement in project()[extra]:
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in constraints.txt: renew it with .ci/pin"
        assert requirement.specifier.contains(pin), f"{requirement} does not allow the pinned {pin}"


def test_the_constraints_are_sorted_and_pinned() -> None:
    lines = [line for line in (BINDER / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9a-z.]+", line) for line in lines)
    assert [line.split("==")[0] for line in lines] == sorted(line.split("==")[0] for line in lines)
