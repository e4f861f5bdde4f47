"""Early stopping: who says, after each step of a trial, whether it is worth going on.

Like a sampler, it is a pure function of the history: what it remembers, it may lose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, runtime_checkable

from tunekit.core import text
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.core.registry import Registry
from tunekit.core.trial import Trial
from tunekit.search.early_stopping.curves import OnMetric

Verdict = Literal["go", "halt", "finish"]


@runtime_checkable
class EarlyStopping(Protocol):
    """What the study asks of early stopping."""

    def decide(self, history: History, trial: Trial) -> Verdict:
        """What becomes of a running trial after its newest report.

        ``"go"``: on; ``"halt"``: it is not promising enough, its score does not count; ``"finish"``: it has learned
        what it will, its last report counts as its score.
        """


early_stopping: Registry[Callable[[], EarlyStopping]] = Registry("early stopping")


def resolve(given: Any, goal: Goal) -> EarlyStopping | None:
    """The early stopping of that name, or the object itself; None stays None.

    Parameters
    ----------
    given
        A name, or an object with ``decide``.
    goal
        What the study goes for.

    Raises
    ------
    ValueError
        If nothing has that name, or it looks at a metric of which nobody says which way is better.
    TypeError
        If it is an object that cannot decide.
    """
    # the modules register themselves; they are read when the first of them is asked for
    from tunekit.search.early_stopping import asha, hyperband, median, patience  # noqa: F401

    if given is None:
        return None
    found = early_stopping[given]() if isinstance(given, str) else given
    if not isinstance(found, EarlyStopping) or isinstance(found, type):
        raise TypeError(
            f"early stopping is a name ({text.listed(early_stopping)}) or an object with decide(history, trial): "
            f"got {text.value(given)}"
        )
    if isinstance(found, OnMetric):
        found.aim(goal)
    return found
