"""How many times as fast and as large one thing is beside another, in words."""

from __future__ import annotations

# Two latencies closer than this are called the same: medians of one run move by as much.
SAME_SPEED = 0.05
# Sizes, likewise: these are exact, and what differs by less nobody asked for.
SAME_SIZE = 0.01
SAME = "as before"


def speed(before: float, after: float) -> str:
    """Return ``"2.0x faster"``, ``"2.0x slower"`` or ``"as fast"``, for two durations.

    Examples
    --------
    >>> speed(0.004, 0.002), speed(0.002, 0.00201)
    ('2.0x faster', 'as fast')
    """
    if abs(after - before) <= SAME_SPEED * before:
        return "as fast"
    return f"{before / after:.1f}x faster" if after < before else f"{after / before:.1f}x slower"


def factor(before: float, after: float, less: str = "smaller", more: str = "larger") -> str:
    """Return ``"4.0x smaller"``, ``"1.2x larger"``, ``"as before"`` or ``"none left"``, for two counts.

    Examples
    --------
    >>> factor(400, 100), factor(100, 100), factor(6, 3, "fewer", "more")
    ('4.0x smaller', 'as before', '2.0x fewer')
    """
    if abs(after - before) <= SAME_SIZE * before:
        return SAME
    if not after:
        return "none left"
    return f"{before / after:.1f}x {less}" if after < before else f"{after / before:.1f}x {more}"
