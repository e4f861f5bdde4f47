"""Where the code runs: in a notebook, in a terminal that somebody looks at, or in neither."""

from __future__ import annotations

import sys
from typing import Any


def kernel_shell() -> Any | None:
    """The interactive shell of a notebook kernel, or None outside of one. It imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if shell is not None and getattr(shell, "kernel", None) is not None else None


def has_viewer() -> bool:
    """Whether somebody can see a job go on: a notebook, or a terminal."""
    return kernel_shell() is not None or bool(getattr(sys.stderr, "isatty", bool)())
