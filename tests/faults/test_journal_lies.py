"""Journals that lie or are of something else, and values that only our own program knows: an error or the very same."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tunekit as tk
from tunekit.core.journal import JournalError

SPACE = {"x": (0.0, 1.0), "n": (1, 9), "act": ["relu", "gelu"]}


def study(journal: Path, space: Mapping[str, Any] = SPACE, **settings: Any) -> tk.Study:
    def objective(**params: Any) -> float:
        return float(params["x"])

    return tk.Study(objective, space, **{"sampler": "random", "seed": 0, "journal": journal, **settings})


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal of one trial, which nobody holds."""
    path = tmp_path_factory.mktemp("journals") / "honest.jsonl"
    study(path).run(1)
    return path.read_bytes()


def with_lines(path: Path, honest: bytes, *lines: str) -> bytes:
    """Write the honest journal with more lines behind it, the last of them torn; what it then holds."""
    path.write_bytes(honest + "".join(f"{line}\n" for line in lines).encode() + b'{"torn')
    return path.read_bytes()


# Lines that lie

DEEP = "[" * 600 + "]" * 600
LIES = {
    "a folder for a number": '{"started": "../../etc/passwd", "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1}',
    "a number below 0": '{"started": -1, "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1}',
    "a time that is none": '{"started": 1, "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1, "at": "yesterday"}',
    "a truth for a number": '{"reported": true, "metrics": {"score": 1.0}}',
    "a gap": '{"started": 7, "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1}',
    "a report of nothing": '{"reported": 4, "metrics": {"score": 1.0}}',
    "settings outside": '{"started": 1, "params": {"x": 5.5, "n": 3, "act": "relu"}, "seed": 1}',
    "settings unknown": '{"started": 1, "params": {"x": 0.5, "n": 3, "act": "relu", "__class__": 1}, "seed": 1}',
    "settings missing": '{"started": 1, "params": {"x": 0.5}, "seed": 1}',
    "settings too deep": f'{{"started": 1, "params": {{"x": {DEEP}, "n": 3, "act": "relu"}}, "seed": 1}}',
    "an object that is no choice": '{"enqueued": {"x": 0.5, "n": 3, "act": {"object": "os.system", "place": 9}}}',
    "an object without a place": '{"enqueued": {"x": 0.5, "n": 3, "act": {"object": "os.system", "place": null}}}',
    "a number without end": '{"reported": 0, "metrics": {"score": 1e999}}',
    "a whole number too large": '{"reported": 0, "metrics": {"score": 1%s}}' % ("0" * 400),
    "not a number": '{"reported": 0, "metrics": {"score": NaN}}',
    "words for a figure": '{"reported": 0, "metrics": {"score": "<script>alert(1)</script>"}}',
    "an unknown end": '{"ended": 0, "state": "\\u001b[31m<b>", "metrics": {}, "seconds": 1}',
    "a list for an end": '{"ended": 0, "state": ["complete"], "metrics": {}, "seconds": 1}',
    "an object for an error": '{"ended": 0, "state": "failed", "metrics": {}, "seconds": 1, "error": {"a": 1}}',
    "settings that never waited": (
        '{"started": 1, "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1, "enqueued": true}'
    ),
    "nothing known": '{"__import__": "os"}',
    "an opening by nobody": '{"opened": []}',
}


@pytest.mark.parametrize("lie", LIES)
def test_a_line_that_lies_is_an_error_that_says_which_and_the_file_is_left_alone(
    tmp_path: Path, honest: bytes, lie: str
) -> None:
    path = tmp_path / "lies.jsonl"
    before = with_lines(path, honest, LIES[lie])
    with pytest.raises(JournalError, match=r"lies\.jsonl") as caught:
        study(path)
    assert str(caught.value).isprintable()
    assert path.read_bytes() == before


@pytest.mark.parametrize("lie", LIES)
def test_whoever_watches_a_journal_that_lies_is_told(tmp_path: Path, honest: bytes, lie: str) -> None:
    path = tmp_path / "lies.jsonl"
    before = with_lines(path, honest, LIES[lie])
    with pytest.raises(JournalError, match=r"lies\.jsonl"):
        assert tk.watch(path).trials
    assert path.read_bytes() == before


@pytest.mark.parametrize("about", [{}, {"goal": {"aims": []}}, {"space": DEEP}, {"space": json.loads(DEEP)}])
def test_whoever_watches_a_journal_of_nothing_is_told(tmp_path: Path, about: Any) -> None:
    path = tmp_path / "lies.jsonl"
    path.write_text(json.dumps({"tunekit journal": 1, "about": about}) + "\n")
    with pytest.raises(JournalError, match=r"lies\.jsonl"):
        tk.watch(path)


HEADERS: dict[str, Callable[[Any], Any]] = {
    "no entropy": lambda about: about.pop("entropy"),
    "words for entropy": lambda about: about.update(entropy="__import__('os')"),
    "entropy below 0": lambda about: about.update(entropy=-1),
    "no goal": lambda about: about.pop("goal"),
    "no space": lambda about: about.pop("space"),
    "a space that is a list": lambda about: about.update(space=[1]),
}


@pytest.mark.parametrize("lie", HEADERS)
def test_a_first_line_that_lies_is_an_error_and_the_file_is_left_alone(tmp_path: Path, honest: bytes, lie: str) -> None:
    path = tmp_path / "lies.jsonl"
    first, _, rest = honest.partition(b"\n")
    header = json.loads(first)
    HEADERS[lie](header["about"])
    path.write_bytes(json.dumps(header).encode() + b"\n" + rest)
    before = path.read_bytes()
    with pytest.raises(JournalError, match=r"lies\.jsonl"):
        study(path)
    assert path.read_bytes() == before


