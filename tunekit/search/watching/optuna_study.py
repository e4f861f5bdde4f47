"""An optuna study as a study of tunekit: its trials at any moment, and its own loop with the panel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tunekit.core import text
from tunekit.core.job import Status, StopRequested
from tunekit.search.ending import Until, read_until
from tunekit.search.engines.quiet import quiet
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.run import OnError
from tunekit.search.watching.optuna_run import OptunaRun
from tunekit.search.watching.watched_study import Seen, WatchedStudy


class OptunaStudy(WatchedStudy):
    """An optuna study, watched; with an objective it runs as well.

    Parameters
    ----------
    theirs
        An ``optuna.Study``. Its metric is called ``"value"``, or ``"value_0"``, ``"value_1"``, ... where there are
        several, unless it has names for them; the constraints that its trials have are limits, at most 0.
    objective
        A function of an optuna trial, or None.

    Raises
    ------
    TypeError
        If the objective cannot be called.

    Examples
    --------
    >>> import optuna
    >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
    >>> theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    >>> study = OptunaStudy(theirs, lambda trial: trial.suggest_float("x", -1, 1) ** 2)
    >>> study.run(3)
    3 trials, all complete. Best value 0.00953 at trial 0: x=0.0976.
    """

    def __init__(self, theirs: Any, objective: Callable[..., Any] | None = None) -> None:
        if objective is not None and not callable(objective):
            raise TypeError(f"the objective is a function of an optuna trial: got {text.value(objective)}")
        self.theirs = theirs
        self.function = objective
        self._frozen: dict[int, Any] = {}
        self._errors: dict[int, str] = {}
        self._metrics = _metric_names(theirs)
        upwards = [direction.name == "MAXIMIZE" for direction in theirs.directions]
        named = list(zip(self._metrics, upwards, strict=True))
        constrained = {name for trial in theirs.get_trials(deepcopy=False) for name in _constraints(trial)}
        super().__init__(
            f"optuna, {type(theirs.sampler).__name__}",
            maximize=[name for name, up in named if up],
            minimize=[name for name, up in named if not up],
            constraints=dict.fromkeys(sorted(constrained), (None, 0.0)),
        )
        self._looking = False

    # To run it

    def start(
        self,
        trials: int,
        *,
        until: Until = None,
        timeout: float | None = None,
        on_error: OnError = "record",
        **elsewhere: Any,
    ) -> OptunaStudy:
        """Begin to try that many more settings, as its own ``optimize`` does, and return at once.

        The arguments are those of `Study.run`. Pause and stop act where the objective reports a value to its trial, and
        between trials; ``timeout`` acts between trials. The settings of a trial that was cut off are tried again first.

        Raises
        ------
        TypeError
            If it was watched without an objective, or is to be run by several workers.
        """
        asked = [name for name, value in elsewhere.items() if value]
        if asked:
            raise TypeError(
                f"an optuna study is run here one trial at a time, without {text.listed(asked)}: several processes may "
                "run it together in optuna's own way, with a storage that they share"
            )
        if self.function is None:
            raise TypeError(self._why_not())
        if isinstance(trials, bool) or not isinstance(trials, (int, np.integer)) or trials < 1:
            raise ValueError(f"the number of trials is a whole number from 1: got {trials!r}")
        if on_error not in ("record", "raise"):
            raise ValueError(f"on_error is 'record' or 'raise': got {on_error!r}")
        ending = read_until(until, self.history.goal, self.sampler)
        self._check_over()
        self._run = run = OptunaRun(int(trials), on_error, ending, is_seeded=False)
        self._launch(
            run.drive(self.theirs, self.function, lambda: self.history, self._clock, self._between_steps, self._errors),
            timeout,
        )
        return self

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """Have optuna try these settings next: its own ``enqueue_trial``."""
        with quiet("optuna"):
            self.theirs.enqueue_trial(dict(params))
        self._notify()

    def __call__(self, theirs: Any, frozen: Any) -> None:
        """Take in what is new: ``theirs.optimize(objective, callbacks=[study])``."""
        self.refresh()
        self._notify()

    def status(self) -> Status:
        """What is going on, in words."""
        self.refresh()
        return super().status()

    @property
    def heading(self) -> str:
        """What is searched, and how: the same before, while and after it runs."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        what = "watching " if self.function is None else f"{name}; "
        return f"Study({what}{self._origin})"

    def _why_not(self) -> str:
        return (
            "an optuna study is run with its objective: this one was watched without; use watch(study, objective), "
            "or study.optimize(objective), which is seen here"
        )

    def _between_steps(self) -> None:
        """Called at each report of the running trial: where a pause or a stop acts."""
        self._notify()
        self._rest()
        if self._stop.is_set():
            raise StopRequested

    # What is there

    def _look(self) -> Iterable[Seen]:
        for frozen in self.theirs.get_trials(deepcopy=False):
            known = frozen is self._frozen.get(frozen.number)
            if frozen.state.name == "WAITING" or (known and frozen.state.is_finished()):
                continue
            self._frozen[frozen.number] = frozen
            yield self._seen_of(frozen)

    def _seen_of(self, frozen: Any) -> Seen:
        state = frozen.state.name
        metrics = dict(zip(self._metrics, frozen.values or (), strict=False))
        error = self._errors.get(frozen.number, _ERRORS.get(state))
        if state == "PRUNED" and frozen.last_step is not None:
            error = f"{error} at step {frozen.last_step}"
        if state == "COMPLETE" and not all(math.isfinite(value) for value in metrics.values()):
            state, error = "FAIL", f"a score is a finite number: got {metrics}"
        if state == "COMPLETE":
            metrics |= _constraints(frozen)
        return Seen(
            key=frozen.number,
            params=dict(frozen.params),
            parameters={name: _parameter(distribution) for name, distribution in frozen.distributions.items()},
            state="complete" if state == "COMPLETE" else "running" if state == "RUNNING" else "failed",
            reports=tuple(
                {self._metrics[0]: float(value)}
                for _, value in sorted(frozen.intermediate_values.items())
                if math.isfinite(value)
            ),
            metrics=metrics if state == "COMPLETE" else {},
            error=error,
            seconds=0.0 if frozen.duration is None else frozen.duration.total_seconds(),
            began=None if frozen.datetime_start is None else frozen.datetime_start.timestamp(),
        )


