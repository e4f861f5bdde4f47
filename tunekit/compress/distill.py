"""The step that lets a small network learn from a large one."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tunekit.compress import recipe, settings
from tunekit.compress.distillation_losses import OUTPUT_LOSSES
from tunekit.compress.holding import Held
from tunekit.compress.inputs import call
from tunekit.compress.network import copied, device_of, runner
from tunekit.compress.packed import unwritable
from tunekit.compress.teaching import Features, Teacher, check_answers
from tunekit.compress.tuning import tune
from tunekit.core import seeds, text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.stage import Context, Stage
    from tunekit.compress.training import Loss

_LOSSES = (*OUTPUT_LOSSES, "feature")


@recipe.steps.register("distill")
@dataclass(frozen=True, repr=False)
class Distill:
    """Train on, or train a smaller student, with the outputs of a teacher beside the targets.

    On small nets distillation often buys nothing. So the same network is also trained without the teacher, from the
    same weights on the same batches for as long, and that one is kept unless the taught one scores better on the
    validation split; a note says which, and by how much.

    Parameters
    ----------
    epochs
        How many passes through the training split, 1 or more, for the taught network and for the other.
    teacher
        A network, or several whose probabilities are averaged, such as a study's best; None: the uncompressed network.
        A recipe that is read from a file knows only what its teacher was.
    student
        A smaller network that takes the place of the present one, trained from the weights it has; None: the present
        network is trained on.
    loss
        ``"hinton"``: softened probabilities; ``"dist"``: correlations between and within classes; ``"feature"``: what
        the last linear layer reads.
    temperature
        Above 0; of ``"hinton"`` and ``"dist"``.
    weight
        Of the teacher's part in the loss, above 0 to 1; the targets have the rest.
    control
        Whether to train without the teacher too; without it the taught network is kept whatever it scores.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine.

    Raises
    ------
    ValueError
        If a value is out of range or unknown.
    TypeError
        If a value is of the wrong type.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015; Romero et al., "FitNets", ICLR 2015;
    Huang et al., "Knowledge Distillation from a Stronger Teacher", NeurIPS 2022.

    Examples
    --------
    >>> Distill(epochs=3)
    Distill(epochs=3)

    The best nets of a finished study as the teacher of one more:

    >>> import torch
    >>> from tunekit.compress.pipeline import pipeline
    >>> from tunekit.compress.task import Task
    >>> from tunekit.search.parameters import Int
    >>> from tunekit.search.study import Study
    >>> data = torch.eye(4), torch.arange(4)
    >>> task = Task(data, data, loss=torch.nn.functional.cross_entropy)
    >>> def build(width):
    ...     return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 4))
    >>> objective = pipeline(build, task, {"width": Int(4, 32)}, epochs=2)
    >>> study = Study(objective, objective.space, maximize="accuracy", sampler="random", seed=0)
    >>> _ = study.run(3)
    >>> Distill(epochs=3, teacher=objective.best_nets(study, 2))
    Distill(epochs=3, teacher='Sequential and Sequential')
    """

    epochs: int
    teacher: Any = None
    student: Any = None
    loss: Literal["hinton", "dist", "feature"] = "hinton"
    temperature: float = 4.0
    weight: float = 0.5
    control: bool = True
    learning_rate: float = 1e-3

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        settings.check_epochs(self.epochs, least=1)
        settings.check_learning_rate(self.learning_rate)
        if self.loss not in _LOSSES:
            raise ValueError(f"unknown loss {self.loss!r}: the known ones are {text.listed(_LOSSES)}")
        for name, most in (("temperature", math.inf), ("weight", 1.0)):
            value: Any = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise TypeError(f"the {name} is a number: got {text.value(value)}")
            if not (0 < value <= most and math.isfinite(value)):
                raise ValueError(f"the {name} is above 0{' and at most 1' if most == 1 else ''}: got {value:g}")
        if self.teacher is not None and not isinstance(self.teacher, str):
            if not self._teachers():
                raise ValueError(
                    f"a teacher is a network, or several: got {text.value(self.teacher)}; "
                    "write teacher=None for the uncompressed network"
                )
            for one in self._teachers():
                _check_network(one, "teacher")
        if self.student is not None and not isinstance(self.student, str):
            _check_network(self.student, "student")

    def __repr__(self) -> str:
        """As it is typed, a network by its class."""
        return recipe.typed(replace(self, teacher=_said(self.teacher), student=_said(self.student)))

    def record(self) -> dict[str, Any]:
        """Its settings as plain values: of networks that were given, what they were."""
        return {"teacher": _said(self.teacher), "student": _said(self.student)}

    def check(self, model: Module) -> None:
        """Raise a ValueError if a network is missing, or there is nothing to train."""
        for name in ("teacher", "student"):
            if isinstance(getattr(self, name), str):
                raise ValueError(
                    f"a recipe that was read does not hold its {name}, a {getattr(self, name)}; "
                    f"give it again: replace(step, {name}=model)"
                )
        trained = model if self.student is None else self.student
        if not any(parameter.requires_grad for parameter in trained.parameters()):
            raise ValueError(
                f"distillation trains the parameters with requires_grad=True: {type(trained).__name__} has none; "
                "unfreeze some, or leave Distill out"
            )
        if fault := unwritable(trained):
            raise ValueError(fault)
        if self.loss == "feature":
            Features.check(trained)

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield progress; return the stage with the network that scores better."""
        if context.task.fit is not None:
            raise ValueError(
                f"distillation adds to the loss, which the task's fit={text.value(context.task.fit)} does not know; "
                "leave fit out of the Task, or Distill out of the recipe"
            )
        start = stage
        if self.student is not None:
            student = copied(self.student).to(device_of(stage.network))
            start = replace(stage, network=student, masks={}, clusters={}, built_like=copied(self.student))
        teachers = [context.original] if self.teacher is None else self._teachers()
        device = device_of(start.network)
        teacher = Teacher([copied(one).to(device) for one in teachers])
        taught = copied(start.network)
        with seeds.seeded(0):  # to ask changes no random number of what comes later
            check_answers(taught, teacher, context.task.validation.head(2), like_student=self.loss in OUTPUT_LOSSES)
        yield from self._train(taught, start, context, self._loss(taught, teacher, context))
        if not self.control:
            note = f"{self!r}: trained with the teacher; without a control, nobody knows whether it helped."
            return replace(start, network=taught, file=None, notes=(*stage.notes, note))
        alone = copied(start.network)
        yield Progressed("Training without the teacher, to compare", 0.5)
        yield from self._train(alone, start, context, None)
        with_teacher = yield from context.answers(runner(taught))
        without = yield from context.answers(runner(alone))
        change = context.task.change(without, with_teacher)
        metric = context.task.metric_name
        figures = (
            f"{metric} {text.number(context.task.value(with_teacher))} with the teacher, "
            f"{text.number(context.task.value(without))} without (difference {change})"
        )
        if change.value > 0:
            sure = "" if change.low > 0 else "; the validation split is too small to be sure"
            note = f"{self!r}: kept, {figures}{sure}."
            kept = taught
        else:
            note = f"{self!r}: it did not help, and the plainly trained network is kept: {figures}."
            kept = alone
        return replace(start, network=kept, file=None, notes=(*stage.notes, note))

    def _teachers(self) -> list[Any]:
        is_several = isinstance(self.teacher, Sequence) and not isinstance(self.teacher, str)
        return list(self.teacher) if is_several else [self.teacher]

    def _train(
        self, network: Module, stage: Stage, context: Context, loss_of: Loss | None
    ) -> Generator[Event, None, None]:
        held = Held(stage.masks, stage.clusters)
        doing = "Training without the teacher" if loss_of is None else "Learning from the teacher"
        yield from tune(
            network,
            context,
            held,
            self.epochs,
            learning_rate=self.learning_rate,
            doing=doing,
            loss_of=loss_of,
        )

    def _loss(self, network: Module, teacher: Teacher, context: Context) -> Loss:
        if self.loss == "feature":
            features = Features(network, teacher, context.seed)

            def of_features(trained: Module, x: Inputs, y: Tensor) -> Tensor:
                outputs, missed = features(x)
                return self._mixed(context.task.loss(outputs, y), missed)

            return of_features
        output_loss = OUTPUT_LOSSES[self.loss]

        def of_outputs(trained: Module, x: Inputs, y: Tensor) -> Tensor:
            outputs = call(trained, x)
            return self._mixed(context.task.loss(outputs, y), output_loss(outputs, teacher(x), self.temperature))

        return of_outputs

    def _mixed(self, of_targets: Tensor, of_teacher: Tensor) -> Tensor:
        return (1 - self.weight) * of_targets + self.weight * of_teacher


def _said(network: Any) -> Any:
    """What a network is, in a word; None and words stay."""
    if network is None or isinstance(network, str):
        return network
    if isinstance(network, Sequence):
        return " and ".join(type(one).__name__ for one in network)
    return type(network).__name__


def _check_network(network: Any, what: str) -> None:
    from torch.nn import Module

    if not isinstance(network, Module):
        raise TypeError(f"a {what} is a torch.nn.Module: got {text.value(network)}")
