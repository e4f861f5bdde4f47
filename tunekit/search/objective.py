"""The objective: a person's own function, called with settings, that returns or yields its score."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tunekit.core import text
from tunekit.search.context import Context
from tunekit.search.space import Space


@dataclass(frozen=True, slots=True)
class Step:
    """What an objective gave.

    Parameters
    ----------
    metrics
        The figures by name.
    kind
        ``"reported"`` after a step; ``"replayed"``: a step that an earlier run of this trial, or its parent, made
        before the checkpoint from which this one goes on; ``"final"``: what the function came to.
    """

    metrics: dict[str, float]
    kind: Literal["reported", "replayed", "final"]


class NonFiniteScore(ValueError):
    """A score that is NaN or infinite: the trial has failed."""


class Objective:
    """A function of settings, seen as a stream of metrics.

    Parameters
    ----------
    function
        Called with the settings as keywords, and with the `Context` where it has a parameter named ``trial``. It
        returns a number or a dict of numbers, or is a generator that yields one after each step; the last one counts.
    space
        The space that the settings come from.
    metrics
        The names that a dict must have in the end; one name alone is what a plain number gets. After a step a dict
        needs the first of them only: what is dear to measure may come with the last.

    Raises
    ------
    TypeError
        If the function cannot be called with the settings of this space.
    """

    def __init__(self, function: Callable[..., Any], space: Space, metrics: Sequence[str]) -> None:
        if not callable(function):
            raise TypeError(f"the objective is a function of the settings: got {text.value(function)}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                "the objective is a plain function or a plain generator: got an async one; leave out 'async'"
            )
        self.function = function
        self.metrics = tuple(metrics)
        self.name = getattr(function, "__name__", type(function).__name__)
        self._takes_trial = _check_signature(function, space, self.name)

    def steps(self, params: Mapping[str, Any], context: Context) -> Generator[Step, None, None]:
        """Run it once.

        Yields
        ------
        Step
            The metrics after each step, and in the end what the function came to.

        Raises
        ------
        NonFiniteScore
            If a number is NaN or infinite.
        TypeError
            If something else than numbers is given, or the wanted metric is missing.
        Exception
            Whatever the function raises.
        """
        outcome = self.function(**params, **({"trial": context} if self._takes_trial else {}))
        if not isinstance(outcome, Generator):
            yield Step(read_metrics(outcome, self.metrics, self.name), "final")
            return
        last: dict[str, float] | None = None
        step, is_over = 0, False
        try:
            while True:
                try:
                    given = next(outcome)
                except StopIteration as end:
                    given, is_over = end.value, True
                for replayed in context.take_replayed():
                    step += 1
                    last = dict(replayed)
                    yield Step(last, "replayed")
                if is_over:
                    if given is not None:
                        last = read_metrics(given, self.metrics, self.name)
                    break
                step += 1
                last = read_metrics(given, self.metrics, self.name, step)
                context.note(last)
                yield Step(last, "reported")
        finally:
            outcome.close()
        if last is None:
            raise TypeError(f"{self.name} yields its score after each step: it yielded nothing")
        _check_complete(last, self.metrics, self.name)
        yield Step(last, "final")


def read_metrics(given: Any, wanted: Sequence[str], name: str, step: int | None = None) -> dict[str, float]:
    """What was measured, as numbers by name.

    Parameters
    ----------
    given
        A dict of numbers; or a number, where one metric is wanted.
    wanted
        The metrics that it must have; after a step the first of them only.
    name
        Who gives it, for the errors.
    step
        The step after which it was given, from 1; None at the end.

    Raises
    ------
    NonFiniteScore
        If a number is NaN or infinite.
    TypeError
        If it is something else than numbers, or a wanted metric is missing.

    Examples
    --------
    >>> read_metrics(0.5, ["score"], "train")
    {'score': 0.5}
    """
    where = "" if step is None else f" at step {step}"
    if not isinstance(given, Mapping) and len(wanted) > 1:
        raise TypeError(
            f"{name} must give a dict with {text.listed(wanted)}{where}: a single number is enough where the study has "
            f"one metric; got {text.value(given)}"
        )
    named = given if isinstance(given, Mapping) else {wanted[0]: given}
    metrics: dict[str, float] = {}
    for metric, value in named.items():
        metrics[str(metric)] = number = _as_number(value, f"{name}: {metric}{where}")
        if not math.isfinite(number):
            raise NonFiniteScore(f"a score is a finite number: {metric} is {number}{where}")
    _check_complete(metrics, wanted if step is None else wanted[:1], name, where)
    return metrics


def _check_complete(metrics: Mapping[str, float], wanted: Sequence[str], name: str, where: str = "") -> None:
    missing = [metric for metric in wanted if metric not in metrics]
    if missing:
        noun = "metric" if len(missing) == 1 else "metrics"
        raise TypeError(
            f"{name} must give the {noun} {text.listed(missing)} that the study goes for or limits{where}: "
            f"it gave {text.listed(metrics)}; maximize=, minimize= and constraints= name what it must give"
        )


def _as_number(value: Any, what: str) -> float:
    if value is None or isinstance(value, (str, bytes)):
        raise TypeError(f"{what} must be a number: got {value!r}; does the function return its score?")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be a number: got {type(value).__name__}") from error


def _check_signature(function: Callable[..., Any], space: Space, name: str) -> bool:
    """Return whether the function takes the context; raise if the settings do not fit it."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none: then the first trial tells
        return False
    parameters = signature.parameters.values()
    if "trial" in space.names:
        raise ValueError("'trial' is the name under which an objective gets its context: call the parameter otherwise")
    open_ended = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
    by_name = {
        parameter.name: parameter
        for parameter in parameters
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    positional = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY and p.default is p.empty]
    unknown = [] if open_ended else [wanted for wanted in space.names if wanted not in by_name]
    always = [wanted for wanted in space.names if space[wanted].when is None]
    unfed = positional + [
        parameter.name
        for parameter in by_name.values()
        if parameter.default is parameter.empty and parameter.name not in always and parameter.name != "trial"
    ]
    if unknown or unfed:
        problems = []
        if unknown:
            problems.append(f"it takes no {text.listed(unknown)}")
        if unfed:
            problems.append(f"nothing gives it {text.listed(unfed)} (put it into the space, or give it a default)")
        raise TypeError(
            f"the objective is called with the settings as keywords, and {name}{signature} does not fit "
            f"the space ({', '.join(space.names)}): {'; '.join(problems)}"
        )
    return "trial" in by_name
