"""The answers that changed: what the original said against what a row says, on the validation split."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress.changed import Changed, changed_answers
from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.rows import chosen_row, compression_of
from tunekit.plots.theme import QUIET, WARNING, WIDTH, hide, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.compress.rows import Rows

# So many classes have room for their names; of more, those whose answers changed most are shown.
_MOST_CLASSES = 12
_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """Answers that went from one class to another: how many, how many of them were right, and are right."""

    before: int
    after: int
    count: int
    was_right: int
    is_right: int


@dataclass(frozen=True, slots=True)
class ConfusionData:
    """What the picture shows.

    Parameters
    ----------
    classes
        The names of those that are shown.
    cells
        What changed among them, by their places in `classes`.
    kept
        For each of the classes, how many answers stayed.
    count, changed
        How many examples there are, and how many answers changed, among all classes.
    title
        The finding.
    words
        How many of the changed answers got wrong, and how many right.
    """

    classes: tuple[str, ...]
    cells: tuple[Cell, ...]
    kept: tuple[int, ...]
    count: int
    changed: int
    title: str
    words: str


def confusion_data(lab: Rows, row: int | None = None) -> ConfusionData:
    """Compute what the picture shows.

    Parameters
    ----------
    lab
        A compression of a classifier.
    row
        The row to set against the original; None: the best one.

    Raises
    ------
    ValueError
        If the answers are no classes.
    """
    number = chosen_row(lab, row)
    if number is None:
        return ConfusionData((), (), (), 0, 0, "Not measured yet: run a recipe", "")
    return data_of(changed_answers(lab, number))


def data_of(found: Changed) -> ConfusionData:
    """Compute what the picture shows from the answers."""
    pairs = list(zip(found.before.tolist(), found.after.tolist(), found.right.tolist(), strict=True))
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    touched = Counter(place for before, after, _ in changed for place in (before, after))
    total = len(found.classes)
    # where all have room, all are shown; else those with the most changes, in their own order
    many = [place for place, _ in touched.most_common(_MOST_CLASSES)]
    shown = range(total) if total <= _MOST_CLASSES else sorted(many)
    place_of = {number: place for place, number in enumerate(shown)}
    cells = []
    for before, after in sorted({(before, after) for before, after, _ in changed}):
        rights = [right for was, now, right in changed if (was, now) == (before, after)]
        if before in place_of and after in place_of:
            cells.append(
                Cell(
                    place_of[before],
                    place_of[after],
                    len(rights),
                    sum(right == before for right in rights),
                    sum(right == after for right in rights),
                )
            )
    stayed = Counter(before for before, after, _ in pairs if before == after)
    worse = sum(right == before for before, _, right in changed)
    better = sum(right == after for _, after, right in changed)
    return ConfusionData(
        tuple(found.classes[number] for number in shown),
        tuple(cells),
        tuple(stayed[number] for number in shown),
        len(pairs),
        len(changed),
        _title(found, changed, len(pairs)),
        f"{worse:,} got wrong, {better:,} got right, {len(changed) - worse - better:,} wrong before and after",
    )


def _title(found: Changed, changed: list[tuple[int, int, int]], count: int) -> str:
    if not changed:
        return f"Not one of {text.plural(count, 'answer')} changed"
    title = f"{len(changed):,} of {text.plural(count, 'answer')} changed"
    between = Counter(tuple(sorted((before, after))) for before, after, _ in changed)
    (first, second), most = between.most_common(1)[0]
    if most < 2 or [times for _, times in between.most_common(2)][1:] == [most]:
        return title
    named = (_short(found.classes[number]) for number in (first, second))
    return f"{title}, most between {' and '.join(named)}"


def draw_confusion(axes: Axes, data: ConfusionData) -> None:
    """Draw it: a square for each change, as large as it is frequent, in the warning colour where right got wrong."""
    label(axes, data.title, "", "")
    if not data.count:
        hide(axes)
        return
    size = len(data.classes)
    most = max((cell.count for cell in data.cells), default=1)
    for place, kept in enumerate(data.kept):
        axes.text(place, place, f"{kept:,}", ha="center", va="center", fontsize=7, color=QUIET)
    for cell in data.cells:
        color = WARNING if cell.was_right > cell.is_right else QUIET
        side = 5 + 9 * (cell.count / most) ** 0.5
        axes.plot(cell.after, cell.before, "s", color=color, markersize=side, markeredgewidth=0)
        # beside the square: on it no colour reads on light and on dark alike
        axes.annotate(
            f"{cell.count:,}",
            (cell.after, cell.before),
            (side / 2 + 2, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=color,
        )
    names = [_short(name) for name in data.classes]
    look: dict[str, Any] = {"fontsize": 8, "color": QUIET, "parse_math": False}
    is_long = size > 4 and max(map(len, names), default=0) > 4
    axes.set_xticks(range(size), names, rotation=30 if is_long else 0, ha="right" if is_long else "center", **look)
    axes.set_yticks(range(size), names, **look)
    axes.set_xlim(-0.6, size - 0.2)
    axes.set_ylim(size - 0.4, -0.6)
    axes.tick_params(length=0)
    axes.set_ylabel("the original's answer", fontsize=8, color=QUIET)
    axes.set_xlabel(f"the row's answer: {data.words}", fontsize=8, color=QUIET)


def _short(name: str) -> str:
    name = text.printable(name).replace("\n", " ")
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…"


@plots.register("confusion")
def plot_confusion(job: Job, row: int | None = None) -> Figure:
    """Draw which answers on the validation split are others than the original's.

    Parameters
    ----------
    job
        A compression of a classifier.
    row
        The number of a row; None: the best one.
    """
    data = confusion_data(compression_of(job, "confusion"), row)
    height = max(230, 90 + 22 * len(data.classes))
    figure, (axes,) = new_figure(height=height)
    figure.subplots_adjust(left=90 / WIDTH, bottom=64 / height)
    draw_confusion(axes, data)
    return figure
