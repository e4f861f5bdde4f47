"""Where the numbers of a sparse matrix stand.

The odds of a weight are those of the whole matrix, times what its row, its column and its neighbours have shown so far
to have more or less than that. Each such factor is seen over expected, drawn to 1 by a start that counts for some
weights on both sides: the mean of a Poisson rate under a gamma prior. A row's factor changes with each weight, a
column's and a neighbour's after each row; so all columns are computed at once.

All numbers come from additions, products and quotients of single floats, in an order that is written down, and from
`math.fsum`, whose result is exact; every machine rounds them alike.
"""

from __future__ import annotations

from itertools import accumulate
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding import neighbours
from tunekit.compress.coding.arithmetic import MOST_ODDS, Coder, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# For how many weights the starts of a row, a column and a neighbour count, and where a neighbour starts. Found on six
# pruned LeNets; twice or half of each costs less than 1 %.
_ROW = 4.0
_COLUMN = 2.5
_NEIGHBOUR = 4.0
_NEIGHBOUR_START = 4.0
# Of each of the two factors of the odds.
_MOST = MOST_ODDS**0.5


def code(
    coder: Coder,
    shape: tuple[int, int],
    columns: NDArray[np.intp],
    distances: list[int],
    known: NDArray[np.bool_] | None,
) -> NDArray[np.bool_]:
    """Write where the weights are, or read it.

    Parameters
    ----------
    coder
        What writes or reads the bits.
    shape
        Rows and columns, at least one of each.
    columns
        Where the columns stand in the whole matrix.
    distances
        Those of `neighbours.code`.
    known
        The places, for a writer.

    Examples
    --------
    >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
    >>> known = np.arange(400).reshape(20, 20) % 21 == 0
    >>> encoder, columns = Encoder(), np.arange(20)
    >>> _ = code(encoder, (20, 20), columns, [], known)
    >>> data = encoder.finish()
    >>> len(data), bool((code(Decoder(data), (20, 20), columns, [], None) == known).all())
    (17, True)
    """
    share = _share(coder, None if known is None else float(known.mean()))
    rates = _Rates(share / (1.0 - share), columns, distances)
    found = np.zeros(shape, dtype=np.bool_)
    for row in range(shape[0]):
        found[row, rates.code_row(coder, [] if known is None else np.flatnonzero(known[row]).tolist())] = True
    return found


def _share(coder: Coder, share: float | None) -> float:
    """A float of one byte: which share of the matrix is weights."""
    mantissa, exponent = (share or 0.5), 0
    while mantissa < 0.5 and exponent < 15:
        mantissa, exponent = 2.0 * mantissa, exponent + 1
    exponent = number(coder, 4, exponent)
    mantissa = number(coder, 4, min(max(int(32.0 * mantissa) - 16, 0), 15))
    return (mantissa + 16.5) / 32.0 / (1 << exponent)


class _Rates:
    """What the rows so far have shown."""

    def __init__(self, odds: float, columns: NDArray[np.intp], distances: list[int]) -> None:
        self._odds = odds
        self._row_count = 0
        self._in_column = np.zeros(len(columns))
        self._expected_in_column = 0.0
        # for each distance the place that a place speaks for, and how often it was right, and was expected to be
        self._after = [_inverse(neighbours.before(columns, distance)) for distance in distances]
        self._right = [0.0] * len(distances)
        self._expected_right = [0.0] * len(distances)

    def code_row(self, coder: Coder, known: list[int]) -> list[int]:
        """Write or read one row: the places of its weights."""
        odds = self._column_odds()
        chances = (odds / (1.0 + odds)).tolist()
        expected = [0.0, *accumulate(chances)]
        plain = np.clip(odds / (_ROW + np.array(expected[:-1])), 1.0 / _MOST, _MOST).tolist()
        boosts = [
            (_NEIGHBOUR * _NEIGHBOUR_START + right) / (_NEIGHBOUR + awaited)
            for right, awaited in zip(self._right, self._expected_right, strict=True)
        ]
        boosted, seen = plain.copy(), _ROW
        found: list[int] = []
        known, place = [*known, len(plain)], -1
        while (place := coder.zeros(boosted, seen, place + 1, known[min(len(found), len(known) - 1)])) < len(plain):
            found.append(place)
            # a weight that its neighbours have foretold says less about its row
            seen = min(seen + plain[place] / boosted[place], _MOST)
            for after, boost in zip(self._after, boosts, strict=True):
                target = after[place]
                if target >= 0:
                    boosted[target] = min(max(boosted[target] * boost, 1.0 / _MOST), _MOST)
        factor = seen / (_ROW + expected[-1])
        self._learn_neighbours(
            found, boosts, [boosted[k] / plain[k] * factor for k in range(len(plain))], odds.tolist()
        )
        self._learn_columns(found, factor)
        return found

    def _column_odds(self) -> NDArray[np.float64]:
        """Odds over odds: of weights seen, over expected; of zeros expected, over seen."""
        start = _COLUMN / self._odds
        zeros = self._row_count - self._in_column
        expected_zeros = self._row_count - self._expected_in_column
        seen = (_COLUMN + self._in_column) / (_COLUMN + self._expected_in_column)
        odds: NDArray[np.float64] = self._odds * seen * (start + expected_zeros) / (start + zeros)
        return np.clip(odds, 1.0 / _MOST, _MOST)

    def _learn_columns(self, found: Sequence[int], factor: float) -> None:
        odds = self._odds * factor
        self._expected_in_column += odds / (1.0 + odds)
        self._in_column[found] += 1.0
        self._row_count += 1

    def _learn_neighbours(self, found: list[int], boosts: list[float], factors: list[float], odds: list[float]) -> None:
        weights = set(found)
        for which, (after, boost) in enumerate(zip(self._after, boosts, strict=True)):
            targets = [after[place] for place in found if after[place] >= 0]
            without = [odds[target] * factors[target] / boost for target in targets]
            self._right[which] += sum(target in weights for target in targets)
            self._expected_right[which] += fsum(one / (1.0 + one) for one in without)


def _inverse(before: list[int]) -> list[int]:
    after = [-1] * len(before)
    for place, earlier in enumerate(before):
        if earlier >= 0:
            after[earlier] = place
    return after
