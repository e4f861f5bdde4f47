"""The examples that a comparison keeps at hand: what each is to a model, and what it is to a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tunekit.compress import inputs as batches
from tunekit.core import text
from tunekit.insight.pictures import Canvas, canvas_of, picture_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tunekit.compress.inputs import Inputs

Kind = Literal["image", "text", "sound"]
KINDS: tuple[Kind, ...] = ("image", "text", "sound")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Examples:
    """Some examples of the data, by their places there.

    Parameters
    ----------
    kind
        What a person sees or hears of them; None: nothing.
    inputs
        What a model takes, each a batch of one.
    raw
        What a person knows them by: a picture, a sentence, a waveform; empty where the inputs themselves are shown.
    canvas
        What pictures have in common; None for other kinds.
    prepare
        From something raw to the input of one example; None: nothing can be asked but the examples, except that
        pictures are taken back to the range of the inputs, and waveforms to their length.
    rate
        Samples a second of a sound.
    """

    kind: Kind | None
    inputs: Mapping[int, Inputs]
    raw: Mapping[int, Any]
    canvas: Canvas | None = None
    prepare: Callable[[Any], Any] | None = None
    rate: int | None = None

    @property
    def takes_new(self) -> bool:
        """Whether something can be asked that is no example: drawn, typed, or recorded."""
        if self.kind is None or self.prepare is not None:
            return self.kind is not None
        if self.raw or self.kind == "text":
            return False
        return self.kind == "image" or (self._are_waves and _only(next(iter(self.inputs.values()))).is_floating_point())

    def input(self, index: int) -> Inputs:
        """The batch of one with that example.

        Raises
        ------
        IndexError
            If it is not at hand.
        """
        if index not in self.inputs:
            raise IndexError(
                f"at hand are the most contrary disagreements and the first examples of the data: {index!r} is none of "
                f"{text.plural(len(self.inputs), 'example')}, of which the first are "
                f"{', '.join(map(str, sorted(self.inputs)[:5]))}"
            )
        return self.inputs[index]

    def picture(self, index: int) -> NDArray[np.float32]:
        """An example as a picture: shape (height, width) or (height, width, 3), 0 to 1."""
        x = self.input(index)
        if index in self.raw:
            return picture_of(self.raw[index])
        assert self.canvas is not None
        return self.canvas.shown(_only(x)[0])

    def words(self, index: int) -> str:
        """An example as text; empty where nobody gave the text."""
        self.input(index)
        return str(self.raw.get(index, ""))

    def sound(self, index: int) -> NDArray[np.float32]:
        """An example as a waveform: shape (samples,), -1 to 1; empty where neither raw nor the inputs are waveforms."""
        x = self.input(index)
        if not self.raw and not self._are_waves:
            return np.empty(0, dtype=np.float32)
        wave = np.asarray(self.raw[index] if index in self.raw else _only(x).detach().cpu()).ravel()
        loudest = 32768 if np.issubdtype(wave.dtype, np.integer) else 1  # the whole numbers of a file of 16 bits
        clipped: NDArray[np.float32] = np.clip(wave / loudest, -1, 1).astype(np.float32)
        return clipped

    def loudest(self, wave: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of a sound the loudest stretch that is as long as the longest example; a shorter sound as it is."""
        longest = max(len(self.sound(index)) for index in self.inputs) or len(wave)
        if len(wave) <= longest:
            return wave
        energy = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
        begin = int(np.argmax(energy[longest:] - energy[:-longest]))
        return wave[begin : begin + longest]

    @property
    def _are_waves(self) -> bool:
        """Whether the inputs are waveforms, of shape (samples,) or (1, samples)."""
        parts = list(batches.named(next(iter(self.inputs.values()))).values())
        return len(parts) == 1 and tuple(parts[0].shape[1:-1]) in ((), (1,))

    def prepared(self, raw: Any) -> Inputs:
        """The batch of one with something new.

        Parameters
        ----------
        raw
            A picture of shape (height, width) or (height, width, 3), 0 to 1; a sentence; or a waveform of shape
            (samples,), -1 to 1.

        Raises
        ------
        ValueError
            If only the examples can be asked.
        """
        import torch

        if self.prepare is not None:
            made = self.prepare(raw)
            several = isinstance(made, (tuple, list, Mapping))
            one = batches.checked(made if several else torch.as_tensor(made), "prepare")
            return batches.like(one, [part[None] for part in batches.named(one).values()])
        if self.kind == "sound" and self.takes_new:
            like = _only(next(iter(self.inputs.values())))
            wave = self.loudest(np.asarray(raw, dtype=np.float32).ravel())
            filled = np.pad(wave, (0, like.numel() - len(wave)))
            return torch.as_tensor(filled, dtype=like.dtype, device=like.device).reshape(like.shape)
        if self.canvas is None or self.raw:
            raise ValueError(
                "something new is asked through a function from it to the input of one example: "
                "give compare(..., prepare=...)"
            )
        like = _only(next(iter(self.inputs.values())))
        return self.canvas.drawn(raw, like)[None]


