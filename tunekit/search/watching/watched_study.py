"""A study whose trials happen elsewhere: whoever reads it reads what is there now."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

from tunekit.core.events import Progressed, TrialEnded, TrialReported, TrialStarted
from tunekit.core.history import History
from tunekit.core.job import Work
from tunekit.search.goals import Bounds, Names
from tunekit.search.parameters import Parameter
from tunekit.search.space import Space
from tunekit.search.study import Study
from tunekit.search.watching.learned_space import LearnedSpace

# How often a followed study is looked at: more often than a person reads, seldom enough for a data base.
SECONDS_BETWEEN_LOOKS = 0.25


@dataclass(frozen=True, slots=True)
class Seen:
    """A trial as it stands elsewhere; its parts are those of a `Trial`.

    Parameters
    ----------
    key
        What tells it from the others there.
    parameters
        What its settings are drawn from, by name.
    """

    key: int
    params: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    state: Literal["running", "complete", "failed"]
    reports: tuple[Mapping[str, float], ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    seconds: float = 0.0
    began: float | None = None


class WatchedStudy(Study):
    """A study that reads its trials where they are: each look at its history takes in what is new.

    Parameters
    ----------
    origin
        Whose study it is, in a few words.
    maximize, minimize, constraints
        What it goes for, as in `Study`.
    """

    def __init__(
        self,
        origin: str,
        *,
        maximize: Names = None,
        minimize: Names = None,
        constraints: Mapping[str, Bounds] | None = None,
    ) -> None:
        self._looking = True  # there is nothing to look at before all is in place
        self._seen: list[Seen] = []
        self._places: dict[int, int] = {}
        self._origin = origin
        super().__init__(
            None,
            LearnedSpace({}),
            maximize=maximize,
            minimize=minimize,
            constraints=constraints,
            sampler=_Elsewhere(),
        )
        self.sampler_name = origin

    @abstractmethod
    def _look(self) -> Iterable[Seen]:
        """The trials that may have changed since the last look, in order."""

    @abstractmethod
    def _why_not(self) -> str:
        """Why it cannot be run from here, and what to do instead."""

    # What is there

    @property
    def history(self) -> History:
        """The trials as they stand at this moment."""
        self.refresh()
        return self._history

    @history.setter
    def history(self, history: History) -> None:
        self._history = history

    @property
    def space(self) -> Space:
        """What was searched so far, as far as the complete trials tell it."""
        self.refresh()
        return self._space

    @space.setter
    def space(self, space: Space) -> None:
        self._space = space

    def refresh(self) -> None:
        """Take in what is new; every look at the trials does so by itself."""
        with self._writing:
            if self._looking:
                return
            self._looking = True
            try:
                for seen in self._look():
                    self._take_in(seen)
            finally:
                self._looking = False

    def _take_in(self, seen: Seen) -> None:
        place = self._places.get(seen.key)
        if place is None:
            place = self._places[seen.key] = len(self._seen)
            self._seen.append(seen)
            self._retell(place, seen)
        elif seen != self._seen[place]:
            before, self._seen[place] = self._seen[place], seen
            if seen.params != before.params or seen.reports[: len(before.reports)] != before.reports:
                self._retell(place, seen)
            else:
                self._tell_on(place, seen, len(before.reports))
        else:
            return
        if seen.state == "complete" and not self._space_holds(seen):
            complete = [(seen.params, seen.parameters) for seen in self._seen if seen.state == "complete"]
            self._space = LearnedSpace.of(complete)

    def _space_holds(self, seen: Seen) -> bool:
        assert isinstance(self._space, LearnedSpace)
        return self._space.explains(seen.params, seen.parameters)

    def _retell(self, place: int, seen: Seen) -> None:
        self._record(TrialStarted(place, dict(seen.params), began=seen.began))
        self._tell_on(place, seen, 0)

    def _tell_on(self, place: int, seen: Seen, reports: int) -> None:
        """Add the reports from that one on, and the end where it has come."""
        for metrics in seen.reports[reports:]:
            self._record(TrialReported(place, metrics))
        if seen.state != "running":
            self._record(TrialEnded(place, seen.state, seen.metrics, seen.seconds, seen.error))

    # To see it live

    def follow(self, *, timeout: float | None = None) -> WatchedStudy:
        """Show live what runs elsewhere, in another cell, thread or process, and return at once.

        ``stop()`` ends it, and so does ``timeout``, in seconds; ``wait()`` waits for that. What runs elsewhere runs on.
        """
        self._check_over()
        self._run = None
        self._launch(self._following(), timeout)
        return self

    def _following(self) -> Work:
        while True:
            self.refresh()
            yield Progressed("Following")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    # What belongs to the other side

    def start(self, trials: int, **options: Any) -> Study:
        """It cannot be run from here: the error says why."""
        raise TypeError(self._why_not())

    def ask(self) -> NoReturn:
        """It cannot be asked: the error says why."""
        raise TypeError(f"trials of this study begin in {self._origin}: ask there, what is told there is seen here")

    def tell(self, trial: Any, metrics: Any = None, *, error: Any = None) -> NoReturn:
        """It cannot be told: the error says why."""
        raise TypeError(f"trials of this study end in {self._origin}: tell it there, what is told there is seen here")

    def enqueue(self, params: Mapping[str, Any]) -> None:
        """It takes no settings: the error says why."""
        raise TypeError(self._why_not())

    def _needed_objective(self) -> NoReturn:
        raise TypeError(
            f"to confirm is to measure settings again: this study's trials are run in {self._origin}, and there is no "
            "function of settings here; make a Study of one, with history= this one"
        )

    @property
    def heading(self) -> str:
        """What is watched: the same before, while and after it runs."""
        return f"Study(watching {self._origin})"


class _Elsewhere:
    """Stands where a study has its sampler: the proposals are made elsewhere."""

    def propose(self, *_: Any) -> NoReturn:
        """Nobody asks it."""
        raise TypeError("the trials of a watched study are proposed elsewhere")
