"""The step that takes the least important weights away."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tunekit.compress import recipe, settings
from tunekit.compress.layers import prunable
from tunekit.compress.pruning import criteria
from tunekit.compress.pruning.patterns import read_pattern, too_narrow
from tunekit.compress.pruning.schedule import SCHEDULES
from tunekit.compress.pruning.slimming import slimmed
from tunekit.compress.pruning.widths import ALIGNMENTS
from tunekit.compress.pruning.zeroing import zeroed
from tunekit.core import text

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage
    from tunekit.core.events import Event

_SCOPES = ("global", "layer")
_GRANULARITIES = ("weights", "channels", "blocks")
_OF = ("parameters", "macs", "size")


@recipe.steps.register("prune")
@dataclass(frozen=True, repr=False)
class Prune:
    """Take away what matters least: weights, channels or whole blocks.

    Weights are set to zero and stay zero in the training that follows. That makes neither the ONNX file nor the
    computation smaller; the bundle that `save` writes does get smaller. Channels (also hidden units and attention
    heads) and blocks are really removed, and BatchNorm's statistics are measured anew.

    Parameters
    ----------
    amount
        The share that is gone afterwards, from 0 to below 1: pruning to 0.5 twice leaves one half, not a quarter. Of
        weights, it is a share of the weights of the chosen layers; of channels and blocks, a share of the original
        network (see ``of``), met within 1 % where single ones are small enough.
    granularity
        ``"weights"``, ``"channels"`` or ``"blocks"``: parts whose output has the shape of their input.
    of
        Of channels and blocks, what the amount is a share of: ``"parameters"``, ``"macs"`` or ``"size"``, the bytes of
        the weights.
    criterion
        The name of a registered criterion: ``"magnitude"``, ``"taylor"``, ``"activation"``, ``"activation-zeros"``,
        ``"random"`` or one of your own.
    scope
        Of weights and channels, ``"global"``: ranked over all chosen layers together; ``"layer"``: each layer loses the
        same share.
    pattern
        Of weights, such as ``"2:4"``: of each four consecutive inputs of an output two stay. The amount is then 0.5.
        Weights that are zero already stay zero and count; inputs that fill no block stay whole, and a note says so.
    epochs
        How long to train while pruning, 0 or more.
    schedule
        ``"one-shot"``: all at once, then the training; ``"iterative"``: a part before each epoch; ``"cubic"``: more and
        more during two thirds of the training. None: cubic for weights that are pruned over epochs, else one-shot.
    layers, exclude
        Names as in ``model.named_modules()``: only these (None: all linear, convolutional, recurrent and attention
        layers), and all but those. Of channels, the layers that may lose some of their outputs.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine. Where the task has its own ``fit``, that decides.
    round_to
        Of channels, what the widths of layers are multiples of where they can be: 16, which processors like, 8, 4, 2 or
        1. Where little is to be left, 1 leaves each layer what it needs: of 32 channels or more, 16 stay otherwise.

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
    granularity: Literal["weights", "channels", "blocks"] = "weights"
    of: Literal["parameters", "macs", "size"] = "parameters"
    criterion: str = "magnitude"
    scope: Literal["global", "layer"] = "global"
    pattern: str | None = None
    epochs: int = 0
    schedule: Literal["one-shot", "iterative", "cubic"] | None = None
    layers: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    learning_rate: float = 1e-3
    round_to: Literal[16, 8, 4, 2, 1] = 16

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        amount: Any = self.amount
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise TypeError(f"the amount to prune is a number: got {text.value(amount)}")
        if not 0 <= amount < 1:
            hint = f"; for {amount:g} % write {amount / 100:g}" if 1 < amount < 100 else ""
            raise ValueError(f"the amount to prune is a share from 0 to below 1: got {amount:g}{hint}")
        for name, known in (("granularity", _GRANULARITIES), ("of", _OF)):
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: the known ones are {text.listed(known)}")
        criteria.criteria[self.criterion]
        if self.scope not in _SCOPES:
            raise ValueError(f"unknown scope {self.scope!r}: the known ones are {text.listed(_SCOPES)}")
        if isinstance(self.round_to, bool) or self.round_to not in ALIGNMENTS:
            got = text.value(self.round_to)
            raise ValueError(f"widths are rounded to one of {text.listed(ALIGNMENTS)} channels: got round_to={got}")
        settings.check_epochs(self.epochs)
        settings.check_learning_rate(self.learning_rate)
        if self.schedule is not None and self.schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {self.schedule!r}: the known ones are {text.listed(SCHEDULES)}")
        if self.schedule in ("iterative", "cubic") and not self.epochs:
            raise ValueError(
                f"a schedule runs while the network is trained: {self.schedule!r} has no epochs; give epochs=5, say"
            )
        if self.granularity == "weights":
            self._check_weights()
        else:
            self._check_parts()
        object.__setattr__(self, "layers", settings.layer_names(self.layers, "layers"))
        object.__setattr__(self, "exclude", settings.layer_names(self.exclude, "exclude"))

    def _check_parts(self) -> None:
        what = f"{self.granularity} are removed"
        if self.pattern is not None:
            raise ValueError(f"{what} whole: pattern= is for weights; leave it out")
        if self.granularity == "blocks" and self.scope != "global":
            raise ValueError(f"{what} by rank over the whole network: scope= is for weights and channels; leave it out")
        if self.granularity != "channels" and self.round_to != ALIGNMENTS[0]:
            raise ValueError(f"{what} whole, with the widths that they have: round_to= is for channels; leave it out")
        if self.schedule == "cubic":
            raise ValueError(f'{what} in rounds: got schedule="cubic"; write "iterative" or "one-shot"')

    def _check_weights(self) -> None:
        if self.round_to != ALIGNMENTS[0]:
            raise ValueError(
                f"layers keep their widths where weights are set to zero: got round_to={self.round_to}; "
                'leave it out, or write granularity="channels"'
            )
        if self.of != "parameters":
            raise ValueError(
                f"an amount of weights is a share of the weights: got of={self.of!r}; "
                'leave it out, or write granularity="channels"'
            )
        if self.pattern is None:
            return
        zeros, block = read_pattern(self.pattern)
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
        weights = prunable(model, self.layers if self.granularity == "weights" else None, self.exclude)
        if self.pattern is not None:
            _, block = read_pattern(self.pattern)
            if len(too_narrow(model, weights, block)) == len(weights):
                raise ValueError(
                    f"a pattern needs as many inputs as its block: no layer of {type(model).__name__} has {block}; "
                    "leave pattern out"
                )

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with less in it."""
        if self.granularity == "weights":
            return (yield from zeroed(self, stage, context))
        return (yield from slimmed(self, stage, context))
