"""The examples on which models differ most: what they are, and what each model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.core import text
from tunekit.plots.comparison import comparison_plots
from tunekit.plots.fitting import fit_name, width, words, wrapped
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
_LEAST = 90  # with nothing in it
# From its left to its right end, and what is free beside the words of a column.
_WIDTH, _BETWEEN = WIDTH - 24, 8
# Below a sentence: so many answers side by side, the others on a line of their own; how far they are moved in.
_ABREAST, _INDENT = 4, 12
# A sentence has at most so many lines, and these sizes are in points.
_LINES, _SENTENCE, _SMALL = 2, 8.5, 7.0
# A model's long name leaves the rest of the room to the class.
_NAME = 0.5


@dataclass(frozen=True, slots=True)
class Said:
    """A line below an example: who says it, a model or ``"true"``, which class, and how sure it is, or nothing."""

    who: str
    what: str
    share: str = ""

    def __str__(self) -> str:
        """All of it."""
        return f"{self.who}: {self.what}{self.share and ' '}{self.share}"


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
    answers
        What was true, then what each model answers.
    wrong
        Which lines of it are wrong answers.
    """

    picture: NDArray[np.float32] | None
    wave: NDArray[np.float32] | None
    words: str
    answers: tuple[Said, ...]
    wrong: tuple[bool, ...]

    @property
    def said(self) -> tuple[str, ...]:
        """The same in words."""
        return tuple(map(str, self.answers))


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
    answers = [
        Said(name, found.label(answer), text.share(float(shares[answer])))
        for name, answer, shares in zip(comparison.names, one.answers, one.probabilities, strict=True)
    ]
    kind = examples.kind
    sentence = examples.words(one.index) if kind == "text" else ""
    return Card(
        examples.picture(one.index) if kind == "image" else None,
        examples.sound(one.index) if kind == "sound" else None,
        sentence or ("" if kind in ("image", "sound") else f"example {one.index}"),
        (Said("true", found.label(one.truth)), *answers),
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
    lines = len(data.cards[0].answers)
    if _is_grid(data):
        return [_PICTURE + lines * _LINE + 10] * -(-len(data.cards) // _COLUMNS)
    return [_LINE * (len(_sentence(card)) + -(-lines // _ABREAST)) + 8 for card in data.cards]


def _sentence(card: Card) -> list[str]:
    return wrapped(words(card.words), _SENTENCE, _WIDTH, _LINES)


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
        room = _WIDTH / _COLUMNS - _BETWEEN
        for line, (said, is_wrong) in enumerate(zip(card.answers, card.wrong, strict=True)):
            up = top - (_PICTURE + 4 + line * _LINE) / whole
            _write(axes, column / _COLUMNS, up, _fitted(axes, said, room), _SMALL, is_wrong)


def _draw_list(axes: Axes, data: DisagreementsData) -> None:
    heights = _row_heights(data)
    whole = sum(heights)
    step = (_WIDTH - _INDENT) / min(_ABREAST, len(data.cards[0].answers))
    for place, card in enumerate(data.cards):
        top = 1 - sum(heights[:place]) / whole
        lines = _sentence(card)
        for line, sentence in enumerate(lines):
            _write(axes, 0, top - line * _LINE / whole, sentence, _SENTENCE)
        for number, (said, is_wrong) in enumerate(zip(card.answers, card.wrong, strict=True)):
            row, column = divmod(number, _ABREAST)
            up = top - ((len(lines) + row) * _LINE + 2) / whole
            _write(axes, (_INDENT + column * step) / _WIDTH, up, _fitted(axes, said, step - _BETWEEN), _SMALL, is_wrong)


def _fitted(axes: Axes, said: Said, room: float) -> str:
    """What is said as it has room: the class is shortened, and a name that would leave too little to it."""
    who, what, share = (words(each) for each in (said.who, said.what, said.share))
    if width(axes, f"{who}: {what} {share}", _SMALL) <= room:
        return words(str(said))
    left = room - width(axes, f":  {share}", _SMALL)
    who = fit_name(axes, who, _SMALL, max(_NAME * left, left - width(axes, what, _SMALL)))
    what = fit_name(axes, what, _SMALL, left - width(axes, who, _SMALL))
    return str(Said(who, what, share))


def _write(axes: Axes, across: float, up: float, written: str, size: float, is_wrong: bool = False) -> None:
    look: dict[str, Any] = {"color": WARNING if is_wrong else QUIET, "fontsize": size, "parse_math": False}
    # by the baseline: words with an accent stand no lower than others
    below: dict[str, Any] = {"textcoords": "offset points", "xycoords": axes.transAxes, "annotation_clip": False}
    axes.annotate(written, (across, up), (0, -size), va="baseline", **below, **look)


@comparison_plots.register("disagreements")
def plot_disagreements(comparison: Comparison) -> Figure:
    """Draw the examples on which the models differ most."""
    data = disagreements_data(comparison)
    height = height_of(data)
    figure, (axes,) = new_figure(1, WIDTH, height)
    figure.subplots_adjust(left=12 / WIDTH, top=1 - _TOP / height, bottom=_BOTTOM / height)
    draw_disagreements(axes, data)
    return figure
