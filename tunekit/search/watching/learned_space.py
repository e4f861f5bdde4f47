"""A space that is read off trials: what was searched, where nobody wrote it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tunekit.core import text
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space

Drawn = tuple[Mapping[str, Any], Mapping[str, Parameter]]

# A whole number with more values than this is no switch that decides which other parameters count.
_SWITCH = 16


class LearnedSpace(Space):
    """A space whose parameters were found in trials; there may be none yet.

    Parameters
    ----------
    parameters
        By name.
    optional
        Those that some trials have and others have not, for no reason that could be found.

    Examples
    --------
    >>> lr, momentum = Float(0.0, 1.0), Float(0.0, 0.9)
    >>> kind = Choice("sgd", "adam")
    >>> LearnedSpace.of([
    ...     ({"kind": "sgd", "lr": 0.1, "momentum": 0.5}, {"kind": kind, "lr": lr, "momentum": momentum}),
    ...     ({"kind": "adam", "lr": 0.2}, {"kind": kind, "lr": lr}),
    ... ])
    Space(kind: Choice('sgd', 'adam'), lr: Float(0, 1), momentum: Float(0, 0.9, when={'kind': ['sgd']}))
    """

    def __init__(self, parameters: Mapping[str, Parameter], optional: Iterable[str] = ()) -> None:
        if parameters:
            super().__init__(parameters)
        else:
            self._parameters = {}
        self._optional = frozenset(optional)

    @classmethod
    def of(cls, trials: Sequence[Drawn]) -> LearnedSpace:
        """The space of complete trials.

        Parameters
        ----------
        trials
            Each trial's settings, and the parameters that they were drawn from.
        """
        parameters: dict[str, Parameter] = {}
        for _, drawn in trials:
            for name, parameter in drawn.items():
                known = parameters.get(name)
                parameters[name] = parameter if known is None else _union(known, parameter)
        optional = []
        everything = [params for params, _ in trials]
        learned: dict[str, Parameter] = {}
        # what decides stands before what depends on it, and is there at least as often
        often = sorted(parameters, key=lambda name: -sum(name in params for params in everything))
        for name in often:
            parameter = parameters[name]
            learned[name] = parameter
            if any(name not in params for params in everything):
                when = _condition(name, everything, learned)
                if when is None:
                    optional.append(name)
                else:
                    learned[name] = _conditional(parameter, when)
        return cls(learned, optional)

    def explains(self, params: Mapping[str, Any], drawn: Mapping[str, Parameter]) -> bool:
        """Whether this trial is nothing new: the same parameters count, with the same ranges."""
        active = {name for name in self if name not in self._optional and self.is_active(name, params)}
        return active <= set(params) <= active | self._optional and all(
            _union(self[name], parameter) == self[name] for name, parameter in drawn.items()
        )

    def is_active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter counts; one without a known reason where it is there."""
        return name in params if name in self._optional else super().is_active(name, params)

    def check(self, params: Mapping[str, Any]) -> None:
        """Raise if a name is unknown or a value outside its parameter; others may be missing, as in a failed trial.

        Raises
        ------
        ValueError
            With the name and the rule.
        """
        for name, value in params.items():
            complaint = self[name].complaint(value)
            if complaint:
                raise ValueError(f"{name} must be {complaint}: got {text.value(value)}")


def _union(one: Parameter, other: Parameter) -> Parameter:
    """The parameter that has the values of both; single numbers make a range."""
    if one == other:
        return one
    if _is_number(one) and _is_number(other):
        (low, high, log), (other_low, other_high, other_log) = _range(one), _range(other)
        low, high = min(low, other_low), max(high, other_high)
        kind = Int if isinstance(low, int) and isinstance(high, int) else Float
        # a single number lies on any scale
        return kind(low, high, log=low > 0 and log is not False and other_log is not False and bool(log or other_log))
    both = [*_values(one), *_values(other)]
    return Choice(*(value for place, value in enumerate(both) if not _is_among(value, both[:place])))


def _is_number(parameter: Parameter) -> bool:
    """Whether it is a range of numbers, or a single one."""
    return not isinstance(parameter, Choice) or (parameter.count == 1 and type(parameter.values[0]) in (int, float))


def _range(parameter: Parameter) -> tuple[Any, Any, bool | None]:
    """The least value, the greatest, and whether the scale is logarithmic: None where there is no scale."""
    if isinstance(parameter, Choice):
        return parameter.values[0], parameter.values[0], None
    assert isinstance(parameter, (Float, Int))
    return parameter.low, parameter.high, parameter.log


def _values(parameter: Parameter) -> list[Any]:
    return list(parameter.values) if isinstance(parameter, Choice) else list(_range(parameter)[:2])


def _is_among(value: Any, others: Iterable[Any]) -> bool:
    return any(type(other) is type(value) and other == value for other in others)


def _condition(
    name: str, trials: Sequence[Mapping[str, Any]], before: Mapping[str, Parameter]
) -> Mapping[str, Any] | None:
    """The values of one other parameter under which this one is there, and otherwise not; None if none explains it."""
    present = [params for params in trials if name in params]
    absent = [params for params in trials if name not in params]
    for other, parameter in before.items():
        if other == name or parameter.count is None or parameter.count > _SWITCH:
            continue
        if all(other in params for params in present):
            values = [params[other] for params in present]
            if not any(_is_among(params[other], values) for params in absent if other in params):
                found = [value for place, value in enumerate(values) if not _is_among(value, values[:place])]
                return {other: found}
    return None


def _conditional(parameter: Parameter, when: Mapping[str, Any]) -> Parameter:
    if isinstance(parameter, Choice):
        return Choice(*parameter.values, when=when)
    assert isinstance(parameter, (Float, Int))
    return replace(parameter, when=when)
