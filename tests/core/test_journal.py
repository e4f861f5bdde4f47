"""A journal: what is written is there, a torn end does not count, and nothing but a journal is ever touched."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunekit.core.journal import JournalError, JournalFile, JournalHeld, read
from tunekit.core.locking import is_locked
from tunekit.core.values import decode, encode

ABOUT = {"what": "a test"}
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(PLAIN, lambda parts: st.lists(parts) | st.lists(parts).map(tuple), max_leaves=10)


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    """A journal with these records, let go of."""
    journal = JournalFile(path, ABOUT)
    for record in records:
        journal.write(record)
    journal.release()
    return path


def happened(path: Path) -> list[dict[str, Any]]:
    """What a journal says, without the lines that say who opened it."""
    return [record for record in read(path).records if "opened" not in record]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the type and the last bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other)
    return bool(one == other)


# Values


@given(VALUES)
def test_a_value_comes_back_as_what_it_was(value: Any) -> None:
    assert same(decode(json.loads(json.dumps(encode(value), allow_nan=False))), value)


def test_what_is_not_a_number_is_no_bare_word_of_json() -> None:
    for value in (math.nan, math.inf, -math.inf):
        there = decode(json.loads(json.dumps(encode(value), allow_nan=False)))
        assert repr(there) == repr(value)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tuple": 1},
        {"tuple": [], "more": 1},
        {"float": "1.0"},
        {"float": "__import__('os')"},
        {"object": "os.system", "place": "0"},
        {"object": 3, "place": 0},
        {"py/object": "os.system"},
        [{"tuple": {}}],
    ],
)
def test_an_object_of_json_that_stands_for_nothing_is_an_error(given: Any) -> None:
    with pytest.raises(ValueError, match="a value is"):
        decode(given)


def test_the_place_of_an_object_is_kept_and_its_text_makes_nothing() -> None:
    made = encode(dict, lambda _: 3)
    assert made == {"object": "dict", "place": 3}
    assert decode(made) is not dict
    assert repr(decode(made)) == "dict"


# Writing


def test_a_record_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    journal = JournalFile(tmp_path / "a.jsonl", ABOUT)
    for number in range(3):
        journal.write({"number": number})
        last = (tmp_path / "a.jsonl").read_bytes().splitlines(keepends=True)[-1]
        assert last.endswith(b"\n")
        assert json.loads(last) == {"number": number}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text(), VALUES.map(encode), min_size=1), max_size=4))
def test_records_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]
) -> None:
    records = [{**record, "kind": "test"} for record in records]
    path = written(tmp_path_factory.mktemp("journals") / "a.jsonl", records)
    assert happened(path) == records
    assert read(path).about == ABOUT
    assert path.read_bytes().isascii()


def test_it_goes_on_behind_what_is_there_and_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "deep" / "a.jsonl"
    written(path, [{"number": 0}])
    written(path, [{"number": 1}])
    assert happened(path) == [{"number": 0}, {"number": 1}]


def test_who_reads_on_gets_what_is_new_and_no_half_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [{"number": 0}])
    before = read(path)
    with path.open("ab") as file:
        file.write(b'{"number": 1}\n{"numb')
    after = read(path, before.size)
    assert after.records == [{"number": 1}]
    with path.open("ab") as file:
        file.write(b'er": 2}\n')
    assert read(path, after.size).records == [{"number": 2}]


# What was torn


def test_cut_at_any_byte_it_is_opened_and_goes_on_behind_the_last_whole_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [{"number": number, "words": "ab\ncd"} for number in range(3)])
    whole = path.read_bytes()
    ends = [place + 1 for place, letter in enumerate(whole) if letter == ord("\n")]
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = whole[: max([0, *(end for end in ends if end <= size)])]
        written(path, [{"number": 9}])
        assert path.read_bytes().startswith(kept)
        assert happened(path) == [json.loads(line) for line in kept.splitlines()[2:]] + [{"number": 9}]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"[1]",
        b'"text"',
        b"{},{}",
        b'{"a": [1',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff\xfe{}",
        b"\x00" * 64,
    ],
)
def test_a_bad_line_in_the_middle_is_an_error_that_says_where_and_the_file_is_left_alone(
    tmp_path: Path, bad: bytes
) -> None:
    path = written(tmp_path / "a.jsonl", [{"number": 0}])
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines, bad, b'{"number": 2}', b'{"torn']))
    before = path.read_bytes()
    for attempt in (lambda: read(path), lambda: JournalFile(path, ABOUT)):
        with pytest.raises(JournalError, match=rf"a\.jsonl.* line {len(lines) + 1}\b"):
            attempt()
    assert path.read_bytes() == before
    assert not is_locked(path)


def test_two_bad_lines_that_make_a_good_one_are_bad(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [])
    with path.open("ab") as file:
        file.write(b'{"a": [1\n2]}\n')
    with pytest.raises(JournalError, match="line 3"):
        read(path)


# What is no journal


@pytest.mark.parametrize(
    "content",
    [
        b"lr,score\n0.1,0.9\n",
        b"words without an end",
        b"{}\n",
        b"\n",
        b'{"version": 1}\n{"opened": {}}\n',
        b'"tunekit journal"\n',
        b'{"tunekit journal": 1}\n',
        b'{"tunekit journal": 1, "about": []}\n',
        b"[" * 100_000 + b"\n",
        b"\x89PNG\r\n\x1a\n\x00",
    ],
)
def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "precious"
    path.write_bytes(content)
    with pytest.raises(JournalError, match="precious"):
        JournalFile(path, ABOUT)
    assert path.read_bytes() == content


def test_a_journal_of_a_later_tunekit_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"tunekit journal": 2, "about": {}, "more": 1}\n{"unknown": 1}\n')
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"version 2.*reads version 1.*update"):
        JournalFile(path, ABOUT)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_journal(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    assert happened(written(tmp_path / "a.jsonl", [{"number": 0}])) == [{"number": 0}]


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="folder"):
        JournalFile(tmp_path, ABOUT)
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", Path("/dev/full")):
        with pytest.raises(JournalError, match=special.name):
            JournalFile(special, ABOUT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_an_error_with_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [])
    path.chmod(0o400)
    with pytest.raises(OSError, match=r"a\.jsonl"):
        JournalFile(path, ABOUT)


# One writer

HOLDING = """
import sys, time
from pathlib import Path
from tunekit.core.journal import JournalFile

