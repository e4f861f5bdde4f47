"""Sensitivity: what each layer by itself may lose, before anything is trained."""

from __future__ import annotations

import html
import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tunekit.compress.layers import weights_by_layer
from tunekit.compress.network import copied, runner
from tunekit.compress.precision import full_precision
from tunekit.compress.pruning.masks import keep_largest
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.score import Score
from tunekit.compress.task import Answers
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from tunekit.compress.task import Task

Granularity = Literal["weights", "channels"]
# Examples of the training split that each net is judged on: the validation split is not looked at for this.
_EXAMPLES = 500


@dataclass(frozen=True, slots=True)
class LayerSensitivity:
    """What one layer may lose.

    Parameters
    ----------
    name
        The layer's name, as in ``model.named_modules()``.
    amounts
        Shares of it that were set to zero, from 0 to below 1, ascending.
    changes
        For each of them how the score changed on the same examples, with its paired 95 % interval.
    """

    name: str
    amounts: tuple[float, ...]
    changes: tuple[Score, ...]

    def most(self, drop: float) -> float:
        """The largest amount that costs no more than so much of the score, on the straight line between two amounts.

        Examples
        --------
        >>> layer = LayerSensitivity("0", (0.5, 0.9), (Score(0.0, 0, 0, 9), Score(-0.2, 0, 0, 9)))
        >>> round(layer.most(0.1), 3)
        0.7
        """
        reached, lost = 0.0, 0.0
        for amount, change in zip(self.amounts, self.changes, strict=True):
            if -change.value > drop:
                share = (drop - lost) / (-change.value - lost) if -change.value > lost else 0.0
                return reached + max(0.0, share) * (amount - reached)
            reached, lost = amount, max(lost, -change.value)
        return reached

    def at(self, amount: float) -> Score | None:
        """How the score changes with so much gone, on the straight line between two amounts that were measured.

        Parameters
        ----------
        amount
            A share of the layer, 0 or more.

        Returns
        -------
        Score | None
            The change with its interval; None above the largest amount that was measured.

        Examples
        --------
        >>> layer = LayerSensitivity("0", (0.5, 0.9), (Score(0.0, 0, 0, 9), Score(-0.2, -0.4, 0, 9)))
        >>> round(layer.at(0.7).value, 3), round(layer.at(0.7).low, 3)
        (-0.1, -0.2)
        """
        count = self.changes[0].count
        reached, before = 0.0, Score(0.0, 0.0, 0.0, count)
        for known, change in zip(self.amounts, self.changes, strict=True):
            if amount <= known:
                share = (amount - reached) / (known - reached)
                ends = (before.value, change.value), (before.low, change.low), (before.high, change.high)
                value, low, high = (was + share * (now - was) for was, now in ends)
                return Score(value, low, high, count)
            reached, before = known, change
        return None


@dataclass(frozen=True, slots=True, repr=False)
class Sensitivity:
    """How much of its score a net loses when one layer loses a part of itself, without any training.

    Parameters
    ----------
    metric
        The metric's name.
    granularity
        What was set to zero: ``"weights"`` or ``"channels"``.
    count
        How many training examples the nets were judged on.
    layers
        In the order of the net.

    Examples
    --------
    >>> fragile = LayerSensitivity("0", (0.5, 0.9), (Score(-0.02, -0.03, -0.01, 500), Score(-0.2, -0.25, -0.15, 500)))
    >>> Sensitivity("accuracy", "weights", 500, (fragile,))
    Change of accuracy with so much of one layer's weights gone, without any training:
    layer                     50 %                     90 %
        0  -0.020 [-0.030, -0.010]  -0.200 [-0.250, -0.150]
    On the same 500 training examples, with 95 % intervals.
    0 is fragile: 50 % of its weights cost 0.02 of accuracy.
    """

    metric: str
    granularity: Granularity
    count: int
    layers: tuple[LayerSensitivity, ...]

    def recipe(self, drop: float = 0.01, epochs: int = 0) -> list[Prune]:
        """Return steps that take from each layer what it may lose by itself.

        Parameters
        ----------
        drop
            What each layer may cost of the score, 0 or more.
        epochs
            How long to train after the last of them, 0 or more.
        """
        if not (drop >= 0 and math.isfinite(drop)):
            raise ValueError(f"a drop is a finite number from 0: got {drop!r}; for one point of accuracy write 0.01")
        chosen = [(layer.name, round(layer.most(drop), 3)) for layer in self.layers]
        chosen = [(name, amount) for name, amount in chosen if amount > 0]
        return [
            Prune(amount, layers=(name,), epochs=epochs if place == len(chosen) - 1 else 0)
            for place, (name, amount) in enumerate(chosen)
        ]

    @property
    def most_fragile(self) -> LayerSensitivity | None:
        """The layer that costs most at the first amount where a difference is seen; None where none is."""
        for place in range(len(self.layers[0].amounts) if self.layers else 0):
            worst = min(self.layers, key=lambda layer: layer.changes[place].value)
            if worst.changes[place].high < 0:
                return worst
        return None

    def sentence(self) -> str:
        """Say which layer is the most fragile."""
        layer = self.most_fragile
        if layer is None:
            most = _share(self.layers[0].amounts[-1])
            return f"No layer is fragile: with up to {most} of any one gone no difference is seen."
        place = next(place for place, change in enumerate(layer.changes) if change.high < 0)
        return (
            f"{layer.name} is fragile: {_share(layer.amounts[place])} of its {self.granularity} cost "
            f"{text.number(-layer.changes[place].value)} of {self.metric}."
        )

    def __repr__(self) -> str:
        """A table, and what it says."""
        amounts = self.layers[0].amounts if self.layers else ()
        lines = [["layer", *(_share(amount) for amount in amounts)]]
        largest = max((abs(change.value) for layer in self.layers for change in layer.changes), default=0.0)
        digits = max(3, 2 - math.floor(math.log10(largest))) if largest else 3
        for layer in self.layers:
            cells = [
                f"{_fixed(change.value, digits)} [{_fixed(change.low, digits)}, {_fixed(change.high, digits)}]"
                for change in layer.changes
            ]
            lines.append([layer.name, *cells])
        widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
        table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        what = f"Change of {self.metric} with so much of one layer's {self.granularity} gone, without any training:"
        said = f"On the same {text.plural(self.count, 'training example')}, with 95 % intervals."
        return "\n".join([what, *table, said, self.sentence()])

    def _repr_html_(self) -> str:
        """The same, with lines that do not break."""
        return f'<pre style="white-space:pre;overflow-x:auto;margin:0">{html.escape(repr(self))}</pre>'


