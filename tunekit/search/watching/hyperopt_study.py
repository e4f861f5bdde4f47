"""hyperopt's Trials as a study of tunekit: to look at, while they come in and afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC
from typing import Any

from tunekit.core.extras import needed
from tunekit.core.job import Status
from tunekit.search.parameters import Choice
from tunekit.search.watching.hyperopt_options import options
from tunekit.search.watching.watched_study import Seen, WatchedStudy


class HyperoptStudy(WatchedStudy):
    """hyperopt's Trials, watched: the loss is to be minimized.

    The trials do not hold the space that they were drawn from. Its parameters are read off the values: their ranges are
    those of the values so far, and of ``hp.choice`` they have the place of the option alone, unless the space is given.

    Parameters
    ----------
    theirs
        A ``hyperopt.Trials``.
    drawn_from
        The space that ``fmin`` draws them from: what the options of its choices are; None where it is not at hand.

    Examples
    --------
    >>> import numpy as np
    >>> from hyperopt import Trials, fmin, hp, rand
    >>> trials = Trials()
    >>> study = HyperoptStudy(trials)
    >>> _ = fmin(lambda x: x**2, hp.uniform("x", -1, 1), rand.suggest, 3, trials=trials, show_progressbar=False,
    ...          rstate=np.random.default_rng(0))
    >>> len(study.trials), study.best.metrics["loss"] == trials.best_trial["result"]["loss"]
    (3, True)
    """

    def __init__(self, theirs: Any, drawn_from: Any = None) -> None:
        self.theirs = theirs
        self._options = {} if drawn_from is None else options(drawn_from)
        self._states: dict[int, tuple[int, Any]] = {}
        super().__init__("hyperopt", minimize="loss")
        self._looking = False

    def status(self) -> Status:
        """What is going on, in words."""
        self.refresh()
        return super().status()

    def _why_not(self) -> str:
        return (
            "hyperopt's Trials hold results, and neither the function nor the space: they cannot be run from here; go "
            "on with fmin(function, space, trials=trials, ...), which is seen here"
        )

    def _look(self) -> Iterable[Seen]:
        hyperopt = needed("hyperopt")
        self.theirs.refresh()
        # trials that ended by an error are left out of `trials.trials`
        documents = getattr(self.theirs, "_dynamic_trials", None) or self.theirs.trials
        for document in sorted(documents, key=lambda document: document["tid"]):
            tid, state = document["tid"], document["state"]
            ended = state in (hyperopt.JOB_STATE_DONE, hyperopt.JOB_STATE_ERROR)
            if not ended or self._states.get(tid) != (state, document["refresh_time"]):
                self._states[tid] = (state, document["refresh_time"])
                yield _seen_of(document, self._options, ended, failed=state == hyperopt.JOB_STATE_ERROR)


def _seen_of(document: Mapping[str, Any], options: Mapping[str, Choice], ended: bool, failed: bool) -> Seen:
    misc, result = document["misc"], document["result"]
    held = {name: _plain(values[0]) for name, values in misc["vals"].items() if len(values)}
    params = {name: options[name].values[value] if name in options else value for name, value in held.items()}
    metrics = {name: float(value) for name, value in result.items() if _is_finite(value)}
    error = None
    if failed:
        error = ": ".join(str(part) for part in misc.get("error", ("failed in hyperopt",)))
    elif ended and result.get("status") != "ok":
        error = f"the function gave the status {result.get('status')!r}"
    elif ended and "loss" not in metrics:
        error = f"a loss is a finite number: got {result.get('loss')!r}"
    began, last = document["book_time"], document["refresh_time"]
    return Seen(
        key=document["tid"],
        params=params,
        # single values: those of all trials together make a range
        parameters={name: options.get(name) or Choice(value) for name, value in params.items()},
        state="running" if not ended else "complete" if error is None else "failed",
        metrics=metrics if ended and error is None else {},
        error=error,
        seconds=(last - began).total_seconds() if ended and began is not None and last is not None else 0.0,
        began=None if began is None else began.replace(tzinfo=began.tzinfo or UTC).timestamp(),
    )


def _plain(value: Any) -> Any:
    """A number of numpy as one of Python."""
    return value.item() if hasattr(value, "item") else value


def _is_finite(value: Any) -> bool:
    value = _plain(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
