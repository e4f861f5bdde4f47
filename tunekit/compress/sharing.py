"""The step that lets weights share a few values."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tunekit.compress import clusters, recipe, settings
from tunekit.compress.holding import Held
from tunekit.compress.layers import chosen_modules, shareable
from tunekit.compress.network import copied
from tunekit.compress.tuning import tune
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage

_LEAST, _MOST = 2, 8


@recipe.steps.register("share")
@dataclass(frozen=True, repr=False)
class Share:
    """Let the weights of a layer share a few values, and train those.

    The values are found by k-means, for each weight tensor its own; zeros stay zeros and count as one of them. In the
    training that follows, the weights that share a value move together. The ONNX file and the computation stay as
    they are; the bundle that `save` writes gets several times smaller, the more zeros there are, the more. In the end
    the values are rounded to half precision.

    Parameters
    ----------
    bits
        Of the number of a value: 2 to 8, which gives 4 to 256 values.
    epochs
        How long to train the values, 0 or more.
    bias_bits
        The same for vectors: biases, and the weights of norms. The running statistics of BatchNorm are rounded to half
        precision.
    layers, exclude
        Names as in ``model.named_modules()``: only these (None: all), and all but those.
    learning_rate
        Adam's at the start, above 0; it falls to zero along a cosine. Where the task has its own ``fit``, that decides.

    Raises
    ------
    ValueError
        If a value is out of range.
    TypeError
        If a value is of the wrong type.

    References
    ----------
    Han, Mao and Dally, "Deep Compression", ICLR 2016.

    Examples
    --------
    >>> Share(4, epochs=2)
    Share(4, epochs=2)
    """

    bits: int
    epochs: int = 0
    bias_bits: int = 4
    layers: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    learning_rate: float = 1e-3

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        for name in ("bits", "bias_bits"):
            bits: Any = getattr(self, name)
            if isinstance(bits, bool) or not isinstance(bits, int):
                raise TypeError(f"{name} is a whole number: got {text.value(bits)}")
            if not _LEAST <= bits <= _MOST:
                raise ValueError(
                    f"shared values have numbers of {_LEAST} to {_MOST} bits: got {name}={bits}; "
                    f"{_MOST} bits number {2**_MOST} values"
                )
        settings.check_epochs(self.epochs)
        settings.check_learning_rate(self.learning_rate)
        object.__setattr__(self, "layers", settings.layer_names(self.layers, "layers"))
        object.__setattr__(self, "exclude", settings.layer_names(self.exclude, "exclude"))

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "bits")

    def check(self, model: Module) -> None:
        """Raise a ValueError if a layer is unknown, or nothing can be shared."""
        shareable(model, self.layers, self.exclude)

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with shared weights and the clusters that hold them together."""
        yield Progressed("Finding the values to share", 0.0)
        network = copied(stage.network)
        weights = shareable(network, self.layers, self.exclude)
        numbers = dict(stage.clusters)
        for name, weight in weights.items():
            bits = self.bits if weight.dim() > 1 else self.bias_bits
            numbers[name] = _shared(weight, bits)
        held = Held(stage.masks, numbers)
        held.restore(network)
        if self.epochs:
            yield from tune(
                network,
                context,
                held,
                self.epochs,
                learning_rate=self.learning_rate,
                doing="Training the shared values",
            )
        _round_values(network, numbers)
        modules = dict(network.named_modules(remove_duplicate=False))
        _round_statistics([modules[name] for name in chosen_modules(network, self.layers, self.exclude)])
        total = sum(weight.numel() for weight in weights.values())
        values = sum(len(weight.detach().unique()) for weight in weights.values())
        note = (
            f"{self!r}: {text.counted(total)} parameters share {text.counted(values)} values; "
            "the bundle gets smaller, the ONNX file does not."
        )
        return replace(stage, network=network, clusters=numbers, file=None, notes=(*stage.notes, note))


def _shared(weight: Tensor, bits: int) -> Tensor:
    """Number the clusters of a tensor: int16, of its shape; zeros keep together where there are some to keep."""
    import torch

    values = weight.detach().double().cpu().numpy()
    zero = values == 0
    if zero.all():
        return torch.zeros(weight.shape, dtype=torch.int16, device=weight.device)
    has_zeros = bool(zero.any())
    means = clusters.nearest_means(values[~zero], 2**bits - has_zeros)
    numbers = clusters.assign(values, means)
    if has_zeros:
        numbers[~zero] += 1
        numbers[zero] = 0
    return torch.from_numpy(numbers).to(weight.device)


def _round_values(network: Module, numbers: Mapping[str, Tensor]) -> None:
    """Round the shared values to what half precision can hold, in place: the bundle then has two bytes for each."""
    for name in numbers:
        weight = network.get_parameter(name).data
        weight.copy_(_half(weight))


def _half(values: Tensor) -> Tensor:
    """Rounded to half precision and back; what is too large for it stays."""
    rounded = values.half().to(values.dtype)
    return rounded.where(rounded.isfinite(), values)


def _round_statistics(modules: Iterable[Module]) -> None:
    """Round the running means and variances of BatchNorm to what half precision can hold, in place."""
    from torch.nn.modules.batchnorm import _BatchNorm

    for module in modules:
        if isinstance(module, _BatchNorm):
            for buffer in (module.running_mean, module.running_var):
                if buffer is not None:
                    buffer.copy_(_half(buffer))