def sensitivity_of(
    model: Module, task: Task, amounts: Sequence[float], granularity: Granularity
) -> Generator[Event, None, Sensitivity]:
    """Set parts of one layer after the other to zero, the smallest first, and score the net.

    Parameters
    ----------
    model
        A network of our own; it stays as it is.
    task
        Its data and metric.
    amounts
        Shares above 0 and below 1.
    granularity
        Single weights, or all weights of an output channel.

    References
    ----------
    Li et al., "Pruning Filters for Efficient ConvNets", ICLR 2017, section 3.2 (sensitivity of single layers).
    """
    known = tuple(sorted({_checked(amount) for amount in amounts}))
    if not known:
        raise ValueError("sensitivity is measured at one amount at least: got none; leave amounts out")
    if granularity not in ("weights", "channels"):
        raise ValueError(f"unknown granularity {granularity!r}: the known ones are 'weights', 'channels'")
    import torch

    examples = _some(task)
    network = copied(model)
    with full_precision(network):
        whole = _answers(network, examples)
        found = []
        layers = weights_by_layer(network)
        for done, (name, weights) in enumerate(layers.items()):
            changes = []
            for amount in known:
                yield Progressed(f"How sensitive is {name}?", done / len(layers))
                kept = [weight.detach().clone() for weight in weights]
                with torch.no_grad():
                    for weight, mask in zip(weights, _masks(weights, amount, granularity), strict=True):
                        weight.masked_fill_(~mask, 0)
                    changes.append(task.change(whole, _answers(network, examples)))
                    for weight, before in zip(weights, kept, strict=True):
                        weight.copy_(before)
            found.append(LayerSensitivity(name, known, tuple(changes)))
    return Sensitivity(task.metric_name, granularity, len(whole.targets), tuple(found))


def _checked(amount: float) -> float:
    """Return an amount, once it is a share above 0 and below 1."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 < amount < 1:
        raise ValueError(f"an amount is a share above 0 and below 1: got {amount!r}; for 50 % write 0.5")
    return float(amount)


def _some(task: Task) -> list[tuple[object, Tensor]]:
    chosen: list[tuple[object, Tensor]] = []
    left = _EXAMPLES
    for x, y in task.train.chunks():
        chosen.append((x, y))
        left -= len(y)
        if left <= 0:
            break
    return chosen


def _answers(network: Module, examples: Sequence[tuple[object, Tensor]]) -> Answers:
    import torch

    run = runner(network)
    outputs = torch.cat([run(x).detach().cpu() for x, _ in examples])  # type: ignore[arg-type]
    return Answers(outputs, torch.cat([y.cpu() for _, y in examples]))


def _masks(weights: Sequence[Tensor], amount: float, granularity: Granularity) -> list[Tensor]:
    """True where a weight of a layer stays: all but the smallest, or all but the rows with the smallest norms."""
    if granularity == "weights":
        return keep_largest([weight.abs() for weight in weights], weights, amount)
    kept = []
    for weight in weights:
        norms = weight.flatten(1).norm(dim=1)
        rows = keep_largest([norms], [norms], amount)[0]
        kept.append(rows.view(-1, *(1,) * (weight.dim() - 1)).expand_as(weight))
    return kept


def _share(amount: float) -> str:
    return f"{100 * amount:g} %"


def _fixed(value: float, digits: int) -> str:
    rounded = round(value, digits)
    return f"{rounded:+.{digits}f}" if rounded else f"{0:.{digits}f}"
