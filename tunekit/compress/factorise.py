"""The step that replaces a layer by two thin ones."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from tunekit.compress import recipe, settings
from tunekit.compress.fused import leave_fused_path
from tunekit.compress.holding import Held
from tunekit.compress.inputs import call
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied
from tunekit.compress.onnx_file import first_line
from tunekit.compress.pruning.channels import TOLERANCE
from tunekit.compress.tuning import tune
from tunekit.core import seeds, text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.stage import Context, Stage

_HALVINGS = 60


@recipe.steps.register("factorise")
@dataclass(frozen=True, repr=False)
class Factorise:
    """Replace linear and convolution layers by two thinner ones each, whose product is near to it.

    The first one computes a few mixtures of its inputs, the second one the outputs from those. How few is found over
    all layers together, such that the weights are missed by as little as possible, each layer's error taken as a share
    of its own size. A layer that two thin ones would not make smaller stays whole. One with groups, or that shares its
    weight, is left alone, and does not count; a note names it.

    Parameters
    ----------
    amount
        The share of the weights of the chosen layers that is gone afterwards, above 0 to below 1; met as nearly as
        whole mixtures allow, and where that is not within 1 %, a note says so.
    epochs
        How long to train afterwards, 0 or more.
    layers, exclude
        Names as in ``model.named_modules()``: only these (None: all linear and convolution layers), and all but those.
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
    Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient Evaluation", NeurIPS 2014;
    Zhang et al., "Accelerating Very Deep Convolutional Networks for Classification and Detection", TPAMI 2016.

    Examples
    --------
    >>> Factorise(0.5)
    Factorise(0.5)
    """

    amount: float
    epochs: int = 0
    layers: tuple[str, ...] | None = None
    exclude: tuple[str, ...] | None = None
    learning_rate: float = 1e-3

    last: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if settings.has_open(self):
            return
        amount: Any = self.amount
        if isinstance(amount, bool) or not isinstance(amount, (int, float)):
            raise TypeError(f"the amount that goes is a number: got {text.value(amount)}")
        if not 0 < amount < 1:
            raise ValueError(f"the amount that goes is a share above 0 and below 1: got {amount:g}")
        settings.check_epochs(self.epochs)
        settings.check_learning_rate(self.learning_rate)
        object.__setattr__(self, "layers", settings.layer_names(self.layers, "layers"))
        object.__setattr__(self, "exclude", settings.layer_names(self.exclude, "exclude"))

    def __repr__(self) -> str:
        """As it is typed."""
        return recipe.typed(self, "amount")

    def check(self, model: Module) -> None:
        """Raise a ValueError if a layer is unknown, or none can be replaced."""
        if not self._chosen(model):
            raise ValueError(
                f"a linear or convolution layer is replaced by two: {type(model).__name__} has none among the chosen "
                "layers that stands by itself; leave Factorise out"
            )

    def apply(self, stage: Stage, context: Context) -> Generator[Event, None, Stage]:
        """Yield what goes on; return the stage with thinner layers.

        Raises
        ------
        ValueError
            If no layer got smaller.
        """
        yield Progressed("Factorising", 0.0)
        network = copied(stage.network)
        chosen = self._chosen(network)
        ranks = best_ranks({name: layer.weight.detach() for name, layer in chosen.items()}, self.amount)
        replaced = {name: rank for name, rank in ranks.items() if rank is not None}
        if not replaced:
            raise ValueError(
                f"two thin layers are smaller than one: for an amount of {self.amount:g} none of "
                f"{text.plural(len(chosen), 'layer')} is; try a larger amount"
            )
        for name, rank in replaced.items():
            network.set_submodule(name, _two(chosen[name], rank))
        leave_fused_path(network)
        self._check_runs(network, context)
        parameters = dict(network.named_parameters())
        masks = {name: mask for name, mask in stage.masks.items() if name in parameters}
        clusters = {name: held for name, held in stage.clusters.items() if name in parameters}
        if self.epochs:
            held = Held(masks, clusters)
            yield from tune(
                network,
                context,
                held,
                self.epochs,
                learning_rate=self.learning_rate,
                doing="Training the thin layers",
            )
        note = self._note(stage.network, chosen, replaced)
        if len(masks) < len(stage.masks) or len(clusters) < len(stage.clusters):
            note += " Their zeros and shared values are gone: put Prune and Share after Factorise."
        return replace(stage, network=network, masks=masks, clusters=clusters, file=None, notes=(*stage.notes, note))

    def _check_runs(self, network: Module, context: Context) -> None:
        """A forward pass that reads a layer's weight by itself does not find it in two."""
        import torch

        try:
            with torch.no_grad(), seeds.seeded(0):
                call(network.eval(), context.task.validation.head(2))
        except Exception as error:
            raise ValueError(
                "a layer becomes two where nothing but its own call reads its weight: with all chosen ones in two the "
                f"forward pass fails: {first_line(error)}; leave the one that is read elsewhere out with exclude="
            ) from error

    def _chosen(self, model: Module) -> dict[str, Any]:
        from torch import nn

        kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
        weights = {id(weight) for weight in prunable(model, self.layers, self.exclude).values()}
        uses: dict[int, int] = {}
        for _, module in model.named_modules(remove_duplicate=False):
            weight = module._parameters.get("weight")
            uses[id(weight)] = uses.get(id(weight), 0) + 1
        return {
            name: module
            for name, module in model.named_modules()
            if name
            and type(module) in kinds
            and getattr(module, "groups", 1) == 1
            and id(module._parameters.get("weight")) in weights
            and uses[id(module._parameters.get("weight"))] == 1
        }

    def _note(self, model: Module, chosen: Mapping[str, Any], replaced: Mapping[str, int]) -> str:
        """Say what became thinner, by how much the amount is missed, and which layers cannot become so."""
        note = f"{self!r}: layers factorised: {len(replaced)} of {len(chosen)}."
        gone = sum(_saved(chosen[name].weight, rank) for name, rank in replaced.items())
        missed = abs(gone / sum(layer.weight.numel() for layer in chosen.values()) - self.amount)
        if missed > TOLERANCE:
            note += (
                f" The amount is missed by {text.share(missed)} of their weights: single mixtures are too large a part "
                "of them, or no more can go."
            )
        owners = dict.fromkeys(name.rpartition(".")[0] for name in prunable(model, self.layers, self.exclude))
        alone = [name for name in owners if name not in chosen]
        if alone:
            note += (
                " Left alone, as only a linear or convolution layer without groups and with a weight of its own "
                f"becomes two: {text.listed(alone)}."
            )
        return note


