"""Which columns of a matrix go together: those of pixels side by side, one above the other, of one kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding.arithmetic import Coder, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = 8
_MOST = 5
# Bits that a distance has to save. To say it takes 9; chance alone finds some more among 256 distances.
_LEAST_GAIN = 20.0


def code(coder: Coder, columns: NDArray[np.intp], known: NDArray[np.bool_] | None) -> list[int]:
    """Write at which distances a weight makes another one likely, or read them.

    Parameters
    ----------
    coder
        What writes or reads the bits.
    columns
        Where the columns of ``known`` stand in the whole matrix, ascending.
    known
        Where the weights are, for a writer.

    Returns
    -------
    list[int]
        At most five of 1 to 256: that of the next pixel, that of the pixel below.
    """
    found: list[int] = []
    chosen = [] if known is None else _distances(columns, known)
    while len(found) < _MOST and coder.bit(1.0, int(len(found) < len(chosen))):
        found.append(1 + number(coder, _BITS, chosen[len(found)] - 1 if chosen else 0))
    return found


def before(columns: NDArray[np.intp], distance: int) -> list[int]:
    """For each column the place of the one that stands so far before it; -1 where that one is not there."""
    places = {column: place for place, column in enumerate(columns.tolist())}
    return [places.get(column - distance, -1) for column in columns.tolist()]


def _distances(columns: NDArray[np.intp], known: NDArray[np.bool_]) -> list[int]:
    """Those at which there are more pairs of weights than rows and columns explain, the best first.

    The gain is that of a Poisson rate over another one: Kullback and Leibler, 1951.
    """
    width = int(columns[-1]) + 1
    span = min(1 << _BITS, width - 1)
    if span < 1:
        return []
    whole = np.zeros((len(known), width))
    whole[:, columns] = known
    of_rows, of_columns = whole.sum(axis=1), whole.sum(axis=0)
    pairs = np.rint(_pairs(whole, span))
    expected = _pairs(of_columns[None], span) * (of_rows**2).sum() / of_rows.sum() ** 2
    rate = np.maximum(pairs, 0.5) / np.maximum(expected, 0.5)
    gains = np.where(rate > 1, pairs * np.log2(rate) - (pairs - expected) / math.log(2), 0.0)
    best = np.argsort(-gains, kind="stable")[:_MOST]
    return [1 + int(place) for place in best if gains[place] > _LEAST_GAIN]


def _pairs(rows: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Sum the products of all that stand 1, 2, ... apart in a row."""
    size = 1 << (rows.shape[1] + span).bit_length()
    power = np.zeros(size // 2 + 1)
    for row in rows:
        power += np.abs(np.fft.rfft(row, size)) ** 2
    return np.fft.irfft(power, size)[1 : span + 1]
