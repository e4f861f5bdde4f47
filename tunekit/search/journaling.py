"""A study's journal: what the study writes there, and how another one goes on with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunekit.core import text
from tunekit.core.events import Event, SettingsEnqueued, TrialEnded, TrialStarted
from tunekit.core.history import History
from tunekit.core.journal import Contents, JournalError, JournalFile, Record, who
from tunekit.core.journal_lines import Reader, number_of, record_of
from tunekit.core.trial import Trial
from tunekit.search.journal_described import about, settings_of, written
from tunekit.search.space import Space

# A trial in which the process has died so often is not run again: it may be what kills it.
_DEATHS = 3
_DIED = "ProcessDied"


@dataclass
class Credit:
    """What a journal had when it was opened: the same cells, run again, find it done.

    Parameters
    ----------
    acts
        In the order of the journal: settings that were enqueued, trials that have ended.
    """

    acts: list[SettingsEnqueued | Trial] = field(default_factory=list)

    def enqueued(self, params: Mapping[str, Any]) -> bool:
        """Whether these settings were enqueued before, once for each time."""
        for place, act in enumerate(self.acts):
            if isinstance(act, SettingsEnqueued) and act.params == params:
                del self.acts[place]
                return True
        return False

    def told(self, params: Mapping[str, Any], answer: TrialEnded) -> Trial | None:
        """The trial that was told of with these settings and figures, once for each."""
        for place, act in enumerate(self.acts):
            if not isinstance(act, Trial) or not _was_told(act) or act.params != params:
                continue
            if act.state == answer.state and answer.metrics.items() <= act.metrics.items():
                del self.acts[place]
                return act
        return None

    def runs(self, count: int) -> int:
        """How many of so many trials were run before."""
        return len(self._runs()[:count])

    def take_runs(self, count: int) -> None:
        """These were asked for again; what stands before them in the journal is done with them."""
        places = self._runs()[:count]
        if places:
            del self.acts[: places[-1] + 1]

    def _runs(self) -> list[int]:
        return [place for place, act in enumerate(self.acts) if isinstance(act, Trial) and not _was_told(act)]


def _was_told(trial: Trial) -> bool:
    """Whether it was measured elsewhere: then it took no time here."""
    return trial.seconds == 0.0 and not trial.reports and not (trial.error or "").startswith(_DIED)


class StudyJournal:
    """The journal of one study.

    Parameters
    ----------
    path
        The file.
    history
        That of a new study: it is told all that the journal has.
    space, seed, entropy, sampler
        Those of the study; of a study without a seed the journal has the entropy that counts.
    is_busy
        Whether the study runs.

    Raises
    ------
    JournalError
        If the file is of another study, no journal, or damaged.
    JournalHeld
        If somebody else writes to it.
    """

    def __init__(
        self,
        path: Path,
        history: History,
        space: Space,
        seed: int | None,
        entropy: int,
        sampler: str,
        is_busy: Callable[[], bool],
    ) -> None:
        self.path = path
        self._space = space
        self.entropy = entropy
        self._history = history
        self._mine = about(space, history.goal, seed, entropy, sampler)
        self._reader = Reader(path, lambda given: settings_of(given, space))
        self._ends: list[SettingsEnqueued | TrialEnded] = []
        self._file = JournalFile(path, self._mine, is_busy, self._accept)
        self._reader.opened(who())
        for trial in history:
            if trial.state == "running":
                end = self._end_of(trial)
                history.apply(end)
                self.keep(end)
                self._ends.append(end)
        self.credit = self._credit()

    def _accept(self, contents: Contents) -> None:
        """Tell the history all that there is, before a byte of the file is changed."""
        _check_same(self.path, self._mine, contents.about)
        try:
            self.entropy = number_of(contents.about["entropy"])
        except (LookupError, ValueError) as error:
            raise self._reader.damaged(error) from error
        try:
            self._history.apply_all(self._noted(self._reader.events(contents.records)))
        except JournalError:
            raise
        except ValueError as error:
            raise self._reader.damaged(error) from error

    def _noted(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events; those that cells which are run again may ask for once more are noted."""
        for event in events:
            if isinstance(event, (SettingsEnqueued, TrialEnded)):
                self._ends.append(event)
            yield event

    def _credit(self) -> Credit:
        acts: list[SettingsEnqueued | Trial] = []
        frozen = {trial.number for trial in self._history if trial.state == "stopped"}
        for event in self._ends:
            if isinstance(event, SettingsEnqueued):
                acts.append(event)
            elif event.state != "stopped" and event.number not in frozen:
                acts.append(self._history[event.number])
        self._ends = []
        return Credit(acts)

    def _end_of(self, trial: Trial) -> TrialEnded:
        deaths = self._reader.deaths.get(trial.number, 0)
        if deaths < _DEATHS:
            return TrialEnded(trial.number, "stopped", {}, 0.0)
        error = (
            f"{_DIED}: the process was killed {deaths} times while this trial ran, so it is not run again; "
            "enqueue() its settings to try them once more"
        )
        return TrialEnded(trial.number, "failed", {}, 0.0, error)

    def check(self, event: Event) -> None:
        """Raise if an event cannot be written so that it could be read again.

        Raises
        ------
        RuntimeError
            If another study of this process has taken the journal over.
        ValueError
            If settings are none of the space.
        """
        self.check_open()
        if isinstance(event, (TrialStarted, SettingsEnqueued)):
            self._space.check(event.params)

    def check_open(self) -> None:
        """Raise if another study of this process has taken the journal over.

        Raises
        ------
        RuntimeError
            That says so.
        """
        if not self._file.is_open:
            raise RuntimeError(
                f"the journal {self.path} goes on in a newer study of this process: use that one; this one can only be "
                "read"
            )

    def keep(self, event: Event) -> None:
        """Write an event down; at the end of a trial, until it is on the disk itself."""
        record = record_of(event, lambda params: written(params, self._space))
        self._file.write(record, sync=isinstance(event, TrialEnded))

    def rest(self) -> None:
        """Say that nothing runs now, to whoever watches; all is on the disk itself then."""
        self._file.write({"rests": True})
        self._file.retry()

    def retry(self) -> None:
        """Write what the disk has refused."""
        self._file.retry()

    @property
    def trouble(self) -> str | None:
        """Why not all is written, in words; None where it is."""
        error = self._file.trouble
        if error is None:
            return None
        count = text.plural(self._file.unwritten, "event")
        return f"the journal cannot be written ({error.strerror or error}), {count} of it in memory alone"

    def release(self) -> None:
        """Let go of the file."""
        self._file.release()


