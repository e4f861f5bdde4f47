"""The final report: what the compression cost on examples that nothing was chosen by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.task import last
from tunekit.core import seeds, text

if TYPE_CHECKING:
    from tunekit.compress.score import Score
    from tunekit.compress.task import Answers, Runner, Task


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The original and the compressed model on the test split.

    Parameters
    ----------
    metric
        The metric's name.
    original, compressed
        Each one's score with its 95 % interval.
    change
        Compressed minus original on the same examples, with its paired 95 % interval.
    look
        The how-manieth report on this test split it is, from 1.
    """

    metric: str
    original: Score
    compressed: Score
    change: Score
    look: int

    def __repr__(self) -> str:
        """The figures in words."""
        low, high = self.change.low, self.change.high
        seen = "no difference can be seen" if low <= 0 <= high else "better" if low > 0 else "worse"
        warning = "" if self.look == 1 else "; the more often one looks, the less a test split says"
        return (
            f"On {text.plural(self.original.count, 'test example')}: {self.metric} {self.original} before, "
            f"{self.compressed} after. Paired difference {text.signed(self.change.value)} "
            f"[{text.signed(low)}, {text.signed(high)}] (95 %): {seen}. "
            f"This is look number {self.look} at the test split{warning}."
        )


def answer(task: Task, runner: Runner) -> Answers:
    """Let a model answer the test split.

    Raises
    ------
    ValueError
        If the task has none.
    """
    # a loader that shuffles draws from the global stream: seeded, each model sees the same order
    with seeds.seeded(0):
        return last(task.answers(runner, "test"))


def compare(task: Task, original: Answers, compressed: Answers) -> Report:
    """Compare two models' answers on the test split; counts as one look at it.

    Raises
    ------
    ValueError
        If the two did not see the same examples in the same order.
    """
    import torch

    if not torch.equal(original.targets, compressed.targets):
        raise ValueError(
            "two models are compared on the same examples in the same order: the test loader changes it; "
            "give a DataLoader with shuffle=False"
        )
    task.test_looks += 1
    return Report(
        task.metric_name,
        task.score(original),
        task.score(compressed),
        task.change(original, compressed),
        task.test_looks,
    )
