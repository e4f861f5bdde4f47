"""The lineage of a population: which member trained when, how well, and where one took over the net of another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.core import text
from tunekit.core.history import History
from tunekit.core.job import Job
from tunekit.core.trial import Trial
from tunekit.plots import plots
from tunekit.plots.theme import ACCENT, QUIET, WARNING, hide, label, new_figure, whole_numbers
from tunekit.search.samplers.legs import inherited_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More rows than this are lines without a gap.
_ROWS = 40


@dataclass(frozen=True, slots=True)
class Leg:
    """One trial as a part of a member's training.

    Parameters
    ----------
    number
        The number of the trial.
    member
        The row of its member, from 0.
    start, end
        The steps of training before it and after it.
    rank
        The share of all legs that its score is better than, 0 to 1; None where it has none.
    parent
        The number of the trial whose net it went on with.
    is_takeover
        Whether that was another member's.
    is_of_best
        Whether the best trial descends from it.
    state
        As it is in the trial.
    """

    number: int
    member: int
    start: int
    end: int
    rank: float | None
    parent: int | None
    is_takeover: bool
    is_of_best: bool
    state: str


@dataclass(frozen=True, slots=True)
class LineageData:
    """What the picture shows: the legs in the order of the trials, the metric's name, the best trial, the finding."""

    metric: str
    legs: tuple[Leg, ...]
    best: int | None
    title: str


def lineage_data(history: History) -> LineageData:
    """Compute what the picture shows from a history."""
    metric, best = history.goal.metric, history.best
    trials = list(history)
    if not any(trial.parent is not None for trial in trials):
        return LineageData(metric, (), None, "No trial went on from the checkpoint of another")
    starts = [_start(history, trial) for trial in trials]
    gains = [_gain(history, trial) for trial in trials]
    rows = _rows(trials, gains)
    known = sorted(gain for gain in gains if gain is not None)
    descent = set(_descent(trials, best))
    legs = tuple(
        Leg(
            trial.number,
            rows[trial.number],
            starts[trial.number],
            max(starts[trial.number], len(trial.reports)),
            None if gain is None else bisect_left(known, gain) / max(1, len(known) - 1),
            trial.parent,
            trial.parent is not None and rows[trial.parent] != rows[trial.number],
            trial.number in descent,
            trial.state,
        )
        for trial, gain in zip(trials, gains, strict=True)
    )
    return LineageData(metric, legs, None if best is None else best.number, _title(history, legs, best))


def _title(history: History, legs: Sequence[Leg], best: Trial | None) -> str:
    taken = text.plural(sum(leg.is_takeover for leg in legs), "takeover")
    if best is None:
        return f"{taken} in {text.plural(len(legs), 'leg')}; no score yet"
    members = len({leg.member for leg in legs if leg.is_of_best})
    way = "stayed with one member" if members == 1 else f"went through {members} members"
    return f"The best net ({history.goal.metric} {text.number(best.metrics[history.goal.metric])}) {way}; {taken}"


def _start(history: History, trial: Trial) -> int:
    """The steps of training before a trial's own first one."""
    if trial.reports or trial.parent is None:
        return inherited_steps(history, trial)
    return len(history[trial.parent].reports)


def _gain(history: History, trial: Trial) -> float | None:
    aim = history.goal.aim
    score = trial.reports[-1].get(aim.metric) if trial.reports and trial.state != "failed" else None
    return None if score is None else aim.gain(score)


