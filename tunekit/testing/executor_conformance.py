"""What all executors hold, as tests that run on one of your own."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search.context import Context
from tunekit.search.early_stopping import Verdict
from tunekit.search.study import Study

_SECONDS = 60.0
_SPACE = {"x": (0.0, 1.0)}


class ExecutorConformance(ABC):
    """Subclass it in a test file, say how a study is run with the executor, and pytest runs what all of them hold.

    Attributes
    ----------
    workers
        How many trials it runs at a time, as `options` asks it to.
    is_seeding
        Whether each trial has the global random generators to itself.

    Examples
    --------
    >>> class TestThreads(ExecutorConformance):
    ...     workers = 2
    ...     is_seeding = False
    ...
    ...     def options(self):
    ...         return {"executor": "threads", "workers": 2}
    >>> TestThreads().test_all_trials_end_and_their_reports_come_in_order()
    """

    workers = 1
    is_seeding = True

    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """What `Study.run` is given to have its trials there."""

    def run(self, objective: Callable[..., Any], trials: int = 6, space: Any = None, **settings: Any) -> Study:
        """A finished study."""
        run = {key: settings.pop(key) for key in ("deterministic", "on_error", "trial_timeout") if key in settings}
        study = Study(objective, space or _SPACE, sampler=settings.pop("sampler", "random"), seed=0, **settings)
        study.run(trials, **self.options(), **run)
        return study

    def start(self, objective: Callable[..., Any], trials: int = 6, **run: Any) -> Study:
        """A study that has begun."""
        study = Study(objective, _SPACE, sampler="random", seed=0)
        return study.start(trials, **self.options(), **run)

    # What a trial is given, and gives

    def test_all_trials_end_and_their_reports_come_in_order(self) -> None:
        """Each report is there, once and in its place; the last one counts."""
        study = self.run(_rising)
        assert [trial.state for trial in study.trials] == ["complete"] * 6
        for trial in study.trials:
            x = trial.params["x"]
            assert [report["score"] for report in trial.reports] == [x * step for step in range(1, 5)]
            assert trial.metrics == {"score": 4 * x}
            assert trial.seconds is not None
            assert trial.seconds >= 0

    def test_the_settings_are_those_of_the_same_study_elsewhere(self) -> None:
        """Random settings do not depend on where the trials are."""
        here = Study(_rising, _SPACE, sampler="random", seed=0)
        here.run(6)
        assert [trial.params for trial in self.run(_rising).trials] == [trial.params for trial in here.trials]

    def test_closures_and_their_values_travel(self) -> None:
        """A function of a notebook uses what stands around it."""
        factor, table = 3.0, np.arange(4.0)

        def objective(x: float) -> float:
            return float(factor * x + table.sum())

        (trial,) = self.run(objective, 1).trials
        assert trial.metrics["score"] == 3.0 * trial.params["x"] + 6.0

    def test_values_of_any_type_arrive_as_they_are(self) -> None:
        """Choices are any objects; classes arrive as themselves."""
        values = ((1, "two"), None, True, "ünï ✓\n", 2.5, dict)

        def objective(kind: Any) -> float:
            return float([repr(each) for each in values].index(repr(kind)))

        study = self.run(objective, len(values), {"kind": list(values)}, sampler="grid")
        assert [trial.metrics["score"] for trial in study.trials] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]

    def test_figures_arrive_to_the_last_bit(self) -> None:
        """A score is the same number that the objective gave."""
        figures = {"score": 0.1 + 0.2, "tiny": 5e-324, "large": -1.7976931348623157e308, "count": 2.0**53}
        (trial,) = self.run(lambda x: figures, 1).trials
        assert trial.metrics == figures

    def test_it_knows_its_number_and_seed(self) -> None:
        """A parameter named ``trial`` gets the context."""

        def objective(x: float, trial: Context) -> dict[str, float]:
            return {"score": x, "number": trial.number, "seed": trial.seed or 0}

        for trial in self.run(objective, 4).trials:
            assert (trial.metrics["number"], trial.metrics["seed"]) == (trial.number, trial.seed)

    def test_a_seed_makes_each_trial_the_same(self) -> None:
        """Python's, numpy's and torch's generators are seeded for each trial, where no other one draws from them."""
        if not self.is_seeding:
            return
        import_module("torch")  # a seed reaches the generators that are there when a trial begins
        here = Study(_drawing, _SPACE, sampler="random", seed=0)
        here.run(4)
        assert [trial.metrics for trial in self.run(_drawing, 4).trials] == [trial.metrics for trial in here.trials]

    def test_the_callers_generators_go_on_as_if_nothing_had_run(self) -> None:
        """A seeded study leaves the global generators of the process as it found them."""
        if not self.is_seeding:
            return
        random.seed(5)
        expected = random.random()
        random.seed(5)
        self.run(_drawing, 2)
        assert random.random() == expected

    # How it goes on

    def test_no_more_trials_at_a_time_than_workers(self) -> None:
        """Never more, and, with several, more than one."""
        study = Study(_slow, _SPACE, sampler="random", seed=0)
        most = 0

        def look() -> None:
            nonlocal most
            most = max(most, sum(trial.state == "running" for trial in study.history))

        study.subscribe(look)
        study.run(8, **self.options())
        assert most <= self.workers
        assert most == self.workers or self.workers > 2

    def test_reports_are_there_while_it_runs(self) -> None:
        """The curve of a running trial grows."""
        study = self.start(_endless, 1)
        _until(lambda: len(study.history) > 0 and len(study.history[0].reports) >= 3)
        assert study.trials[0].state == "running"
        study.stop()
        study.wait()

    def test_a_paused_study_stands_still_and_goes_on(self) -> None:
        """No report comes while it rests, nothing is lost, and it ends as if it had not rested."""
        study = self.start(_slow, 4)
        _until(lambda: _reports(study) >= 2)
        study.pause()
        _until(lambda: study.state == "paused")
        standing = _reports(study)
        time.sleep(0.3)
        assert _reports(study) == standing
        study.resume()
        study.wait()
        assert [trial.state for trial in study.trials] == ["complete"] * 4
        assert [len(trial.reports) for trial in study.trials] == [5] * 4

    def test_a_stop_acts_after_one_step_and_keeps_what_is_done(self) -> None:
        """Finished trials stay, those that were cut off are run again first."""
        study = self.start(_slow, 50)
        # in the middle of a trial: between two of them there is none to cut off
        _until(lambda: bool(study.history.complete) and _is_early_in_a_trial(study))
        study.stop()
        words = study.wait().words
        states = [trial.state for trial in study.trials]
        assert set(states) <= {"complete", "stopped"}
        assert 1 <= states.count("stopped") <= self.workers
        assert "run again first" in words
        cut_off = [(trial.number, trial.params) for trial in study.trials if trial.state == "stopped"]
        study.run(len(cut_off), **self.options())
        for number, params in cut_off:
            assert study.trials[number].state == "complete"
            assert study.trials[number].params == params
            assert len(study.trials[number].reports) == 5

    def test_a_stop_acts_while_it_rests(self) -> None:
        """Stop ends a paused study."""
        study = self.start(_endless, 2)
        _until(lambda: _reports(study) >= 2)
        study.pause()
        _until(lambda: study.state == "paused")
        study.stop()
        study.wait()
        assert {trial.state for trial in study.trials} == {"stopped"}

    def test_a_timeout_ends_it(self) -> None:
        """As a press of stop does."""
        study = self.start(_endless, 2, timeout=0.5)
        assert "timeout" in study.wait().words

    def test_early_stopping_halts_and_finishes(self) -> None:
        """A halted trial ends where it was told to; one that was finished counts."""
        study = self.run(_rising, 6, early_stopping=_HaltsOddNumbers())
        for trial in study.trials:
            assert trial.state == ("halted" if trial.number % 2 else "complete")
            assert len(trial.reports) == (2 if trial.number % 2 else 3)
            assert trial.metrics == trial.reports[-1]

    def test_in_rounds_it_is_the_same_study_each_time(self) -> None:
        """``deterministic=True``: also with a model that learns, and with trials of any length."""
        once, again = (
            self.run(_of_any_length, 9, sampler="bayes", early_stopping="asha", deterministic=True) for _ in range(2)
        )
        assert _record(once) == _record(again)

    # What goes wrong

    def test_a_trial_that_fails_is_recorded_and_the_others_go_on(self) -> None:
        """With what it raised, and where."""

        def objective(x: float) -> float:
            if x < 0.5:
                raise LookupError(f"<b>{x}</b>")
            return x

        study = self.run(objective, 8)
        for trial in study.trials:
            assert trial.state == ("failed" if trial.params["x"] < 0.5 else "complete")
            if trial.error is not None:
                assert trial.reason == f"LookupError: <b>{trial.params['x']}</b>"

    def test_an_exit_in_the_objective_is_a_failed_trial(self) -> None:
        """The worker is not the objective's to end."""

        def objective(x: float) -> float:
            if x > 0.6:
                raise SystemError("gone")
            return x

        assert {trial.state for trial in self.run(objective, 8).trials} == {"failed", "complete"}

    def test_on_error_raise_ends_the_run(self) -> None:
        """The error says what happened in the trial."""

        def objective(x: float) -> float:
            raise LookupError("nothing here")

        assert "nothing here" in str(_raised(lambda: self.run(objective, 8, on_error="raise")))

    def test_the_first_trials_all_fail_and_it_ends(self) -> None:
        """A mistake in the code does not cost a night."""

        def objective(x: float) -> float:
            raise LookupError("nothing here")

        assert "all failed" in str(_raised(lambda: self.run(objective, 30)))

    def test_what_is_no_score_is_a_failed_trial(self) -> None:
        """The error says what is."""
        study = Study(lambda x: "good" if x > 0.5 else x, _SPACE, sampler="random", seed=0)
        study.run(6, **self.options())
        failed = [trial for trial in study.trials if trial.params["x"] > 0.5]
        assert failed
        assert all(trial.state == "failed" and "must be a number" in (trial.reason or "") for trial in failed)

    def test_nothing_is_left(self) -> None:
        """No thread of the run is there when it is over."""
        before = set(threading.enumerate())
        self.run(_rising, 4)
        _until(lambda: not [each for each in threading.enumerate() if each not in before and _is_ours(each)])


