"""The objective: a person's own function, called with settings, that returns or yields its score."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tunekit.core import text
from tunekit.search.space import Space


@dataclass(frozen=True, slots=True)
class Context:
    """What an objective gets when it has a parameter named ``trial``.

    Parameters
    ----------
    number
        The number of the trial, from 0.
    seed
        The seed of its randomness, or None in a study without a seed.
    """

    number: int
    seed: int | None


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
    metric
        The name that a plain number gets, and that a dict must have.

    Raises
    ------
    TypeError
        If the function cannot be called with the settings of this space.
    """

    def __init__(self, function: Callable[..., Any], space: Space, metric: str) -> None:
        if not callable(function):
            raise TypeError(f"the objective is a function of the settings: got {text.value(function)}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                "the objective is a plain function or a plain generator: got an async one; leave out 'async'"
            )
        self.function = function
        self.metric = metric
        self.name = getattr(function, "__name__", type(function).__name__)
        self._takes_trial = _check_signature(function, space, self.name)

    def steps(self, params: Mapping[str, Any], context: Context) -> Iterator[tuple[dict[str, float], bool]]:
        """Run it once.

        Yields
        ------
        (metrics, final)
            The metrics after each step, and whether they are what the function came to rather than one point of its
            curve.

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
            yield self._read(outcome), True
            return
        last: dict[str, float] | None = None
        step = 0
        try:
            while True:
                try:
                    given = next(outcome)
                except StopIteration as end:
                    if end.value is not None:
                        last = self._read(end.value)
                    break
                step += 1
                last = self._read(given, step)
                yield last, False
        finally:
            outcome.close()
        if last is None:
            raise TypeError(f"{self.name} yields its score after each step: it yielded nothing")
        yield last, True

    def _read(self, given: Any, step: int | None = None) -> dict[str, float]:
        where = "" if step is None else f" at step {step}"
        named = given if isinstance(given, Mapping) else {self.metric: given}
        metrics: dict[str, float] = {}
        for name, value in named.items():
            metrics[str(name)] = number = _as_number(value, f"{self.name}: {name}{where}")
            if not math.isfinite(number):
                raise NonFiniteScore(f"a score is a finite number: {name} is {number}{where}")
        if self.metric not in metrics:
            raise TypeError(
                f"{self.name} must give the metric {self.metric!r} that the study goes for{where}: "
                f"it gave {text.listed(metrics)}; name one of these in maximize= or minimize="
            )
        return metrics


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
