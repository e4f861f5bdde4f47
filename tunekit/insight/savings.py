"""What early stopping has saved."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from tunekit.core import text
from tunekit.core.history import History


@dataclass(frozen=True, slots=True)
class Savings:
    """What halted trials would have taken if they had run to the end.

    Parameters
    ----------
    halted
        How many were halted.
    steps
        How many steps they did not run.
    share
        That as a share of all steps without early stopping, 0 to 1.
    seconds
        How long these steps would have taken, at each trial's own pace.
    """

    halted: int
    steps: int
    share: float
    seconds: float

    @property
    def words(self) -> str:
        """The same in a sentence, without the time, which is another at each run."""
        return (
            f"Early stopping ended {text.plural(self.halted, 'trial')} early and saved "
            f"{text.plural(self.steps, 'step')}, {round(100 * self.share)} % of all."
        )


def savings(history: History) -> Savings | None:
    """What early stopping has saved; None where it ended no trial, or nobody knows how long a whole one is.

    A whole trial is as long as the median complete one.
    """
    halted = [trial for trial in history if trial.state == "halted"]
    lengths = [len(trial.reports) for trial in history.complete if trial.reports]
    if not halted or not lengths:
        return None
    whole = statistics.median(lengths)
    spared = [max(0.0, whole - len(trial.reports)) for trial in halted]
    seconds = sum(
        left * trial.seconds / len(trial.reports)
        for left, trial in zip(spared, halted, strict=True)
        if trial.seconds is not None and trial.reports
    )
    ran = sum(len(trial.reports) for trial in history if trial.state != "running")
    steps = round(sum(spared))
    return Savings(len(halted), steps, steps / max(1, steps + ran), seconds)
