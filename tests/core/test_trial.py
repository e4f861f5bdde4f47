"""A trial: what it says of its error."""

from __future__ import annotations

import traceback
from collections.abc import Callable

import pytest

from tunekit.core.trial import Trial


def plain() -> None:
    raise ValueError("broke\nsecond line")


def caused() -> None:
    try:
        raise KeyError("a")
    except KeyError as error:
        raise ValueError("broke\n\nlast line") from error


def noted() -> None:
    error = ValueError("broke")
    error.add_note("look elsewhere")
    raise error


def group() -> None:
    raise ExceptionGroup("several\nin all", [ValueError("one\ntwo"), KeyError("three")])


def led_to_a_group() -> None:
    try:
        plain()
    except ValueError:
        group()


def syntax() -> None:
    compile("x = = 3", "file.py", "exec")


@pytest.mark.parametrize(
    ("fail", "reason"),
    [
        (plain, "ValueError: broke"),
        (caused, "ValueError: broke"),
        (noted, "ValueError: broke"),
        (group, "ExceptionGroup: several"),
        (led_to_a_group, "ExceptionGroup: several"),
        (syntax, "SyntaxError: invalid syntax"),
    ],
)
def test_the_reason_is_the_kind_of_the_error_and_the_first_line_of_its_message(
    fail: Callable[[], None], reason: str
) -> None:
    with pytest.raises((ValueError, ExceptionGroup, SyntaxError)) as caught:
        fail()
    error = "".join(traceback.format_exception(caught.value))
    assert Trial(0, {}, state="failed", error=error).reason == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [(None, None), ("", None), (" \n", None), ("out of memory", "out of memory"), ("Lost: it\nbroke", "Lost: it")],
)
def test_the_reason_of_an_error_without_a_traceback_is_its_first_line(error: str | None, reason: str | None) -> None:
    assert Trial(0, {}, state="failed", error=error).reason == reason
