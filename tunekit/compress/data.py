"""A split of the data, seen as batches, whatever it was given as."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tunekit.core import seeds, text

if TYPE_CHECKING:
    from torch import Generator, Tensor

# Evaluating 5,000 images in one batch peaks at twice the memory of chunks of 500.
CHUNK = 500


class Split:
    """Examples (x, y): a Dataset, a DataLoader, or a pair of tensors.

    Parameters
    ----------
    source
        A map-style or iterable Dataset of (x, y), a DataLoader of batches of them, or a pair of tensors
        ((examples, ...), (examples, ...)).
    name
        ``"train"``, ``"validation"`` or ``"test"``: for the errors.
    batch_size
        Examples in a training batch, 1 or more; a DataLoader brings its own.

    Raises
    ------
    TypeError
        If it is something else, or an example is no pair of tensors.
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
        self._pair: tuple[Tensor, Tensor] | None = None
        self._source = source
        self._is_loader = isinstance(source, DataLoader)
        if type(source) is TensorDataset and len(source.tensors) == 2:
            source = source.tensors
        if isinstance(source, (tuple, list)):
            self._pair = _checked_pair(source, name)
        elif not isinstance(source, (DataLoader, Dataset)):
            raise TypeError(
                f"a split is a Dataset, a DataLoader or a pair of tensors (x, y): "
                f"{name} is a {type(source).__name__}; torch.as_tensor turns an array into a tensor"
            )
        with seeds.seeded(0):
            self.head(1)  # an empty split, or examples of another kind, are told at once

    @property
    def steps(self) -> int | None:
        """The number of training batches in an epoch; None where the source does not know."""
        try:
            count = len(self._pair[0]) if self._pair is not None else len(self._source)
        except TypeError:
            return None
        return count if self._is_loader else -(-count // self.batch_size)

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples in their own order, at most 500 at a time."""
        for x, y in self._batches(CHUNK):
            for start in range(0, len(x), CHUNK):
                yield x[start : start + CHUNK], y[start : start + CHUNK]

    def head(self, count: int) -> Tensor:
        """The inputs of the first so many examples, shape (count or fewer, ...)."""
        import torch

        taken: list[Tensor] = []
        for x, _ in self._batches(min(count, CHUNK)):
            taken.append(x[: count - sum(map(len, taken))])
            if sum(map(len, taken)) >= count:
                break
        if not taken or not len(taken[0]):
            raise ValueError(f"a split holds at least one example: {self.name} is empty")
        return torch.cat(taken)

    def shuffled(self, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Training batches in a random order; a DataLoader keeps its own order and its own batches."""
        import torch
        from torch.utils.data import DataLoader, IterableDataset

        if self._pair is not None:
            x, y = self._pair
            for chosen in torch.randperm(len(x), generator=generator).split(self.batch_size):
                yield x[chosen], y[chosen]
        elif self._is_loader or isinstance(self._source, IterableDataset):
            yield from self._batches(self.batch_size)
        else:
            loader = DataLoader(self._source, batch_size=self.batch_size, shuffle=True, generator=generator)
            yield from self._read(loader)

    def _batches(self, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        import torch
        from torch.utils.data import DataLoader

        if self._pair is not None:
            return zip(self._pair[0].split(size), self._pair[1].split(size), strict=True)
        # a loader draws a number when it starts: from its own generator, not from the caller's stream
        own = torch.Generator().manual_seed(0)
        loader = self._source if self._is_loader else DataLoader(self._source, batch_size=size, generator=own)
        return self._read(loader)

    def _read(self, loader: Any) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in loader:
            yield _checked_batch(batch, self.name)

    def __repr__(self) -> str:
        """What it was given as."""
        return f"Split({self.name}: {type(self._source).__name__})"


def repeated(x: Tensor, count: int) -> Tensor:
    """Return exactly so many examples, the given ones over and over.

    Examples
    --------
    >>> import torch
    >>> repeated(torch.arange(3), 5).tolist()
    [0, 1, 2, 0, 1]
    """
    import torch

    return x[torch.tensor(list(itertools.islice(itertools.cycle(range(len(x))), count)))]


def _checked_pair(pair: Any, name: str) -> tuple[Tensor, Tensor]:
    from torch import Tensor

    kinds = ", ".join(type(part).__name__ for part in pair)
    if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
        raise TypeError(
            f"a split given as a pair is two tensors (x, y): {name} holds {kinds or 'nothing'}; "
            "torch.as_tensor turns an array or a list into a tensor"
        )
    x, y = pair
    if x.dim() == 0 or y.dim() == 0 or len(x) != len(y):
        raise ValueError(
            f"x and y of a split have the same number of examples: {name} has "
            f"{text.plural(len(x) if x.dim() else 0, 'input')} and {text.plural(len(y) if y.dim() else 0, 'target')}"
        )
    return x, y


def _checked_batch(batch: Any, name: str) -> tuple[Tensor, Tensor]:
    from torch import Tensor

    if isinstance(batch, (tuple, list)) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch):
        return _checked_pair(batch, name)
    kind = type(batch).__name__
    if isinstance(batch, (tuple, list)):
        kind = f"{kind} of {', '.join(type(part).__name__ for part in batch) or 'nothing'}"
    raise TypeError(f"a batch of {name} is a pair of tensors (x, y): got a {kind}; let the Dataset return such pairs")
