"""How many channels each layer keeps, so that an amount is met with widths that processors like."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunekit.compress.pruning.families import Family

# The best first: where the amount cannot be met with one, the next is tried.
ALIGNMENTS = (16, 8, 4, 2, 1)
# Layers that may be moved by single channels, one at a time, to meet the amount where one layer alone cannot.
_TRIED = 12

Losses = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """How much each family of channels loses.

    Parameters
    ----------
    losses
        For each family, how many of its bundles go.
    alignment
        What the widths are multiples of where they are wide enough.
    odd
        The families, by their place, whose width is none.
    """

    losses: Losses
    alignment: int
    odd: tuple[int, ...] = ()


def fit(
    families: Sequence[Family],
    price: Callable[[Losses], float],
    most: float,
    tolerance: float,
    round_to: int = ALIGNMENTS[0],
) -> Fit:
    """Choose how much each family loses, so that the network costs what it may.

    Widths are multiples of 16. Where that misses the amount, one layer makes up for it, or two; where that misses it,
    too, widths are multiples of 8, and so on. A layer of fewer than twice as many channels takes the next smaller
    multiple.

    Parameters
    ----------
    families
        All that may lose channels; the least important of all go first.
    price
        What the network costs with such losses: less, the more is lost.
    most
        What it may cost.
    tolerance
        How near to that is near enough.
    round_to
        The first multiple to try, one of 16, 8, 4, 2 and 1.
    """
    price = cache(price)
    best: tuple[float, Fit] | None = None
    for alignment in ALIGNMENTS[ALIGNMENTS.index(round_to) :]:
        for found in _candidates(families, price, most, tolerance, alignment):
            error = abs(price(found.losses) - most)
            if error <= tolerance:
                return found
            if best is None or error < best[0]:
                best = error, found
    if best is None:
        raise ValueError("unreachable: every alignment has a candidate")
    return best[1]


def _candidates(
    families: Sequence[Family], price: Callable[[Losses], float], most: float, tolerance: float, alignment: int
) -> Iterator[Fit]:
    steps = [_step(family, alignment) for family in families]
    order = sorted(
        (score, number, place) for number, family in enumerate(families) for place, score in enumerate(family.scores)
    )

    def ranked(count: int) -> Losses:
        gone = [0] * len(families)
        for _, number, _ in order[:count]:
            gone[number] += 1
        kept = [
            min(len(one.bundles), math.ceil(max(len(one.bundles) - out, 1) / step) * step)
            for one, out, step in zip(families, gone, steps, strict=True)
        ]
        return tuple(len(one.bundles) - stays for one, stays in zip(families, kept, strict=True))

    low, high = _around(lambda count: price(ranked(count)), most, 0, len(order))
    above, below = ranked(low), ranked(high)
    aligned = sorted((above, below), key=lambda losses: abs(price(losses) - most))
    yield from (Fit(losses, alignment) for losses in aligned)
    # between the two lies a step of one family: it makes up for what is missed
    between = [number for number, (one, other) in enumerate(zip(above, below, strict=True)) if one != other]
    tried: list[tuple[Losses, tuple[int, ...]]] = [(losses, ()) for losses in aligned]
    if len(between) == 1:
        (odd,) = between
        sides = [_with(above, odd, count) for count in _moved(above, odd, below[odd], price, most)]
        for losses in _rounded(families[odd], sides, odd, price, most, tolerance):
            yield Fit(losses, alignment, (odd,))
        tried += [(losses, (odd,)) for losses in sides]
    # where its single channels are too large a part, another layer with smaller ones helps
    others = sorted(range(len(families)), key=lambda number: -families[number].scores[-1])[:_TRIED]
    for (losses, moved), other in itertools.product(tried, others):
        limit = losses[other] + (1 if price(losses) > most else -1) * max(steps[other], 2)
        limit = min(max(limit, 0), len(families[other].bundles) - 1)
        for count in _moved(losses, other, limit, price, most):
            yield Fit(_with(losses, other, count), alignment, (*(one for one in moved if one != other), other))


def _step(family: Family, alignment: int) -> int:
    """By how many bundles a family shrinks, so that its width is a multiple."""
    width = len(family.bundles) * family.channels
    while alignment > 1 and 2 * alignment > width:
        alignment //= 2
    return alignment // math.gcd(alignment, family.channels)


def _around(price: Callable[[int], float], most: float, low: int, high: int) -> tuple[int, int]:
    """Halve until the two neighbours are found of which the first costs too much and the second no longer does."""
    while high - low > 1:
        middle = (low + high) // 2
        if price(middle) > most:
            low = middle
        else:
            high = middle
    return low, high


def _with(losses: Losses, number: int, count: int) -> Losses:
    return (*losses[:number], count, *losses[number + 1 :])


def _moved(losses: Losses, number: int, limit: int, price: Callable[[Losses], float], most: float) -> tuple[int, int]:
    """The two losses of one family, from where it is to a limit, that lie around the amount."""
    low, high = sorted((losses[number], limit))
    return _around(lambda count: price(_with(losses, number, count)), most, low, high)


def _rounded(
    family: Family,
    sides: Sequence[Losses],
    odd: int,
    price: Callable[[Losses], float],
    most: float,
    tolerance: float,
) -> Iterator[Losses]:
    """The odd width as a multiple of 8, 4 or 2 where that is near enough, then as it is."""
    width = len(family.bundles)
    kept = [width - losses[odd] for losses in sides]
    for step in ALIGNMENTS[1:-1]:
        for stays in (math.ceil(max(kept) / step) * step, min(kept) // step * step):
            losses = _with(sides[0], odd, width - stays)
            if 0 < stays < width and abs(price(losses) - most) <= tolerance:
                yield losses
    yield from sides
