"""Other packages at work without a word: what they log and warn of concerns their own users."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(*packages: str) -> Iterator[None]:
    """Keep these packages' loggers and all warnings still inside, and leave both as they were.

    Examples
    --------
    >>> with quiet("optuna"):
    ...     logging.getLogger("optuna").isEnabledFor(logging.CRITICAL)
    False
    >>> logging.getLogger("optuna").disabled
    False
    """
    loggers = [logging.getLogger(package) for package in packages]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
