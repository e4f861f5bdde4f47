"""The examples on which models differ most: what they are, and what each model says."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.plots.comparison import comparison_plots
from tunekit.plots.theme import QUIET, WARNING, WIDTH, hide, label, new_figure

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tunekit.insight.comparison import Comparison
    from tunekit.insight.disagreements import Disagreement

_SHOWN = 10
_COLUMNS = 5
# CSS pixels: a picture, a line of small words, the margins above and below.
_PICTURE, _LINE, _TOP, _BOTTOM = 84, 13, 30, 8
_LETTERS = 84
_LEAST = 90  # with nothing in it


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """One example.

    Parameters
    ----------
    picture
        Shape (height, width) or (height, width, 3), 0 to 1; None where it is none.
    wave
        Shape (samples,), -1 to 1; None where it is no sound.
    words
        A sentence, or the example's place in the data; empty where the picture or the sound says it.
    said
        What was true, then what each model answers.
    wrong
        Which lines of it are wrong answers.
    """

    picture: NDArray[np.float32] | None
    wave: NDArray[np.float32] | None
    words: str
    said: tuple[str, ...]
    wrong: tuple[bool, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DisagreementsData:
    """What the picture shows: the most contrary examples, the finding."""

    cards: tuple[Card, ...]
    title: str


def disagreements_data(comparison: Comparison) -> DisagreementsData:
    """Compute what the picture shows.

    Raises
    ------
    ValueError
        If the outputs are not classes.
    """
    found = comparison.disagreements
    cards = tuple(_card(comparison, one) for one in found[:_SHOWN])
    return DisagreementsData(cards, found.sentence().rstrip("."))


def _card(comparison: Comparison, one: Disagreement) -> Card:
    examples, found = comparison.examples, comparison.disagreements
    said = [f"{name}: {words}" for name, words in zip(comparison.names, found.said(one), strict=True)]
    kind = examples.kind
    words = examples.words(one.index) if kind == "text" else ""
    return Card(
        examples.picture(one.index) if kind == "image" else None,
        examples.sound(one.index) if kind == "sound" else None,
        words or ("" if kind in ("image", "sound") else f"example {one.index}"),
        (f"true: {found.label(one.truth)}", *said),
        (False, *(answer != one.truth for answer in one.answers)),
    )


def height_of(data: DisagreementsData) -> int:
    """How high the picture has to be, in CSS pixels."""
    if not data.cards:
        return _LEAST
    return _TOP + _BOTTOM + sum(_row_heights(data))


def _is_grid(data: DisagreementsData) -> bool:
    return all(not card.words for card in data.cards)


def _row_heights(data: DisagreementsData) -> list[int]:
    lines = len(data.cards[0].said)
    if _is_grid(data):
        return [_PICTURE + lines * _LINE + 10] * -(-len(data.cards) // _COLUMNS)
    return [_LINE * (len(_wrapped(card.words)) + 1) + 8 for card in data.cards]


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(text.printable(words), _LETTERS, max_lines=2, placeholder=" …") or [""]


def draw_disagreements(axes: Axes, data: DisagreementsData) -> None:
    """Draw it: pictures and sounds side by side, sentences below each other; wrong answers in the warning colour."""
    label(axes, data.title, "", "")
    hide(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if not data.cards:
        return
    if _is_grid(data):
        _draw_grid(axes, data)
    else:
        _draw_list(axes, data)


def _draw_grid(axes: Axes, data: DisagreementsData) -> None:
    heights = _row_heights(data)
    whole = sum(heights)
    for place, card in enumerate(data.cards):
        row, column = divmod(place, _COLUMNS)
        top = 1 - sum(heights[:row]) / whole
        inset = axes.inset_axes((column / _COLUMNS, top - _PICTURE / whole, 0.92 / _COLUMNS, _PICTURE / whole))
        inset.set_axis_off()
        if card.picture is not None:
            inset.imshow(card.picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            inset.set_anchor("W")
        elif card.wave is not None:
            inset.plot(card.wave, color=QUIET, linewidth=0.6)
            inset.set_ylim(-1, 1)
        for line, (words, is_wrong) in enumerate(zip(card.said, card.wrong, strict=True)):
            _write(axes, column / _COLUMNS, top - (_PICTURE + 4 + line * _LINE) / whole, words, 7, is_wrong)


def _draw_list(axes: Axes, data: DisagreementsData) -> None:
    heights = _row_heights(data)
    whole = sum(heights)
    for place, card in enumerate(data.cards):
        top = 1 - sum(heights[:place]) / whole
        lines = _wrapped(card.words)
        for line, words in enumerate(lines):
            _write(axes, 0, top - line * _LINE / whole, words, 8.5)
        step = 1 / max(4, len(card.said))
        for column, (words, is_wrong) in enumerate(zip(card.said, card.wrong, strict=True)):
            _write(axes, 0.02 + column * step, top - (len(lines) * _LINE + 2) / whole, words, 7, is_wrong)


def _write(axes: Axes, across: float, up: float, words: str, size: float, is_wrong: bool = False) -> None:
    look: dict[str, Any] = {"color": WARNING if is_wrong else QUIET, "fontsize": size, "parse_math": False}
    axes.text(across, up, text.printable(words), va="top", transform=axes.transAxes, **look)


@comparison_plots.register("disagreements")
def plot_disagreements(comparison: Comparison) -> Figure:
    """Draw the examples on which the models differ most."""
    data = disagreements_data(comparison)
    height = height_of(data)
    figure, (axes,) = new_figure(1, WIDTH, height)
    figure.subplots_adjust(left=12 / WIDTH, top=1 - _TOP / height, bottom=_BOTTOM / height)
    draw_disagreements(axes, data)
    return figure
