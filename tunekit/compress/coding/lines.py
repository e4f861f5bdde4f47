"""Which rows and columns of a matrix hold anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.coding.arithmetic import Coder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Lines:
    """Tells which lines are not all zeros, of one matrix after the other.

    A dead neuron is a row of its weight, a place of its bias and a column of the next weight, or several columns where
    a channel is flattened. So the lines of an earlier matrix that had as many, or a part of as many, foretell these.

    Parameters
    ----------
    seen
        The lines of earlier matrices, by how many they are.
    """

    def __init__(self, seen: Mapping[int, NDArray[np.bool_]] | None = None) -> None:
        self._seen = dict(seen or {})

    def copy(self) -> Lines:
        """Return another that has seen the same."""
        return Lines(self._seen)

    def code(self, coder: Coder, count: int, known: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """Write which of so many lines are live, or read it.

        Examples
        --------
        >>> from tunekit.compress.coding.arithmetic import Decoder, Encoder
        >>> live = np.arange(100) % 7 == 0
        >>> encoder, lines = Encoder(), Lines()
        >>> first, again = lines.code(encoder, 100, live), lines.code(encoder, 200, np.repeat(live, 2))
        >>> bool((Lines().code(Decoder(encoder.finish()), 100, None) == live).all())
        True
        """
        rates = ([0.5, 0.5], [0.5, 0.5])  # Krichevsky and Trofimov's start, 1981
        answers = [0] * count if known is None else known.tolist()
        found = []
        for expected, answer in zip(self._expected(count), answers, strict=True):
            rate = rates[expected]
            bit = coder.bit(rate[1] / rate[0], int(answer))
            rate[bit] += 1.0
            found.append(bit == 1)
        self._seen.pop(count, None)  # the latest stands last
        self._seen[count] = np.array(found, dtype=np.bool_)
        return self._seen[count]

    def _expected(self, count: int) -> list[bool]:
        parts = [size for size in self._seen if 1 < size < count and count % size == 0]
        size = count if count in self._seen else parts[-1] if parts else 0
        expected: list[bool] = np.repeat(self._seen[size], count // size).tolist() if size else [False] * count
        return expected
