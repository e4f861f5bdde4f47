"""Which numbers stand in the places of a matrix that hold any."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding import neighbours
from tunekit.compress.coding.arithmetic import MOST_ODDS, Coder

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How many answers the rate of all counts for in the rate of a row, of a column, and of places with such a neighbour.
_ROW, _COLUMN, _NEIGHBOUR = 20.0, 12.0, 5.0
_Answers = list[float]


def code(
    coder: Coder,
    places: NDArray[np.bool_],
    columns: NDArray[np.intp],
    distances: list[int],
    count: int,
    known: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """Write the numbers, or read them.

    A number is found by halving what is left, and each such question has the rates of its own answers, in all, in the
    row, in the column and beside such a neighbour. Their odds multiply, as if they had nothing to do with each other.

    Parameters
    ----------
    coder
        What writes or reads the bits.
    places
        Where the numbers are.
    columns
        Where the columns stand in the whole matrix.
    distances
        Those of `neighbours.code`.
    count
        The numbers are 1 to count - 1.
    known
        The matrix, for a writer.

    Examples
    --------
    >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
    >>> known = np.array([[1, 0, 2], [0, 3, 3]], dtype=np.uint8)
    >>> encoder, columns = Encoder(), np.arange(3)
    >>> _ = code(encoder, known > 0, columns, [1], 4, known)
    >>> code(Decoder(encoder.finish()), known > 0, columns, [1], 4, None).tolist()
    [[1, 0, 2], [0, 3, 3]]
    """
    if count == 2:
        return places.astype(np.uint8)
    before = [neighbours.before(columns, distance) for distance in distances]
    found = [[0] * places.shape[1] for _ in range(places.shape[0])]
    given = found if known is None else known.tolist()
    questions: dict[tuple[int, int], _Question] = {}
    for row, column in zip(*(axis.tolist() for axis in np.nonzero(places)), strict=True):
        around: list[tuple[Hashable, float]] = [(("row", row), _ROW)]
        if len(found) > 1:  # in a single row each column is seen once
            around.append((("column", column), _COLUMN))
        for distance, sources in zip(distances, before, strict=True):
            beside = found[row][sources[column]] if sources[column] >= 0 else 0
            if beside:
                around.append(((distance, beside), _NEIGHBOUR))
        first, last = 1, count - 1
        while first < last:
            middle = (first + last + 1) // 2
            question = questions.setdefault((first, last), _Question())
            if question.code(coder, around, int(given[row][column] >= middle)):
                first = middle
            else:
                last = middle - 1
        found[row][column] = first
    return np.array(found, dtype=np.uint8)


class _Question:
    """How often it was answered with no and with yes."""

    def __init__(self) -> None:
        self._all = [0.5, 0.5]  # Krichevsky and Trofimov's start, 1981
        self._near: dict[Hashable, _Answers] = {}

    def code(self, coder: Coder, around: list[tuple[Hashable, float]], known: int) -> int:
        no, yes = self._all
        rate = yes / (no + yes)
        odds = yes / no
        near = [self._near.setdefault(what, [0.0, 0.0]) for what, _ in around]
        for answers, (_, start) in zip(near, around, strict=True):
            odds = odds * ((answers[1] + start * rate) / (answers[0] + start * (1.0 - rate))) * (no / yes)
        bit = coder.bit(min(odds, MOST_ODDS), known)
        for answers in (self._all, *near):
            answers[bit] += 1.0
        return bit
