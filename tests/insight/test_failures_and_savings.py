"""What failures have in common, and what early stopping saved."""

from __future__ import annotations

import numpy as np

from tests.insight.histories import halted, told
from tunekit.insight.failures import common_cause
from tunekit.insight.savings import savings
from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space

SPACE = Space(lr=Float(1e-4, 1e-1, log=True), act=Choice("relu", "gelu"), width=(1, 64))


def test_a_bound_beyond_which_trials_fail_is_found() -> None:
    study = told(SPACE, lambda params: np.nan if params["lr"] > 0.02 else params["width"], 30)
    found = common_cause(study.history, study.space)
    failed = [trial.params["lr"] for trial in study.trials if trial.state == "failed"]
    assert found is not None
    assert (found.name, found.relation, found.value) == ("lr", "from", min(failed))
    assert (found.failures, found.of_failures, found.others) == (len(failed), len(failed), 0)
    assert found.chance < 0.01
    assert found.words.startswith(f"All {len(failed)} failures have lr from 0.0")


def test_a_value_at_which_trials_fail_is_found() -> None:
    study = told(SPACE, lambda params: np.nan if params["act"] == "gelu" else params["width"], 30)
    found = common_cause(study.history, study.space)
    assert found is not None
    assert (found.name, found.relation, found.value, found.others) == ("act", "is", "gelu", 0)
    assert "failures have act 'gelu', and none of the" in found.words


def test_chance_is_no_cause() -> None:
    causes = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        study = told(SPACE, lambda _, rng=rng: np.nan if rng.random() < 0.2 else 1.0, 30)  # type: ignore[misc]
        causes.append(common_cause(study.history, study.space))
    assert sum(cause is not None for cause in causes) <= 4  # one in twenty is expected


def test_steps_that_were_not_run_are_saved() -> None:
    study = halted()
    found = savings(study.history)
    ended_early = [trial for trial in study.trials if trial.state == "halted"]
    assert found is not None
    assert found.halted == len(ended_early)
    assert found.steps == sum(8 - len(trial.reports) for trial in ended_early)
    ran = sum(len(trial.reports) for trial in study.trials)
    assert found.share == found.steps / (8 * len(study.trials)) == found.steps / (found.steps + ran)
    assert found.words.endswith(f"{round(100 * found.share)} % of all.")


def test_nothing_halted_is_nothing_saved() -> None:
    assert savings(told(SPACE, lambda params: params["lr"], 5).history) is None
