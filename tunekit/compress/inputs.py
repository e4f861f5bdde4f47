"""What a network is called with: one tensor, several in their order, or several by name."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from tunekit.core import text

if TYPE_CHECKING:
    from torch import Tensor, device, dtype
    from torch.nn import Module

# Each tensor has one entry an example along its first axis. A network is called as model(x), model(*x) or model(**x).
Inputs: TypeAlias = "Tensor | tuple[Tensor, ...] | dict[str, Tensor]"

# What the only input of an ONNX file is called; several that have no names of their own are numbered behind it.
ONLY = "input"


@dataclass(frozen=True, slots=True)
class Port:
    """One of the tensors that a network takes.

    Parameters
    ----------
    name
        What an ONNX file calls it.
    shape
        Of one example: without the batch axis.
    dtype
        As in ``"float32"``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        """In words, for errors."""
        return f"a tensor {self.dtype} of shape ({', '.join(['batch', *map(str, self.shape)])})"


def checked(x: Any, what: str) -> Inputs:
    """Return inputs as they are used here: a list becomes a tuple, any mapping a dict.

    Parameters
    ----------
    x
        A tensor, a sequence of tensors, or a mapping of names to tensors.
    what
        What they are the inputs of: for the errors.

    Raises
    ------
    TypeError
        If something in it is no tensor, or a name no name of an argument.
    ValueError
        If there is nothing in it, or the tensors are not equally many examples.

    Examples
    --------
    >>> import torch
    >>> sorted(checked({"ids": torch.zeros(2, 5), "mask": torch.ones(2, 5)}, "train"))
    ['ids', 'mask']
    """
    from torch import Tensor

    if isinstance(x, Tensor):
        found: Inputs = x
    elif isinstance(x, Mapping):
        wrong = [name for name in x if not (isinstance(name, str) and name.isidentifier())]
        if wrong:
            raise TypeError(
                f"inputs by name are the arguments of the model's forward: {what} has one called {text.value(wrong[0])}"
            )
        found = dict(x)
    elif isinstance(x, Sequence) and not isinstance(x, (str, bytes)):
        found = tuple(x)
    else:
        raise _strange(what, type(x).__name__)
    parts = named(found)
    for part in parts.values():
        if not isinstance(part, Tensor):
            raise _strange(what, ", ".join(type(one).__name__ for one in parts.values()))
    if not parts:
        raise ValueError(f"a network takes at least one tensor: {what} holds none")
    counts = {name: len(part) if part.dim() else 0 for name, part in parts.items()}
    if len(set(counts.values())) > 1:
        said = ", ".join(f"{count} in {name!r}" for name, count in counts.items())
        raise ValueError(f"all inputs have one entry for each example along their first axis: {what} has {said}")
    return found


def named(x: Inputs) -> dict[str, Tensor]:
    """Each tensor by the name that it has in an ONNX file.

    Examples
    --------
    >>> import torch
    >>> list(named((torch.zeros(1), torch.zeros(1))))
    ['input_0', 'input_1']
    """
    if isinstance(x, dict):
        return x
    if isinstance(x, tuple):
        return {f"{ONLY}_{place}": part for place, part in enumerate(x)}
    return {ONLY: x}


def like(x: Inputs, parts: Sequence[Tensor]) -> Inputs:
    """Put other tensors, in the same order, into the form of some inputs."""
    if isinstance(x, dict):
        return dict(zip(x, parts, strict=True))
    if isinstance(x, tuple):
        return tuple(parts)
    (only,) = parts
    return only


def ports(x: Inputs) -> tuple[Port, ...]:
    """What a network with such inputs takes.

    Examples
    --------
    >>> import torch
    >>> ports(torch.zeros(5, 3))
    (Port(name='input', shape=(3,), dtype='float32'),)
    """
    return tuple(
        Port(name, tuple(part.shape[1:]), str(part.dtype).removeprefix("torch.")) for name, part in named(x).items()
    )


def count(x: Inputs) -> int:
    """How many examples there are."""
    first = next(iter(named(x).values()))
    return len(first) if first.dim() else 0


def take(x: Inputs, which: slice | Tensor) -> Inputs:
    """Some of the examples: a slice, or their numbers.

    Examples
    --------
    >>> import torch
    >>> take({"x": torch.arange(4)}, slice(1, 3))
    {'x': tensor([1, 2])}
    """
    return like(x, [part[which] for part in named(x).values()])


def split(x: Inputs, size: int) -> list[Inputs]:
    """All examples in their order, at most so many at a time."""
    return [take(x, slice(start, start + size)) for start in range(0, max(1, count(x)), size)]


def joined(several: Sequence[Inputs]) -> Inputs:
    """Inputs of the same form one after the other."""
    import torch

    return like(several[0], [torch.cat(parts) for parts in zip(*(named(x).values() for x in several), strict=True)])


def repeated(x: Inputs, size: int) -> Inputs:
    """Return exactly so many examples, the given ones over and over.

    Examples
    --------
    >>> import torch
    >>> repeated(torch.arange(3), 5).tolist()
    [0, 1, 2, 0, 1]
    """
    import torch

    return take(x, torch.tensor(list(itertools.islice(itertools.cycle(range(count(x))), size))))


def copy_of(x: Inputs) -> Inputs:
    """Tensors of their own: a forward pass may write into its inputs."""
    return like(x, [part.clone() for part in named(x).values()])


def fitted(x: Inputs, network: Module) -> Inputs:
    """Move inputs to where a network is, and those with floating point into its precision.

    Examples
    --------
    >>> import torch
    >>> fitted(torch.zeros(1, 2, dtype=torch.float64), torch.nn.Linear(2, 2)).dtype
    torch.float32
    """
    from tunekit.compress.network import device_of, precision_of

    return placed(x, device_of(network), precision_of(network))


def placed(x: Inputs, device: device, precision: dtype | None) -> Inputs:
    """Move inputs to a device, and those with floating point into a precision; None leaves them in theirs."""

    def one(part: Tensor) -> Tensor:
        return part.to(device, precision if precision is not None and part.is_floating_point() else part.dtype)

    return like(x, [one(part) for part in named(x).values()])


def call(network: Module, x: Inputs) -> Any:
    """Call a network with inputs, wherever they are and in whatever precision.

    Examples
    --------
    >>> import torch
    >>> call(torch.nn.Bilinear(2, 2, 1), (torch.zeros(3, 2), torch.zeros(3, 2))).shape
    torch.Size([3, 1])
    """
    arguments, keywords = as_arguments(fitted(x, network))
    return network(*arguments, **keywords)


def as_arguments(x: Inputs) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
    """How a network is called with them: by place, and by name."""
    if isinstance(x, dict):
        return (), x
    return (x if isinstance(x, tuple) else (x,)), {}


def _strange(what: str, kinds: str) -> TypeError:
    return TypeError(
        f"inputs are a tensor, a tuple of tensors or a dict of tensors: {what} holds {kinds or 'nothing'}; "
        "torch.as_tensor turns an array or a list into a tensor"
    )
