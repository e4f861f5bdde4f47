"""How every picture looks: quiet, on white and on dark at once.

No grey has a contrast of 4.5 against both white and JupyterLab's dark #111111; #797979 has 4.35 and 4.34, the best
there is. So pictures are transparent and drawn in it, and words that matter stand beside them as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tunekit.plots.fitting import fit_label, fit_title, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUIET = "#797979"
ACCENT = "#2f80ed"  # the best so far, and nothing else: 3.8 on white, 4.9 on #111111
WARNING = "#d4622a"  # what failed: 3.9 on white, 4.8 on #111111

# A picture is drawn with two pixels a point, for screens that have them.
WIDTH, HEIGHT = 640, 230
DOTS = 200
# An axis that reaches farther has a length that overflows.
_FARTHEST = 4e307
# An axis that is drawn again and again keeps its limits while what it shows fills so much of it; where it must grow, it
# grows by so much more.
_FULL, _FURTHER = 0.8, 0.05


def new_figure(
    columns: int = 1, width: int = WIDTH, height: int = HEIGHT, rows: int = 1, *, again: bool = False
) -> tuple[Figure, list[Axes]]:
    """Make a transparent figure with that many empty pictures side by side.

    Parameters
    ----------
    columns, rows
        How many pictures beside and above each other; they come row by row.
    width, height
        Its size on the page, in CSS pixels.
    again
        Whether it is to be drawn again and again: then what stays the same is kept.
    """
    figure = _picture_class()(figsize=(width / 100, height / 100), dpi=DOTS, facecolor="none")
    if again:
        from tunekit.plots.repainted import Repainted

        Repainted(figure)
    # a fixed frame: matplotlib's automatic layouts cost more than all the rest of the drawing
    left, right = 64 / width, 1 - 12 / width
    bottom, top, between = 44 / height, 1 - 30 / height, 74 / height
    each = (top - bottom - (rows - 1) * between) / rows
    figure.subplots_adjust(left=left, right=right, bottom=bottom, top=top, wspace=0.28, hspace=between / each)
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for one in axes:
        quieten(one)
    return figure, axes


def quieten(axes: Axes) -> None:
    """Take away what does not inform: frame, ticks, weight."""
    from matplotlib.ticker import MaxNLocator

    # two thirds of the time to draw go into the labels of the ticks: few are enough
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.set_facecolor("none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
        axes.spines[side].set_linewidth(0.6)
    axes.tick_params(colors=QUIET, labelsize=8, width=0.6, length=3)


def wipe(axes: Axes) -> None:
    """Take everything out of a picture that was drawn into it, and keep its frame: half the cost of a new one."""
    for artist in (*axes.lines, *axes.texts, *axes.collections, *axes.patches):
        artist.remove()


def hide(axes: Axes) -> None:
    """Show no scale where there is nothing to measure on it yet."""
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)


def label(axes: Axes, title: str, across: str, up: str, name: str = "") -> None:
    """Write the finding as the title, and what the axes are in small, with figures at their marks that have room.

    A title that begins with the name of one of several keeps both ends of it where it has no room.
    """
    from tunekit.plots.marks import SIZE, Marks

    axes.tick_params(left=True, bottom=True, labelleft=True, labelbottom=True)
    # names are the user's: a dollar sign in one is no formula
    look: dict[str, Any] = {"color": QUIET, "parse_math": False}
    drawn, size = fit_title(axes, words(title), words(name))
    # where it stands is said: matplotlib would look for marks above the picture each time
    axes.set_title(drawn, loc="left", y=1.0, fontsize=size, pad=7, fontweight="bold", **look)
    axes.set_label(words(title))  # the whole of it, for whoever cannot see the picture
    axes.set_xlabel(fit_label(axes, words(across), SIZE), fontsize=SIZE, labelpad=3, **look)
    axes.set_ylabel(fit_label(axes, words(up), SIZE, upright=True), fontsize=SIZE, labelpad=4, **look)
    axes.xaxis.set_major_formatter(Marks(words(across)))
    axes.yaxis.set_major_formatter(Marks(words(up)))


def say(figure: Figure, said: str) -> None:
    """Give a figure words that stand for it in place of its titles, where those name a time."""
    figure.set_label(said)


def findings(figure: Figure) -> str:
    """What the titles of a figure say, in full and without the time that anything took."""
    titled = [str(axes.get_label()) for axes in figure.axes if axes.get_title(loc="left")]
    return str(figure.get_label()) or "; ".join(titled)


def whole_numbers(axes: Axes) -> None:
    """Mark only whole numbers on the horizontal axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))


def reach(axes: Axes, across: tuple[float, float], up: tuple[float, float] | None = None) -> None:
    """Set the limits of a picture; in one that is drawn again and again they stay as long as they suit.

    So nothing jumps at each trial, and its marks need not be drawn anew.
    """
    from tunekit.plots.repainted import Repainted

    is_kept = isinstance(axes.figure.canvas, Repainted)
    if is_kept and not axes.get_autoscalex_on():
        across = steady(axes.get_xlim(), across)
    axes.set_xlim(*across)
    if up is not None:
        if is_kept and not axes.get_autoscaley_on():
            up = steady(axes.get_ylim(), up)
        axes.set_ylim(*up)


def steady(kept: tuple[float, float], wanted: tuple[float, float]) -> tuple[float, float]:
    """The limits of an axis, lower one first, where it had others before: those as long as they fit and are of use.

    Examples
    --------
    >>> steady((0.0, 100.0), (0.0, 95.0)), steady((0.0, 100.0), (0.0, 50.0)), steady((0.0, 100.0), (0.0, 101.0))
    ((0.0, 100.0), (0.0, 50.0), (0.0, 106.05))
    """
    if kept[0] <= wanted[0] and wanted[1] <= kept[1]:
        return kept if wanted[1] - wanted[0] >= _FULL * (kept[1] - kept[0]) else wanted
    # where it grows, so far that it need not grow at the next trial
    further = _FURTHER * (wanted[1] - wanted[0])
    low = wanted[0] - further if wanted[0] < kept[0] else wanted[0]
    high = wanted[1] + further if wanted[1] > kept[1] else wanted[1]
    return max(low, -_FARTHEST), min(high, _FARTHEST)


def room(values: Sequence[float]) -> tuple[float, float]:
    """The limits that show all values with some air, as far as an axis can reach.

    Examples
    --------
    >>> room([0.0, 1.0])
    (-0.08, 1.08)
    """
    low, high = min(values), max(values)
    air = (0.08 * high - 0.08 * low) or 0.05 * abs(high) or 0.05
    return max(low - air, -_FARTHEST), min(high + air, _FARTHEST)


def _picture_class() -> type[Figure]:
    global _picture
    if _picture is None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        from tunekit.plots.image import png

        class Picture(Figure):
            """A matplotlib figure that shows itself in a notebook, on light and on dark, without pyplot."""

            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                FigureCanvasAgg(self)

            def _repr_mimebundle_(
                self, include: Any = None, exclude: Any = None
            ) -> tuple[dict[str, Any], dict[str, Any]]:
                image, said = png(self, final=True), findings(self)
                # a page made of the notebook says the words where the picture cannot be seen
                data = {"text/plain": said, "image/png": image.data}
                return data, {"image/png": {**image.size, "alt": said}}

        _picture = Picture
    return _picture


_picture: type[Figure] | None = None
