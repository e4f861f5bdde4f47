"""A journal: a file of JSON lines that is only ever added to, by one process at a time.

The first line says what it is of, each other one what happened. A line is written in one piece and is there once
`JournalFile.write` has returned, also when the process is killed then. What a kill has torn is the last line alone; it
does not count, and is cut off before the next one is written.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tunekit.core import text
from tunekit.core.locking import lock
from tunekit.core.values import parse

Record = dict[str, Any]

_KIND = "tunekit journal"
_VERSION = 1
# A sync takes 50 µs of the processor and up to some milliseconds: trials that end faster than this share one.
_SECONDS_BETWEEN_SYNCS = 0.02
# Whoever looks whether a journal is held has it for an instant.
_TRIES, _SECONDS_BETWEEN_TRIES = 5, 0.05


class JournalError(ValueError):
    """A file that is no journal, or one that was damaged or tampered with: it is left as it is."""


class JournalHeld(RuntimeError):
    """Another process, or a running study of this one, writes to the journal."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a journal says.

    Parameters
    ----------
    about
        What it is of.
    records
        What happened, in order; the line numbers are those of the file minus 2.
    size
        The bytes of all whole lines.
    """

    about: Record
    records: list[Record]
    size: int


def read(path: Path, start: int = 0) -> Contents:
    """Read a journal; a line that is not whole yet does not count.

    Parameters
    ----------
    path
        The file.
    start
        How many bytes of it were read before: what follows is more records. 0: from its first line.

    Raises
    ------
    JournalError
        If it is none, or a line of it is damaged.
    OSError
        If it cannot be read.
    """
    _check_kind(path)
    with path.open("rb") as file:
        file.seek(start)
        whole = file.read()
    end = whole.rfind(b"\n") + 1
    lines = whole[:end].split(b"\n")[:-1]
    about: Record = {}
    if start == 0:
        if not lines:
            if not _is_begun(whole):
                raise JournalError(f"{path} is no journal of tunekit: it is left as it is; choose another name")
            return Contents({}, [], 0)
        about = _about(path, lines.pop(0))
    return Contents(about, _records(path, lines, 2 if start == 0 else None), start + end)


def _check_kind(path: Path) -> None:
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "something else"
        raise JournalError(f"a journal is a file, as in 'runs/digits.jsonl': {path} is {kind}")


def _is_begun(beginning: bytes) -> bool:
    """Whether a first line that is not whole is that of a journal."""
    return f'{{"{_KIND}": '.encode().startswith(beginning[: len(_KIND) + 5]) or not beginning


def _about(path: Path, line: bytes) -> Record:
    try:
        header = parse(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or _KIND not in header:
        raise JournalError(f"{path} is no journal of tunekit: it is left as it is; choose another name")
    version, about = header[_KIND], header.get("about")
    if version != _VERSION or not isinstance(about, dict):
        raise JournalError(
            f"{path} is a journal of version {text.printable(str(version)[:20])}, and this tunekit reads version "
            f"{_VERSION}: update tunekit, or choose another name"
        )
    return about


def _records(path: Path, lines: list[bytes], first: int | None) -> list[Record]:
    try:
        # one call for all lines takes a third of the time of one for each
        records = parse(b"[" + b",".join(lines) + b"]")
        if len(records) == len(lines) and all(type(record) is dict for record in records):
            return list(records)
    except ValueError:
        pass
    records = []
    for number, line in enumerate(lines):
        try:
            record = parse(line)
            if not isinstance(record, dict):
                raise ValueError("a line is a JSON object")
        except ValueError as error:
            where = "" if first is None else f" in line {number + first}"
            raise JournalError(
                f"{path} is damaged{where}: {text.printable(str(error)[:200])}. It is left as it is; what stands "
                "before is sound, and could be copied to a new file"
            ) from error
        records.append(record)
    return records


class JournalFile:
    """A journal that this process writes to.

    Parameters
    ----------
    path
        The file; it is made, with its folder, where it is not there.
    about
        What it is of, for a new one.
    is_busy
        Whether whoever writes to it is at work; one that is not gives it up to another one in this process.
    accept
        Called with what the file has, before it is changed in any way; what it raises leaves the file as it is.

    Raises
    ------
    JournalError
        If the file is no journal, or damaged.
    JournalHeld
        If somebody else writes to it: the error says who.
    OSError
        If it cannot be read and written.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, Any],
        is_busy: Callable[[], bool] = lambda: False,
        accept: Callable[[Contents], None] = lambda _: None,
    ) -> None:
        self.path = path
        self.trouble: OSError | None = None
        self._is_busy = is_busy
        self._writing = threading.Lock()
        self._backlog: list[bytes] = []
        self._synced = 0.0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise JournalError(f"a journal lies in a folder: {path.parent} is something else") from error
        _check_kind(path)
        self._file: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            self._hold(self._file)
            contents = read(path)
            self._end = contents.size
            accept(contents if self._end else Contents(dict(about), [], 0))
            os.ftruncate(self._file, self._end)
            if self._end == 0:
                self.write({_KIND: _VERSION, "about": about}, sync=True)
            self.write({"opened": who()}, sync=True)
            if self.trouble is not None:
                raise self.trouble
            self._synced = 0.0  # the first trial does not share a sync with this
        except BaseException:
            self.release()
            raise
        _open_files.add(self)

    def _hold(self, file: int) -> None:
        """Lock it; whoever of this process has it and is not at work gives it up."""
        for other in tuple(_open_files):
            # by the file itself: its path may mean another one since the folder was changed
            if other._file is not None and os.path.samestat(os.fstat(other._file), os.fstat(file)):
                if other._is_busy():
                    raise JournalHeld(
                        f"one study at a time writes to a journal: one that is running in this process holds "
                        f"{self.path}; stop() it first"
                    )
                other.release()
        for _ in range(_TRIES):
            if lock(file):
                return
            time.sleep(_SECONDS_BETWEEN_TRIES)
        raise JournalHeld(
            f"one process at a time writes to a journal: {_holder(self.path)} holds {self.path}; end it, or look on "
            f"with tk.watch({str(self.path)!r})"
        )

    @property
    def is_open(self) -> bool:
        """Whether it is still this one that writes."""
        return self._file is not None

    def write(self, record: Mapping[str, Any], sync: bool = False) -> None:
        """Add a record. Where the disk refuses it, it is kept here and `trouble` says why.

        Parameters
        ----------
        record
            What happened.
        sync
            Whether to wait until it is on the disk itself, and would survive a loss of power as well; where that was
            done an instant ago, the next one does it for both.
        """
        line = _encoded(record).encode() + b"\n"
        with self._writing:
            self._backlog.append(line)
            self._flush(sync)

    def retry(self) -> None:
        """Try once more to write what the disk has refused, and have all of it on the disk itself."""
        with self._writing:
            self._synced = 0.0
            self._flush(sync=True)

    @property
    def unwritten(self) -> int:
        """How many records are not in the file."""
        return len(self._backlog)

    def _flush(self, sync: bool) -> None:
        if self._file is None:
            return
        try:
            while self._backlog:
                line = self._backlog[0]
                written = os.write(self._file, line)
                while written < len(line):
                    written += os.write(self._file, line[written:])  # what refused the rest says now why
                self._end += written
                del self._backlog[0]
            if sync and time.monotonic() - self._synced > _SECONDS_BETWEEN_SYNCS:
                os.fsync(self._file)
                self._synced = time.monotonic()
                if os.fstat(self._file).st_nlink == 0:
                    raise FileNotFoundError(errno.ENOENT, "the file was deleted")
        except OSError as error:
            self.trouble = error
            with suppress(OSError):
                self._cut()
        else:
            self.trouble = None

    def _cut(self) -> None:
        """Leave whole lines only."""
        assert self._file is not None
        os.ftruncate(self._file, self._end)

    def release(self) -> None:
        """Let go of the file; what is not written yet is lost to it."""
        with self._writing:
            file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):
                os.fsync(file)
            with suppress(OSError):
                os.close(file)


_SESSION = secrets.token_hex(8)
_encoded = json.JSONEncoder(allow_nan=False).encode


def who() -> Record:
    """Who opens a journal: its process, machine and time. Numbers of processes come again, the session does not."""
    return {
        "process": os.getpid(),
        "session": f"{os.getpid()}-{_SESSION}",
        "host": socket.gethostname(),
        "at": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _holder(path: Path) -> str:
    """Who has opened a journal last, in words."""
    try:
        opened = [record["opened"] for record in read(path).records if "opened" in record][-1]
        process, host, since = (str(opened[key])[:80] for key in ("process", "host", "at"))
    except (JournalError, OSError, LookupError, TypeError):
        return "another process"
    return text.printable(f"process {process} on {host}, since {since},")


_open_files: weakref.WeakSet[JournalFile] = weakref.WeakSet()


def _leave_to_parent() -> None:
    """A process that was forked off keeps no lock: the journal is its parent's."""
    for journal in tuple(_open_files):
        file, journal._file = journal._file, None
        if file is not None:
            os.close(file)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)
