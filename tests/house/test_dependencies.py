"""The package asks for what it imports: nothing is there only because something else happens to bring it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.test_floors import imports
from tests.house.tree import ROOT, Module, modules


def undeclared(sources: Iterable[Module], declared: set[str]) -> set[str]:
    """The packages that are imported and not asked for; the conformance suites may use the test extra."""
    homes = packages_distributions()
    found = set()
    for module in sources:
        if module.name.startswith("tunekit.testing"):
            continue
        for line, name in imports(module):
            top = name.split(".")[0]
            if top == "tunekit" or top in sys.stdlib_module_names:
                continue
            if declared.isdisjoint(canonicalize_name(home) for home in homes.get(top, [])):
                found.add(f"{module.name}:{line} imports {top}")
    return found


def test_what_is_imported_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared: set[str] = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert undeclared(modules(), declared) == set()


def test_what_is_not_asked_for_is_found() -> None:
    source = Module("tunekit.search.study", "import json\ndef f():\n    import bayes_opt\n    from sklearn import tree")
    assert undeclared([source], {"bayesian-optimization"}) == {"tunekit.search.study:4 imports sklearn"}
