"""A binary arithmetic coder: each bit costs as much as it surprises the model that predicts it.

What one machine writes every other one reads: the interval is whole numbers, and odds are floats that see nothing but
additions, products and quotients one by one, which IEEE 754 rounds in one way only.

References
----------
Witten, Neal and Cleary, "Arithmetic coding for data compression", Communications of the ACM 1987; the carry-free form
with 32 bits as in Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_TOP = (1 << 32) - 1
# With odds up to this the chance is a float below 1, so that both answers get a part of any interval.
MOST_ODDS = float(1 << 40)
_State = tuple[int, int, int]


class Coder(Protocol):
    """Writes bits, or reads them: a model that is written once serves both."""

    def bit(self, odds: float, known: int) -> int:
        """Code one bit and return it.

        Parameters
        ----------
        odds
            The chance that it is 1 over the chance that it is 0, from 0 to MOST_ODDS.
        known
            The bit, 0 or 1, for a writer; a reader does not look at it.
        """

    def zeros(self, odds: Sequence[float], factor: float, start: int, known: int) -> int:
        """Code zeros up to the next one, that one too, and return its place; the length of ``odds`` if there is none.

        The same as `bit` for each of them, in less time.

        Parameters
        ----------
        odds, factor
            Their products are the odds of each place, in the same range.
        start
            The first place to code.
        known
            The place of the one, for a writer.
        """


def number(coder: Coder, bits: int, known: int) -> int:
    """Code a number of so many bits of which nothing is known beforehand."""
    return sum(coder.bit(1.0, known >> place & 1) << place for place in range(bits))


class Encoder:
    """Writes bits.

    Examples
    --------
    >>> encoder = Encoder()
    >>> for bit in (0, 0, 0, 1, 0, 0):
    ...     _ = encoder.bit(0.1, bit)
    >>> data = encoder.finish()
    >>> decoder = Decoder(data)
    >>> [decoder.bit(0.1, 0) for _ in range(6)]
    [0, 0, 0, 1, 0, 0]
    """

    def __init__(self) -> None:
        self._low, self._high = 0, _TOP
        self._written = bytearray()

    def bit(self, odds: float, known: int) -> int:
        """Write one bit: see `Coder.bit`."""
        self.zeros((odds,), 1.0, 0, 1 - known)
        return known

    def zeros(self, odds: Sequence[float], factor: float, start: int, known: int) -> int:
        """Write zeros and a one: see `Coder.zeros`."""
        low, high, written = self._low, self._high, self._written
        for place in range(start, min(known + 1, len(odds))):
            one = odds[place] * factor
            middle = low + int((high - low) * (one / (1.0 + one)))
            if place == known:
                high = middle
            else:
                low = middle + 1
            while not (low ^ high) >> 24:
                written.append(high >> 24)
                low = low << 8 & _TOP
                high = (high << 8 & _TOP) | 255
        self._low, self._high = low, high
        return known

    def mark(self) -> _State:
        """Return where it is, to go back to."""
        return self._low, self._high, len(self._written)

    def back(self, mark: _State) -> None:
        """Forget what was written after a mark."""
        self._low, self._high, length = mark
        del self._written[length:]

    def __len__(self) -> int:
        """How many bytes are certain by now."""
        return len(self._written)

    def finish(self) -> bytes:
        """Return all that was written; zero bytes at its end are left out, as the reader goes on with zeros."""
        # the shortest number between the two ends
        for length in range(5):
            unit = 1 << (32 - 8 * length)
            value = -(-self._low // unit) * unit
            if value <= self._high:
                break
        self._written += value.to_bytes(4, "big")[:length]
        return bytes(self._written).rstrip(b"\0")


class Decoder:
    """Reads the bits that an `Encoder` wrote, asked with the same odds."""

    def __init__(self, data: bytes) -> None:
        self._low, self._high = 0, _TOP
        self._data = data
        self._place = 4
        self._value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, odds: float, known: int) -> int:
        """Read one bit: see `Coder.bit`."""
        return 1 - self.zeros((odds,), 1.0, 0, known)

    def zeros(self, odds: Sequence[float], factor: float, start: int, known: int) -> int:
        """Read zeros and a one: see `Coder.zeros`."""
        low, high, value = self._low, self._high, self._value
        found = len(odds)
        for place in range(start, len(odds)):
            one = odds[place] * factor
            middle = low + int((high - low) * (one / (1.0 + one)))
            if value <= middle:
                high = middle
                found = place
            else:
                low = middle + 1
            while not (low ^ high) >> 24:
                low = low << 8 & _TOP
                high = (high << 8 & _TOP) | 255
                following = self._data[self._place] if self._place < len(self._data) else 0
                value = (value << 8 & _TOP) | following
                self._place += 1
            if found == place:
                break
        self._low, self._high, self._value = low, high, value
        return found

    def has_more(self) -> bool:
        """Whether there are bytes that nobody has asked for."""
        return self._place < len(self._data)