journal = JournalFile(Path(sys.argv[1]), {"what": "a test"})
print("held", flush=True)
time.sleep(600)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that has the journal."""
    other = subprocess.Popen([sys.executable, "-c", HOLDING, str(path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_a_second_process_is_refused_with_who_has_it_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with holder(path) as other:
        try:
            before = path.read_bytes()
            assert is_locked(path)
            with pytest.raises(JournalHeld, match=rf"process {other.pid} on .* since \d{{4}}-"):
                JournalFile(path, ABOUT)
            assert path.read_bytes() == before
        finally:
            other.send_signal(signal.SIGKILL)
    assert not is_locked(path)
    assert happened(written(path, [{"number": 0}])) == [{"number": 0}]


def test_in_one_process_the_idle_one_gives_it_up_and_the_busy_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    busy = True
    first = JournalFile(path, ABOUT, lambda: busy)
    with pytest.raises(JournalHeld, match=r"running.*stop\(\)"):
        JournalFile(path, ABOUT)
    assert first.is_open
    busy = False
    second = JournalFile(path, ABOUT)
    assert not first.is_open
    assert second.is_open


def test_a_forked_child_keeps_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal = JournalFile(path, ABOUT)
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(tell, b"!")
        signal.pause()
        os._exit(0)
    try:
        os.read(ready, 1)
        assert is_locked(path)
        journal.release()
        assert not is_locked(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


def test_whoever_looks_on_does_not_disturb_whoever_opens(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", [])
    enough = threading.Event()

    def look() -> None:
        while not enough.wait(0.0005):
            is_locked(path)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(30):
            written(path, [])
    finally:
        enough.set()
        for looker in lookers:
            looker.join()


# A disk that takes no more

FULL = """
import json, resource, sys
from pathlib import Path
from tunekit.core.journal import JournalFile, read

path = Path(sys.argv[1])
journal = JournalFile(path, {"what": "a test"})
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, hard))
said = []
for number in range(10):
    journal.write({"number": number, "words": "x" * 20}, sync=number % 2 == 0)
    said.append(str(journal.trouble or ""))
whole = path.read_bytes().endswith(b"\\n")
kept = journal.unwritten
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
journal.retry()
numbers = [record["number"] for record in read(path).records if "number" in record]
print(json.dumps([said, whole, kept, journal.unwritten, journal.trouble is None, numbers]))
"""


def test_what_the_disk_refuses_is_kept_and_no_torn_line_is_left(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "a.jsonl")], capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    said, whole, kept, unwritten, is_fine, numbers = json.loads(run.stdout)
    assert said[0] == ""
    assert all("too large" in words for words in said[-5:]), said
    assert whole
    assert 5 < kept < 10
    assert (unwritten, is_fine) == (0, True)
    assert numbers == list(range(10))


def _of(error: int) -> Callable[..., int]:
    def refuse(*_: Any) -> int:
        raise OSError(error, os.strerror(error))

    return refuse


def test_a_sync_that_fails_is_trouble_until_one_succeeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = JournalFile(tmp_path / "a.jsonl", ABOUT)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", _of(5))
        journal.write({"number": 0}, sync=True)
        assert journal.trouble is not None
    journal.retry()
    assert journal.trouble is None
    assert happened(tmp_path / "a.jsonl") == [{"number": 0}]
