"""A study: what the objective may give, what is recorded, how it goes on, and what it says."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

import tunekit as tk

SPACE = tk.Space(lr=tk.Float(1e-4, 1e-1, log=True), width=tk.Int(16, 128), act=tk.Choice("relu", "gelu"))


def plain(lr: float, width: int, act: str) -> float:
    return lr * width + (act == "gelu")


def steps(lr: float, width: int, act: str) -> Iterator[float]:
    for epoch in range(3):
        time.sleep(0.002)
        yield plain(lr, width, act) + epoch


def study(objective: Callable[..., Any] = plain, **options: Any) -> tk.Study:
    return tk.Study(objective, SPACE, **{"sampler": "random", "seed": 0, **options})


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, "it took too long"
        time.sleep(0.001)


# What an objective may give


def test_a_number_a_dict_and_a_generator_of_either() -> None:
    def in_a_dict(lr: float, width: int, act: str) -> Mapping[str, float]:
        return {"score": plain(lr, width, act), "loss": 1.0}

    def stepwise(lr: float, width: int, act: str) -> Iterator[Mapping[str, float]]:
        yield {"score": 0.0, "loss": 2.0}
        yield in_a_dict(lr, width, act)

    for objective in (plain, in_a_dict, stepwise):
        one = study(objective)
        one.run(3)
        assert [trial.metrics["score"] for trial in one.trials] == [plain(**trial.params) for trial in one.trials]
    assert one.trials[0].reports[0] == {"score": 0.0, "loss": 2.0}
    assert one.trials[0].metrics["loss"] == 1.0


def test_what_a_generator_returns_is_its_score() -> None:
    def objective(lr: float, width: int, act: str) -> Generator[float, None, float]:
        yield 1.0
        return 5.0

    one = study(objective)
    one.run(1)
    assert one.best.metrics == {"score": 5.0}
    assert one.best.reports == ({"score": 1.0},)


def test_numbers_of_numpy_and_torch_are_numbers() -> None:
    import torch

    for value in (np.float32(0.5), np.array(0.5), torch.tensor(0.5), torch.tensor([0.5]), 1, True):
        one = study(lambda lr, width, act, value=value: value)
        one.run(1)
        assert one.best.metrics["score"] in (0.5, 1.0)


def test_an_objective_that_asks_gets_its_number_and_seed() -> None:
    seen: list[tuple[int, int | None]] = []

    def objective(lr: float, width: int, act: str, trial: Any) -> float:
        seen.append((trial.number, trial.seed))
        return 0.0

    one = study(objective)
    one.run(3)
    assert seen == [(trial.number, trial.seed) for trial in one.trials]
    assert len({seed for _, seed in seen}) == 3


def test_named_metrics_both_ways() -> None:
    up, down = study(maximize="accuracy"), study(minimize="loss")
    up.run(8)
    down.run(8)
    assert up.best.metrics["accuracy"] == max(trial.metrics["accuracy"] for trial in up.trials)
    assert down.best.metrics["loss"] == min(trial.metrics["loss"] for trial in down.trials)


# Trials that fail


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: float("nan"), "score is nan"),
        (lambda: float("-inf"), "score is -inf"),
        (lambda: None, "must be a number: got None; does the function return its score"),
        (lambda: "0.9", "must be a number: got '0.9'"),
        (lambda: [1, 2], "must be a number: got list"),
        (lambda: {"loss": 1.0}, "must give the metric 'score'"),
        (lambda: iter(()), "must be a number"),
    ],
)
def test_a_failing_trial_is_recorded_and_the_study_goes_on(bad: Callable[[], Any], reason: str) -> None:
    calls = 0

    def objective(lr: float, width: int, act: str) -> Any:
        nonlocal calls
        calls += 1
        return bad() if calls == 2 else 1.0

    one = study(objective)
    assert "4 trials: 3 complete, 1 failed." in one.run(4).words
    assert one.trials[1].state == "failed"
    assert reason in (one.trials[1].error or "")
    assert "in objective" in (one.trials[1].error or "") or "ZeroDivision" not in reason


def test_a_score_that_becomes_nan_on_the_way_fails_and_keeps_its_curve() -> None:
    def objective(lr: float, width: int, act: str) -> Iterator[float]:
        yield 0.5
        yield float("nan")

    one = study(objective)
    with pytest.raises(RuntimeError, match="score is nan at step 2"):
        one.run(9)
    assert one.trials[0].reports == ({"score": 0.5},)


def test_when_the_first_five_fail_it_stops_and_says_why() -> None:
    def objective(lr: float, width: int, act: str) -> float:
        raise KeyError("no such layer")

    one = study(objective)
    with pytest.raises(RuntimeError, match=r"first 5 trials all failed.*no such layer.*on_error='raise'"):
        one.run(30)
    assert len(one.trials) == 5


def test_on_error_raise_raises_the_error_itself() -> None:
    def objective(lr: float, width: int, act: str) -> float:
        raise KeyError("no such layer")

    one = study(objective)
    with pytest.raises(KeyError, match="no such layer"):
        one.run(3, on_error="raise")
    assert [trial.state for trial in one.trials] == ["failed"]


# To go on


@pytest.mark.parametrize("sampler", ["random", "bayes"])
def test_a_study_in_two_runs_is_the_study_in_one(sampler: str) -> None:
    whole, parts = study(sampler=sampler), study(sampler=sampler)
    whole.run(8)
    parts.run(3)
    parts.run(5)
    assert [t.params for t in parts.trials] == [t.params for t in whole.trials]


def test_a_trial_that_was_cut_off_is_run_again_first() -> None:
    whole, cut = study(steps), study(steps)
    whole.run(40)
    cut.start(40)
    until(lambda: len(cut.trials) > 5)
    cut.stop()
    words = cut.wait().words
    assert "run again first" in words
    number = next(trial.number for trial in cut.trials if trial.state == "stopped")
    cut.run(40 - number)
    assert [(t.params, t.metrics) for t in cut.trials] == [(t.params, t.metrics) for t in whole.trials]


def test_the_random_numbers_of_a_trial_do_not_depend_on_what_ran_before() -> None:
    import torch

    def draws(lr: float, width: int, act: str) -> float:
        return float(torch.rand(())) + float(np.random.random())

    one, other = study(draws), study(draws)
    one.run(4)
    other.run(1)
    torch.rand(7)
    other.run(3)
    assert [t.metrics for t in one.trials] == [t.metrics for t in other.trials]
    assert len({t.metrics["score"] for t in one.trials}) == 4


@pytest.mark.parametrize("seed", [None, 0])
def test_a_run_gives_the_callers_stream_back_and_without_a_seed_draws_from_it(seed: int | None) -> None:
    def draw(**_: Any) -> float:
        return float(np.random.random())

    np.random.seed(5)
    stream = np.random.random(4).tolist()
    np.random.seed(5)
    one = tk.Study(draw, SPACE, sampler="random", seed=seed)
    one.run(2)
    scores = [trial.metrics["score"] for trial in one.trials]
    assert (scores == stream[:2]) == (seed is None)
    assert float(np.random.random()) == (stream[2] if seed is None else stream[0])


def test_without_a_seed_two_studies_differ() -> None:
    one, other = study(seed=None), study(seed=None)
    one.run(3)
    other.run(3)
    assert [t.params for t in one.trials] != [t.params for t in other.trials]


def test_a_space_that_is_used_up_ends_the_run_gracefully() -> None:
    one = tk.Study(lambda act: 1.0, tk.Space(act=["a", "b", "c"]), sampler="grid")
    assert "Ended because every setting has been tried" in one.run(10).words
    assert len(one.trials) == 3


def test_a_timeout_keeps_what_is_done() -> None:
    one = study(steps)
    words = one.run(100_000, timeout=0.3).words
    assert "of its timeout were over" in words
    assert 3 < len(one.trials) < 10_000


def test_stop_closes_the_generator() -> None:
    closed: list[bool] = []

    def objective(lr: float, width: int, act: str) -> Iterator[float]:
        try:
            while True:
                time.sleep(0.001)
                yield 0.0
        finally:
            closed.append(True)

    one = study(objective)
    one.start(1)
    until(lambda: bool(one.trials and one.trials[0].reports))
    one.stop()
    one.wait()
    until(lambda: closed == [True])


# What it says


def test_the_sentences() -> None:
    one = study(steps)
    assert one.status().words == "No trial yet."
    one.start(1000)
    until(lambda: len(one.trials) > 2)
    running = one.status()
    assert running.state == "running"
    assert "of 1000 done" in running.words
    assert "best score" in running.words
    assert "left" in running.words
    one.pause()
    until(lambda: one.state == "paused")
    assert "Paused at" in one.status().words
    assert "nothing is lost" in one.status().words
    one.stop()
    one.wait()
    assert one.status().state == "over"


def test_text_is_facts_without_clock_or_address() -> None:
    one, other = study(steps), study(steps)
    texts = [(repr(s.run(5)), repr(s), repr(s.best)) for s in (one, other)]
    assert texts[0] == texts[1]
    assert not any("0x" in text for text in texts[0])
    assert texts[0][1].startswith("Study(steps over lr, width, act; random). 5 trials, all complete. Best score ")


def test_classes_and_functions_as_values_are_shown_by_name() -> None:
    from torch import nn

    one = tk.Study(lambda act: 1.0, tk.Space(act=[nn.ReLU, nn.GELU, lambda: None]), sampler="grid", seed=0)
    assert "act=ReLU" in one.run(3).words
    assert "0x" not in repr(one.space) + repr(one.trials)


# Bad input, before any work


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: study(sampler="gird"), "unknown sampler 'gird': the known ones are"),
        (lambda: tk.Study(plain, tk.Space(lr=(0.0, 1.0))), "nothing gives it 'width', 'act'"),
        (lambda: tk.Study(lambda lr: 1.0, SPACE), "it takes no 'width', 'act'"),
        (lambda: tk.Study(lambda lr, /, width, act: 1.0, SPACE), "nothing gives it 'lr'"),
        (lambda: tk.Study(3, SPACE), "a function of the settings: got 3"),  # type: ignore[arg-type]
        (lambda: study(seed=-1), "a seed is a whole number from 0"),
        (lambda: study().run(0), "whole number from 1: got 0"),
        (lambda: study().run(True), "whole number from 1: got True"),
        (lambda: study().run(3, timeout=-1), "above 0, or None: got -1"),
        (lambda: study().run(3, on_error="ignore"), "'record' or 'raise': got 'ignore'"),  # type: ignore[arg-type]
        (lambda: tk.Study(lambda trial: 1.0, tk.Space(trial=(0, 1))), "'trial' is the name under which"),
        (lambda: study().plot("histroy"), "unknown plot 'histroy': the known ones are"),
        (lambda: study().best, "there is none yet"),
        (lambda: tk.Studdy, "the public names are"),
    ],
)  # fmt: skip
def test_bad_input_says_the_rule_and_the_value(make: Callable[[], Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError, AttributeError), match=words):
        make()


def test_defaults_and_keyword_arguments_fit() -> None:
    def objective(lr: float, *, width: int, act: str, epochs: int = 3, **more: Any) -> float:
        return lr

    assert study(objective).run(1).words.startswith("1 trial: 1 complete")


def test_in_a_script_nothing_of_the_notebook_is_imported() -> None:
    code = """
import sys, tunekit as tk
def main():
    study = tk.Study(lambda x: -x * x, {"x": (-1.0, 1.0)}, sampler="random", seed=0)
    print(study.run(5))
    print([name for name in ("torch", "matplotlib", "ipywidgets", "anywidget", "IPython") if name in sys.modules])
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[0].startswith("5 trials, all complete. Best score -")
    assert done.stdout.splitlines()[1] == "[]"
    assert done.stderr == ""
