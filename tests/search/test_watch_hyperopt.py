"""Watching hyperopt's Trials: what is there, finished or not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hyperopt import STATUS_FAIL, STATUS_OK, Trials, fmin, hp, tpe

import tunekit as tk

SPACE = {
    "x": hp.uniform("x", -1, 1),
    "k": hp.choice("k", ["one", {"b": hp.uniform("b", 0, 1)}]),
}


def play(function: Any, trials: Any, until: int, **options: Any) -> None:
    fmin(
        function, SPACE, tpe.suggest, until, trials=trials, show_progressbar=False, rstate=np.random.default_rng(0),
        **options,
    )  # fmt: skip


def test_its_trials_are_trials_of_ours_and_later_ones_are_seen() -> None:
    theirs = Trials()
    study = tk.watch(theirs)
    assert study.trials == ()
    play(lambda p: {"status": STATUS_OK, "loss": p["x"] ** 2, "epochs": 3}, theirs, 8)
    assert len(study.trials) == 8
    play(lambda p: p["x"] ** 2, theirs, 20)
    assert [trial.metrics["loss"] for trial in study.trials] == theirs.losses()
    assert [trial.params["x"] for trial in study.trials] == theirs.vals["x"]
    assert study.trials[0].metrics["epochs"] == 3
    assert study.best.metrics["loss"] == theirs.best_trial["result"]["loss"]
    assert study.plot("history") is not None
    assert repr(study).startswith("Study(watching hyperopt). 20 trials, all complete. Best loss ")


def test_the_space_is_the_range_of_the_values_and_conditions_are_found() -> None:
    theirs = Trials()
    play(lambda p: p["x"] ** 2, theirs, 20)
    space = tk.watch(theirs).space
    assert set(space.names) == {"x", "k", "b"}
    x: Any = space["x"]
    assert (x.low, x.high) == (min(theirs.vals["x"]), max(theirs.vals["x"]))
    assert space["b"].when == {"k": [1]}
    assert space.to_unit(theirs.best_trial and tk.watch(theirs).best.params).shape == (3,)


def test_trials_that_fail_or_run_are_told_apart() -> None:
    calls = 0

    def sometimes(p: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("boom")
        if calls == 2:
            return {"status": STATUS_FAIL}
        if calls == 3:
            assert study.trials[2].state == "running"
            return float("inf")
        return p["x"] ** 2

    theirs = Trials()
    study = tk.watch(theirs)
    play(sometimes, theirs, 5, catch_eval_exceptions=True)
    assert [trial.state for trial in study.trials] == ["failed"] * 3 + ["complete"] * 2
    assert [trial.reason for trial in study.trials[:3]] == [
        "<class 'RuntimeError'>: boom", "the function gave the status 'fail'", "a loss is a finite number: got inf"
    ]  # fmt: skip


@pytest.mark.parametrize("act", [lambda study: study.run(3), lambda study: study.start(1)], ids=["run", "start"])
def test_it_cannot_be_run_and_says_why(act: Any) -> None:
    with pytest.raises(TypeError, match=r"hold results, and neither the function nor the space.*go on with fmin"):
        act(tk.watch(Trials()))


def test_with_its_space_a_choice_has_its_options() -> None:
    space = {
        "x": hp.uniform("x", -1, 1),
        "act": hp.choice("act", ["relu", (64, 128), {"b": hp.uniform("b", 0, 1)}]),
        "kind": hp.pchoice("kind", [(0.3, "sgd"), (0.7, True)]),
        "same": hp.choice("same", [1, 1]),
    }
    theirs = Trials()
    study = tk.watch(theirs, space=space)
    fmin(
        lambda p: p["x"] ** 2 + (p["kind"] == "sgd"), space, tpe.suggest, 20, trials=theirs, show_progressbar=False,
        rstate=np.random.default_rng(0),
    )  # fmt: skip
    act, kind = ["relu", (64, 128), "{'b': b}"], ["sgd", True]
    assert [trial.params["act"] for trial in study.trials] == [act[at] for at in theirs.vals["act"]]
    assert [trial.params["kind"] for trial in study.trials] == [kind[at] for at in theirs.vals["kind"]]
    assert [trial.params["same"] for trial in study.trials] == theirs.vals["same"]
    assert study.space["act"] == tk.Choice(*act)
    assert study.space["b"].when == {"act": ["{'b': b}"]}
    assert study.best.params["kind"] is True
    assert "let it go below 0" not in repr(study.explain())


def test_a_space_is_for_hyperopt_alone(tmp_path: Any) -> None:
    with pytest.raises(TypeError, match=r"only hyperopt's Trials are watched with a space.*leave it out"):
        tk.watch(tmp_path / "none.jsonl", space=SPACE)
