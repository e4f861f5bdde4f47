"""`import tunekit` is quick: what is heavy loads at its first use."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = [
    "IPython",
    "anywidget",
    "bayes_opt",
    "hyperopt",
    "ipywidgets",
    "matplotlib",
    "onnx",
    "optuna",
    "onnxruntime",
    "onnxscript",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
]


def loaded_by(code: str) -> set[str]:
    """The heavy packages that a fresh interpreter holds after it ran the code."""
    report = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", code + report], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return set(json.loads(run.stdout.splitlines()[-1]))


def test_importing_tunekit_loads_nothing_heavy() -> None:
    assert loaded_by("import tunekit") == set()


def test_listing_the_public_names_loads_nothing_heavy() -> None:
    assert loaded_by("import tunekit; dir(tunekit)") == set()


def test_what_is_loaded_is_seen() -> None:
    assert loaded_by("import safetensors") == {"safetensors"}
