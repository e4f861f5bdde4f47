"""Results that take a while: never two at once, always the newest, and what fails is words."""

from __future__ import annotations

import threading

from tests.widgets.test_explorer import until
from tunekit.widgets.latest import Latest
from tunekit.widgets.rest import Rest


def test_one_at_a_time_and_then_the_newest() -> None:
    go = threading.Semaphore(0)
    begun: list[int] = []

    def work() -> int:
        begun.append(len(begun))
        go.acquire(timeout=20)
        return len(begun)

    done: list[int] = []
    latest = Latest(work, lambda: done.append(1))
    assert [latest.ask(version, in_a_hurry=True) for version in (1, 2, 3)] == [None, None, None]
    assert begun == [0]
    go.release()
    until(lambda: done)
    assert latest.ask(3, in_a_hurry=True) == 1
    go.release()
    until(lambda: len(done) == 2)
    assert latest.ask(3, in_a_hurry=True) == 2
    assert len(begun) == 2


def test_where_something_runs_it_rests() -> None:
    done: list[int] = []
    latest = Latest(lambda: threading.Event().wait(0.05), lambda: done.append(1))
    latest.ask(1)
    until(lambda: done)
    latest.ask(2)
    assert not latest.is_busy
    latest.ask(2, in_a_hurry=True)
    until(lambda: len(done) == 2)


def test_what_fails_is_told_in_words_and_tried_again_with_the_next_version() -> None:
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("too few\x1b trials")
        return 7

    latest = Latest(work, lambda: None)
    latest.ask(1)
    latest.close()
    assert (latest.ask(1), latest.trouble) == (None, "too few\\x1b trials")
    latest.ask(2, in_a_hurry=True)
    latest.close()
    assert (latest.newest, latest.trouble) == (7, "")


def test_a_picture_of_what_runs_is_drawn_seldom() -> None:
    rest = Rest()
    with rest:
        sum(range(300_000))
    assert not rest.is_due("another")
    assert rest.is_due("another", in_a_hurry=True)
