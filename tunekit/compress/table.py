"""The table: every step with what it costs and what it is worth. Data first, then text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tunekit.compress.latency import Latency
from tunekit.compress.measurement import BATCHES, RUNTIMES, Cell
from tunekit.compress.score import Score
from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.rows import Rows
    from tunekit.core.trial import Trial


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a trial of a compression.

    Parameters
    ----------
    number
        The trial's.
    step
        The step as it is typed, or ``"original"``.
    state
        The trial's; only a complete row has figures.
    size
        The ONNX file in bytes.
    parameters, nonzeros, macs
        Counts; MACs for one example.
    bundle
        What `Compressed.save` writes, in bytes.
    change
        How the score differs from the original's on the same examples, with its paired interval; None for the original.
    metric, score
        The metric's name, its value on the validation split with its interval; None until the row is complete.
    latencies
        By runtime and batch size, in seconds; an int8 row has none in PyTorch.
    masked
        Whether more than a hundredth of its parameters are zero.
    is_int8, is_best
        What it is, and whether it is the best by the rule.
    parent
        The number of the row that the step was done to; 0 for the original itself.
    notes
        What the steps have to say about what they did.
    reason
        Why it failed.
    """

    number: int
    step: str
    state: str
    metric: str
    size: int = 0
    parameters: int = 0
    nonzeros: int = 0
    macs: int = 0
    score: Score | None = None
    bundle: int = 0
    change: Score | None = None
    latencies: Mapping[Cell, Latency] = field(default_factory=dict)
    masked: bool = False
    is_int8: bool = False
    is_best: bool = False
    parent: int = 0
    notes: tuple[str, ...] = ()
    reason: str | None = None


def rows(lab: Rows) -> list[Row]:
    """The rows of a compression so far."""
    metric, best, count = lab.task.metric_name, lab.best_number, lab.validation_count
    trials = lab.trials
    return [_row(trial, metric, count, trial.number == best, trials, lab.notes(trial.number)) for trial in trials]


def _parent(trial: Trial, trials: Sequence[Trial]) -> int:
    """The last row before this one that had the most of its first steps."""
    steps, parent, most = trial.params.get("recipe", []), 0, 0
    for other in trials[: trial.number]:
        given = other.params.get("recipe", [])
        if most <= len(given) < len(steps) and given == steps[: len(given)]:
            parent, most = other.number, len(given)
    return parent


def _row(trial: Trial, metric: str, count: int, is_best: bool, trials: Sequence[Trial], notes: tuple[str, ...]) -> Row:
    step, figures = str(trial.params["step"]), trial.metrics
    if trial.state != "complete":
        return Row(trial.number, step, trial.state, metric, reason=trial.reason)
    times = {}
    for runtime in RUNTIMES:
        for size in BATCHES:
            name = f"latency_{runtime}_{size}"
            if name in figures:
                times[runtime, size] = Latency(figures[name], figures[f"{name}_low"], figures[f"{name}_high"], 0.0)
    score = Score(figures[metric], figures[f"{metric}_low"], figures[f"{metric}_high"], count)
    change = None
    if f"{metric}_change" in figures:
        low, high = (figures[f"{metric}_change_{end}"] for end in ("low", "high"))
        change = Score(figures[f"{metric}_change"], low, high, count)
    recipe = trial.params.get("recipe", [])
    return Row(
        trial.number,
        step,
        trial.state,
        metric,
        size=int(figures["size"]),
        parameters=int(figures["parameters"]),
        nonzeros=int(figures["nonzeros"]),
        macs=int(figures["macs"]),
        score=score,
        bundle=int(figures["bundle"]),
        change=change,
        latencies=times,
        masked=figures["nonzeros"] < 0.99 * figures["parameters"],
        is_int8=bool(recipe) and recipe[-1]["step"] == "quantize",
        is_best=is_best,
        parent=_parent(trial, trials),
        notes=notes,
    )


def as_text(table: Sequence[Row], *, clock: bool = True) -> str:
    """Write the table as aligned text.

    Parameters
    ----------
    table
        The rows.
    clock
        Whether the latencies are in it: without them it is the same on every machine.

    Examples
    --------
    >>> print(as_text([Row(0, "original", "complete", "accuracy", 83_612, 20_586, 20_586, 1_030_000,
    ...                    Score(0.957, 0.942, 0.968, 1000), 76_512)], clock=False))
    row  step                  accuracy  ONNX, kB  bundle, kB       non-zeros    MACs
      0  original  0.957 [0.942, 0.968]      83.6        76.5  20.6 k (100 %)  1.03 M
    """
    if not table:
        return "No rows yet."
    header = _header(table, clock)
    lines = [[name.rpartition("\n")[0] for name in header]] if clock else []
    lines.append([name.rpartition("\n")[2] for name in header])
    timed = runtimes(table) if clock else []
    lines += [_texts(row, timed, scale(table)[1]) for row in table]
    widths = [max(len(line[place]) for line in lines if len(line) > place) for place in range(len(lines[0]))]
    left = 1  # the step stands at the left, all numbers at the right
    written = []
    for line in lines:
        cells = [
            cell.ljust(width) if place == left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line[:-1] if len(line) == 3 else line, widths, strict=False))
        ]
        written.append("  ".join([*cells, *(line[-1:] if len(line) == 3 else [])]).rstrip())
    return "\n".join(written)


def _header(table: Sequence[Row], clock: bool) -> list[str]:
    times = [f"{RUNTIMES[runtime]}\nbatch {size}, ms" for runtime in runtimes(table) for size in BATCHES]
    unit = scale(table)[0]
    sizes = [f"ONNX, {unit}", f"bundle, {unit}"]
    return ["row", "step", table[0].metric, *sizes, "non-zeros", "MACs", *(times if clock else [])]


def _texts(row: Row, timed: Sequence[str], unit: float) -> list[str]:
    if row.score is None:
        return [str(row.number), row.step, f"{row.state}: {row.reason}" if row.reason else row.state]
    times = [milliseconds(row.latencies.get((runtime, size))) for runtime in timed for size in BATCHES]
    return [
        str(row.number),
        row.step + (" (best)" if row.is_best and row.number else ""),
        str(row.score),
        text.number(row.size / unit),
        text.number(row.bundle / unit),
        counts(row),
        text.counted(row.macs),
        *times,
    ]


def runtimes(table: Sequence[Row]) -> list[str]:
    """The runtimes that have a column: all but those that only some ask for, and nobody did."""
    timed = {runtime for row in table for runtime, _ in row.latencies}
    return [runtime for runtime in RUNTIMES if runtime != "compiled" or runtime in timed]


def counts(row: Row) -> str:
    """The non-zero parameters, and their share of all."""
    return f"{text.counted(row.nonzeros)} ({100 * row.nonzeros / max(1, row.parameters):.3g} %)"


def scale(table: Sequence[Row]) -> tuple[str, float]:
    """The unit of the files of a table, and its bytes."""
    return ("MB", 1e6) if max(row.size for row in table) >= 1e7 else ("kB", 1e3)


def milliseconds(time: Latency | None) -> str:
    """The median without its unit, which stands in the header; a dash where nothing was timed."""
    return "–" if time is None else text.number(1000 * time.median)


def quartiles(time: Latency) -> str:
    """The spread of a latency, in words."""
    return f"quartiles {text.latency(time.low)} to {text.latency(time.high)}"