def _saved(weight: Tensor, rank: int) -> int:
    """How many weights go where two layers of that rank take the place of one."""
    rows, columns = len(weight), weight[0].numel()
    return rows * columns - rank * (rows + columns)


def best_ranks(weights: Mapping[str, Tensor], amount: float) -> dict[str, int | None]:
    """Choose how many mixtures each layer keeps.

    Parameters
    ----------
    weights
        By name, shape (outputs, inputs, ...).
    amount
        The share of all these weights that goes, above 0 to below 1.

    Returns
    -------
    dict
        The rank, 1 or more, or None where the layer stays whole.

    Examples
    --------
    >>> import torch
    >>> best_ranks({"thin": torch.ones(8, 8), "full": torch.eye(8)}, 0.4)
    {'thin': 1, 'full': None}
    """
    import torch

    sizes = {name: (len(weight), weight[0].numel()) for name, weight in weights.items()}
    missed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        squares = torch.linalg.svdvals(weight.flatten(1).double()) ** 2
        # after so many mixtures, the share of the layer's square that is missing
        missed[name] = 1 - squares.cumsum(0) / squares.sum().clamp(min=1e-300)
    whole = sum(rows * columns for rows, columns in sizes.values())

    def chosen(price: float) -> dict[str, int | None]:
        ranks: dict[str, int | None] = {}
        for name, (rows, columns) in sizes.items():
            useful = [rank for rank in range(1, len(missed[name]) + 1) if rank * (rows + columns) < rows * columns]
            prices = {rank: float(missed[name][rank - 1]) + price * rank * (rows + columns) for rank in useful}
            best = min(prices, key=lambda rank: prices[rank], default=None)
            ranks[name] = best if best is not None and prices[best] < price * rows * columns else None
        return ranks

    def left(ranks: Mapping[str, int | None]) -> int:
        total = 0
        for name, (rows, columns) in sizes.items():
            rank = ranks[name]
            total += rows * columns if rank is None else rank * (rows + columns)
        return total

    low, high = 0.0, 1.0  # a weight's price: at 0 all stays whole; at 1 a whole layer's error is worth one weight
    for _ in range(_HALVINGS):
        middle = (low * high) ** 0.5 if low else high / 1e6 if high > 1e-12 else high / 2
        if left(chosen(middle)) > (1 - amount) * whole:
            low = middle
        else:
            high = middle
    few, many = chosen(high), chosen(low)
    target = (1 - amount) * whole
    return _nearer(few, many, sizes, target)


def _nearer(
    few: dict[str, int | None],
    many: Mapping[str, int | None],
    sizes: Mapping[str, tuple[int, int]],
    target: float,
) -> dict[str, int | None]:
    """Go from too few mixtures towards too many, layer by layer, as long as that brings the amount nearer."""

    def size(name: str, rank: int | None) -> int:
        rows, columns = sizes[name]
        return rows * columns if rank is None else rank * (rows + columns)

    ranks = dict(few)
    total = sum(size(name, rank) for name, rank in ranks.items())
    for name, goal in many.items():
        rank = ranks[name]
        while rank is not None and rank != goal:
            rows, columns = sizes[name]
            larger: int | None = rank + 1 if (rank + 1) * (rows + columns) < rows * columns else None
            grown = total + size(name, larger) - size(name, rank)
            if abs(grown - target) >= abs(total - target):
                break
            ranks[name] = rank = larger
            total = grown
    return ranks


def _two(layer: Any, rank: int) -> Module:
    """Two layers whose product is the best of that rank, in the squares of the weights."""
    import torch
    from torch import nn

    weight = layer.weight.detach()
    left, values, right = torch.linalg.svd(weight.flatten(1).double(), full_matrices=False)
    root = values[:rank].sqrt()
    second_weight, first_weight = left[:, :rank] * root, root[:, None] * right[:rank]
    first: Any
    second: Any
    if isinstance(layer, nn.Linear):
        first = nn.Linear(layer.in_features, rank, bias=False)
        second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None)
    else:
        kind: Any = type(layer)
        first = kind(
            layer.in_channels,
            rank,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            bias=False,
            padding_mode=layer.padding_mode,
        )
        second = kind(rank, layer.out_channels, 1, bias=layer.bias is not None)
    trained = layer.weight.requires_grad
    first.weight = nn.Parameter(first_weight.reshape(first.weight.shape).to(weight).contiguous(), trained)
    second.weight = nn.Parameter(second_weight.reshape(second.weight.shape).to(weight).contiguous(), trained)
    if layer.bias is not None:
        second.bias = nn.Parameter(layer.bias.detach().clone(), layer.bias.requires_grad)
    return nn.Sequential(first, second).eval()
