"""Other people's libraries, kept quiet while they work: what they have to say is not for the user of a notebook."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# What these log below an error are their own affairs: optional packages they lack, steps they recommend to themselves.
_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "onnxruntime", "torch.fx", "torch.__trace")
_STDERR = 2
_redirecting = threading.Lock()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings and log lines of the exporters and quantizers inside; what the root logger does comes back.

    Examples
    --------
    >>> with quiet():
    ...     logging.warning("not for the user")
    """
    root, thread = logging.getLogger(), threading.get_ident()

    def passes(record: logging.LogRecord) -> bool:
        return record.thread != thread

    # logging.warning() gives a root logger without handlers one that writes to stderr for good: with this it has one
    handler = logging.NullHandler()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    root.addHandler(handler)
    root.addFilter(passes)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        root.removeFilter(passes)
        root.removeHandler(handler)


@contextmanager
def silent_graphs() -> Iterator[None]:
    """Keep PyTorch's older exporter from printing its whole graph where it fails: no level or filter holds that back.

    Examples
    --------
    >>> with silent_graphs():
    ...     pass
    """
    import torch

    core: Any = torch._C
    printer = getattr(core, "_jit_onnx_log", None)
    if printer is None:
        yield
        return
    core._jit_onnx_log = lambda *parts: None
    try:
        yield
    finally:
        core._jit_onnx_log = printer


@contextmanager
def without_lines(mark: bytes) -> Iterator[None]:
    """Leave out the lines with a mark in them that C++ code writes to stderr: no filter of Python's sees those.

    What else is written there meanwhile, by whatever thread, comes at the end.

    Examples
    --------
    >>> with without_lines(b"not for the user"):
    ...     pass
    """
    with _redirecting, tempfile.TemporaryFile() as written:
        try:
            before = os.dup(_STDERR)
        except OSError:  # a process without one
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(written.fileno(), _STDERR)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(before, _STDERR)
            os.close(before)
            written.seek(0)
            os.write(_STDERR, b"".join(line for line in written if mark not in line))