# What is said of trials that have no value of their own.
_ERRORS = {
    "FAIL": "failed in optuna, which does not record why",
    "PRUNED": "pruned: optuna ended it early",
}


def _metric_names(theirs: Any) -> list[str]:
    if theirs.metric_names:
        return list(theirs.metric_names)
    count = len(theirs.directions)
    return ["value"] if count == 1 else [f"value_{place}" for place in range(count)]


def _constraints(frozen: Any) -> dict[str, float]:
    """The values of a trial's constraints, by name: at most 0 is kept."""
    # written by a sampler's constraints_func as one list, or one by one under names
    found = {str(place): value for place, value in enumerate(frozen.system_attrs.get("constraints") or ())}
    for key, value in frozen.system_attrs.items():
        if key.startswith("constraints:"):
            found[key.partition(":")[2]] = value
    return {f"constraint_{name}": float(value) for name, value in found.items()}


def _parameter(distribution: Any) -> Parameter:
    """An optuna distribution as a parameter; a range of one value is a choice of one."""
    choices = getattr(distribution, "choices", None)
    if choices is not None:
        return Choice(*choices)
    low, high, step = distribution.low, distribution.high, distribution.step
    if low == high:
        return Choice(low)
    if isinstance(low, int):
        return Int(low, high, log=distribution.log, step=None if step == 1 else step)
    return Float(low, high, log=distribution.log, step=step)
