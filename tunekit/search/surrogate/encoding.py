"""How the surrogate sees settings: one block of coordinates for each parameter, all on the same scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tunekit.search.parameters import Choice
from tunekit.search.space import Space

Array = NDArray[np.float64]

# Two different categories are one unit apart, like the two ends of a number's range.
_ONE_HOT = 1 / np.sqrt(2)
# Where a number that does not count lies, as in `Space.to_unit`.
_ABSENT = 0.5
# Whole numbers with more values than this are searched as if they were continuous, and rounded at the end.
_FINE = 12


class Encoding:
    """A space as blocks of coordinates: one number for a float or an integer, k for a choice among k values.

    Parameters
    ----------
    space
        What is encoded. Its unit cube has d dimensions, the encoding D of them.

    Examples
    --------
    >>> encoding = Encoding(Space(x=(0.0, 1.0), act=["relu", "gelu", "tanh"]))
    >>> encoding.features(np.array([[0.2, 0.9]])).round(2).tolist()
    [[0.2, 0.0, 0.0, 0.71]]
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.dimensions = len(space)
        parameters = [space[name] for name in space]
        widths = [p.count if isinstance(p, Choice) and p.count > 2 else 1 for p in parameters]
        ends = np.cumsum(widths)
        self._blocks = [slice(int(end - width), int(end)) for end, width in zip(ends, widths, strict=True)]
        self.width = int(ends[-1])
        # the parameter that each coordinate belongs to, shape (D,)
        self.owners: NDArray[np.int64] = np.repeat(np.arange(len(space)), widths)
        self._parameters = parameters
        counts = [parameter.count for parameter in parameters]
        self.counts = counts
        # which dimensions of the unit cube are categories, and which can be climbed on: each of shape (d,)
        self.is_choice = np.array([isinstance(p, Choice) for p in parameters], dtype=bool)
        self.is_smooth = ~self.is_choice & np.array([count is None or count > _FINE for count in counts], dtype=bool)
        self._snapped = [place for place, count in enumerate(counts) if count is not None]
        self._conditions = self._read_conditions()

    def _read_conditions(self) -> list[tuple[int, list[tuple[int, Array]]]]:
        """For each conditional parameter: its place, and the places that others must be at, in order."""
        conditions = []
        for place, name in enumerate(self.space):
            when = self.space[name].when
            if when:
                wanted = []
                for other, values in when.items():
                    alternatives = values if isinstance(values, list) else [values]
                    wanted.append(
                        (
                            self.space.names.index(other),
                            np.array([self.space[other].to_unit(value) for value in alternatives]),
                        )
                    )
                conditions.append((place, wanted))
        return conditions

    def settle(self, units: Array) -> Array:
        """Each place moved to that of the settings that it stands for, shape (n, d)."""
        places = np.clip(units, 0.0, 1.0)
        for place in self._snapped:
            places[:, place] = self._parameters[place].snap(places[:, place])
        for place, active in self._activity(places):
            places[~active, place] = _ABSENT
        return places

    def _activity(self, places: Array) -> list[tuple[int, NDArray[np.bool_]]]:
        """Of each conditional parameter: its place and in which of the settled places it counts, shape (n,)."""
        known: dict[int, NDArray[np.bool_]] = {}
        for place, wanted in self._conditions:
            active = np.ones(len(places), dtype=bool)
            for other, values in wanted:
                active &= np.any(np.abs(places[:, other, None] - values) < 1e-9, axis=1)
                if other in known:
                    active &= known[other]
            known[place] = active
        return list(known.items())

    def is_active(self, place: Array) -> NDArray[np.bool_]:
        """Which dimensions count at one settled place, shape (d,)."""
        active = np.ones(self.dimensions, dtype=bool)
        for number, counts in self._activity(place[None]):
            active[number] = counts[0]
        return active

    def features(self, units: Array, *, relaxed: bool = False) -> Array:
        """The coordinates of places of the unit cube.

        Parameters
        ----------
        units
            Places, shape (n, d).
        relaxed
            Leave places of the smooth dimensions where they are instead of at the nearest value.

        Returns
        -------
        ndarray
            Shape (n, D).
        """
        places = self.settle(units)
        if relaxed:
            places[:, self.is_smooth] = np.clip(units[:, self.is_smooth], 0.0, 1.0)
        found = np.empty((len(places), self.width))
        absent = dict(self._activity(places)) if self._conditions else {}
        for place, (parameter, block) in enumerate(zip(self._parameters, self._blocks, strict=True)):
            column = places[:, place]
            active = absent.get(place)
            if active is not None and relaxed:
                column = np.where(active, column, _ABSENT)
            if not isinstance(parameter, Choice):
                found[:, block.start] = column
                continue
            index = np.minimum((column * parameter.count).astype(np.int64), parameter.count - 1)
            if parameter.count <= 2:
                found[:, block.start] = index
            else:
                found[:, block] = np.eye(parameter.count)[index] * _ONE_HOT
            if active is not None:
                found[~active, block] = _ABSENT if parameter.count <= 2 else 0.0
        return found

    def columns(self, dimensions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The coordinate of each of some smooth dimensions."""
        return np.array([self._blocks[dimension].start for dimension in dimensions], dtype=np.int64)

    def alternatives(self, place: int) -> Array:
        """The places of all values of a dimension that is not smooth."""
        count = self.counts[place]
        assert count is not None
        parameter = self._parameters[place]
        if getattr(parameter, "log", False):
            values = range(parameter.from_unit(0.0), parameter.from_unit(1.0) + 1)
            return np.array([parameter.to_unit(value) for value in values])
        return (np.arange(count) + 0.5) / count
