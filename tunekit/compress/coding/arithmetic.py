"""A binary arithmetic coder: each bit costs as much as it surprises the model that predicts it.

It works in whole numbers only, so that what one machine writes every other one reads.

References
----------
Witten, Neal and Cleary, "Arithmetic coding for data compression", Communications of the ACM 1987; the carry-free form
with 32 bits as in Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005.
"""

from __future__ import annotations

from typing import Protocol

# A probability is a whole number of 65536ths, 1 to 65535.
SCALE = 1 << 16
_TOP = (1 << 32) - 1


class Coder(Protocol):
    """Writes bits, or reads them: a model that is written once serves both."""

    def bit(self, one: int, known: int) -> int:
        """Code one bit and return it.

        Parameters
        ----------
        one
            The probability that it is 1, in 65536ths, 1 to 65535.
        known
            The bit, 0 or 1, for a writer; a reader does not look at it.
        """


class Encoder:
    """Writes bits.

    Examples
    --------
    >>> encoder = Encoder()
    >>> for bit in (0, 0, 0, 1, 0, 0):
    ...     _ = encoder.bit(SCALE // 10, bit)
    >>> data = encoder.finish()
    >>> decoder = Decoder(data)
    >>> [decoder.bit(SCALE // 10, 0) for _ in range(6)]
    [0, 0, 0, 1, 0, 0]
    """

    def __init__(self) -> None:
        self._low, self._high = 0, _TOP
        self._written = bytearray()

    def bit(self, one: int, known: int) -> int:
        """Write one bit: see `Coder.bit`."""
        middle = self._low + (self._high - self._low) * one // SCALE
        if known:
            self._high = middle
        else:
            self._low = middle + 1
        while not (self._low ^ self._high) >> 24:
            self._written.append(self._high >> 24)
            self._low = self._low << 8 & _TOP
            self._high = (self._high << 8 & _TOP) | 255
        return known

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
    """Reads the bits that an `Encoder` wrote, asked with the same probabilities."""

    def __init__(self, data: bytes) -> None:
        self._low, self._high = 0, _TOP
        self._data = data
        self._place = 4
        self._value = int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, one: int, known: int) -> int:
        """Read one bit: see `Coder.bit`."""
        middle = self._low + (self._high - self._low) * one // SCALE
        found = 1 if self._value <= middle else 0
        if found:
            self._high = middle
        else:
            self._low = middle + 1
        while not (self._low ^ self._high) >> 24:
            self._low = self._low << 8 & _TOP
            self._high = (self._high << 8 & _TOP) | 255
            following = self._data[self._place] if self._place < len(self._data) else 0
            self._value = (self._value << 8 & _TOP) | following
            self._place += 1
        return found
