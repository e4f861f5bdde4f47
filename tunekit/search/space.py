"""The search space: parameters by name, and the unit cube that every sampler works in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.trial import Trial
from tunekit.search.narrowing import narrowed
from tunekit.search.parameters import Choice, Float, Int, Parameter

# Where a parameter that does not count (its `when` does not hold) lies in the unit cube: always the same place.
_ABSENT = 0.5


class Space:
    """What is searched: parameters by name.

    Parameters
    ----------
    parameters
        A mapping of names to parameters, for names that are no Python words; otherwise write them as keywords.
    **named
        `Float`, `Int` or `Choice`, or their shorthand: ``(16, 256)`` of whole numbers is an `Int`, of others a `Float`;
        ``(1e-4, 1e-1, "log")`` the same on a log scale; ``["relu", "gelu"]`` a `Choice`.

    Raises
    ------
    ValueError
        If there is no parameter, a shorthand cannot be read, or a ``when`` names something unknown.

    Examples
    --------
    >>> space = Space(lr=(1e-4, 1e-1, "log"), width=(16, 128), act=["relu", "gelu"])
    >>> space
    Space(lr: Float(0.0001, 0.1, log=True), width: Int(16, 128), act: Choice('relu', 'gelu'))
    >>> space.from_unit([0.5, 0.25, 0.9])
    {'lr': 0.00316227766017, 'width': 44, 'act': 'gelu'}
    """

    def __init__(self, parameters: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        self._parameters: dict[str, Parameter] = {}
        for name, given in {**(parameters or {}), **named}.items():
            if not isinstance(name, str) or not name:
                raise ValueError(f"the name of a parameter is a word: got {name!r}")
            parameter = _read(name, given)
            self._check_condition(name, parameter)
            self._parameters[name] = parameter
        self._kept: tuple[str, ...] = ()
        self._share = 1.0
        if not self._parameters:
            raise ValueError("a space has at least one parameter: got none; write Space(lr=(1e-4, 1e-1, 'log'))")

    def _check_condition(self, name: str, parameter: Parameter) -> None:
        for other, wanted in (parameter.when or {}).items():
            if other not in self._parameters:
                raise ValueError(
                    f"'when' of {name!r} names a parameter that stands before it: got {other!r}, "
                    f"before it stand {text.listed(self._parameters)}"
                )
            for value in _alternatives(wanted):
                complaint = self._parameters[other].complaint(value)
                if complaint:
                    raise ValueError(f"'when' of {name!r}: {other!r} must be {complaint}: got {text.value(value)}")

    # What is in it

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(self._parameters)

    def __len__(self) -> int:
        """The number of parameters: the d of the unit cube."""
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        """The names of the parameters, in order."""
        return iter(self._parameters)

    def __getitem__(self, name: str) -> Parameter:
        """The parameter of that name; an unknown name lists the known ones."""
        if name not in self._parameters:
            raise ValueError(f"unknown parameter {name!r}: the known ones are {text.listed(self._parameters)}")
        return self._parameters[name]

    @property
    def count(self) -> int | None:
        """How many different settings there are at most; None where there is no end of them."""
        counts = [parameter.count for parameter in self._parameters.values()]
        finite = [count for count in counts if count is not None]
        return math.prod(finite) if len(finite) == len(counts) else None

    @property
    def is_endless(self) -> bool:
        """Whether two draws never agree: there is a parameter without steps that always counts."""
        return any(parameter.count is None and not parameter.when for parameter in self._parameters.values())

    def __repr__(self) -> str:
        """The space as it could be read again."""
        return f"Space({', '.join(f'{name}: {_shown(p)}' for name, p in self._parameters.items())})"

    # What is kept between trials

    @property
    def kept(self) -> tuple[str, ...]:
        """The parameters of what a trial keeps for later ones: see `keeping`."""
        return self._kept

    @property
    def share(self) -> float:
        """What a trial costs that finds it made, above 0 to 1: a share of what it costs otherwise."""
        return self._share

    def keeping(self, *names: str, share: float) -> Space:
        """The same space, where a trial makes something that later ones can use again, such as a trained net.

        A sampler may then prefer settings that cost little. `Bayes` does.

        Parameters
        ----------
        *names
            The parameters of what is made: trials that agree in all of these use it again.
        share
            What such a trial costs, as a share of one that makes it anew: above 0 to 1.

        Raises
        ------
        ValueError
            If a name is unknown, or the share is out of its range.

        Examples
        --------
        >>> Space(width=(16, 128), amount=(0.0, 0.9)).keeping("width", share=0.2).kept
        ('width',)
        """
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 < share <= 1:
            raise ValueError(f"a share of the cost is a number above 0 to 1: got share={share!r}")
        for name in names:
            self[name]
        found = Space(self._parameters)
        found._kept, found._share = tuple(names), float(share)
        return found

    # Settings

    def is_active(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a parameter counts, given the settings of those before it."""
        conditions = self._parameters[name].when
        if not conditions:
            return True
        return all(
            other in params and any(_same(params[other], value) for value in _alternatives(wanted))
            for other, wanted in conditions.items()
        )

    def check(self, params: Mapping[str, Any]) -> None:
        """Raise if these are not settings of this space.

        Raises
        ------
        ValueError
            If a name is unknown, a needed one is missing, or a value is outside its parameter.
        """
        for name in params:
            parameter = self[name]
            complaint = parameter.complaint(params[name])
            if complaint:
                raise ValueError(f"{name} must be {complaint}: got {text.value(params[name])}")
            if not self.is_active(name, params):
                raise ValueError(f"{name} counts only where {parameter.when}: leave it out of {dict(params)}")
        missing = [name for name in self if name not in params and self.is_active(name, params)]
        if missing:
            raise ValueError(f"settings have a value for each parameter: {text.listed(missing)} are missing")

    def to_unit(self, params: Mapping[str, Any]) -> NDArray[np.float64]:
        """The place of settings in the unit cube.

        Parameters
        ----------
        params
            Settings by name.

        Returns
        -------
        array of shape (d,)
            One number in 0..1 for each parameter, 0.5 where it does not count.
        """
        self.check(params)
        places = (
            parameter.to_unit(params[name]) if name in params else _ABSENT
            for name, parameter in self._parameters.items()
        )
        return np.clip(np.fromiter(places, dtype=np.float64, count=len(self)), 0.0, 1.0)

    def from_unit(self, unit: Any) -> dict[str, Any]:
        """The settings at a place of the unit cube.

        Parameters
        ----------
        unit
            Shape (d,), numbers in 0..1.
        """
        places = np.asarray(unit, dtype=np.float64)
        if places.shape != (len(self),) or not np.all((places >= 0) & (places <= 1)):
            raise ValueError(f"a place of this space is {len(self)} numbers from 0 to 1: got {unit!r}")
        params: dict[str, Any] = {}
        for (name, parameter), place in zip(self._parameters.items(), places, strict=True):
            if self.is_active(name, params):
                params[name] = parameter.from_unit(float(place))
        return params

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Settings drawn uniformly from the unit cube."""
        return self.from_unit(rng.random(len(self)))

    def narrow(self, around: Trial | Mapping[str, Any], factor: float = 0.5) -> Space:
        """A smaller space around settings that are good: the ranges of its numbers shrink to a share of their width.

        Parameters
        ----------
        around
            Settings of this space, or a trial that has them, such as ``study.best``.
        factor
            The share of its width that a range keeps, above 0 to 1; on a log scale of the logarithm's width. Whole
            numbers keep at least two values, steps their lattice, choices all their values.

        Raises
        ------
        ValueError
            If these are no settings of this space, or the factor is out of its range.

        Examples
        --------
        >>> Space(lr=(1e-4, 1e-2, "log"), width=(0, 100)).narrow({"lr": 1e-3, "width": 90})
        Space(lr: Float(0.000316228, 0.00316228, log=True), width: Int(65, 100))
        """
        found = Space(narrowed(self, around.params if isinstance(around, Trial) else around, factor))
        return found.keeping(*self._kept, share=self._share) if self._kept else found

    def key(self, params: Mapping[str, Any]) -> tuple[float, ...]:
        """A hashable name for settings: equal settings have equal keys."""
        return tuple(np.round(self.to_unit(params), 12).tolist())


def _read(name: str, given: Any) -> Parameter:
    if isinstance(given, (Float, Int, Choice)):
        return given
    if isinstance(given, list):
        return Choice(*given)
    if isinstance(given, tuple) and len(given) in (2, 3) and (len(given) == 2 or given[2] == "log"):
        low, high = given[:2]
        if not any(isinstance(bound, (bool, str)) for bound in (low, high)):
            kind = Int if all(isinstance(bound, (int, np.integer)) for bound in (low, high)) else Float
            return kind(low, high, log=len(given) == 3)
    raise ValueError(
        f"the parameter {name!r} is a Float, an Int or a Choice, or their shorthand (low, high), (low, high, 'log') "
        f"or ['one', 'another']: got {given!r}"
    )


def _alternatives(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _shown(parameter: Parameter) -> str:
    if isinstance(parameter, Choice):
        parts = [text.value(value) for value in parameter.values]
    elif isinstance(parameter, (Float, Int)):
        parts = [f"{parameter.low:g}" if isinstance(parameter, Float) else str(parameter.low)]
        parts += [f"{parameter.high:g}" if isinstance(parameter, Float) else str(parameter.high)]
        parts += ["log=True"] if parameter.log else []
        parts += [f"step={parameter.step:g}"] if parameter.step is not None else []
    else:
        parts = []
    if parameter.when is not None:
        parts.append(f"when={{{', '.join(f'{other!r}: {text.value(v)}' for other, v in parameter.when.items())}}}")
    return f"{type(parameter).__name__}({', '.join(parts)})"
