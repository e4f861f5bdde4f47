"""Engines: the searches of other packages, behind the same study.

A sampler may be a name with a package before it, such as ``"optuna:tpe"`` or ``"hyperopt:anneal"``, a sampler object of
optuna, or a configured bayes_opt optimizer. Each module here translates the space and the history for one package.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.search.engines import hyperopt_engine, optuna_engine

if TYPE_CHECKING:
    from tunekit.search.samplers import Sampler

# Each package: the names in it, and what makes the engine of a name.
_PACKAGES: dict[str, tuple[tuple[str, ...], Callable[[str], Sampler]]] = {
    "hyperopt": (hyperopt_engine.NAMES, hyperopt_engine.named),
    "optuna": (optuna_engine.NAMES, optuna_engine.named),
}


def named(name: str) -> Sampler:
    """The engine of that name, such as ``"optuna:tpe"``.

    Raises
    ------
    ValueError
        If there is no such package or no such name in it: the error lists the known ones.
    ModuleNotFoundError
        If the package is not installed: the error says how to get it.
    """
    package, _, engine = name.partition(":")
    if package not in _PACKAGES:
        raise ValueError(f"an engine is a package and a name in it: got {name!r}, known are {text.listed(names())}")
    known, make = _PACKAGES[package]
    if engine not in known:
        raise ValueError(f"unknown sampler {name!r}: the known ones of {package} are {text.listed(names(package))}")
    return make(engine)


def names(*packages: str) -> list[str]:
    """The names of all engines of these packages, or of all packages, installed or not.

    Examples
    --------
    >>> names("hyperopt")
    ['hyperopt:anneal', 'hyperopt:rand', 'hyperopt:tpe']
    """
    return [f"{package}:{name}" for package in packages or _PACKAGES for name in sorted(_PACKAGES[package][0])]


def adopted(thing: Any) -> tuple[str, Sampler] | None:
    """The sampler that another package's object makes, with the name to show; None if it is nobody's that is known."""
    # whoever holds such an object has imported its package: nothing is loaded to find out
    optuna, bayes_opt = sys.modules.get("optuna"), sys.modules.get("bayes_opt")
    if optuna is not None and isinstance(thing, optuna.samplers.BaseSampler):
        return f"optuna:{type(thing).__name__}", optuna_engine.OptunaObject(thing)
    if bayes_opt is not None and isinstance(thing, bayes_opt.BayesianOptimization):
        from tunekit.search.engines.bayes_opt_engine import BayesOptObject

        return "bayes_opt", BayesOptObject(thing)
    return None
