"""Each floor imports only from the floors below it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.util import resolve_name

import pytest

from tests.house.tree import PACKAGE, Module, modules

FLOORS = {"core": 0, "search": 1, "compress": 2, "insight": 3, "plots": 4, "widgets": 5}
ROOF = 6  # the root, which offers the public names of all floors


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Line and absolute name of all that a module imports: at its top, in functions and for types."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(ast.parse(module.source)):
        match node:
            case ast.Import():
                yield from ((node.lineno, alias.name) for alias in node.names)
            case ast.ImportFrom():
                origin = resolve_name("." * node.level + (node.module or ""), package)
                # `from tunekit import core` imports tunekit.core: the floor is told by the whole name.
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, resolve_name(name, package)


def floor(name: str) -> int:
    """The floor on which a module or a name of tunekit stands."""
    part = name.split(".")[1:2]
    return FLOORS.get(part[0], ROOF) if part else ROOF


def violations(module: Module) -> list[str]:
    """What a module imports that it may not, each with its line and the rule."""
    found = []
    home = module.name.split(".")[1:2]
    for line, name in imports(module):
        top, _, rest = name.partition(".")
        where = f"{module.name}:{line} imports {name}"
        if top != "tunekit":
            if home == ["core"] and top not in sys.stdlib_module_names | {"numpy"}:
                found.append(f"{where}: core imports only the standard library and numpy")
        elif home == ["testing"]:
            continue
        elif rest.split(".")[0] == "testing" and home:
            found.append(f"{where}: nobody imports tunekit.testing, only the root offers it")
        elif floor(name) > floor(module.name):
            found.append(f"{where}: a floor imports only from itself and the floors below")
    return found


def test_each_floor_imports_only_from_below() -> None:
    assert [fault for module in modules() for fault in violations(module)] == []


def test_every_folder_of_the_package_is_a_floor() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders <= {*FLOORS, "testing"}
    assert "core" in folders, "the package is not where this test looks for it"


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tunekit.search.study", "import tunekit.widgets.panel"),
        ("tunekit.search.study", "from tunekit import plots"),
        ("tunekit.search.study", "from tunekit.compress.recipe import Prune"),
        ("tunekit.search.samplers.bayes", "from ...plots import history"),
        ("tunekit.search.study", "from .. import insight"),
        ("tunekit.search.study", "def draw():\n    from tunekit.plots import history"),
        ("tunekit.search.study", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import tunekit.widgets"),
        ("tunekit.search.study", "import importlib\nimportlib.import_module('tunekit.widgets.panel')"),
        ("tunekit.search.study", "from tunekit import Study"),
        ("tunekit.widgets.panel", "import tunekit"),
        ("tunekit.widgets.panel", "from tunekit.testing import samplers"),
        ("tunekit.core.trial", "import torch"),
        ("tunekit.core.trial", "def f():\n    from scipy import stats"),
    ],
)
def test_an_import_that_goes_up_is_found(name: str, source: str) -> None:
    assert len(violations(Module(name, source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("tunekit.search.study", "from ..core.trial import Trial\nfrom . import space\nimport torch"),
        ("tunekit.widgets.panel", "from tunekit import core, plots\nfrom tunekit.core import job"),
        ("tunekit.core.seeds", "import random\nimport numpy as np\nfrom tunekit.core.text import listed"),
        ("tunekit.testing.samplers", "import tunekit\nfrom tunekit.widgets import panel"),
        ("tunekit", "from tunekit.widgets import panel"),
        ("tunekit", "from tunekit import testing"),
    ],
)
def test_an_import_that_goes_down_is_not(module: str, source: str) -> None:
    assert violations(Module(module, source, is_package=module == "tunekit")) == []
