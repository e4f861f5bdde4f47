"""What several models answer to one input: the input, and the probabilities of each model side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core import text
from tunekit.plots.fitting import shortened, words
from tunekit.plots.theme import ACCENT, QUIET, WARNING, WIDTH, hide, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from tunekit.insight.answering import Reply

# Where there are more classes than this, those that a model answers are shown, and of the others the most probable.
ALL = 10
MOST = 5
# CSS pixels: a class, and the room above and below them.
_LINE, _TOP, _BOTTOM = 17, 48, 6
_LETTERS = 22
_SENTENCE = 90


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model answers.

    Parameters
    ----------
    name
        The model's, with its answer.
    shares
        The probabilities of the classes that are shown, 0 to 1; empty where it failed.
    top
        The place of its answer among them; None where it failed.
    error
        Why there is no answer.
    """

    name: str
    shares: tuple[float, ...]
    top: int | None
    error: str


@dataclass(frozen=True, slots=True, eq=False)
class AnswersData:
    """What the picture shows: the input as a picture or in words, the classes from the top, the models, the finding."""

    picture: NDArray[np.float32] | None
    words: str
    labels: tuple[str, ...]
    answers: tuple[Answers, ...]
    title: str


def shown_classes(replies: Sequence[Reply]) -> list[int]:
    """The numbers of the classes that are worth showing: all, or where there are many the answers and the next ones.

    Parameters
    ----------
    replies
        Of the models, on one input; those that failed are passed over.
    """
    shares = [reply.probabilities for reply in replies if reply.probabilities.size]
    if not shares:
        return []
    highest = np.max(shares, axis=0)
    if len(highest) <= ALL:
        return list(range(len(highest)))
    answers = {reply.answer for reply in replies}
    order = [int(number) for number in np.argsort(-highest, kind="stable")]
    others = [number for number in order if number not in answers][: max(0, MOST - len(answers))]
    return [number for number in order if number in answers or number in others]


def finding(replies: Sequence[Reply], labels: Sequence[str], truth: str | None = None) -> str:
    """Say who answers what, in a sentence.

    Parameters
    ----------
    replies
        Of the models, on one input.
    labels
        The classes' names.
    truth
        The true one's name; None where it is not known.
    """
    answers = [reply.answer for reply in replies]
    known = [answer for answer in answers if answer is not None]
    true = "" if truth is None else f"; the truth is {truth}"
    if not known:
        return f"No model has an answer{true}"
    if len(set(answers)) == 1:
        return f"All answer {labels[known[0]]}{true}"
    said = [
        f"{reply.name} {'fails' if answer is None else f'says {labels[answer]}'}"
        for reply, answer in zip(replies, answers, strict=True)
    ]
    return f"They differ: {', '.join(said)}{true}"


def answers_data(
    replies: Sequence[Reply],
    labels: Sequence[str],
    truth: str | None = None,
    picture: NDArray[np.float32] | None = None,
    words: str = "",
) -> AnswersData:
    """Compute what the picture shows.

    Parameters
    ----------
    replies
        Of the models, on one input.
    labels
        The classes' names.
    truth
        The true one's name; None where it is not known.
    picture
        The input where it is a picture, shape (height, width) or (height, width, 3), 0 to 1.
    words
        The input where it is text.
    """
    chosen = shown_classes(replies)
    answers = tuple(
        Answers(
            reply.name if reply.answer is None else f"{reply.name}: {labels[reply.answer]}",
            tuple(float(reply.probabilities[number]) for number in chosen) if reply.probabilities.size else (),
            chosen.index(reply.answer) if reply.answer in chosen else None,
            reply.error,
        )
        for reply in replies
    )
    shown = tuple(labels[number] for number in chosen)
    return AnswersData(picture, words, shown, answers, finding(replies, labels, truth))


def draw_answers(axes: Axes, answers: Answers, labels: Sequence[str]) -> None:
    """Draw one model's: a grey bar for each class, its answer in the accent colour."""
    label(axes, _short(answers.name), "", "")
    hide(axes)
    for spine in axes.spines.values():
        spine.set_visible(False)
    look: dict[str, Any] = {"fontsize": 8, "va": "center", "parse_math": False}
    if answers.error:
        axes.text(0, 0.5, _short(answers.error), transform=axes.transAxes, color=WARNING, **look)
        return
    axes.set_xlim(0, 1.35)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    for place, share in enumerate(answers.shares):
        color = ACCENT if place == answers.top else QUIET
        axes.barh(place, share, height=0.62, color=color)
        axes.text(share + 0.02, place, text.share(share), color=QUIET, **look)
        axes.text(-0.03, place, _short(labels[place]), color=QUIET, ha="right", **look)


def _short(written: str) -> str:
    return shortened(words(written), _LETTERS)


def plot_answers(data: AnswersData) -> Figure:
    """Draw what several models answer to one input."""
    has_picture = data.picture is not None
    columns = len(data.answers) + has_picture
    top = _TOP + (_LINE if data.words else 0)
    height = top + _BOTTOM + _LINE * max(len(data.labels), 6)
    figure, several = new_figure(columns, max(WIDTH, 190 * columns), height)
    look: dict[str, Any] = {"x": 12 / WIDTH, "ha": "left", "va": "top", "color": QUIET, "parse_math": False}
    figure.suptitle(words(data.title), y=1 - 2 / height, fontsize=9.5, fontweight="bold", **look)
    if data.words:
        shown = textwrap.shorten(words(data.words), _SENTENCE, placeholder=" …")
        figure.text(s=shown, y=1 - 18 / height, fontsize=8.5, **look)
    left = 12 / WIDTH if has_picture else 0.14
    figure.subplots_adjust(left=left, top=1 - top / height, bottom=_BOTTOM / height, wspace=0.5)
    if data.picture is not None:
        axes = several.pop(0)
        axes.set_axis_off()
        axes.set_anchor("NW")
        axes.imshow(data.picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for axes, answers in zip(several, data.answers, strict=True):
        draw_answers(axes, answers, data.labels)
    return figure