def _check_same(path: Path, mine: Record, theirs: Record) -> None:
    """Raise if a journal is of another study."""
    if theirs.get("of") == "compression":
        raise JournalError(f"{path} is the journal of a compression: choose another name for the study's")
    differing = next((part for part in ("goal", "space", "seed") if mine[part] != theirs.get(part)), None)
    if differing is None and list(mine["space"]) != list(theirs["space"]):
        differing = "space"  # to a sampler the order counts
    if differing is None:
        return
    if differing == "space" and isinstance(theirs.get("space"), dict):
        here, there = mine["space"], theirs["space"]
        names = [name for name in {**here, **there} if here.get(name) != there.get(name)]
        told = [f"{name} was {_told(there.get(name))}, is {_told(here.get(name))}" for name in names[:3]]
        what = "the order of the parameters differs"
        if names:
            what = f"the space differs in {text.listed(names)}: {'; '.join(told)}"
    else:
        what = f"its {differing} is {str(theirs.get(differing))[:200]}, here it is {mine[differing]}"
    raise JournalError(
        f"a journal goes on with the study that it is of: {path} has another one; {text.printable(what)}. Make the "
        "study as it was, or choose another name for the journal"
    )


def _told(described: Any) -> str:
    """A parameter of a journal in words."""
    if not isinstance(described, dict):
        return "not there" if described is None else text.value(described)[:100]
    given = {name: each for name, each in described.items() if each is not None and each is not False}
    return f"({text.settings(given)[:200]})"
