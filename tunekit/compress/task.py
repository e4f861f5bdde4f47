"""A task: the data, the loss to train with and the metric to judge by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress import inputs
from tunekit.compress import score as scores
from tunekit.compress.data import Split
from tunekit.core import text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.score import Score

Runner = Callable[["Inputs"], "Tensor"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answered on a whole split, beside what was asked for.

    Parameters
    ----------
    outputs
        Shape (examples, ...), on the CPU.
    targets
        Shape (examples, ...), on the CPU.
    """

    outputs: Tensor
    targets: Tensor


class Task:
    """What a net is for: its data, its loss and its metric.

    Parameters
    ----------
    train, validation, test
        Each a Dataset of (x, y), a DataLoader, or a pair (x, y); the targets y are a tensor (examples, ...), the inputs
        x a tensor (examples, ...), or a tuple or a dict of them, with which the model is called as ``model(*x)`` or
        ``model(**x)``. Everything is judged on the validation split; ``test`` is looked at by the final report only,
        and may be None.
    loss
        Called with (outputs, targets) of a batch; returns a scalar tensor to go down, such as ``F.cross_entropy``.
    metric
        ``"accuracy"`` (the share of examples whose largest output along dimension 1 is at the integer target), or a
        function of all outputs and targets of a split that returns a finite number; higher is better.
    fit
        Replaces the built-in training: a generator function ``fit(model, task, epochs)`` that trains the model in
        place and yields after each step.
    device
        Where nets are trained and scored; None: where the model is. Latencies are always the CPU's.
    batch_size
        Examples in a training batch, 1 or more, where the split is no DataLoader.

    Raises
    ------
    TypeError
        If a split, the loss, the metric or ``fit`` is of the wrong kind.
    ValueError
        If a split is empty or uneven, or the metric unknown.

    Examples
    --------
    >>> import torch
    >>> x, y = torch.randn(8, 3), torch.tensor([0, 1] * 4)
    >>> Task(train=(x, y), validation=(x, y), loss=torch.nn.functional.cross_entropy)
    Task(loss=cross_entropy, metric='accuracy', no test split)
    """

    def __init__(
        self,
        train: Any,
        validation: Any,
        test: Any = None,
        *,
        loss: Callable[[Any, Any], Any],
        metric: str | Callable[[Any, Any], float] = "accuracy",
        fit: Callable[..., Any] | None = None,
        device: str | None = None,
        batch_size: int = 64,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"a batch holds at least one example: got batch_size={batch_size!r}")
        if not callable(loss):
            raise TypeError(f"the loss is a function of (outputs, targets), such as F.cross_entropy: got {loss!r}")
        if fit is not None and not callable(fit):
            raise TypeError(f"fit is a generator function fit(model, task, epochs), or None: got {fit!r}")
        if isinstance(metric, str) and metric != "accuracy":
            raise ValueError(
                f"unknown metric {metric!r}: the known one is 'accuracy'; or give a function of (outputs, targets)"
            )
        if not isinstance(metric, str) and not callable(metric):
            raise TypeError(f"the metric is 'accuracy' or a function of (outputs, targets): got {metric!r}")
        self.train = Split(train, "train", batch_size)
        self.validation = Split(validation, "validation", batch_size)
        self.test = None if test is None else Split(test, "test", batch_size)
        self.loss = loss
        self.metric = metric
        self.fit = fit
        self.device = device
        self.test_looks = 0  # how many reports were made on the test split: the more, the less each is worth

    @property
    def metric_name(self) -> str:
        """The name that the metric has in tables: ``"accuracy"``, or the function's own."""
        if isinstance(self.metric, str):
            return self.metric
        name = getattr(self.metric, "__name__", "score")
        return "score" if name == "<lambda>" else str(name)

    def batches(self, generator: Generator) -> Iterator[tuple[Inputs, Tensor]]:
        """One epoch of training batches (x, y), shuffled by the generator where the split is no DataLoader."""
        return self.train.shuffled(generator)

    def answers(self, runner: Runner, split: str = "validation") -> Iterator[Answers | None]:
        """Let a model answer a whole split, at most 500 examples at a time.

        Parameters
        ----------
        runner
            Called with inputs (batch, ...); returns outputs (batch, ...).
        split
            ``"train"``, ``"validation"`` or ``"test"``.

        Yields
        ------
        Answers | None
            None after each chunk, so that a job can rest in between; the answers at the end.
        """
        import torch

        source = {"train": self.train, "validation": self.validation, "test": self.test}[split]
        if source is None:
            raise ValueError("a report is made on the test split, and this task has none: give Task(..., test=...)")
        outputs, targets = [], []
        for x, y in source.chunks():
            outputs.append(checked_output(runner(x), inputs.count(x)))
            targets.append(y.cpu())
            yield None
        yield Answers(torch.cat(outputs), torch.cat(targets))

    def score(self, answers: Answers) -> Score:
        """The metric of the answers with its 95 % interval: Wilson's for accuracy, bootstrap for any other.

        Raises
        ------
        ValueError
            If outputs and targets do not fit the metric, or it is not finite.
        """
        if isinstance(self.metric, str):
            return scores.of_hits(hits(answers))
        return scores.of_resamples(lambda chosen: self._value(answers, chosen), len(answers.targets))

    def value(self, answers: Answers) -> float:
        """The metric of the answers alone, without its interval."""
        import numpy as np

        if isinstance(self.metric, str):
            return float(hits(answers).mean())
        return self._value(answers, np.arange(len(answers.targets)))

    def change(self, original: Answers, other: Answers) -> Score:
        """How much the metric changed on the same examples, other minus original, with its paired 95 % interval."""
        if isinstance(self.metric, str):
            return scores.difference(hits(original), hits(other))
        return scores.of_resamples(
            lambda chosen: self._value(other, chosen) - self._value(original, chosen), len(original.targets)
        )

    def _value(self, answers: Answers, chosen: NDArray[np.intp]) -> float:
        import math

        import torch

        if isinstance(self.metric, str):
            raise TypeError("unreachable: accuracy has its own interval")
        index = torch.from_numpy(chosen)
        value = float(self.metric(answers.outputs[index], answers.targets[index]))
        if not math.isfinite(value):
            raise ValueError(f"a metric is a finite number: {self.metric_name} gave {value}")
        return value

    def __repr__(self) -> str:
        """Its loss and metric."""
        test = "" if self.test else ", no test split"
        return f"Task(loss={text.value(self.loss)}, metric={self.metric_name!r}{test})"


