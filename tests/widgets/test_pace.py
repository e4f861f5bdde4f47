"""Words come often where a core rests, and seldom where the work needs all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from tunekit.widgets import pace
from tunekit.widgets.pace import Pace


@dataclass
class Machine:
    """What the clock of a machine shows, and how long its processors have rested."""

    clock: float = 0.0
    rested: float = 0.0

    @property
    def pace(self) -> Pace:
        return Pace(lambda: self.rested, lambda: self.clock)


@pytest.mark.parametrize(("rests", "seconds"), [(0.0, 0.5), (0.4, 0.5), (0.6, 0.1), (7.5, 0.1)])
def test_words_come_often_where_a_core_rests(rests: float, seconds: float) -> None:
    machine = Machine()
    asked = machine.pace
    for clock in (0.25, 0.5, 0.6):
        machine.clock, machine.rested = clock, rests * clock
        assert asked.seconds() == seconds


def test_what_a_moment_says_is_not_believed() -> None:
    machine = Machine()
    asked = machine.pace
    machine.clock = machine.rested = 0.25
    assert asked.seconds() == 0.1
    machine.clock = 0.26  # a press came, and the counter of the processors had not moved yet
    assert asked.seconds() == 0.1
    machine.clock = 0.36
    assert asked.seconds() == 0.5


def test_the_processors_rest_no_less_than_before() -> None:
    began = pace._idle()
    time.sleep(0.1)
    ended = pace._idle()
    assert 0 < began <= ended
