"""Which answers of a classifier are others after the compression, example by example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.network import runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.task import has_classes, last
from tunekit.core import seeds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tunekit.compress.rows import Rows
    from tunekit.compress.task import Answers


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """What the original and a row answered on the validation split.

    Parameters
    ----------
    before, after, right
        Shape (examples,): the class that the original gave, that the row gave, and that was asked for.
    classes
        The names of the classes, by their numbers.
    """

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    right: NDArray[np.int64]
    classes: tuple[str, ...]


def changed_answers(lab: Rows, number: int) -> Changed:
    """Let the original and a row answer the validation split.

    Parameters
    ----------
    lab
        The compression.
    number
        Of a complete row whose net is there.

    Raises
    ------
    ValueError
        If the answers are no classes, or the split comes in another order each time.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.compression import Compression
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> lab = Compression(torch.nn.Linear(4, 4), Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> changed_answers(lab, 1).before.shape
    (4,)
    """
    original, other = _answered(lab, 0), _answered(lab, number)
    if not has_classes(original):
        raise ValueError(
            "answers are compared class by class, with outputs (examples, classes) and integer targets (examples,): "
            f"this task has outputs {tuple(original.outputs.shape)} and {original.targets.dtype} targets"
        )
    if not np.array_equal(original.targets.numpy(), other.targets.numpy()):
        raise ValueError(
            "answers are compared on the same examples in the same order: the validation loader changes it; give a "
            "DataLoader with shuffle=False"
        )
    before, after = (answers.outputs.argmax(1).numpy() for answers in (original, other))
    names = lab.task.validation.classes or lab.task.train.classes
    count = original.outputs.shape[1]
    classes = names if len(names) == count else tuple(map(str, range(count)))
    return Changed(before, after, original.targets.numpy().astype(np.int64), classes)


def _answered(lab: Rows, number: int) -> Answers:
    made = lab._shop.made[number]
    run = runner(made.stage.network) if made.stage.file is None else open_runner(made.file)
    with seeds.seeded(0):  # a loader that shuffles draws from the global stream
        return last(lab.task.answers(run))
