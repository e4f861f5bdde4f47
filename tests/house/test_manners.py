"""What may stand where, and what package code never does."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterable, Iterator

import pytest

from tests.house.test_floors import imports
from tests.house.tree import ROOT, Module, modules

MAY_STAND_AT_THE_TOP = {"README.md", "binder", "notebooks", "pyproject.toml", "tests", "tunekit"}
LINES = 400  # a longer module is two

# These can run what they read. Weights are safetensors, everything else is versioned JSON.
UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
# Functions on their way to a worker, from the run that it belongs to: never a file, never what a stranger sends.
MAY_SHIP = "tunekit.search.executors.shipping"
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.package.PackageImporter", "joblib.load", "yaml.load"}


def strays(files: Iterable[str]) -> list[str]:
    """The files that have no place at the top of the repository; hidden ones are left alone."""
    tops = {name: name.split("/")[0] for name in files}
    return sorted(name for name, top in tops.items() if top not in MAY_STAND_AT_THE_TOP and not top.startswith("."))


def faults(module: Module) -> Iterator[str]:
    """What a module does that package code never does."""
    lines = module.source.count("\n")
    if lines > LINES:
        yield f"{module.name} has {lines} lines: at most {LINES}, and one idea"
    for node in ast.walk(ast.parse(module.source)):
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            if call in UNSAFE_CALLS:
                yield f"{module.name}:{node.lineno} calls {call}: it can run what it reads"
            # numpy refuses pickles unless it is told otherwise.
            if any(word.arg == "allow_pickle" and ast.unparse(word.value) != "False" for word in node.keywords):
                yield f"{module.name}:{node.lineno} allows pickles"
    for line, name in imports(module):
        ships = module.name == MAY_SHIP and name.split(".")[0] == "cloudpickle"
        if (name.split(".")[0] in UNSAFE_MODULES and not ships) or name in UNSAFE_CALLS:
            yield f"{module.name}:{line} imports {name}: it can run what it reads"
        if f"{name}.".startswith(("matplotlib.pyplot.", "pylab.", "matplotlib.pylab.")):
            yield f"{module.name}:{line} imports {name}: its state is shared between threads; use Figure"


def tracked() -> list[str]:
    """Every file that git holds or would take in."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return [name for name in listing.stdout.split("\0") if name]


def test_only_what_is_named_stands_at_the_top() -> None:
    files = tracked()
    assert "pyproject.toml" in files
    assert strays(files) == []


def test_package_code_minds_its_manners() -> None:
    assert [fault for module in modules() for fault in faults(module)] == []


def test_a_stray_is_found() -> None:
    assert strays(["README.md", "tunekit/core/trial.py", ".ci/run", "setup.py", "docs/index.md"]) == [
        "docs/index.md",
        "setup.py",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import cloudpickle",
        "import torch\ntorch.load('weights.pt')",
        "from torch import load",
        "eval('1 + 1')",
        "exec(text)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import matplotlib.pyplot as plt",
        "from matplotlib import pyplot",
        "from matplotlib.pyplot import figure",
        "x = 1\n" * (LINES + 1),
    ],
)
def test_bad_manners_are_found(source: str) -> None:
    assert len(list(faults(Module("tunekit.core.trial", source)))) == 1


def test_good_manners_are_not() -> None:
    source = "\n".join(
        [
            "import torch",
            "from matplotlib.figure import Figure",
            "model.eval()",
            "json.load(file)",
            "torch.export.load",
            "np.load(path, allow_pickle=False)",
        ]
    )
    assert list(faults(Module("tunekit.core.trial", source))) == []
