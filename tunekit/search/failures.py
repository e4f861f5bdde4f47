"""Trials that fail: the traceback that is worth reading, and when it is no use to go on."""

from __future__ import annotations

import traceback

from tunekit.core.history import History

# When the first trials all fail the mistake is in the code, not in the settings.
_HOPELESS = 5


def traceback_of(error: BaseException) -> str:
    """The traceback from a person's own code on, without the frames of this package that led there."""
    frames = error.__traceback__
    package = __name__.partition(".")[0]
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))


def check_hope(history: History) -> None:
    """Raise when the first trials, a handful, have all failed.

    Raises
    ------
    RuntimeError
        With the reason of the last one.
    """
    if history.has_complete:
        return
    failed = [trial for trial in history if trial.state == "failed"]
    if len(failed) != _HOPELESS:
        return
    last = failed[-1]
    raise RuntimeError(
        f"the first {_HOPELESS} trials all failed, so the study stopped: the mistake is likely in the objective. "
        f"The last one said: {last.reason}. Look at study.trials[{last.number}].error, "
        "or call run(..., on_error='raise') to land in a debugger"
    )
