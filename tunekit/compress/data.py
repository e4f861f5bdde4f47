"""A split of the data, seen as batches, whatever it was given as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tunekit.compress import inputs
from tunekit.core import seeds, text

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from tunekit.compress.inputs import Inputs

# Evaluating 5,000 images in one batch peaks at twice the memory of chunks of 500.
CHUNK = 500
# What a dict of inputs calls its targets, as in the datasets for transformers.
_TARGETS = "labels"


class Split:
    """Examples (x, y): a Dataset, a DataLoader, or a pair of inputs and targets.

    Parameters
    ----------
    source
        A map-style or iterable Dataset of (x, y), a DataLoader of batches of them, or a pair (x, y) of all. The inputs
        x are a tensor (examples, ...), or a tuple or a dict of them; the targets y a tensor (examples, ...). A batch
        may also be (x, x, ..., y), or one dict with the targets as ``"labels"``.
    name
        ``"train"``, ``"validation"`` or ``"test"``: for the errors.
    batch_size
        Examples in a training batch, 1 or more; a DataLoader brings its own.

    Raises
    ------
    TypeError
        If it is something else, or an example is no inputs and targets.
    ValueError
        If it is empty, or the tensors of a pair differ in length.

    Examples
    --------
    >>> import torch
    >>> split = Split((torch.zeros(7, 2), torch.zeros(7)), "train", batch_size=3)
    >>> [len(x) for x, y in split.shuffled(torch.Generator().manual_seed(0))]
    [3, 3, 1]
    """

    def __init__(self, source: Any, name: str, batch_size: int) -> None:
        from torch.utils.data import DataLoader, Dataset, TensorDataset

        self.name = name
        self.batch_size = batch_size
        self._pair: tuple[Inputs, Tensor] | None = None
        self._source = source
        self._is_loader = isinstance(source, DataLoader)
        if type(source) is TensorDataset and len(source.tensors) > 1:
            *x, y = source.tensors
            source = (x if len(x) > 1 else x[0], y)
        if isinstance(source, (tuple, list)):
            self._pair = _checked_pair(source, name)
        elif not isinstance(source, (DataLoader, Dataset)):
            raise TypeError(
                f"a split is a Dataset, a DataLoader or a pair (x, y) of inputs and targets: "
                f"{name} is a {type(source).__name__}; torch.as_tensor turns an array into a tensor"
            )
        with seeds.seeded(0):
            self.head(1)  # an empty split, or examples of another kind, are told at once

    @property
    def steps(self) -> int | None:
        """The number of training batches in an epoch; None where the source does not know."""
        try:
            count = len(self._pair[1]) if self._pair is not None else len(self._source)
        except TypeError:
            return None
        return count if self._is_loader else -(-count // self.batch_size)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, where the data has them as those of torchvision do; else none."""
        held = self._source
        while not hasattr(held, "classes") and hasattr(held, "dataset"):  # a loader, or a subset
            held = held.dataset
        names = getattr(held, "classes", ())
        return tuple(map(str, names)) if isinstance(names, (list, tuple)) else ()

    def chunks(self) -> Iterator[tuple[Inputs, Tensor]]:
        """All examples in their own order, at most 500 at a time."""
        for x, y in self._batches(CHUNK):
            for start in range(0, len(y), CHUNK):
                chunk = slice(start, start + CHUNK)
                yield inputs.take(x, chunk), y[chunk]

    def head(self, count: int) -> Inputs:
        """The inputs of the first so many examples, or of all where there are fewer."""
        taken: list[Inputs] = []
        left = count
        for x, _ in self._batches(min(count, CHUNK)):
            taken.append(inputs.take(x, slice(0, left)))
            left -= inputs.count(taken[-1])
            if left <= 0:
                break
        if not taken or not inputs.count(taken[0]):
            raise ValueError(f"a split holds at least one example: {self.name} is empty")
        return inputs.joined(taken)

    def shuffled(self, generator: Generator) -> Iterator[tuple[Inputs, Tensor]]:
        """Training batches in a random order; a DataLoader keeps its own order and its own batches."""
        import torch
        from torch.utils.data import DataLoader, IterableDataset

        if self._pair is not None:
            x, y = self._pair
            for chosen in torch.randperm(len(y), generator=generator).split(self.batch_size):
                yield inputs.take(x, chosen), y[chosen]
        elif self._is_loader or isinstance(self._source, IterableDataset):
            yield from self._batches(self.batch_size)
        else:
            loader = DataLoader(self._source, batch_size=self.batch_size, shuffle=True, generator=generator)
            yield from self._read(loader)

    def _batches(self, size: int) -> Iterator[tuple[Inputs, Tensor]]:
        import torch
        from torch.utils.data import DataLoader

        if self._pair is not None:
            return zip(inputs.split(self._pair[0], size), self._pair[1].split(size), strict=True)
        # a loader draws a number when it starts: from its own generator, not from the caller's stream
        own = torch.Generator().manual_seed(0)
        loader = self._source if self._is_loader else DataLoader(self._source, batch_size=size, generator=own)
        return self._read(loader)

    def _read(self, loader: Any) -> Iterator[tuple[Inputs, Tensor]]:
        for batch in loader:
            yield _checked_batch(batch, self.name)

    def __repr__(self) -> str:
        """What it was given as."""
        return f"Split({self.name}: {type(self._source).__name__})"


def _checked_pair(pair: Any, name: str) -> tuple[Inputs, Tensor]:
    from torch import Tensor

    if len(pair) != 2:
        kinds = ", ".join(type(part).__name__ for part in pair)
        raise TypeError(
            f"a split given as a pair is inputs and targets, (x, y): {name} holds {kinds or 'nothing'}; "
            "several inputs go into a tuple or a dict of their own"
        )
    x, y = inputs.checked(pair[0], name), pair[1]
    if not isinstance(y, Tensor):
        raise TypeError(
            f"the targets are a tensor: those of {name} are a {type(y).__name__}; torch.as_tensor turns an array or a "
            "list into a tensor"
        )
    count, wanted = inputs.count(x), len(y) if y.dim() else 0
    if count != wanted or not y.dim():
        raise ValueError(
            f"x and y of a split have the same number of examples: {name} has {text.plural(count, 'input')} and "
            f"{text.plural(wanted, 'target')}"
        )
    return x, y


def _checked_batch(batch: Any, name: str) -> tuple[Inputs, Tensor]:
    if isinstance(batch, Mapping) and _TARGETS in batch:
        return _checked_pair(({key: part for key, part in batch.items() if key != _TARGETS}, batch[_TARGETS]), name)
    if isinstance(batch, (tuple, list)) and len(batch) >= 2:
        return _checked_pair((batch[0] if len(batch) == 2 else tuple(batch[:-1]), batch[-1]), name)
    kind = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        kind = f"{kind} of {', '.join(type(part).__name__ for part in batch) or 'nothing'}"
    raise TypeError(
        f"a batch of {name} is a pair (x, y), or a dict with the targets as {_TARGETS!r}: got a {kind}; let the "
        "Dataset return such pairs"
    )
