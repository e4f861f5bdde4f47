"""Packages that are there only for those who want them."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def needed(module: str) -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    module
        Such as ``"optuna"`` or ``"optuna.distributions"``; the package's name is that of the extra as well.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed: the error says how to get it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, and misses something itself
        raise ModuleNotFoundError(
            f'this needs {package}, which is not installed: pip install "tunekit[{package}]"', name=error.name
        ) from error
