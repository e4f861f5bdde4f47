"""PyTorch's table of how each of its operators is written in ONNX: read once, and not anew at each export."""

from __future__ import annotations

import functools
from typing import Any


def keep_operators() -> None:
    """Have the exporter keep the table of onnxscript's translations, which it parses from source at each export.

    That takes a second, of two to four that the export of a small network takes. The table is only read; where another
    release of PyTorch has it elsewhere, nothing is changed, and an export takes as long as it does.

    Examples
    --------
    >>> keep_operators()
    """
    try:
        from torch.onnx._internal.exporter import _registration

        source: Any = vars(_registration)["onnxscript_apis"]
        if not hasattr(source.get_torchlib_ops, "cache_info"):
            source.get_torchlib_ops = functools.cache(source.get_torchlib_ops)
    except (ImportError, AttributeError, KeyError):
        return
