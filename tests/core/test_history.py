"""The history is the fold of the events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunekit.core.events import Progressed, TrialEnded, TrialMeasured, TrialReported, TrialStarted
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History


def folded(*events: object, maximize: bool = True) -> History:
    history = History(Goal(Aim("score", maximize)))
    for event in events:
        history.apply(event)  # type: ignore[arg-type]
    return history


def ended(number: int, score: float) -> TrialEnded:
    return TrialEnded(number, "complete", {"score": score}, seconds=1.0)


def test_a_trial_gathers_its_reports_and_its_end() -> None:
    history = folded(
        TrialStarted(0, {"lr": 0.1}, seed=7),
        TrialReported(0, {"score": 0.5}),
        Progressed("half way", 0.5),
        TrialReported(0, {"score": 0.7}),
        ended(0, 0.7),
        TrialMeasured(0, {"size": 100.0}),
    )
    trial = history[0]
    assert trial.reports == ({"score": 0.5}, {"score": 0.7})
    assert (trial.state, trial.metrics, trial.seed) == ("complete", {"score": 0.7, "size": 100.0}, 7)


def test_the_first_among_equals_is_the_best_both_ways() -> None:
    events = [event for n, score in enumerate([0.2, 0.9, 0.9, 0.1]) for event in (TrialStarted(n, {}), ended(n, score))]
    best, worst = folded(*events).best, folded(*events, maximize=False).best
    assert best is not None
    assert best.number == 1
    assert worst is not None
    assert worst.number == 3


def test_a_trial_that_starts_again_begins_from_nothing() -> None:
    history = folded(
        TrialStarted(0, {"lr": 0.1}), TrialReported(0, {"score": 0.5}), TrialEnded(0, "stopped", {}, 1.0),
        TrialStarted(0, {"lr": 0.1}),
    )  # fmt: skip
    assert (history[0].state, history[0].reports, len(history)) == ("running", (), 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.booleans())), st.booleans())
def test_what_is_best_and_feasible_is_so_after_every_change(
    changes: list[tuple[int, int, int, bool]], maximize: bool
) -> None:
    """Trials end, are measured anew and run again in any order."""
    history = History(Goal(Aim("score", maximize), limits=(Limit("size", high=2.0),)))
    for number in range(6):
        history.apply(TrialStarted(number, {}))
    for number, score, size, again in changes:
        figures = {"score": float(score), "size": float(size)}
        if again:
            history.apply(TrialStarted(number, {}))
        elif history[number].state == "complete":
            history.apply(TrialMeasured(number, figures))
        else:
            history.apply(TrialEnded(number, "complete", figures, 1.0))
        feasible = [one for one in history if one.state == "complete" and one.metrics["size"] <= 2]
        assert history.feasible == feasible
        sign = 1 if maximize else -1
        assert history.best == max(feasible, key=lambda one: sign * one.metrics["score"], default=None)
        assert history.before(3).best == max(
            [one for one in feasible if one.number < 3], key=lambda one: sign * one.metrics["score"], default=None
        )


def test_failed_and_stopped_trials_are_not_the_best() -> None:
    history = folded(
        TrialStarted(0, {}),
        TrialEnded(0, "failed", {}, 1.0, "boom"),
        TrialStarted(1, {}),
        TrialEnded(1, "stopped", {}, 1.0),
    )
    assert history.best is None
    assert history.complete == []


@pytest.mark.parametrize("event", [TrialReported(0, {"score": 1.0}), ended(3, 1.0), TrialStarted(1, {})])
def test_an_event_of_a_trial_that_never_started_is_an_error(event: object) -> None:
    with pytest.raises(ValueError, match=r"trial \d has not"):
        folded(event)
