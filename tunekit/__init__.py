"""tunekit: tune a PyTorch model and shrink it, in the notebook, watching it happen."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tunekit.core import upstairs

if TYPE_CHECKING:
    from tunekit import testing
    from tunekit.compress.budget import Budget
    from tunekit.compress.bundle import load
    from tunekit.compress.compressed import Compressed
    from tunekit.compress.compression import Compression
    from tunekit.compress.distill import Distill
    from tunekit.compress.factorise import Factorise
    from tunekit.compress.fine_tune import FineTune
    from tunekit.compress.fold import Fold
    from tunekit.compress.measure import measure
    from tunekit.compress.pipeline import pipeline
    from tunekit.compress.pruning.criteria import criteria
    from tunekit.compress.pruning.prune import Prune
    from tunekit.compress.quantization.quantize import Quantize
    from tunekit.compress.sharing import Share
    from tunekit.compress.task import Task
    from tunekit.search.parameters import Choice, Float, Int
    from tunekit.search.samplers.population import Population
    from tunekit.search.space import Space
    from tunekit.search.study import Study
    from tunekit.search.watch import watch

__version__ = "0.1.0"

# Each public name and where it lives: loaded at first use, so that the import itself stays light.
_HOMES = {
    "Budget": "tunekit.compress.budget",
    "Choice": "tunekit.search.parameters",
    "Compressed": "tunekit.compress.compressed",
    "Compression": "tunekit.compress.compression",
    "Distill": "tunekit.compress.distill",
    "Factorise": "tunekit.compress.factorise",
    "FineTune": "tunekit.compress.fine_tune",
    "Float": "tunekit.search.parameters",
    "Fold": "tunekit.compress.fold",
    "Int": "tunekit.search.parameters",
    "Population": "tunekit.search.samplers.population",
    "Prune": "tunekit.compress.pruning.prune",
    "Quantize": "tunekit.compress.quantization.quantize",
    "Share": "tunekit.compress.sharing",
    "Space": "tunekit.search.space",
    "Study": "tunekit.search.study",
    "Task": "tunekit.compress.task",
    "criteria": "tunekit.compress.pruning.criteria",
    "load": "tunekit.compress.bundle",
    "measure": "tunekit.compress.measure",
    "pipeline": "tunekit.compress.pipeline",
    "testing": "tunekit.testing",
    "watch": "tunekit.search.watch",
}

__all__ = [
    "Budget",
    "Choice",
    "Compressed",
    "Compression",
    "Distill",
    "Factorise",
    "FineTune",
    "Float",
    "Fold",
    "Int",
    "Population",
    "Prune",
    "Quantize",
    "Share",
    "Space",
    "Study",
    "Task",
    "criteria",
    "load",
    "measure",
    "pipeline",
    "testing",
    "watch",
]

# Lower floors ask for these by name and never import upwards.
upstairs.connect(
    open_view="tunekit.widgets:open_view",
    show="tunekit.widgets:show",
    explore="tunekit.widgets:explore",
    plot="tunekit.plots:plot",
)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"tunekit has no {name!r}: the public names are {', '.join(__all__)}")
    home = import_module(_HOMES[name])
    value = home if home.__name__ == f"{__name__}.{name}" else getattr(home, name)  # a module is its own home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
