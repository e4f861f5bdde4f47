"""Whatever the history, insight has an answer that holds its contract, or says what is missing."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest

from tests.insight.histories import POOR, RICH
from tunekit.insight.edges import edges
from tunekit.insight.effects import effect, slice_at
from tunekit.insight.failures import common_cause
from tunekit.insight.gain import expected_gain
from tunekit.insight.importance import importance
from tunekit.insight.random_band import random_band
from tunekit.insight.surrogate import surrogate
from tunekit.search.study import Study


@cache
def rich(name: str) -> Study:
    return RICH[name]()


# module: all that is asked of one history is asked in a row, while its surrogate is kept
@pytest.fixture(params=list(RICH), scope="module")
def study(request: pytest.FixtureRequest) -> Study:
    return rich(request.param)


@pytest.fixture(params=list(POOR), scope="module")
def poor(request: pytest.FixtureRequest) -> Study:
    return POOR[request.param]()


def test_predictions_lie_in_their_intervals_and_the_noise_widens_them(study: Study) -> None:
    learned = surrogate(study.history, study.space)
    params = [trial.params for trial in study.history.complete]
    one, many = learned.predict(params), learned.predict(params, noise=False)
    for found in (one, many):
        assert found.mean.shape == found.low.shape == found.high.shape == found.deviation.shape == (len(params),)
        assert np.all(np.isfinite([found.mean, found.low, found.high, found.deviation]))
        assert np.all(found.low <= found.high)
        assert np.all(found.deviation >= 0)
    assert np.all(one.low <= many.low + 1e-9)
    assert np.all(one.high >= many.high - 1e-9)
    assert learned.noise >= 0


def test_the_surrogate_is_in_the_unit_of_the_metric(study: Study) -> None:
    learned = surrogate(study.history, study.space)
    metric = study.history.goal.metric
    seen = np.array([trial.metrics[metric] for trial in study.history.complete])
    found = learned.predict([trial.params for trial in study.history.complete])
    rounding = 1e-9 * np.abs(seen)
    assert np.mean((found.low <= seen + rounding) & (seen <= found.high + rounding)) >= 0.9


def test_the_same_history_gives_the_same_surrogate(study: Study) -> None:
    assert surrogate(study.history, study.space) is surrogate(study.history, study.space)


def test_shares_are_shares(study: Study) -> None:
    found = importance(study.history, study.space)
    names = study.space.names
    assert {one.name for one in found.parameters} == set(names)
    assert {frozenset(pair.names) for pair in found.pairs} == {frozenset(pair) for pair in combinations(names, 2)}
    for share in [s for one in found.parameters for s in (one.first, one.total)] + [p.share for p in found.pairs]:
        assert 0 <= share.low <= share.high <= 1
        assert 0 <= share.value <= 1
    totals = [one.total.value for one in found.parameters]
    assert totals == sorted(totals, reverse=True)
    assert all(one.first.value <= one.total.value + 1e-9 for one in found.parameters)
    assert found.words in repr(found)


def test_each_parameter_has_an_effect(study: Study) -> None:
    best = study.history.complete[0]
    for name in study.space.names:
        found = effect(study.history, study.space, name)
        assert len(found.values) == len(found.mean) == len(found.low) == len(found.high) == len(found.places)
        assert np.all(found.low <= found.high)
        assert all(study.space[name].complaint(value) is None for value in found.values)
        assert np.all(np.diff(found.places) > 0)
        if study.space.is_active(name, best.params):
            cut = slice_at(study.history, study.space, name, best.params)
            assert cut.values == found.values
            assert np.all(cut.low <= cut.high)


def test_random_search_gets_better_with_trials(study: Study) -> None:
    found = random_band(study.history, study.space, trials=20)
    better = 1 if study.history.goal.aim.maximize else -1
    assert found.trials.tolist() == list(range(1, 21))
    for line in (found.mean, found.low, found.high):
        assert np.all(better * np.diff(line) >= -1e-12)
    assert np.all(found.low <= found.high)


def test_advice_says_what_it_knows(study: Study) -> None:
    gained = expected_gain(study.history, study.space, trials=3)
    assert 0 <= gained.low <= gained.high
    assert gained.value >= 0
    for edge in edges(study.history, study.space):
        assert edge.name in edge.words
        assert not study.space[edge.name].complaint(edge.bound)


def test_explaining_takes_five_to_ten_sentences(study: Study) -> None:
    said = repr(study.explain())
    assert 5 <= len(said.splitlines()) <= 10
    assert all(line[0].isupper() or line[0].isdigit() or line.split()[0] in study.space for line in said.splitlines())
    assert repr(study.explain()) == said


def test_too_little_is_an_error_that_says_so(poor: Study) -> None:
    for ask in (surrogate, importance, random_band, edges, expected_gain):
        with pytest.raises(ValueError, match=r"at least 4 complete trials: there (is 1|are [023]); run more"):
            ask(poor.history, poor.space)
    said = repr(poor.explain())
    assert len(said.splitlines()) == (2 if len(poor.trials) < 2 else 5)
    missing = 4 - len(poor.history.complete)
    assert said.endswith(f"from 4 complete trials on: {missing} {'is' if missing == 1 else 'are'} missing.")
    assert repr(poor.explain()) == said
    assert common_cause(poor.history, poor.space) is None


def test_an_unknown_metric_lists_the_known_ones() -> None:
    study = rich("two aims")
    with pytest.raises(ValueError, match="unknown metric 'loss': the known ones are 'accuracy', 'size', 'other'"):
        study.importance("loss")
    assert study.importance("size")["y"].first.value > 0.9
    assert study.importance("other").metric == "other"


def test_an_unknown_parameter_lists_the_known_ones() -> None:
    study = rich("two aims")
    with pytest.raises(ValueError, match="unknown parameter 'z': the known ones are 'x', 'y'"):
        effect(study.history, study.space, "z")
    with pytest.raises(ValueError, match="unknown parameter 'z': the known ones are 'x', 'y'"):
        study.importance()["z"]