def examples_of(
    inputs: Mapping[int, Inputs],
    count: int,
    kind: Kind | None = None,
    raw: Sequence[Any] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    rate: int | None = None,
) -> Examples:
    """Put together what is known of some examples, and pick the kind where it is not said.

    Parameters
    ----------
    inputs
        Each a batch of one, by its place in the data; at least one.
    count
        How many examples the data have.
    kind
        ``"image"``, ``"text"``, ``"sound"``, or None: raw strings are text and raw waveforms sound; raw pictures, and
        inputs of shape (1 or 3, height, width), are images.
    raw
        What a person knows each example of the data by, in their order.
    prepare
        From something raw to the input of one example, as the data have it: without the batch axis.
    rate
        Samples a second, for sound.

    Raises
    ------
    TypeError
        If ``prepare`` cannot be called.
    ValueError
        If the kind is unknown or does not fit, there are more or fewer raw examples than examples, or a sound has no
        rate.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}: the known ones are {text.listed(KINDS)}")
    if prepare is not None and not callable(prepare):
        raise TypeError(f"prepare is a function from something raw to the input of one example: got {prepare!r}")
    if raw is not None and len(raw) != count:
        raise ValueError(f"raw holds one entry for each example: the data have {count:,}, raw has {len(raw):,}")
    kept = {} if raw is None else {index: raw[index] for index in inputs}
    canvas = _canvas(inputs, kept)
    chosen = kind or _kind_of(canvas, kept)
    if chosen == "image" and canvas is None:
        shape = tuple(next(iter(batches.named(next(iter(inputs.values()))).values())).shape[1:])
        raise ValueError(
            "an input is a picture if its shape is (1 or 3, height, width) or (height, width): that of the data is "
            f"{shape}; give compare(..., raw=pictures)"
        )
    if chosen == "text" and not kept and prepare is None:
        raise ValueError("the text of the examples is not in the data: give compare(..., raw=sentences), or prepare=")
    if chosen == "sound" and (isinstance(rate, bool) or not isinstance(rate, int) or rate < 1):
        raise ValueError(f"a sound has a rate, in samples a second: got rate={rate!r}")
    return Examples(chosen, inputs, kept, canvas if chosen == "image" else None, prepare, rate)


def _kind_of(canvas: Canvas | None, raw: Mapping[int, Any]) -> Kind | None:
    first = next(iter(raw.values()), None)
    if isinstance(first, str):
        return "text"
    if first is not None:
        axes = np.ndim(first)
        return "sound" if axes == 1 else "image" if axes in (2, 3) else None
    # a matrix without an axis for colours is as often something else, such as the spectrum of a sound
    return "image" if canvas is not None and canvas.axes == 3 else None


def _canvas(inputs: Mapping[int, Inputs], raw: Mapping[int, Any]) -> Canvas | None:
    import torch

    first = next(iter(raw.values()), None)
    if first is not None:
        if isinstance(first, str) or np.ndim(first) not in (2, 3):
            return None
        pictures = torch.from_numpy(np.stack([picture_of(one) for one in raw.values()]))
        grey = canvas_of(pictures.mean(3) if pictures.dim() == 4 else pictures)
        assert grey is not None
        return Canvas(grey.height, grey.width, 3 if pictures.dim() == 4 else 1, 0.0, 1.0, grey.is_light, grey.axes)
    parts = [batches.named(x) for x in inputs.values()]
    if len(parts[0]) > 1 or len({part[batches.ONLY].shape for part in parts if batches.ONLY in part}) != 1:
        return None
    return canvas_of(torch.cat([part[batches.ONLY] for part in parts]))


def _only(x: Inputs) -> Any:
    return next(iter(batches.named(x).values()))
