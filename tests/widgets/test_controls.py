"""The controls of What if: which values they go through, and which settings they stand for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tunekit as tk
from tunekit.widgets.controls import Controls
from tunekit.widgets.dials import dial

SPACE = tk.Space(
    lr=tk.Float(1e-4, 1e-1, log=True),
    width=tk.Int(16, 128, log=True),
    depth=tk.Int(2, 8, step=2),
    act=tk.Choice("relu", "gelu", None, (64, 128)),
    slope=tk.Float(0.0, 1.0, when={"act": "gelu"}),
)


def test_a_slider_goes_through_its_values_in_order() -> None:
    lr, width, depth, act = (dial(name, SPACE[name]) for name in ("lr", "width", "depth", "act"))
    assert (lr.values[0], lr.values[-1], len(lr.values)) == (1e-4, 1e-1, 201)
    assert lr.values[100] == pytest.approx(10**-2.5)
    assert list(width.values) == sorted(set(width.values))
    assert (width.values[0], width.values[-1]) == (16, 128)
    assert list(depth.values) == [2, 4, 6, 8]
    assert (act.kind, act.described["labels"]) == ("menu", ["'relu'", "'gelu'", "None", "(64, 128)"])


@given(st.data())
def test_each_place_is_that_of_its_value(data: st.DataObject) -> None:
    each = dial(*data.draw(st.sampled_from([(name, SPACE[name]) for name in SPACE])))
    place = data.draw(st.integers(0, len(each.values) - 1))
    assert each.place_of(each.values[place]) == place


def turned(controls: Controls, which: int, to: int) -> dict[str, Any]:
    controls._handle_custom_msg({"turn": which, "to": to}, [])
    return controls.settings


def test_what_does_not_count_is_off_and_no_part_of_the_settings() -> None:
    turns: list[str] = []
    controls = Controls(SPACE, lambda: turns.append("turned"))
    assert "slope" not in turned(controls, 3, 0)
    assert (controls.used[-1], controls.readouts[-1]) == (False, "not used")
    settings = turned(controls, 3, 1)
    assert settings["act"] == "gelu"
    assert controls.used == [True] * 5
    assert settings["slope"] == pytest.approx(0.5)
    SPACE.check(settings)
    assert turns == ["turned"] * 2


def test_settings_are_taken_to_the_last_digit() -> None:
    controls = Controls(SPACE, lambda: None)
    best = {"lr": 0.00123456789012, "width": 33, "depth": 6, "act": (64, 128)}
    controls.take(best)
    assert controls.settings == best
    assert controls.readouts[:4] == ["0.00123", "33", "6", ""]


@pytest.mark.parametrize(
    "message", [{"turn": 9, "to": 0}, {"turn": 0, "to": 999}, {"turn": -1, "to": 0}, {"turn": "lr", "to": 1}, None]
)
def test_what_is_no_turn_changes_nothing(message: object) -> None:
    turns: list[str] = []
    controls = Controls(SPACE, lambda: turns.append("turned"))
    before = controls.settings
    controls._handle_custom_msg(message, [])
    assert (controls.settings, turns) == (before, [])


def test_names_and_values_are_sent_as_they_are_for_the_page_sets_them_as_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    controls = Controls(tk.Space({evil: [evil, "b\x1b[31m"]}), lambda: None)
    assert controls.dials[0]["name"] == evil
    assert controls.dials[0]["labels"] == [f"'{evil}'", "'b\\x1b[31m'"]
