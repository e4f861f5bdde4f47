"""Which row is the best: the rule, as a function and in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunekit.core.trial import Trial

RULE = (
    "Best: the smallest ONNX file, of equal ones the smallest bundle, of about equal ones that which scores best, "
    "among those whose score is not below the original's 95 % interval."
)

# Bundles that are larger than the smallest one by less than this share are about equal: training alone makes that much.
_ABOUT = 0.05


def best_of(trials: Iterable[Trial], metric: str) -> Trial | None:
    """Return the smallest model that is no worse than the original as far as the split can tell.

    Parameters
    ----------
    trials
        Trial 0 is the original; each complete one has ``"size"`` in bytes, and the metric.
    metric
        The metric's name; trial 0 has ``metric_low`` too, the lower end of its 95 % interval.

    Returns
    -------
    Trial | None
        Of files of equal size the one with the smallest bundle; of bundles that are at most 5 % larger than that one,
        the best score, and of equal ones the first; None while there is no original.

    Examples
    --------
    >>> from tunekit.core.trial import Trial
    >>> def row(number, size, accuracy):
    ...     metrics = {"size": size, "accuracy": accuracy, "accuracy_low": accuracy - 0.02}
    ...     return Trial(number, {}, state="complete", metrics=metrics)
    >>> best_of([row(0, 900, 0.95), row(1, 300, 0.94), row(2, 100, 0.70)], "accuracy").number
    1
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete or complete[0].number != 0:
        return None
    floor = complete[0].metrics[f"{metric}_low"]
    good = [trial for trial in complete if trial.metrics[metric] >= floor]
    size = min(trial.metrics["size"] for trial in good)
    small = [trial for trial in good if trial.metrics["size"] == size]
    bundle = min(trial.metrics.get("bundle", 0.0) for trial in small)
    near = [trial for trial in small if trial.metrics.get("bundle", 0.0) <= (1 + _ABOUT) * bundle]
    return max(near, key=lambda trial: (trial.metrics[metric], -trial.number))
