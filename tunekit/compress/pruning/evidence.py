"""What a criterion may look at: the weights, and how the network behaves on training examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tunekit.compress.inputs import call
from tunekit.compress.network import device_of

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.nn import Module, Parameter

    from tunekit.compress.task import Task

# Few enough to cost less than an epoch, many enough that a score of a small net hardly moves.
EXAMPLES = 512


class Evidence:
    """The weights that compete and, computed when first asked for, their gradients and what flows into their layers.

    Parameters
    ----------
    network
        A network of our own; it is not changed.
    weights
        The parameters that compete, by name.
    task
        Its training split gives up to 512 examples.
    generator
        What chooses the examples, and all chance of a criterion.
    granularity
        ``"weights"`` or ``"channels"``: what the scores are for. For channels they may have the shape (channels, 1,
        ...), one for each output.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.task import Task
    >>> layer, data = torch.nn.Linear(2, 2), (torch.eye(2), torch.arange(2))
    >>> task = Task(data, data, loss=torch.nn.functional.cross_entropy)
    >>> evidence = Evidence(layer, {"weight": layer.weight}, task, torch.Generator())
    >>> evidence.inputs[0].tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self,
        network: Module,
        weights: Mapping[str, Parameter],
        task: Task,
        generator: Generator,
        granularity: str = "weights",
    ) -> None:
        self.names = list(weights)
        self.weights = [weight.detach() for weight in weights.values()]
        self.generator = generator
        self.granularity = granularity
        self._network = network
        self._parameters = list(weights.values())
        self._task = task

    def gradients(self) -> Iterator[list[Tensor]]:
        """The loss's gradients, batch by batch: for each weight tensor one of its shape; zeros where it has none."""
        import torch

        network, was_training = self._network, self._network.training
        network.eval()
        wanted = [parameter.requires_grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.requires_grad_(True)
        try:
            for x, y in self._batches:
                # cuDNN's recurrent layers have no backward pass in evaluation mode
                with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
                    loss = self._task.loss(call(network, x), y.to(device_of(network)))
                    found = torch.autograd.grad(loss, self._parameters, allow_unused=True)
                yield [
                    torch.zeros_like(w) if g is None else g.detach() for w, g in zip(self.weights, found, strict=True)
                ]
        finally:
            network.train(was_training)
            for parameter, was in zip(self._parameters, wanted, strict=True):
                parameter.requires_grad_(was)

    @cached_property
    def inputs(self) -> list[Tensor]:
        """The mean size of what each weight is multiplied with, 0 or more, in a shape that broadcasts to the weights.

        Where that cannot be seen from outside a layer, as inside a recurrent one, it is 1.
        """
        return self._flow(lambda value: value.abs())[0]

    @cached_property
    def input_zeros(self) -> list[Tensor]:
        """The share of zeros in what each weight is multiplied with, 0 to 1; 0 where it cannot be seen."""
        import torch

        seen, known = self._flow(lambda value: (value == 0).double())
        return [one if is_known else torch.zeros_like(one) for one, is_known in zip(seen, known, strict=True)]

    @property
    def _batches(self) -> Iterator[tuple[Any, Tensor]]:
        import torch

        # always the same examples, whatever a criterion has drawn before
        chooser = torch.Generator().manual_seed(self.generator.initial_seed() % 2**63)
        left = EXAMPLES
        for x, y in self._task.batches(chooser):
            yield x, y
            left -= len(y)
            if left <= 0:
                return

    def _flow(self, statistic: Callable[[Tensor], Tensor]) -> tuple[list[Tensor], list[bool]]:
        """Average a statistic of each layer's input over its examples and places: shape (1, inputs, 1, ...)."""
        import torch

        network, was_training = self._network, self._network.training
        sums: dict[int, Tensor] = {}
        layers: dict[int, Module] = {}
        counts: dict[int, int] = {}
        by_weight = {id(parameter): place for place, parameter in enumerate(self._parameters)}

        def look(place: int, layer: Module, x: Tensor) -> None:
            axis = _feature_axis(layer, x)
            values = statistic(x.detach().double()).movedim(axis, -1).reshape(-1, x.shape[axis])
            layers[place] = layer
            sums[place] = sums.get(place, torch.zeros((), device=x.device)) + values.sum(0)
            counts[place] = counts.get(place, 0) + len(values)

        network.eval()
        with _looking(network, by_weight, look), torch.no_grad():
            for x, _ in self._batches:
                call(network, x)
        network.train(was_training)
        found, known = [], []
        for place, weight in enumerate(self.weights):
            known.append(place in sums)
            if place in sums:
                found.append(_as_columns(sums[place] / counts[place], weight, layers[place]))
            else:
                found.append(torch.ones((1,) * weight.dim(), device=weight.device))
        return found, known


@contextmanager
def _looking(
    network: Module, by_weight: Mapping[int, int], look: Callable[[int, Module, Tensor], None]
) -> Iterator[None]:
    """Call ``look`` with the input of every layer whose weight is asked for, while the network runs."""
    from torch import nn

    handles = []
    for layer in network.modules():
        name = "weight_ih_l0" if isinstance(layer, nn.RNNBase) else "weight"
        place = by_weight.get(id(layer._parameters.get(name)))
        if place is not None and not isinstance(layer, (nn.Embedding, nn.EmbeddingBag)):

            def hook(layer: Module, args: Any, place: int = place) -> None:
                if args and hasattr(args[0], "dim"):
                    look(place, layer, args[0])

            handles.append(layer.register_forward_pre_hook(hook))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _feature_axis(layer: Module, x: Tensor) -> int:
    """The axis of a layer's input along which its features lie."""
    from torch.nn.modules.conv import _ConvNd

    # an image without its batch has one axis less, and its channels come first
    return x.dim() - 1 - len(layer.kernel_size) if isinstance(layer, _ConvNd) else -1


def _as_columns(features: Tensor, weight: Tensor, layer: Module) -> Tensor:
    """Bring one value for each input feature into a shape that broadcasts to the weight (outputs, inputs, ...)."""
    from torch.nn.modules.conv import _ConvTransposeNd

    places = (1,) * (weight.dim() - 2)
    if isinstance(layer, _ConvTransposeNd):  # its weight is (inputs, outputs, ...)
        return features.reshape(len(features), 1, *places)
    groups = len(features) // weight.shape[1]
    # with groups, each block of outputs sees its own block of inputs
    rows = features.reshape(groups, weight.shape[1])
    return (rows if groups == 1 else rows.repeat_interleave(len(weight) // groups, 0)).reshape(
        -1, weight.shape[1], *places
    )
