"""Inputs that are pictures: how one is shown, and how a drawn one becomes an input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

_COLOURS = (1, 3)


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the pictures of some data have in common.

    Parameters
    ----------
    height, width
        In pixels.
    colours
        1 for grey, 3 for red, green and blue.
    low, high
        The values of the data that are shown as black and as white.
    is_light
        Whether most of a picture is nearer to white: then one draws in black, else in white.
    axes
        How many axes an input has: 3 with the colours first, 2 without.
    """

    height: int
    width: int
    colours: int
    low: float
    high: float
    is_light: bool
    axes: int

    def shown(self, x: Tensor) -> NDArray[np.float32]:
        """An input of one example as a picture.

        Parameters
        ----------
        x
            Shape (colours, height, width) or (height, width).

        Returns
        -------
        array
            Shape (height, width) or (height, width, 3), from 0, black, to 1, white.
        """
        values = (x.detach().float().cpu().numpy() - self.low) / ((self.high - self.low) or 1.0)
        picture: NDArray[np.float32] = np.clip(values, 0, 1).astype(np.float32)
        if self.axes == 2:
            return picture
        return picture[0] if self.colours == 1 else picture.transpose(1, 2, 0)

    def drawn(self, picture: NDArray[np.floating], like: Tensor) -> Tensor:
        """A picture as an input of one example, in the range and the type of the data: the way back from `shown`."""
        import torch

        values = self.low + np.asarray(picture, dtype=np.float64) * (self.high - self.low)
        if self.axes == 3:
            values = values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(values)).to(like.dtype)


def canvas_of(examples: Tensor) -> Canvas | None:
    """Return the canvas of inputs that are pictures; None where they are not.

    Parameters
    ----------
    examples
        Some of them, shape (examples, 1 or 3, height, width) or (examples, height, width).

    Examples
    --------
    >>> import torch
    >>> canvas_of(torch.zeros(5, 1, 28, 28)).height
    28
    >>> canvas_of(torch.zeros(5, 784)) is None
    True
    """
    shape = tuple(examples.shape[1:])
    if len(shape) == 3 and shape[0] in _COLOURS:
        colours, height, width = shape
    elif len(shape) == 2:
        colours, (height, width) = 1, shape
    else:
        return None
    values = examples.detach().float()
    low, high = float(values.min()), float(values.max())
    is_light = float(values.median()) > (low + high) / 2
    return Canvas(height, width, colours, low, high, is_light, len(shape))


def picture_of(raw: Any) -> NDArray[np.float32]:
    """Return a raw picture as one of 0 to 1.

    Parameters
    ----------
    raw
        Shape (height, width) or (height, width, 3): whole numbers from 0 to 255, or others from 0 to 1.

    Raises
    ------
    ValueError
        If it has another shape.

    Examples
    --------
    >>> picture_of(np.full((1, 2), 255, dtype=np.uint8)).tolist()
    [[1.0, 1.0]]
    """
    values = np.asarray(raw)
    if not (values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)):
        raise ValueError(f"a raw picture has the shape (height, width) or (height, width, 3): got {values.shape}")
    scale = 255 if np.issubdtype(values.dtype, np.integer) else 1
    picture: NDArray[np.float32] = np.clip(values / scale, 0, 1).astype(np.float32)
    return picture
