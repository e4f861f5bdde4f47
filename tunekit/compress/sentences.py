"""What the figures say, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunekit.compress.choice import RULE
from tunekit.compress.measurement import RUNTIMES
from tunekit.compress.ratios import factor, speed
from tunekit.compress.score import difference_in_words
from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.table import Row
    from tunekit.core.trial import Trial


def outcome(trials: Sequence[Trial], planned: int, metric: str) -> str:
    """Say what a run came to.

    Parameters
    ----------
    trials
        The original, then the run's own trials in order.
    planned
        How many steps the recipe has.
    metric
        The metric's name.

    Examples
    --------
    >>> from tunekit.core.trial import Trial
    >>> outcome([Trial(0, {"step": "original"}, state="stopped")], 3, "accuracy")
    'Stopped: 0 of 3 steps are done. Run the recipe again to do it all.'
    """
    steps = trials[1:]
    done = [trial for trial in steps if trial.state == "complete"]
    parts = []
    if done:
        start, end = trials[0].metrics, done[-1].metrics
        parts.append(
            f"{text.plural(len(done), 'step')}: {text.size(start['size'])} → {text.size(end['size'])} "
            f"({factor(start['size'], end['size'])}), "
            f"{metric} {text.number(start[metric])} → {text.number(end[metric])} on validation."
        )
        if any(_only_masked(trial.metrics, start) for trial in done):
            parts.append("Zeros alone changed neither the ONNX file nor the MACs.")
    failed = next((trial for trial in trials if trial.state == "failed"), None)
    if failed is not None:
        place = steps.index(failed) + 1 if failed in steps else 0
        parts.append(f"Step {place} of {planned}, {failed.params['step']}, failed: {failed.reason}.")
    elif len(done) < planned:
        parts.insert(0, f"Stopped: {len(done)} of {text.plural(planned, 'step')} are done.")
        parts.append("Run the recipe again to do it all.")
    return " ".join(parts)


def below(rows: Sequence[Row], rule: str = RULE) -> tuple[list[str], list[str]]:
    """What stands below the table: sentences that are the same each time, and those that the clock decides.

    Parameters
    ----------
    rows
        The table.
    rule
        By which the best one is the best.
    """
    complete = [row for row in rows if row.score is not None]
    if not complete or complete[0].number != 0:
        return [], []
    original = complete[0]
    facts = [note for row in rows for note in row.notes if _is_new(note, row, rows)]
    masked = [row for row in complete[1:] if row.masked and row.size >= 0.99 * original.size]
    if masked:
        least = min(masked, key=lambda row: row.nonzeros)
        share = 100 * (1 - least.nonzeros / least.parameters)
        facts.append(
            f"Row {least.number}: {share:.0f} % of the parameters are zero, and the ONNX file and the MACs are as "
            f"before: zeros alone save no time; the bundle is {factor(original.bundle, least.bundle)}."
        )
    grown = [str(row.number) for row in complete[1:] if row.size > 1.01 * original.size]
    if grown:
        facts.append(f"Larger than the original: row {', '.join(grown)}.")
    count = original.score.count if original.score is not None else 0
    on = f"{text.plural(count, 'validation example')}" if count else "the validation split"
    facts.append(
        f"Scores are from {on}, with 95 % intervals: rows whose intervals overlap widely cannot be told apart by them. "
        "The test split was not used; ask a row for its .report."
    )
    best = next((row for row in complete if row.is_best and row.number), None)
    if best is not None and best.change is not None:
        change = difference_in_words(best.metric, best.change)
        facts.append(f"Row {best.number} against the original on the same examples: {change}.")
    facts.append(rule)
    return facts, [*_int8(complete), *_measured(complete)]


def _is_new(note: str, row: Row, rows: Sequence[Row]) -> bool:
    return not any(note in earlier.notes for earlier in rows if earlier.number < row.number)


def _int8(rows: Sequence[Row]) -> list[str]:
    said = []
    by_number = {row.number: row for row in rows}
    for row in rows:
        before = by_number.get(row.parent)
        if not row.is_int8 or before is None:
            continue
        words = []
        for size, what in ((1, "one example"), (32, "32 examples")):
            mine, other = row.latencies.get(("onnxruntime", size)), before.latencies.get(("onnxruntime", size))
            if mine is not None and other is not None:
                words.append(f"{speed(other.median, mine.median)} with {what}")
        if words:
            said.append(
                f"Row {row.number}: in onnxruntime on this machine, it is {' and '.join(words)} than float (row "
                f"{before.number})."
                if all("as fast" not in word for word in words)
                else f"Row {row.number}: in onnxruntime on this machine, beside float (row {before.number}) it is "
                f"{' and '.join(words)}."
            )
    return said


def _measured(rows: Sequence[Row]) -> list[str]:
    if not any(row.latencies for row in rows):
        return []
    original, best = rows[0], next((row for row in rows if row.is_best), rows[-1])
    said = []
    for size, what in ((1, "one example"), (32, "32 examples")):
        baseline = original.latencies.get(("onnxruntime", size))
        times = {runtime: time for (runtime, batch), time in best.latencies.items() if batch == size}
        if baseline is None or not times:
            continue
        fastest = min(times, key=lambda runtime: times[runtime].median)
        than = speed(baseline.median, times[fastest].median)
        said.append(
            f"Row {best.number} with {what}: fastest in {RUNTIMES[fastest]}, "
            f"{text.latency(times[fastest].median)}; {than} than the original in onnxruntime, "
            f"{text.latency(baseline.median)}."
            if than != "as fast"
            else f"Row {best.number} with {what}: fastest in {RUNTIMES[fastest]}, "
            f"{text.latency(times[fastest].median)}; as fast as the original in onnxruntime."
        )
    return [*said, "Latencies are medians for one batch on this CPU; all rows were timed in turn, in one run."]


def _only_masked(metrics: Mapping[str, float], start: Mapping[str, float]) -> bool:
    zeros = metrics["nonzeros"] < 0.99 * start["nonzeros"]
    return bool(zeros and metrics["size"] >= 0.99 * start["size"] and metrics["macs"] >= start["macs"])
