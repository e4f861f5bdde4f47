"""The timeline: rows of workers, pauses left out, what the title says."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import tunekit as tk
from tunekit.core.events import EndState, TrialEnded, TrialStarted
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.plots import plot
from tunekit.plots.timeline import timeline_data


def ran(*spans: tuple[float, float] | tuple[float, None], states: Sequence[EndState] = ()) -> History:
    """A history of trials from one second to another; None: still running."""
    history = History(Goal())
    for number, (start, end) in enumerate(spans):
        history.apply(TrialStarted(number, {}, began=1e9 + start))
        if end is not None:
            state = states[number] if states else "complete"
            score = {"score": float(number)} if state == "complete" else {}
            history.apply(TrialEnded(number, state, score, end - start))
    return history


def test_trials_that_overlap_lie_in_rows_of_their_own() -> None:
    data = timeline_data(ran((0, 4), (0, 2), (2, 6), (4, 6)))
    assert [bar.row for bar in data.bars] == [0, 1, 1, 0]
    assert data.rows == 2
    assert data.busy == 1.0
    assert data.title == "2 workers busy 100 % of 6 s"


def test_the_title_says_how_many_halted_and_failed() -> None:
    data = timeline_data(ran((0, 10), (10, 20), (20, 25), states=("complete", "halted", "failed")))
    assert data.title == "1 worker busy 100 % of 25 s; 1 halted; 1 failed"
    assert [bar.number for bar in data.bars if bar.is_best] == [0]


def test_a_worker_that_waits_is_not_busy() -> None:
    assert timeline_data(ran((0, 10), (0, 5))).busy == pytest.approx(0.75)


def test_a_night_in_which_nothing_ran_is_left_out() -> None:
    data = timeline_data(ran((0, 10), (10, 20), (50_000, 50_010)))
    assert len(data.breaks) == 1
    assert 20 <= data.breaks[0] <= data.bars[2].start < 25
    assert data.bars[2].end - data.bars[2].start == pytest.approx(10)


def test_one_that_runs_reaches_to_the_last_moment_that_is_known() -> None:
    data = timeline_data(ran((0, 10), (2, None)))
    assert [(bar.start, bar.end, bar.state) for bar in data.bars] == [(0, 10, "complete"), (2, 10, "running")]


def test_without_times_there_is_nothing_to_draw() -> None:
    study = tk.Study(None, {"x": (0.0, 1.0)})
    study.tell({"x": 0.5}, 1.0)
    data = timeline_data(study.history)
    assert (data.bars, data.title) == ((), "When these trials ran is not known")


def test_a_study_knows_when_its_trials_began_also_after_it_was_opened_again(tmp_path: Path) -> None:
    def objective(x: float) -> Iterator[float]:
        time.sleep(0.02)
        yield x

    before = time.time()
    study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=tmp_path / "study.jsonl")
    study.run(3)
    began = [trial.began for trial in study.trials]
    assert all(at is not None and before - 0.01 <= at <= time.time() for at in began)
    again = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=tmp_path / "study.jsonl")
    assert [trial.began for trial in again.trials] == began
    assert timeline_data(again.history).rows == 1


def test_the_words_that_stand_for_it_name_no_time() -> None:
    study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    study.run(3)
    data, _ = plot("timeline", study)._repr_mimebundle_()  # type: ignore[attr-defined]
    assert data["text/plain"] == "When 3 trials ran"


def test_the_words_say_what_became_of_the_trials() -> None:
    said = timeline_data(ran((0, 10), (10, 20), (20, 25), states=("failed", "halted", "failed"))).said
    assert said == "When 3 trials ran; 1 halted; 2 failed"