def test_an_error_with_markup_and_control_characters_stays_text(tmp_path: Path, honest: bytes) -> None:
    path = tmp_path / "text.jsonl"
    words = "Boom: <img src=x onerror=alert(1)>\u001b[31m\u202e ../../etc/passwd"
    path.write_bytes(
        honest
        + b'{"started": 1, "params": {"x": 0.5, "n": 3, "act": "relu"}, "seed": 1}\n'
        + json.dumps({"ended": 1, "state": "failed", "metrics": {}, "seconds": 1, "error": words}).encode()
        + b"\n"
    )
    kept = study(path)
    assert kept.trials[1].error == words
    assert "\u001b" not in repr(kept) + repr(kept.trials[1]) + kept.status().words
    kept.run(3)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["text.jsonl"]


@pytest.mark.parametrize("seed", range(3))
def test_a_file_of_noise_or_with_one_wrong_byte_never_does_more_than_an_error(
    tmp_path: Path, honest: bytes, seed: int
) -> None:
    chance = random.Random(seed)
    path = tmp_path / "noise.jsonl"
    for _ in range(40):
        damaged = bytearray(honest)
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        refused = ""
        try:
            assert len(study(path).trials) <= 1
        except JournalError as error:
            refused = str(error)
        if refused:
            assert str(path) in refused
            assert path.read_bytes() == damaged


# A journal of another study

OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "another range": ({"space": {**SPACE, "x": (0.0, 2.0)}}, "'x'"),
    "one parameter more": ({"space": {**SPACE, "more": (0, 1)}}, "'more'"),
    "another order": ({"space": dict(reversed(SPACE.items()))}, "order"),
    "another choice": ({"space": {**SPACE, "act": ["gelu", "relu"]}}, "'act'"),
    "another goal": ({"minimize": "score"}, "goal"),
    "another seed": ({"seed": 1}, "seed"),
    "no seed": ({"seed": None}, "seed"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_study_is_refused_with_what_differs_and_the_file_is_left_alone(
    tmp_path: Path, honest: bytes, other: str
) -> None:
    path = tmp_path / "other.jsonl"
    before = with_lines(path, honest)
    settings, words = OTHERS[other]
    with pytest.raises(JournalError, match=words):
        study(path, **settings)
    assert path.read_bytes() == before


# What only our own program knows


class Thing:
    """An object that is equal to others."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


VALUES: dict[str, tuple[Any, Any]] = {
    "objects that are equal": (Thing(1), Thing(1)),
    "bytes": (b"ab", bytes(bytearray(b"ab"))),
    "a mapping": ({"a": 1}, {"a": 1}),
    "a number of numpy": (np.float64(0.5), np.float64(0.5)),
    "a class in a tuple": ((dict, 3), (dict, 3)),
    "a mapping in a list": ([{"a": 1}], [{"a": 1}]),
    "no finite number": (float("inf"), float("inf")),
    "half a letter": ("\ud800<b>", "\ud800<b>"),
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_choice_of_any_kind_comes_back(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "choices.jsonl"
    offered, given = VALUES[kind]
    space = {"x": (0.0, 1.0), "what": tk.Choice("other", offered)}
    first = study(path, space)
    first.enqueue({"x": 0.5, "what": given})
    first.run(4)
    kept = study(path, space)
    assert [trial.params for trial in kept.trials] == [trial.params for trial in first.trials]
    assert type(kept.trials[0].params["what"]) is type(offered)
    kept.run(6)
    assert len(kept.trials) == 6


def test_a_parameter_that_counts_with_an_object_only_comes_back_also_to_whoever_watches(tmp_path: Path) -> None:
    path = tmp_path / "when.jsonl"
    space = {"x": (0.0, 1.0), "kind": tk.Choice(dict, list), "deep": tk.Int(1, 9, when={"kind": [dict]})}
    first = study(path, space)
    first.run(6)
    assert [trial.params for trial in study(path, space).trials] == [trial.params for trial in first.trials]
    watched = tk.watch(path)
    assert [trial.params.get("deep") for trial in watched.trials] == [t.params.get("deep") for t in first.trials]
    assert watched.best.metrics == first.best.metrics


def test_numbers_of_numpy_from_a_sampler_come_back_as_numbers(tmp_path: Path) -> None:
    class Numpy:
        def propose(self, space: tk.Space, history: Any, rng: np.random.Generator) -> Mapping[str, Any]:
            return {"x": np.float64(rng.random()), "n": np.int64(3), "act": "relu"}

    path = tmp_path / "numpy.jsonl"
    first = study(path, sampler=Numpy())
    first.run(2)
    assert [trial.params for trial in study(path, sampler=Numpy()).trials] == [trial.params for trial in first.trials]


# The file itself


def test_the_same_cell_goes_on_after_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study(Path("here.jsonl")).run(1)
    first = study(Path("here.jsonl"))
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    first.run(2)
    assert len(study(Path("..") / "here.jsonl").trials) == 2


def test_a_study_that_was_asked_and_made_again_has_not_killed_its_trial(tmp_path: Path) -> None:
    for _ in range(5):
        trial = study(tmp_path / "asked.jsonl").ask()
        assert trial.number == 0


def test_a_copy_of_a_journal_is_a_study_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "first.jsonl"
    first = study(path)
    first.run(2)
    shutil.copy(path, tmp_path / "second.jsonl")
    second = study(tmp_path / "second.jsonl")
    second.run(4)
    first.run(1)
    assert (len(first.trials), len(second.trials)) == (3, 4)