def last(answers: Iterator[Answers | None]) -> Answers:
    """Let a model answer without resting: what `Task.answers` yields at the end."""
    found = None
    for given in answers:
        found = given
    if found is None:
        raise ValueError("a split holds at least one example: this one is empty")
    return found


def has_classes(answers: Answers) -> bool:
    """Whether each target is the number of a class, and the outputs have a value for each class."""
    outputs, targets = answers.outputs, answers.targets
    return outputs.dim() == 2 and targets.dim() == 1 and not (targets.is_floating_point() or targets.is_complex())


def hits(answers: Answers) -> NDArray[np.bool_]:
    """Whether each answer is right, shape (examples,).

    Raises
    ------
    ValueError
        If the outputs are not (examples, classes) or the targets not integers (examples,).
    """
    outputs, targets = answers.outputs, answers.targets
    if not has_classes(answers):
        raise ValueError(
            "accuracy takes outputs (examples, classes) and integer targets (examples,): got outputs "
            f"{tuple(outputs.shape)} and {targets.dtype} targets {tuple(targets.shape)}; "
            "give Task(..., metric=function of (outputs, targets)) for anything else"
        )
    right: NDArray[np.bool_] = (outputs.argmax(1) == targets).numpy()
    return right


def checked_output(output: Any, count: int) -> Tensor:
    """Return what a model gave for so many examples, on the CPU, if it is one tensor with an output for each."""
    from torch import Tensor

    if not isinstance(output, Tensor):
        raise TypeError(
            f"a model returns one tensor for a batch: this one returned a {type(output).__name__}; "
            "wrap it in a module that returns the tensor the loss takes"
        )
    if output.dim() == 0 or len(output) != count:
        raise ValueError(
            f"a model returns one output for each example: {count} went in, shape {tuple(output.shape)} came out"
        )
    return output.detach().cpu()
