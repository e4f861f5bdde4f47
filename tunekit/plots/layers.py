"""The layers of a net: where its bytes and its operations are, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress.layer_costs import LayerCost, layer_costs, within
from tunekit.core import text
from tunekit.core.job import Job
from tunekit.plots import plots
from tunekit.plots.rows import chosen_row, compression_of
from tunekit.plots.theme import ACCENT, QUIET, WIDTH, hide, label, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tunekit.compress.rows import Rows

# So many layers have a bar of their own; the smaller ones are summed up.
_MOST_BARS = 12
_LETTERS = 18


@dataclass(frozen=True, slots=True)
class Bar:
    """One layer, or several: what it costs in the original and in the row; None where it is not there."""

    name: str
    bytes: tuple[int | None, int | None]
    macs: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class LayersData:
    """What the picture shows.

    Parameters
    ----------
    bars
        In the order of the net; last the layers that have no bar of their own, and what belongs to no layer.
    row
        Its number; None where it is the original itself.
    is_best
        Whether it is the best one.
    title
        What was found about the bytes.
    macs_title
        What was found about the operations.
    """

    bars: tuple[Bar, ...]
    row: int | None
    is_best: bool
    title: str
    macs_title: str


def layers_data(lab: Rows, row: int | None = None) -> LayersData:
    """Compute what the picture shows.

    Parameters
    ----------
    lab
        A compression.
    row
        The row to set against the original; None: the best one.
    """
    number = chosen_row(lab, row)
    if number is None:
        return LayersData((), None, False, "Not measured yet: run a recipe", "")
    before = layer_costs(lab, 0)
    after = layer_costs(lab, number) if number else ()
    bars = _bars(before, after)
    return LayersData(
        bars,
        number or None,
        number == lab.best_number,
        _finding(bars, "bytes", bool(number)),
        _finding(bars, "macs", bool(number)),
    )


def _bars(before: Sequence[LayerCost], after: Sequence[LayerCost]) -> tuple[Bar, ...]:
    old = {cost.name: cost for cost in before}
    new: dict[str, list[LayerCost]] = {}
    for cost in after:  # a layer that was split counts as the one that it was made of
        new.setdefault(within(cost.name, old) or cost.name, []).append(cost)
    names = [name for name in dict.fromkeys([*old, *new]) if name]

    def pair(of: Sequence[str], figure: str) -> tuple[int | None, int | None]:
        was = [getattr(old[name], figure) for name in of if name in old]
        now = [getattr(cost, figure) for name in of for cost in new.get(name, ())]
        return sum(was) if was else None, sum(now) if now else None

    totals: list[float] = [max(1, sum(getattr(cost, figure) for cost in before)) for figure in ("bytes", "macs")]

    def weight(name: str) -> float:
        pairs = pair([name], "bytes"), pair([name], "macs")
        shares = [max(one or 0 for one in both) / total for both, total in zip(pairs, totals, strict=True)]
        return max(shares)

    largest = set(sorted(names, key=weight, reverse=True)[: _MOST_BARS if len(names) > _MOST_BARS + 1 else len(names)])
    groups = {name: [name] for name in names if name in largest}
    rest = [name for name in names if name not in largest]
    if rest:
        groups[text.plural(len(rest), "other layer")] = rest
    groups["outside of layers"] = [""]
    return tuple(Bar(name, pair(of, "bytes"), pair(of, "macs")) for name, of in groups.items())


def _finding(bars: Sequence[Bar], figure: str, is_changed: bool) -> str:
    """Say which layer had most, and what share it has now; two titles stand side by side, so that there is no room."""
    pairs: Mapping[str, tuple[int | None, int | None]] = {bar.name: getattr(bar, figure) for bar in bars}
    total, now = (sum(pair[place] or 0 for pair in pairs.values()) for place in (0, 1))
    what = "bytes" if figure == "bytes" else "MACs"
    if not total:
        return f"No {what}"
    name, (most, left) = max(pairs.items(), key=lambda one: one[1][0] or 0)
    layer = _short(f"layer {name}" if name.isdigit() else text.printable(name), 9)
    title = f"{layer}: {100 * (most or 0) / total:.0f} % of {what}"
    if not is_changed:
        return title
    if left is None:
        return f"{title}, now gone"
    is_as_before = [was for was, _ in pairs.values()] == [is_now for _, is_now in pairs.values()]
    return f"{title}, as before" if is_as_before else f"{title}, now {100 * left / max(1, now):.0f} %"


def draw_layers(bytes_axes: Axes, macs_axes: Axes, data: LayersData) -> None:
    """Draw it: the original as outlines, the row as bars, in the accent colour if it is the best."""
    meaning = "" if data.row is None else f" (outline: original, bar: row {data.row})"
    label(bytes_axes, data.title, f"ONNX file, kB{meaning}", "")
    if not data.bars:
        hide(bytes_axes)
        macs_axes.set_axis_off()
        return
    label(macs_axes, data.macs_title, "MACs for one example, k", "")
    color = ACCENT if data.is_best else QUIET
    places = range(len(data.bars))
    for axes, pairs in (
        (bytes_axes, [bar.bytes for bar in data.bars]),
        (macs_axes, [bar.macs for bar in data.bars]),
    ):
        before = [(was or 0) / 1000 for was, _ in pairs]
        axes.barh(places, before, height=0.72, facecolor="none", edgecolor=QUIET, linewidth=0.8)
        if data.row is not None:
            axes.barh(places, [(now or 0) / 1000 for _, now in pairs], height=0.4, color=color)
        axes.set_ylim(len(data.bars) - 0.4, -0.6)
        axes.set_xlim(0, max(before + [(now or 0) / 1000 for _, now in pairs]) * 1.05 or 1)
        axes.tick_params(left=False)
    names = [_short(text.printable(bar.name), _LETTERS) for bar in data.bars]
    bytes_axes.set_yticks(places, names, fontsize=8, color=QUIET, parse_math=False)
    macs_axes.set_yticks([])


def _short(name: str, letters: int) -> str:
    """Leave out the middle of a long name: how layers differ stands at the ends."""
    if len(name) <= letters:
        return name
    end = (letters - 1) * 2 // 3
    return f"{name[: letters - 1 - end]}…{name[-end:]}"


@plots.register("layers")
def plot_layers(job: Job, row: int | None = None) -> Figure:
    """Draw where the bytes and the operations are, in the original (outlines) and in a row (bars).

    Parameters
    ----------
    job
        A compression.
    row
        The number of a row; None: the best one.
    """
    data = layers_data(compression_of(job, "layers"), row)
    height = max(150, 84 + 20 * len(data.bars))
    figure, (bytes_axes, macs_axes) = new_figure(2, height=height)
    figure.subplots_adjust(left=118 / WIDTH, wspace=0.1)
    draw_layers(bytes_axes, macs_axes, data)
    return figure
