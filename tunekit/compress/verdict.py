"""What a search within a budget came to, in sentences: the net that keeps it, or what is missing and by how much."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tunekit.compress.limits import CALLED, METRICS, WRITTEN
from tunekit.compress.ratios import factor
from tunekit.core import text

if TYPE_CHECKING:
    from tunekit.compress.budget import Budget
    from tunekit.compress.findings import Findings
    from tunekit.compress.limits import Limits
    from tunekit.core.trial import Trial

# What fewer of a cost is called, and more of it.
_LESS_AND_MORE = {
    "size": ("smaller", "larger"),
    "bundle": ("smaller", "larger"),
    "memory": ("smaller", "larger"),
    "macs": ("fewer", "more"),
    "latency": ("faster", "slower"),
}
# Two timings of one net differ by so much.
_ABOUT = 1.1


def verdict(budget: Budget, findings: Findings, trials: Sequence[Trial]) -> str:
    """Say what a search came to.

    Parameters
    ----------
    budget
        What was asked for.
    findings
        What the search found out.
    trials
        All rows.
    """
    limits = findings.limits
    if limits is None:
        return "It ended before the search began."
    original = trials[0].metrics
    if findings.is_within:
        return f"The original is within {budget!r} already: nothing was done to it."
    best = best_within(limits, trials)
    parts = []
    if findings.was_stopped:
        parts.append("Stopped: what is finished is kept; run it again to go on.")
    elif findings.ran_out:
        parts.append("The time was over before the search was.")
    if best is None:
        parts += _missed(budget, limits, findings, trials)
    else:
        parts.append(f"Row {best.number} keeps {budget!r}: {_against(best.metrics, original, limits)}.")
        if findings.control is not None:
            parts.append(_compared(findings.control, best, limits, trials))
    failed = [trial for trial in trials if trial.number in findings.tried and trial.state == "failed"]
    if failed:
        parts.append(f"{text.plural(len(failed), 'row')} failed, row {failed[-1].number} with {failed[-1].reason}.")
    if any(name == "latency" for name in limits.most):
        parts.append("Latencies are those of this machine.")
    return " ".join(parts)


def best_within(limits: Limits, trials: Sequence[Trial]) -> Trial | None:
    """Return the row that scores best among those that keep the budget, of equal ones the smallest; None without any.

    Examples
    --------
    >>> from tunekit.compress.limits import Limits
    >>> from tunekit.core.trial import Trial
    >>> rows = [Trial(n, {}, state="complete", metrics={"f1": f1, "size": size})
    ...         for n, f1, size in [(0, 0.9, 100), (1, 0.89, 9), (2, 0.895, 10), (3, 0.7, 1)]]
    >>> best_within(Limits("f1", 0.88, {"size": 10.0}), rows).number
    2
    """
    good = [trial for trial in trials if trial.state == "complete" and limits.hold(trial.metrics)]
    metric = limits.metric
    return max(good, key=lambda one: (one.metrics[metric], -one.metrics["size"], -one.number), default=None)


def _missed(budget: Budget, limits: Limits, findings: Findings, trials: Sequence[Trial]) -> list[str]:
    """What cannot be had, how near it came, and what would be met instead."""
    complete = [trial for trial in trials[1:] if trial.state == "complete"]
    small = [trial for trial in complete if limits.costs_hold(trial.metrics)]
    parts = [f"No row keeps {budget!r}."]
    metric = limits.metric
    if small:
        nearest = max(small, key=lambda trial: trial.metrics[metric])
        missing = limits.floor - nearest.metrics[metric]
        parts.append(
            f"The drop is missed: of the rows that are small enough, row {nearest.number} is the best, {metric} "
            f"{text.number(nearest.metrics[metric])}, {text.number(missing)} below the {text.number(limits.floor)} "
            f"that it must have. {_drop_of(nearest, trials[0], metric)} would be met."
        )
    elif findings.others and not findings.fitting:
        sought = findings.sought or limits
        nearest_shape = min(findings.others, key=lambda shape: sought.worst(shape.figures))
        parts.append(
            "No way to cut the net makes it that small: at the nearest, "
            f"{'; '.join(sought.broken(nearest_shape.figures))}."
        )
    elif complete:
        closest = _cheapest(complete, limits)
        parts.append(f"Nearest in cost is row {closest.number}: {'; '.join(limits.broken(closest.metrics))}.")
    sound = [trial for trial in complete if limits.score_holds(trial.metrics)]
    original = trials[0].metrics
    if sound:
        cheapest = _cheapest(sound, limits)
        parts.append(
            f"Within the drop, row {cheapest.number} costs least: {_against(cheapest.metrics, original, limits)}."
        )
    if sound and not small:
        most = _ABOUT * limits.worst(_cheapest(complete, limits).metrics)
        cheaper = [one for one in complete if limits.worst(one.metrics) <= most]
        best = max(cheaper, key=lambda trial: trial.metrics[metric])
        if best not in sound:
            parts.append(
                f"{_drop_of(best, trials[0], metric)} would buy row {best.number}: "
                f"{_against(best.metrics, original, limits)}."
            )
    return parts


def _cheapest(rows: Sequence[Trial], limits: Limits) -> Trial:
    """The row that misses the limits on costs by the least."""
    return min(rows, key=lambda trial: limits.worst(trial.metrics))


def _drop_of(row: Trial, original: Trial, metric: str) -> str:
    """The drop that a row would keep, as it is typed, rounded up."""
    lost = original.metrics[metric] - row.metrics[metric]
    return f"drop={math.ceil(1000 * lost - 1e-6) / 1000:g}"


def _against(mine: Mapping[str, float], its: Mapping[str, float], limits: Limits) -> str:
    """A row's costs and score beside the original's."""
    costs = []
    for name in limits.most:
        if METRICS[name] not in mine:
            continue
        before, after = its[METRICS[name]], mine[METRICS[name]]
        said = factor(before, after, *_LESS_AND_MORE[name])
        what = "" if name == "size" else f"{CALLED[name]} "
        costs.append(f"{what}{WRITTEN[name](before)} → {WRITTEN[name](after)} ({said})")
    change = mine[limits.metric] - its[limits.metric]
    return (
        f"{', '.join(costs)}; {limits.metric} {text.number(its[limits.metric])} → {text.number(mine[limits.metric])} "
        f"({text.signed(change)}) on validation"
    )


def _compared(control: tuple[int, int], best: Trial, limits: Limits, trials: Sequence[Trial]) -> str:
    """The net beside the same shape that was trained from scratch."""
    fresh, kept = (trials[number].metrics[limits.metric] for number in control)
    figures = f"{text.number(fresh)} from scratch (row {control[0]}), {text.number(kept)} from the original's weights"
    said = f"The same shape trained from scratch for at least as long, before quantization: {limits.metric} {figures}"
    if best.number >= control[0]:
        return f"{said}: so the one from scratch is handed over."
    return f"{said}: they are kept." if fresh < kept else f"{said}: they bought nothing here."
