"""A matrix of small numbers, such as those of a codebook, as an arithmetic code.

A pruned layer has rows and columns with no weight at all, and among the others some with many: where the next weight
is depends on its row and its column. Each number is written as a few yes-or-no questions, whether it is the most
frequent one first, and each question has the rates of its own answers, in the row, in the column and in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding.arithmetic import SCALE, Coder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many answers the layer's own rate counts for in the rate of a row and of a column. With less, a rate is learned
# from noise: on pruned LeNets the code is then up to a tenth longer.
_WHETHER = 100.0, 30.0
_WHICH = 10.0, 10.0


def code(coder: Coder, shape: tuple[int, int], count: int, known: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Write a matrix of numbers, or read one.

    Parameters
    ----------
    coder
        What writes or reads the bits.
    shape
        Rows and columns.
    count
        The numbers are 0 to count - 1; at most 256. 0 is the one that most are.
    known
        The matrix, for a writer; None for a reader.

    Examples
    --------
    >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
    >>> matrix = np.eye(20, dtype=np.uint8)
    >>> encoder = Encoder()
    >>> _ = code(encoder, (20, 20), 2, matrix)
    >>> bool((code(Decoder(encoder.finish()), (20, 20), 2, None) == matrix).all())
    True
    """
    matrix = np.zeros(shape, dtype=np.uint8)
    if count == 1 or not matrix.size:
        return matrix
    lines = [
        _live(coder, shape[axis], None if known is None else (known != 0).any(axis=1 - axis).tolist())
        for axis in (0, 1)
    ]
    rows, columns = (np.flatnonzero(line) for line in lines)
    given = None if known is None else known[np.ix_(rows, columns)].tolist()
    tree = _Tree(count, len(rows), len(columns))
    found = [
        [tree.code(coder, row, column, 0 if given is None else given[row][column]) for column in range(len(columns))]
        for row in range(len(rows))
    ]
    if len(rows) and len(columns):
        matrix[np.ix_(rows, columns)] = found
    return matrix


def _live(coder: Coder, count: int, known: list[bool] | None) -> list[bool]:
    """Write or read which rows or columns are not all zeros."""
    rate = _Rate(1, 1, *_WHETHER)
    return [bool(rate.code(coder, 0, 0, 0 if known is None else int(known[place]))) for place in range(count)]


class _Tree:
    """Asks for a number: first whether it is zero, then which half of what is left it is in, and so on."""

    def __init__(self, count: int, rows: int, columns: int) -> None:
        self._count = count
        self._size = rows, columns
        self._whether = _Rate(rows, columns, *_WHETHER)
        self._which: dict[tuple[int, int], _Rate] = {}

    def code(self, coder: Coder, row: int, column: int, known: int) -> int:
        if not self._whether.code(coder, row, column, int(known > 0)):
            return 0
        first, last = 1, self._count - 1
        while first < last:
            middle = (first + last + 1) // 2
            rate = self._which.get((first, last))
            if rate is None:
                rate = self._which[first, last] = _Rate(*self._size, *_WHICH)
            if rate.code(coder, row, column, int(known >= middle)):
                first = middle
            else:
                last = middle - 1
        return first


class _Rate:
    """How often one question is answered with yes, in a row, in a column and in all.

    The odds of a row and of a column multiply, as if they had nothing to do with each other. All numbers come from
    additions, products and quotients, which every machine rounds alike.
    """

    def __init__(self, rows: int, columns: int, row_prior: float, column_prior: float) -> None:
        self._all = [0.5, 0.5]  # Krichevsky and Trofimov's start, 1981
        self._rows: list[list[float] | None] = [None] * rows
        self._columns: list[list[float] | None] = [None] * columns
        self._priors = row_prior, column_prior

    def code(self, coder: Coder, row: int, column: int, known: int) -> int:
        no, yes = self._all
        rate = yes / (no + yes)
        of_row = self._rows[row] or [0.0, 0.0]
        of_column = self._columns[column] or [0.0, 0.0]
        row_prior, column_prior = self._priors
        row_odds = (of_row[1] + row_prior * rate) / (of_row[0] + row_prior * (1.0 - rate))
        column_odds = (of_column[1] + column_prior * rate) / (of_column[0] + column_prior * (1.0 - rate))
        odds = row_odds * column_odds * no / yes
        one = int(SCALE * odds / (1.0 + odds))
        bit = coder.bit(min(max(one, 1), SCALE - 1), known)
        self._all[bit] += 1.0
        of_row[bit] += 1.0
        of_column[bit] += 1.0
        self._rows[row], self._columns[column] = of_row, of_column
        return bit
