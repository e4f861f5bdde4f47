"""What all steps of a recipe hold, as tests that run on one of your own."""

from __future__ import annotations

import random
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tunekit.compress import recipe as recipes
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.inputs import call

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.recipe import Step
    from tunekit.compress.task import Task


@dataclass(frozen=True, slots=True)
class _Outcome:
    lab: Compression | None
    refused: str
    same_model: bool
    same_streams: bool


class StepConformance(ABC):
    """Subclass it in a test file, say how to make the step, a model and a task, and pytest runs what all steps hold.

    A step that cannot be done to the model says so before any work starts; that, too, is tested.

    Attributes
    ----------
    before
        Steps that the recipe has before this one.
    refused
        What the step says where it cannot be done to this model; None where it can.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.fold import Fold
    >>> from tunekit.compress.task import Task
    >>> class TestFold(StepConformance):
    ...     refused = "Linear has none"
    ...
    ...     def make(self):
    ...         return Fold()
    ...
    ...     def model(self):
    ...         return torch.nn.Linear(4, 4)
    ...
    ...     def task(self):
    ...         data = torch.eye(4), torch.arange(4)
    ...         return Task(data, data, loss=torch.nn.functional.cross_entropy)
    >>> TestFold().test_it_completes_or_says_before_why_not()
    """

    before: ClassVar[Sequence[Step]] = ()
    refused: ClassVar[str | None] = None

    @abstractmethod
    def make(self) -> Step:
        """The step."""

    @abstractmethod
    def model(self) -> Module:
        """A new model, each time with the same weights."""

    @abstractmethod
    def task(self) -> Task:
        """Its data, loss and metric."""

    def test_it_completes_or_says_before_why_not(self) -> None:
        """All rows are complete, or an error with words before the first one is made."""
        outcome = self._outcome()
        if self.refused is not None:
            assert self.refused in outcome.refused, f"said {outcome.refused!r}"
            assert outcome.lab is None or not outcome.lab.trials
            return
        assert not outcome.refused, outcome.refused
        for trial in self._lab().trials:
            assert trial.state == "complete", trial.error
        assert self._lab().trials[-1].params["step"] == repr(self.make())

    def test_the_callers_model_stays(self) -> None:
        """To the byte, with its mode, its hooks and what is trained in it."""
        assert self._outcome().same_model

    def test_the_callers_random_numbers_stay(self) -> None:
        """Python's, numpy's and torch's."""
        assert self._outcome().same_streams

    def test_the_same_seed_gives_the_same(self) -> None:
        """Figures and outputs, but for the clock."""
        if self.refused is None:
            other = self._run().lab
            assert other is not None
            assert _facts(other) == _facts(self._lab())
            assert _same(other[len(other.trials) - 1](self._x()), self._row()(self._x()))

    def test_its_sizes_are_those_of_the_files(self) -> None:
        """Of the exported file and of the saved one."""
        if self.refused is None:
            with tempfile.TemporaryDirectory() as folder:
                self._row().export(f"{folder}/net.onnx")
                self._row().save(f"{folder}/net.tunekit")
                sizes = [Path(folder, name).stat().st_size for name in ("net.onnx", "net.tunekit")]
            assert sizes == [self._row().metrics["size"], self._row().metrics["bundle"]]

    def test_its_score_is_that_of_the_model_one_calls(self) -> None:
        """PyTorch and onnxruntime add in their own order: one example may be on the other side."""
        if self.refused is None:
            task = self._lab().task
            answers = [value for value in task.answers(self._row()) if value is not None][-1]
            count = len(answers.targets)
            assert abs(self._row().metrics[task.metric_name] - task.value(answers)) <= 1.5 / count

    def test_saved_and_loaded_it_gives_the_same_bit_for_bit(self) -> None:
        """On its own, and from a fresh model where it has a PyTorch network."""
        if self.refused is not None:
            return
        row, x = self._row(), self._x()
        with tempfile.TemporaryDirectory() as folder:
            row.save(f"{folder}/net.tunekit")
            loaded = load(f"{folder}/net.tunekit")
            assert _same(loaded(x), row(x))
            assert loaded.recipe == row.recipe
            if not self.make().last:
                import torch

                filled = load(f"{folder}/net.tunekit", model=self.model())
                with torch.no_grad():
                    assert _same(call(filled, x), call(row.model(), x))

    def test_it_comes_back_from_json(self) -> None:
        """As the same step."""
        step = self.make()
        assert recipes.from_json(recipes.to_json([step])) == [step]

    def _lab(self) -> Compression:
        lab = self._outcome().lab
        assert lab is not None, self._outcome().refused
        return lab

    def _row(self) -> Any:
        return self._lab()[len(self._lab().trials) - 1]

    def _x(self) -> Any:
        return self._lab().task.validation.head(20)

    def _outcome(self) -> _Outcome:
        kept: _Outcome | None = type(self).__dict__.get("_kept")
        if kept is None:
            kept = self._run()
            setattr(type(self), "_kept", kept)  # noqa: B010 (one run serves all tests of the class)
        return kept

    def _run(self) -> _Outcome:
        model = self.model().train()
        before, streams = _bytes(model), _streams()
        lab, refused = Compression(model, self.task(), seed=3), ""
        try:
            lab.run([*self.before, self.make()])
        except ValueError as error:
            refused = str(error)
        return _Outcome(lab, refused, before == _bytes(model), streams == _streams())


def _facts(lab: Compression) -> list[dict[str, float]]:
    return [
        {name: value for name, value in trial.metrics.items() if not name.startswith("latency_")}
        for trial in lab.trials
    ]


def _same(one: Any, other: Any) -> bool:
    import torch

    return torch.equal(one, other)


def _streams() -> tuple[Any, ...]:
    import torch

    return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()


def _bytes(model: Module) -> list[Any]:
    """All that could be changed on a model."""
    tensors: list[Any] = [*model.named_parameters(), *model.named_buffers()]
    return [
        *((name, str(tensor.dtype), tensor.detach().cpu().tolist(), tensor.requires_grad) for name, tensor in tensors),
        *((name, len(module._forward_hooks), module.training) for name, module in model.named_modules()),
    ]
