"""Where models do not answer the same: the examples, the most contrary first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, overload

import numpy as np

from tunekit.core import text

if TYPE_CHECKING:
    from numpy.typing import NDArray

# So many are written out; the others are counted.
_SHOWN = 10


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement:
    """One example on which at least two models differ.

    Parameters
    ----------
    index
        Its place in the data, from 0.
    truth
        The number of the true class.
    answers
        The number of the class that each model answers, in the models' order.
    probabilities
        Shape (models, classes), 0 to 1.
    distance
        How contrary they are, 0 to 1: the largest total variation distance between the probabilities of two models
        that answer differently. Near 1 both are sure; near 0 both hesitate.
    """

    index: int
    truth: int
    answers: tuple[int, ...]
    probabilities: NDArray[np.float64]
    distance: float


class Disagreements(Sequence[Disagreement]):
    """The examples on which the models differ, the most contrary first.

    Parameters
    ----------
    names
        The models'.
    labels
        The classes' names.
    asked
        How many examples were asked altogether.
    found
        The disagreements in their order.

    Examples
    --------
    >>> sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]])
    >>> other = np.array([[0.8, 0.2], [0.1, 0.9], [0.4, 0.6]])
    >>> disagreements(("float", "int8"), ("cat", "dog"), [sure, other], np.array([0, 0, 1]))
    2 of 3 examples, the most contrary first:
    example  truth       float        int8  distance
          1    cat  cat 80.0 %  dog 90.0 %     0.700
          2    dog  cat 60.0 %  dog 60.0 %     0.200
    """

    def __init__(
        self, names: tuple[str, ...], labels: tuple[str, ...], asked: int, found: Sequence[Disagreement]
    ) -> None:
        self.names, self.labels, self.asked = names, labels, asked
        self._found = tuple(found)

    @overload
    def __getitem__(self, place: int) -> Disagreement: ...
    @overload
    def __getitem__(self, place: slice) -> Disagreements: ...
    def __getitem__(self, place: int | slice) -> Disagreement | Disagreements:
        """One of them, or some."""
        if isinstance(place, slice):
            return Disagreements(self.names, self.labels, self.asked, self._found[place])
        return self._found[place]

    def __len__(self) -> int:
        """How many there are."""
        return len(self._found)

    def label(self, number: int) -> str:
        """The name of a class; a target that is none of them is written as it is."""
        return self.labels[number] if 0 <= number < len(self.labels) else str(number)

    def right(self) -> tuple[int, ...]:
        """How often each model is right on them, in the models' order."""
        return tuple(sum(one.answers[place] == one.truth for one in self) for place in range(len(self.names)))

    def sentence(self) -> str:
        """How many there are, and who is right on them.

        Examples
        --------
        >>> one = np.array([[0.9, 0.1]])
        >>> disagreements(("a", "b"), ("x", "y"), [one, one[:, ::-1]], np.array([0])).sentence()
        'They differ on 1 of 1 example: a is right on 1, b on 0.'
        """
        if not self:
            return f"They give the same answer on all of {text.plural(self.asked, 'example')}."
        right = [f"{name} {'is right ' if not place else ''}on {count:,}" for place, (name, count) in self._counted()]
        return f"They differ on {len(self):,} of {text.plural(self.asked, 'example')}: {', '.join(right)}."

    def _counted(self) -> enumerate[tuple[str, int]]:
        return enumerate(zip(self.names, self.right(), strict=True))

    def said(self, one: Disagreement) -> list[str]:
        """What each model answers to one of them, and how sure it is."""
        return [
            f"{self.label(answer)} {text.share(float(shares[answer]))}"
            for answer, shares in zip(one.answers, one.probabilities, strict=True)
        ]

    def __repr__(self) -> str:
        """The most contrary ones as a table."""
        if not self:
            return self.sentence()
        lines = [["example", "truth", *self.names, "distance"]]
        lines += [
            [str(one.index), self.label(one.truth), *self.said(one), text.number(one.distance)]
            for one in self._found[:_SHOWN]
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = ["  ".join(map(str.rjust, line, widths)) for line in lines]
        more = [f"and {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []
        head = f"{len(self):,} of {text.plural(self.asked, 'example')}, the most contrary first:"
        return text.printable("\n".join([head, *table, *more]))


def disagreements(
    names: tuple[str, ...],
    labels: tuple[str, ...],
    shares: Sequence[NDArray[np.float64]],
    targets: NDArray[np.integer],
) -> Disagreements:
    """Find the examples on which the models differ.

    Parameters
    ----------
    names, labels
        The models' and the classes'.
    shares
        For each model the probabilities, shape (examples, classes), each row with the sum 1.
    targets
        Shape (examples,): the numbers of the true classes.
    """
    answers = np.stack([one.argmax(1) for one in shares])
    farthest = np.zeros(len(targets))
    for one, other in combinations(range(len(shares)), 2):
        distance = np.abs(shares[one] - shares[other]).sum(1) / 2
        farthest = np.where(answers[one] != answers[other], np.maximum(farthest, distance), farthest)
    differ = np.flatnonzero((answers != answers[0]).any(0))
    # rounded: nearly equal ones stand in the order of the data, on every machine
    order = sorted(differ.tolist(), key=lambda index: (-round(float(farthest[index]), 4), index))
    found = [
        Disagreement(
            index,
            int(targets[index]),
            tuple(answers[:, index].tolist()),
            np.stack([one[index] for one in shares]),
            float(farthest[index]),
        )
        for index in order
    ]
    return Disagreements(names, labels, len(targets), found)
