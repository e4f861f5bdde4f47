"""A matrix of small numbers, such as those of a codebook, as an arithmetic code.

A pruned layer has rows and columns with no weight at all, and among the others some with many; and a neuron that looks
at a pixel looks at those around it too. So first come the lines that hold nothing, then where the others have their
numbers, then which numbers those are.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding import choices, neighbours, places
from tunekit.compress.coding.arithmetic import Coder
from tunekit.compress.coding.lines import Lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many cells, or lines, take a second in Python, and so many questions about numbers.
MOST_CELLS = 2_000_000
MOST_QUESTIONS = 150_000
_TOO_MANY = f"of a tensor, at most {MOST_CELLS} places and {MOST_QUESTIONS} questions are coded one by one"


def code(
    coder: Coder, lines: Lines, shape: tuple[int, int], count: int, known: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    """Write a matrix of numbers, or read one.

    Parameters
    ----------
    coder
        What writes or reads the bits.
    lines
        What the matrices before it have shown of their lines; it sees this one too.
    shape
        Rows and columns.
    count
        The numbers are 0 to count - 1; at most 256. 0 is the one that most are.
    known
        The matrix, for a writer; None for a reader.

    Raises
    ------
    ValueError
        If there are more than `MOST_CELLS` lines, or cells in those that are not all zeros, or the numbers that are
        not 0 take more than `MOST_QUESTIONS`.

    Examples
    --------
    >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
    >>> matrix = np.eye(20, dtype=np.uint8)
    >>> encoder = Encoder()
    >>> _ = code(encoder, Lines(), (20, 20), 2, matrix)
    >>> bool((code(Decoder(encoder.finish()), Lines(), (20, 20), 2, None) == matrix).all())
    True
    """
    matrix = np.zeros(shape, dtype=np.uint8)
    if count == 1 or not matrix.size:
        return matrix
    if sum(shape) > MOST_CELLS:
        raise ValueError(_TOO_MANY)
    rows, columns = (
        np.flatnonzero(lines.code(coder, shape[axis], None if known is None else (known != 0).any(axis=1 - axis)))
        for axis in (0, 1)
    )
    if len(rows) * len(columns) > MOST_CELLS:
        raise ValueError(_TOO_MANY)
    if not len(rows) or not len(columns):
        return matrix
    given = None if known is None else known[np.ix_(rows, columns)]
    if len(rows) <= len(columns):
        matrix[np.ix_(rows, columns)] = _live(coder, columns, len(rows), count, given)
    else:  # rows are worked off one by one: better few long ones
        matrix[np.ix_(rows, columns)] = _live(coder, rows, len(columns), count, None if given is None else given.T).T
    return matrix


def fits(known: NDArray[np.uint8], count: int) -> bool:
    """Whether a matrix is small enough to be coded."""
    where = known != 0
    cells = int(where.any(axis=1).sum()) * int(where.any(axis=0).sum())
    return max(cells, sum(known.shape)) <= MOST_CELLS and _questions(where, count) <= MOST_QUESTIONS


def least_bytes(known: NDArray[np.uint8], count: int) -> float:
    """About how many bytes a code of a matrix takes in which nothing but how often each number comes is known.

    The entropy, and half a logarithm for each rate that is learnt on the way (Rissanen: Stochastic complexity and
    modeling, 1986).

    Examples
    --------
    >>> round(least_bytes(np.eye(20, dtype=np.uint8), 2))
    15
    """
    rates = np.bincount(known.reshape(-1), minlength=count) / max(1, known.size)
    rates = rates[rates > 0]
    entropy = -float((rates * np.log2(rates)).sum())
    return (known.size * entropy + 0.5 * math.log2(max(1, known.size)) * (count - 1)) / 8


def _questions(where: NDArray[np.bool_], count: int) -> int:
    """How many it takes at most to find each number among 1 to count - 1."""
    return int(where.sum()) * max(count - 2, 0).bit_length()


def _live(
    coder: Coder, columns: NDArray[np.intp], rows: int, count: int, known: NDArray[np.uint8] | None
) -> NDArray[np.uint8]:
    where = None if known is None else known != 0
    distances = neighbours.code(coder, columns, where)
    found = places.code(coder, (rows, len(columns)), columns, distances, where)
    if _questions(found, count) > MOST_QUESTIONS:
        raise ValueError(_TOO_MANY)
    return choices.code(coder, found, columns, distances, count, known)
