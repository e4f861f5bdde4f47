"""A recipe again, with other seeds: what of a good score was luck."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.trying import measured_steps
from tunekit.compress.workshop import Workshop
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.recipe import Step
    from tunekit.compress.task import Task


@dataclass(frozen=True, slots=True, repr=False)
class Repeats:
    """A row and the same recipe with other seeds.

    Parameters
    ----------
    row, metric
        The number of the row, and the metric's name.
    score
        What the row scored on the validation split.
    scores
        What the repeats scored there.
    sizes
        The sizes of their files, in bytes.
    floor
        What the budget of the last run asks for; None without one.

    Examples
    --------
    >>> Repeats(4, "accuracy", 0.97, (0.965, 0.961), (900, 900), None)
    Row 4 again with 2 other seeds: accuracy 0.970 there, 0.963 on average here (0.961 to 0.965); files of 900 B.
    """

    row: int
    metric: str
    score: float
    scores: tuple[float, ...]
    sizes: tuple[float, ...]
    floor: float | None

    def __repr__(self) -> str:
        """The figures in words."""
        if not self.scores:
            return f"Row {self.row} again: stopped before the first repeat was done."
        low, high = min(self.scores), max(self.scores)
        kept = ""
        if self.floor is not None:
            held = sum(score >= self.floor - 1e-9 for score in self.scores)
            kept = f" {held} of {len(self.scores)} keep the budget's drop."
        sizes = sorted({text.size(min(self.sizes)), text.size(max(self.sizes))}, key=len)
        return (
            f"Row {self.row} again with {text.plural(len(self.scores), 'other seed')}: {self.metric} "
            f"{text.number(self.score)} there, {text.number(float(np.mean(self.scores)))} on average here "
            f"({text.number(low)} to {text.number(high)}); files of {' to '.join(sizes)}.{kept}"
        )


def repeated_with(
    model: Module, task: Task, steps: Sequence[Step], seeds: Sequence[int], sample: Inputs, done: list[dict[str, float]]
) -> Generator[Event, None, None]:
    """Run a recipe once with each seed; the figures of each net go into a list as soon as they are there.

    Parameters
    ----------
    model
        The original; it stays as it is.
    task, steps, sample
        As in `Workshop`.
    seeds
        One for each repeat.
    done
        Where the figures go.
    """
    for number, seed in enumerate(seeds, start=1):
        shop = Workshop(task, seed, sample)
        words = f"Repeat {number} of {len(seeds)}"
        yield Progressed(words)
        for chain in ([], steps):
            work = measured_steps(shop, model, chain, timed=False)
            while True:
                try:
                    scores = next(work)
                except StopIteration as end:
                    figures = end.value
                    break
                told = ", ".join(f"{name} {text.number(value)}" for name, value in scores.items())
                yield Progressed(f"{words}: {told}", (number - 1) / len(seeds))
        done.append(figures)
