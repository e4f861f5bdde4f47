"""Words in a picture: those that its font can write, as long as there is room for them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tunekit.core import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

# A title is made smaller down to this before anything of it is left out.
_TITLE, _SMALLEST, _STEP = 9.5, 8.0, 0.5
# What stays free beside a title, and at both ends of the words along an axis; CSS pixels.
_GAP = 16
# So many CSS pixels are an inch of a figure, and so many dots: letters are a little narrower or wider with others.
_CSS, _SHARP = 100.0, 200.0
# For a sign that the font has not.
_MISSING = "\u25a1"


def words(written: str) -> str:
    r"""Write words as a picture can show them, on one line: control characters by their codes.

    Examples
    --------
    >>> words("two\nlines"), words("a\x1b[31m")
    ('two lines', 'a\\x1b[31m')
    """
    shown = text.printable(written).replace("\n", " ")
    if shown.isascii():
        return shown
    return "".join(letter if letter.isascii() or _is_known(letter) else _MISSING for letter in shown)


class _Font(NamedTuple):
    """A size in points, and a weight."""

    size: float
    weight: str = "normal"


@cache
def _is_known(letter: str) -> bool:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = (get_font(findfont(FontProperties(weight=weight))) for weight in ("normal", "bold"))
    return all(font.get_char_index(ord(letter)) for font in fonts)


def shortened(written: str, letters: int) -> str:
    """Leave at most that many letters, the last of them an ellipsis where something is left out.

    Examples
    --------
    >>> shortened("squeeze_excitation", 8), shortened("relu", 8)
    ('squeeze…', 'relu')
    """
    return written if len(written) <= letters else f"{written[: letters - 1].rstrip()}…"


def width(axes: Axes, written: str, size: float) -> float:
    """How much room words of that size take, in CSS pixels."""
    return _width(axes, written, _Font(size)) / _pixels(axes, 1)


def across(axes: Axes) -> float:
    """How wide a picture is between its ends, in CSS pixels."""
    return float(axes.get_position().width * _figure(axes).bbox.width) / _pixels(axes, 1)


def above(axes: Axes) -> float:
    """How high a picture is between its ends, in CSS pixels."""
    return float(axes.get_position().height * _figure(axes).bbox.height) / _pixels(axes, 1)


def fit_name(axes: Axes, name: str, size: float, room: float) -> str:
    """A name as it fits into so many CSS pixels: what is left out is its middle, for many names begin alike."""
    return _without_middle(axes, name, _Font(size), _pixels(axes, room))


def _without_middle(axes: Axes, name: str, font: _Font, room: float) -> str:
    for left_out in range(len(name)):
        kept = len(name) - left_out
        fitting = name if not left_out else f"{name[: (kept + 1) // 2]}…{name[len(name) - kept // 2 :]}"
        if _width(axes, fitting, font) <= room:
            return fitting
    return "…"


def fit_title(axes: Axes, title: str, name: str = "") -> tuple[str, float]:
    """The title of one picture as it does not touch the next one, and its size in points.

    It is made smaller first; then the middle of the name is left out with which it begins, if it begins with one; then
    clauses are left out, the last first; then letters.
    """
    room = _room_above(axes)
    size = _TITLE
    while size >= _SMALLEST:
        if _width(axes, title, _Font(size, "bold")) <= room:
            return title, size
        size -= _STEP
    font = _Font(_SMALLEST, "bold")
    if name:
        said = title.removeprefix(name)
        title = _without_middle(axes, name, font, room - _width(axes, said, font)) + said
        if _width(axes, title, font) <= room:
            return title, _SMALLEST
    for mark in ("; ", ", "):
        while mark in title:
            title = title.rpartition(mark)[0]
            if _width(axes, title, font) <= room:
                return title, _SMALLEST
    return _cut(title, font, _dpi(axes), room), _SMALLEST


def fit_label(axes: Axes, label: str, size: float, *, upright: bool = False, after: str = "") -> str:
    """The words along an axis as they stay within the figure; those that come after them are not shortened."""
    if upright:  # they stand in the middle of their axis, and may not leave the figure
        box = axes.get_position()
        middle = (box.y0 + box.y1) / 2
        room = 2 * min(middle, 1 - middle) * _figure(axes).bbox.height - _pixels(axes, _GAP)
        if _beside(axes, lambda other: other.x0 < box.x0 - 0.01):  # nor meet the title of the picture on the left
            room = box.height * _figure(axes).bbox.height
    else:
        room = _room_above(axes)
    font = _Font(size)
    if _width(axes, label + after, font) <= room:
        return label + after
    return _cut(label, font, _dpi(axes), room - _width(axes, after, font)) + after


def wrapped(written: str, size: float, room: float, most: int) -> list[str]:
    """Words on lines of so many CSS pixels, broken at spaces where there are any; what is beyond the last is left out.

    Parameters
    ----------
    written
        On one line.
    size
        In points.
    room
        How wide a line may be.
    most
        How many lines there may be, 1 or more.
    """
    font, rest, lines = _Font(size), written.strip(), list[str]()
    room *= _SHARP / _CSS
    while len(lines) < most - 1 and _dots(rest, font, _SHARP) > room:
        fitting = bisect_right(range(len(rest)), room, key=lambda count: _dots(rest[:count], font, _SHARP)) - 1
        space = rest.rfind(" ", 1, fitting + 1)
        end = max(1, fitting) if space < 0 else space
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, rest if _dots(rest, font, _SHARP) <= room else _cut(rest, font, _SHARP, room)]


def _cut(written: str, font: _Font, dots: float, room: float) -> str:
    """The longest beginning that fits into so many dots, with an ellipsis."""
    least, most = 1, len(written)
    while least < most:
        middle = (least + most + 1) // 2
        if _dots(shortened(written, middle), font, dots) <= room:
            least = middle
        else:
            most = middle - 1
    return shortened(written, least)


def _room_above(axes: Axes) -> float:
    """How many dots there are from the left edge of a picture to the next one, or to the end of the figure."""
    figure, box = _figure(axes), axes.get_position()
    beside = [other.x0 for other in _beside(axes, lambda other: other.x0 > box.x0 + 0.01)]
    end = min(beside, default=1.0)
    return float((end - box.x0) * figure.bbox.width) - _pixels(axes, _GAP if beside else _GAP / 2)


def _beside(axes: Axes, is_meant: Callable[[Bbox], bool]) -> list[Bbox]:
    """The places of the pictures at the same height that are meant."""
    box = axes.get_position()
    others = (other.get_position() for other in _figure(axes).axes if other is not axes)
    return [other for other in others if is_meant(other) and other.y0 < box.y1 and box.y0 < other.y1]


def _pixels(axes: Axes, css: float) -> float:
    return css * _dpi(axes) / _CSS


def _dpi(axes: Axes) -> float:
    return float(_figure(axes).dpi)


def _width(axes: Axes, written: str, font: _Font) -> float:
    return _dots(written, font, _dpi(axes))


@lru_cache(maxsize=1024)
def _dots(written: str, font: _Font, dots: float) -> float:
    """How wide words are; a picture that is drawn again and again has the same ones most of the time."""
    from matplotlib.font_manager import FontProperties

    properties = FontProperties(weight=font.weight, size=font.size)
    width, _, _ = _renderer(dots).get_text_width_height_descent(written, properties, ismath=False)
    return float(width)


@cache
def _renderer(dots: float) -> RendererAgg:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, dots)


def _figure(axes: Axes) -> Figure:
    from matplotlib.figure import Figure

    assert isinstance(axes.figure, Figure)
    return axes.figure