class _HaltsOddNumbers:
    def decide(self, history: History, trial: Trial) -> Verdict:
        if trial.number % 2 and len(trial.reports) == 2:
            return "halt"
        return "finish" if len(trial.reports) == 3 else "go"


def _rising(x: float) -> Iterator[float]:
    for step in range(1, 5):
        yield x * step


def _slow(x: float) -> Iterator[float]:
    for step in range(5):
        time.sleep(0.02)
        yield x * step


def _endless(x: float) -> Iterator[float]:
    while True:
        time.sleep(0.01)
        yield x


def _of_any_length(x: float) -> Iterator[float]:
    for step in range(4):
        time.sleep(0.02 * x)
        yield -((x - 0.3) ** 2) - 0.1 / (step + 1)


def _drawing(x: float) -> dict[str, float]:
    import torch

    drawn = {"python": random.random(), "numpy": float(np.random.random()), "torch": float(torch.rand(()))}
    return {"score": x, **drawn}


def _record(study: Study) -> list[Any]:
    return [(trial.params, trial.state, trial.reports, trial.metrics) for trial in study.trials]


def _is_early_in_a_trial(study: Study) -> bool:
    return any(trial.state == "running" and 1 <= len(trial.reports) <= 2 for trial in study.history)


def _reports(study: Study) -> int:
    return sum(len(trial.reports) for trial in study.history)


def _raised(act: Callable[[], object]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def _is_ours(thread: threading.Thread) -> bool:
    return thread.name.startswith("tunekit")


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {_SECONDS:.0f} s"
        time.sleep(0.01)