def _rows(trials: Sequence[Trial], gains: Sequence[float | None]) -> list[int]:
    """The row of each trial: its parent's where it went on as it was, or else the row of the weakest that ended there.

    A trial that nobody went on from as it was has made room for another, if it was trained as far as the parent.
    """
    kept = {trial.parent for trial in trials if _goes_on(trials, trial)}
    rows: list[int] = []
    ends: dict[int, int] = {}  # of each row the newest trial
    for trial in trials:
        row = len(ends)
        if trial.parent is not None and trial.parent < len(rows):
            mine = rows[trial.parent]
            if _goes_on(trials, trial) and ends[mine] == trial.parent:
                row = mine
            else:
                level = len(trials[trial.parent].reports)
                free = [
                    (trials[end].state != "failed", gains[end] or 0.0, at)
                    for at, end in ends.items()
                    if end not in kept and end != trial.parent and _room(trials[end], level)
                ]
                row = min(free)[2] if free else row
        rows.append(row)
        ends[row] = trial.number
    return rows


def _goes_on(trials: Sequence[Trial], trial: Trial) -> bool:
    parent = None if trial.parent is None or trial.parent >= len(trials) else trials[trial.parent]
    return parent is not None and parent.params == trial.params


def _room(end: Trial, level: int) -> bool:
    return end.state == "failed" or (end.state in ("complete", "halted") and len(end.reports) == level)


def _descent(trials: Sequence[Trial], trial: Trial | None) -> list[int]:
    """The numbers of a trial and of those that it descends from."""
    found: list[int] = []
    while trial is not None:
        found.append(trial.number)
        trial = None if trial.parent is None else trials[trial.parent]
    return found


def draw_lineage(axes: Axes, data: LineageData) -> None:
    """Draw it: a row for each member, bluer where its score is better, broad on the way to the best; a cross failed."""
    label(axes, data.title, f"step (the bluer, the better the {data.metric})", "member")
    legs = _shown(data.legs)
    if not legs:
        hide(axes)
        return
    whole_numbers(axes)
    rows = {member: place for place, member in enumerate(sorted({leg.member for leg in legs}))}
    by_number = {leg.number: leg for leg in legs}
    axes.set_xlim(-0.3, max(1, *(leg.end for leg in legs)) + 0.3)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([rows[member] for member in rows if len(rows) <= 10 or rows[member] % 5 == 0])
    for leg in legs:
        row, parent = rows[leg.member], by_number.get(-1 if leg.parent is None else leg.parent)
        if parent is not None and leg.is_takeover:
            broad = 1.6 if leg.is_of_best else 0.7
            color = ACCENT if leg.is_of_best else QUIET
            axes.plot([leg.start, leg.start], [rows[parent.member], row], color=color, linewidth=broad)
            axes.plot(leg.start, rows[parent.member], "o", color=color, markersize=3 + broad, markeredgewidth=0)
        if leg.end > leg.start:
            axes.plot(
                [leg.start, leg.end],
                [row, row],
                ":" if leg.state == "running" else "-",
                color=_mixed(leg.rank),
                linewidth=4.5 if leg.is_of_best else 2.2,
                solid_capstyle="butt",
            )
        if leg.state == "failed":
            axes.plot(leg.end, row, "x", color=WARNING, markersize=5, markeredgewidth=1.4)
        if leg.number == data.best:
            axes.plot(leg.end, row, "o", color=ACCENT, markersize=7, markeredgewidth=0)


def _shown(legs: Sequence[Leg]) -> list[Leg]:
    """The legs of the rows that are drawn: the newest ones, where there are many."""
    newest = list(dict.fromkeys(leg.member for leg in reversed(legs)))[:_ROWS]
    return [leg for leg in legs if leg.member in newest]


def _mixed(rank: float | None) -> str:
    """A colour between the quiet one and the accent, both of which hold on white and on dark."""
    share = 0.0 if rank is None else rank
    pairs = ((int(QUIET[place : place + 2], 16), int(ACCENT[place : place + 2], 16)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(low + share * (high - low)):02x}" for low, high in pairs)


@plots.register("lineage")
def plot_lineage(job: Job) -> Figure:
    """Draw which member trained when, how well, and where one took over the net of another."""
    figure, (axes,) = new_figure()
    draw_lineage(axes, lineage_data(job.history))
    return figure
