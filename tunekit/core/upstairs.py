"""What the lower floors ask of the higher ones, by name.

A study is plain: it knows no widget and no plot. Where it must be shown or drawn, it asks for the service by name; the
root of the package says who answers, and that module is imported at that moment and not before.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_services: dict[str, str] = {}


def connect(**services: str) -> None:
    """Say which ``"module:function"`` answers to which name.

    Examples
    --------
    >>> connect(square_root="math:sqrt")
    >>> ask("square_root")(9)
    3.0
    """
    _services.update(services)


def ask(service: str) -> Any:
    """Import and return the service of that name."""
    module, _, attribute = _services[service].partition(":")
    return getattr(import_module(module), attribute)
