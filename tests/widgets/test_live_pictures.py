"""The pictures on the panel of a job: each new where something happened, one an update while there is work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tunekit as tk
from tunekit.widgets.live_pictures import TRAITS, LivePictures
from tunekit.widgets.panel import Panel

LEFT, RIGHT = map(set, TRAITS)


def learned(x: float) -> Iterator[float]:
    yield from (x, 2 * x)


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> tk.Study:
    """A study with curves, and pictures that need no rest."""
    monkeypatch.setattr("tunekit.widgets.rest._REST", 0)
    made = tk.Study(learned, tk.Space(x=(0.0, 1.0)), sampler="random", seed=0)
    made.run(2)
    return made


def test_the_traits_are_those_of_the_panel() -> None:
    assert set(Panel("A run", lambda _: None).trait_names()) >= LEFT | RIGHT


def test_at_first_all_are_drawn_and_then_one_an_update(study: tk.Study) -> None:
    pictures = LivePictures(study)
    assert set(pictures.due(1, in_a_hurry=False)) == LEFT | RIGHT
    assert pictures.due(1, in_a_hurry=False) == {}
    assert pictures.seconds_until_due(1) == float("inf")


def test_each_has_its_turn_while_there_is_work(study: tk.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = LivePictures(study)
    pictures.due(1, in_a_hurry=False)
    monkeypatch.setattr("tunekit.widgets.rest._REST", 1000)
    monkeypatch.setattr(pictures._rest, "_next", 0.0)
    seen = []
    for version in range(2, 6):
        study.run(1)
        seen.append(set(pictures.due(version, in_a_hurry=False)))
        assert pictures.due(version, in_a_hurry=False) == {}  # it rests
        assert 0 < pictures.seconds_until_due(version) < float("inf")  # and the other is old
        monkeypatch.setattr(pictures._rest, "_next", 0.0)
    assert seen == [LEFT, RIGHT, LEFT, RIGHT]
    assert set(pictures.due(5, in_a_hurry=False)) == LEFT
    assert pictures.due(5, in_a_hurry=False) == {}


def test_where_nothing_else_needs_the_cores_both_are_new_at_once(study: tk.Study) -> None:
    pictures = LivePictures(study)
    pictures.due(1, in_a_hurry=False)
    study.run(1)
    new = pictures.due(2, in_a_hurry=True)
    assert set(new) == LEFT | RIGHT
    assert "3 scores" in new["alt"]
    assert new["beside_alt"].startswith("Learning curves")


def test_the_first_report_makes_room_for_the_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunekit.widgets.rest._REST", 1000)
    study = tk.Study(learned, tk.Space(x=(0.0, 1.0)), sampler="random", seed=0)
    pictures = LivePictures(study)
    alone = pictures.due(1, in_a_hurry=False)
    assert set(alone) == LEFT
    study.run(1)
    both = pictures.due(2, in_a_hurry=False)
    assert set(both) == LEFT | RIGHT
    assert both["width"] + both["beside_width"] == alone["width"]
