"""Patterns such as 2:4: how many of how many weights stay."""

from __future__ import annotations

import re
from typing import Any


def read_pattern(written: Any) -> tuple[int, int]:
    """Read ``"2:4"`` as so many zeros of so many weights.

    Raises
    ------
    ValueError
        If it is written otherwise.

    Examples
    --------
    >>> read_pattern("1:4")
    (3, 4)
    """
    found = re.fullmatch(r"(\d{1,3}):(\d{1,3})", written) if isinstance(written, str) else None
    kept, block = (int(part) for part in found.groups()) if found else (0, 0)
    if not 0 < kept < block:
        raise ValueError(
            f'a pattern says how many of how many weights stay, such as "2:4": got {written!r}; '
            "the first number is from 1 to below the second"
        )
    return block - kept, block
