"""The step that takes the least important weights away."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tunekit.compress import recipe, settings
from tunekit.compress.holding import Held
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied
from tunekit.compress.pruning import criteria, masks
from tunekit.compress.pruning.evidence import Evidence
from tunekit.compress.pruning.schedule import SCHEDULES
from tunekit.compress.tuning import tune
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Parameter

    from tunekit.compress.stage import Context, Stage

_SCOPES = ("global", "layer")
# A schedule that changes the zeros with every batch spends its time on ranking; in this many turns an epoch it is as
# smooth as the training can tell.
_TURNS = 8


@recipe.steps.register("prune")
@dataclass(frozen=True, repr=False)
class Prune:
    """Set the least important weights to zero.

    The zeros stay zero in the training that follows. They make neither the ONNX file nor the computation smaller; the
    bundle that `save` writes does get smaller.

    Parameters
    ----------
    amount
        The share of all weights of the chosen layers that is zero afterwards, from 0 to below 1: pruning to 0.5 twice
        leaves one half, not a quarter.
    criterion
        The name of a registered criterion: ``"magnitude"``, ``"taylor"``, ``"activation"``, ``"activation-zeros"``,
        ``"random"`` or one of your own.
    scope
        ``"global"``: ranked over all chosen layers together; ``"layer"``: each layer loses the same share.
    pattern
        Such as ``"2:4"``: of each four consecutive inputs two stay. The amount is then 0.5.
    epochs
        How long to train while pruning, 0 or more.
    schedule
        ``"one-shot"``: all at once, then the training; ``"iterative"``: a part before each epoch; ``"cubic"``: more and
        more during two thirds of the training. None: one-shot without epochs, cubic with some.
    layers, exclude
        Names as in ``model.named_modules()``: only these (None: all linear, convolutional, recurrent and attention
        layers), and all but those.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine. Where the task has its own ``fit``, that decides.

    Raises
    ------
    ValueError
        If a value is out of range or unknown, or two of them contradict each other.
    TypeError
        If a value is of the wrong type.

    References
    ----------
    Han, Pool, Tran and Dally, "Learning both Weights and Connections for Efficient Neural Networks", NeurIPS 2015.

    Examples
    --------
    >>> Prune(0.8)
    Prune(0.8)
    >>> Prune(80)
    Traceback (most recent call last):
    ...
    ValueError: the amount to prune is a share from 0 to below 1: got 80; for 80 % write 0.8
    """

    amount: float
    criterion: str = "magnitude"
    scope: Literal["global", "layer"] = "global"
    pattern: str | None = None
    epochs: int = 0
    schedule: Literal["one-shot", "iterative", "cubic"] | None = None
    layers: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    learning_rate: float = 1e-3

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        amount: Any = self.amount
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise TypeError(f"the amount to prune is a number: got {text.value(amount)}")
        if not 0 <= amount < 1:
            hint = f"; for {amount:g} % write {amount / 100:g}" if 1 < amount < 100 else ""
            raise ValueError(f"the amount to prune is a share from 0 to below 1: got {amount:g}{hint}")
        criteria.criteria[self.criterion]
        if self.scope not in _SCOPES:
            raise ValueError(f"unknown scope {self.scope!r}: the known ones are {text.listed(_SCOPES)}")
        settings.check_epochs(self.epochs)
        settings.check_learning_rate(self.learning_rate)
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}: the known ones are {text.listed(SCHEDULES)}")
        if self.schedule in ("iterative", "cubic") and not self.epochs:
            raise ValueError(
                f"a schedule runs while the network is trained: {self.schedule!r} has no epochs; give epochs=5, say"
            )
        if self.pattern is not None:
            self._check_pattern()
        object.__setattr__(self, "layers", settings.layer_names(self.layers, "layers"))
        object.__setattr__(self, "exclude", settings.layer_names(self.exclude, "exclude"))

    def _check_pattern(self) -> None:
        zeros, block = _pattern(self.pattern)
        if abs(self.amount - zeros / block) > 0.005:
            raise ValueError(
                f"{self.pattern} sets {zeros} of {block} weights to zero: got an amount of {self.amount:g}; "
                f"write Prune({zeros / block:g}, pattern={self.pattern!r})"
            )
        if self.schedule in ("iterative", "cubic"):
            raise ValueError(
                f"a pattern is set at once: got schedule={self.schedule!r} beside pattern={self.pattern!r}; "
                'write schedule="one-shot"'
            )

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "amount")

    def check(self, model: Module) -> None:
        """Raise a ValueError if a layer is unknown, or nothing can be pruned."""
        weights = prunable(model, self.layers, self.exclude)
        if self.pattern is not None:
            _, block = _pattern(self.pattern)
            if all(weight.shape[1] < block for weight in weights.values()):
                raise ValueError(
                    f"a pattern needs as many inputs as its block: no layer of {type(model).__name__} has {block}; "
                    "leave pattern out"
                )

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with its new zeros and the masks that hold them."""
        yield Progressed("Pruning", 0.0)
        network = copied(stage.network)
        held = Held(stage.masks, stage.clusters)
        weights = prunable(network, self.layers, self.exclude)
        gone = sum(int((weight == 0).sum()) for weight in weights.values())
        start = min(self.amount, gone / sum(weight.numel() for weight in weights.values()))
        name = self.schedule or ("cubic" if self.epochs and self.pattern is None else "one-shot")
        reached = -1.0

        def prune(done: float) -> None:
            nonlocal reached
            # the schedule as it stands at the beginning of this turn: all batches of a turn have the same zeros
            turns = self.epochs * _TURNS
            turn = int(done * turns + 1e-9) / turns if turns else 1.0
            amount = SCHEDULES[name](start, self.amount, turn, self.epochs)
            if amount > reached:
                held.prune(network, self._masks(network, weights, context, amount))
                reached = amount

        if self.epochs:
            yield from tune(
                network,
                context,
                held,
                self.epochs,
                learning_rate=self.learning_rate,
                doing="Pruning and training",
                before_batch=prune,
            )
        prune(1.0)
        return replace(stage, network=network, masks=held.masks, clusters=held.clusters, file=None)

    def _masks(
        self, network: Module, weights: Mapping[str, Parameter], context: Context, amount: float
    ) -> dict[str, Tensor]:
        import torch

        generator = torch.Generator().manual_seed(context.seed)
        evidence = Evidence(network, weights, context.task, generator)
        scores, tensors = criteria.score(self.criterion, evidence), evidence.weights
        if self.pattern is not None:
            found = masks.keep_pattern(scores, *_pattern(self.pattern))
        elif self.scope == "global":
            found = masks.keep_largest(scores, tensors, amount)
        else:
            found = [
                mask
                for score, tensor in zip(scores, tensors, strict=True)
                for mask in masks.keep_largest([score], [tensor], amount)
            ]
        return dict(zip(weights, found, strict=True))


def _pattern(written: str | None) -> tuple[int, int]:
    """Read ``"2:4"`` as so many zeros of so many weights."""
    found = re.fullmatch(r"(\d{1,3}):(\d{1,3})", written) if isinstance(written, str) else None
    kept, block = (int(part) for part in found.groups()) if found else (0, 0)
    if not 0 < kept < block:
        raise ValueError(
            f'a pattern says how many of how many weights stay, such as "2:4": got {written!r}; '
            "the first number is from 1 to below the second"
        )
    return block - kept, block
