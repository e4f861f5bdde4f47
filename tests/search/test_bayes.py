"""The Bayesian search: what it believes, what it does with failures, limits, fronts and earlier studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunekit.core import seeds
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History
from tunekit.core.pareto import hypervolume
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers.bayes import Bayes
from tunekit.search.samplers.random import Random
from tunekit.search.space import Space
from tunekit.search.surrogate.acquisitions import acquisitions
from tunekit.testing.spaces import spaces

SPACE = Space(
    lr=Float(1e-4, 1e-1, log=True),
    width=Int(4, 64, log=True),
    act=Choice("relu", "gelu", "tanh"),
    momentum=Float(0, 1, when={"act": "relu"}),
)
GOALS = [
    Goal(),
    Goal(Aim("score"), limits=(Limit("a", high=0.5),)),
    Goal(Aim("score"), Aim("a")),
    Goal(Aim("score"), Aim("a"), Aim("b", maximize=False)),
]
SQUARE = Space(x=(0.0, 1.0), y=(0.0, 1.0))


def score(params: Mapping[str, Any]) -> float:
    penalty = 0.2 * (params["act"] == "tanh") + 0.1 * params.get("momentum", 1.0)
    return float(-((np.log10(params["lr"]) + 2.5) ** 2) - penalty - abs(np.log2(params["width"]) - 4) / 4)


def played(
    sampler: Any,
    space: Space,
    figures: Callable[..., Mapping[str, float] | None],
    trials: int,
    goal: Goal | None = None,
    prior: History | None = None,
    seed: int = 0,
) -> History:
    """A history of that many trials; figures of None are a failure."""
    history = History(goal or Goal(), tuple(prior) if prior is not None else ())
    for number in range(trials):
        params = sampler.propose(space, history, seeds.generator(seed, number))
        history.apply(TrialStarted(number, params))
        metrics = figures(**params)
        state = "failed" if metrics is None else "complete"
        history.apply(TrialEnded(number, state, metrics or {}, 0.0))  # type: ignore[arg-type]
    return history


def typed(**params: Any) -> Mapping[str, float]:
    return {"score": score(params)}


def bowl(x: float, y: float) -> Mapping[str, float]:
    return {"score": -((x - 0.3) ** 2) - (y - 0.7) ** 2, "sum": x + y}


class TestWhatItBelieves:
    def test_the_optimizer_is_bayes_opts_own_and_predicts_the_scores(self) -> None:
        from bayes_opt import BayesianOptimization

        history = played(Random(), SPACE, typed, 40)
        optimizer = Bayes().optimizer(SPACE, history)
        assert isinstance(optimizer, BayesianOptimization)
        predicted = optimizer.predict([_place(SPACE, trial.params) for trial in history])
        scores = [trial.metrics["score"] for trial in history]
        assert np.corrcoef(np.asarray(predicted), scores)[0, 1] > 0.99

    def test_its_predictions_stay_within_reason_where_a_net_diverged(self) -> None:
        history = played(Random(), SQUARE, lambda x, y: {"score": -1e6 if x > 0.8 else bowl(x, y)["score"]}, 20)
        places = [{"x": x, "y": 0.7} for x in np.linspace(0, 1, 21).tolist()]
        answer: Any = Bayes().optimizer(SQUARE, history).predict(places, return_std=True)
        assert np.all(answer[0] >= -1e6)
        assert np.all(answer[1] <= 1e6)
        assert answer[0][6] == pytest.approx(0.0, abs=0.1)

    def test_it_doubts_what_is_far_from_every_trial(self) -> None:
        history = played(Random(), SQUARE, lambda x, y: bowl(x / 3, y / 3), 12)
        optimizer = Bayes().optimizer(SQUARE, history)
        places = [dict(zip("xy", place, strict=True)) for place in np.random.default_rng(0).random((200, 2)).tolist()]
        far = max(places, key=lambda place: min(_distance(place, trial.params) for trial in history))
        answer: Any = optimizer.predict([dict(history[0].params), far], return_std=True)
        assert answer[1][1] > 2 * answer[1][0]

    def test_what_it_proposes_is_what_the_optimizer_suggests(self) -> None:
        history = played(Random(), SQUARE, bowl, 10)
        params = Bayes().propose(SQUARE, history, np.random.default_rng(0))
        assert params is not None
        suggested = Bayes().optimizer(SQUARE, history).suggest()
        assert [params["x"], params["y"]] == pytest.approx([suggested["x"], suggested["y"]], abs=0.05)

    def test_a_failed_setting_counts_as_the_worst_seen(self) -> None:
        history = played(Random(), SQUARE, lambda x, y: None if x > 0.6 else bowl(x, y), 20)
        failed = [trial.state == "failed" for trial in history]
        targets = Bayes().optimizer(SQUARE, history).space.target
        worst = min(trial.metrics["score"] for trial in history if trial.state == "complete")
        assert any(failed)
        assert targets[failed] == pytest.approx([worst] * sum(failed))

    def test_the_belief_is_the_one_that_the_optimizer_predicts_with(self) -> None:
        history, sampler = played(Random(), SQUARE, bowl, 12), Bayes()
        means, _ = sampler.belief(SQUARE, history).predict(np.array([[0.3, 0.7], [0.9, 0.1]]))
        places = [{"x": 0.3, "y": 0.7}, {"x": 0.9, "y": 0.1}]
        assert means == pytest.approx(sampler.optimizer(SQUARE, history).predict(places))

    def test_without_a_complete_trial_there_is_nothing_to_believe(self) -> None:
        with pytest.raises(RuntimeError, match="there is none yet"):
            Bayes().optimizer(SQUARE, History(Goal()))


class TestWhereItGoes:
    @pytest.mark.parametrize("acquisition", [*acquisitions, "thompson sampling"])
    def test_every_acquisition_finds_the_top(self, acquisition: str) -> None:
        history = played(Bayes(acquisition=acquisition), SQUARE, bowl, 25)
        assert history.best is not None
        assert history.best.metrics["score"] > -1e-3

    def test_a_net_that_diverges_does_not_blind_it(self) -> None:
        history = played(Bayes(), SQUARE, lambda x, y: {"score": -1e9 * x if x > 0.8 else bowl(x, y)["score"]}, 25)
        assert history.best is not None
        assert history.best.metrics["score"] > -1e-3

    def test_trials_that_run_are_not_proposed_again_nor_their_neighbours(self) -> None:
        history = played(Bayes(), SQUARE, bowl, 12)
        sampler, places = Bayes(), []
        for number in range(12, 16):
            params = sampler.propose(SQUARE, history, seeds.generator(0, number))
            assert params is not None
            history.apply(TrialStarted(number, params))
            places.append(SQUARE.to_unit(params))
        gaps = [np.max(np.abs(one - other)) for k, one in enumerate(places) for other in places[:k]]
        assert min(gaps) > 1e-4

    @pytest.mark.parametrize(("trials", "near"), [(14, False), (16, False), (15, True), (17, True)])
    def test_once_settled_every_other_trial_is_sought_around_the_best(self, trials: int, near: bool) -> None:
        # the score falls fast along one axis: what is unknown, and so worth a look, lies at the far ends of the others
        space = Space(dict.fromkeys("abcde", (0.0, 1.0)))
        history = played(Random(), space, lambda a, **others: {"score": -((a - 0.5) ** 2)}, trials)
        best = history.best
        assert best is not None
        steps = []
        for seed in range(4):
            params = Bayes().propose(space, history, np.random.default_rng(seed))
            assert params is not None
            steps.append(max(abs(params[name] - best.params[name]) for name in space))
        assert (max(steps) < 0.5) == near

    @settings(max_examples=12, deadline=None)
    @given(spaces(), st.integers(0, 99), st.sampled_from(GOALS), st.sampled_from([*acquisitions, "thompson sampling"]))
    def test_in_any_space_it_proposes_what_was_not_tried(
        self, space: Space, seed: int, goal: Goal, acquisition: str
    ) -> None:
        """Trials that run, fail and score alike among them; before and after it has settled."""
        history, rng, sampler = History(goal), np.random.default_rng(seed), Bayes(acquisition=acquisition)
        trials = 14 if len(goal.aims) < 3 else 28
        tried = set()
        for number in range(trials + 5):
            params = (
                space.sample(rng) if number < trials else sampler.propose(space, history, seeds.generator(seed, number))
            )
            if params is None:
                break
            space.check(params)
            assert number < trials or space.key(params) not in tried
            tried.add(space.key(params))
            history.apply(TrialStarted(number, params))
            place = space.to_unit(params)
            metrics = {"score": -round(float(np.sum((place - 0.3) ** 2)), 2), "a": place[0], "b": place[-1]}
            state = rng.choice(["complete", "failed", "running"], p=[0.7, 0.15, 0.15])
            if state != "running":
                history.apply(TrialEnded(number, state, metrics if state == "complete" else {}, 0.0))

    def test_it_keeps_a_limit_and_finds_the_best_on_its_edge(self) -> None:
        goal = Goal(Aim("score"), limits=(Limit("sum", high=0.8),))
        history = played(Bayes(), SQUARE, bowl, 30, goal)
        assert history.best is not None
        # the nearest point to (.3, .7) with x + y <= .8 is (.2, .6)
        assert history.best.metrics["score"] == pytest.approx(-0.02, abs=2e-3)
        assert history.best.metrics["sum"] <= 0.8

    def test_while_nothing_keeps_the_limit_it_goes_where_it_is_kept(self) -> None:
        goal = Goal(Aim("score"), limits=(Limit("sum", low=1.97),))
        history = played(Bayes(), SQUARE, bowl, 15, goal)
        # one place in two thousand keeps it
        assert history.feasible

    def test_it_spreads_over_the_front(self) -> None:
        goal = Goal(Aim("cost", maximize=False), Aim("error", maximize=False))
        sampler = Bayes(reference={"cost": 1.1, "error": 1.1})
        history = played(sampler, SQUARE, lambda x, y: {"cost": x, "error": (1 - x) ** 2 + (y - 0.5) ** 2}, 25, goal)
        costs = [trial.metrics["cost"] for trial in history.front]
        assert len(costs) >= 10
        assert min(costs) < 0.1
        assert max(costs) > 0.9

    def test_with_three_aims_it_does_not_go_for_what_is_good_in_one_alone(self) -> None:
        # on the edges of x and y one of the costs is all there is, however large the others make it
        goal = Goal(*(Aim(name, maximize=False) for name in ("first", "second", "third")))
        best = {"a": 0.3, "b": 0.6, "c": 0.5, "d": 0.7}
        space = Space(dict.fromkeys(["x", "y", *best], (0.0, 1.0)))

        def costs(x: float, y: float, **others: float) -> Mapping[str, float]:
            size = 1 + 2 * sum((others[name] - best[name]) ** 2 for name in best)
            return {"first": size * (1 - x) * (1 - y), "second": size * (1 - x) * y, "third": size * x}

        def volume(seed: int) -> float:
            history = played(Bayes(), space, costs, 40, goal, seed=seed)
            gains = -np.array([[trial.metrics[aim.metric] for aim in goal.aims] for trial in history])
            return hypervolume(gains, np.full(3, -1.1))

        # 0.84; where the volume alone is gone for, with the reference that few trials give, 0.64
        assert np.mean([volume(seed) for seed in range(5)]) > 0.75

    def test_a_reference_must_name_every_aim(self) -> None:
        goal = Goal(Aim("cost", maximize=False), Aim("error", maximize=False))
        with pytest.raises(ValueError, match="'error' is missing"):
            played(Bayes(reference={"cost": 1.0}), SQUARE, lambda x, y: {"cost": x, "error": y}, 8, goal)

    def test_an_earlier_study_saves_the_start(self) -> None:
        earlier = played(Random(), SQUARE, bowl, 30, seed=7)
        with_it, without = played(Bayes(), SQUARE, bowl, 4, prior=earlier).best, played(Bayes(), SQUARE, bowl, 4).best
        assert with_it is not None
        assert without is not None
        assert with_it.metrics["score"] > without.metrics["score"] / 5

    def test_an_earlier_study_that_misleads_is_outgrown(self) -> None:
        earlier = played(Random(), SQUARE, lambda x, y: {"score": -bowl(x, y)["score"]}, 20, seed=7)
        history = played(Bayes(), SQUARE, bowl, 25, prior=earlier)
        assert history.best is not None
        assert history.best.metrics["score"] > -1e-2


class TestWhatIsUsedAgain:
    """Where trials that agree in some settings cost little, more of them agree."""

    SPACE = Space(width=Int(0, 9), amount=Int(0, 9))

    @staticmethod
    def net(width: int, amount: int) -> Mapping[str, float]:
        """Wider is better, and what is taken away costs nothing at first."""
        score = 1 - 0.5 ** (1 + width) - 0.02 * max(0, amount - 4) ** 2
        return {"score": score, "size": 100.0 * (1 + width) / (1 + amount)}

    @pytest.mark.parametrize("goal", [Goal(Aim("score")), Goal(Aim("score"), Aim("size", maximize=False))], ids=str)
    def test_what_was_made_is_used_again(self, goal: Goal) -> None:
        def made(space: Space) -> int:
            histories = [played(Bayes(start=2), space, self.net, 12, goal=goal, seed=seed) for seed in range(3)]
            return sum(len({trial.params["width"] for trial in history}) for history in histories)

        assert made(self.SPACE.keeping("width", share=0.1)) < made(self.SPACE)

    def test_the_model_is_asked_sooner_where_each_trial_makes_something(self) -> None:
        kept = self.SPACE.keeping("width", share=0.001)
        first = [trial.params for trial in played(Bayes(), kept, self.net, 3)]
        assert first[:2] == [trial.params for trial in played(Bayes(), self.SPACE, self.net, 2)]
        assert first[2]["width"] in {params["width"] for params in first[:2]}


class TestWhatItExpects:
    def test_the_expected_gain_shrinks_as_the_top_is_found(self) -> None:
        rng = np.random.default_rng(0)
        early = Bayes().expected_gain(SQUARE, played(Bayes(), SQUARE, bowl, 6), rng)
        late = Bayes().expected_gain(SQUARE, played(Bayes(), SQUARE, bowl, 30), rng)
        assert early is not None
        assert late is not None
        assert late < early / 10

    def test_it_is_in_the_metrics_own_unit(self) -> None:
        thousandfold = played(Random(), SQUARE, lambda x, y: {"score": 1000 * bowl(x, y)["score"]}, 10)
        gain = Bayes().expected_gain(SQUARE, played(Random(), SQUARE, bowl, 10), np.random.default_rng(0))
        larger = Bayes().expected_gain(SQUARE, thousandfold, np.random.default_rng(0))
        assert gain is not None
        assert larger == pytest.approx(1000 * gain, rel=0.05)

    def test_before_the_start_is_over_nothing_is_known(self) -> None:
        assert Bayes().expected_gain(SQUARE, played(Random(), SQUARE, bowl, 3), np.random.default_rng(0)) is None


def _place(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(zip(space.names, space.to_unit(params).tolist(), strict=True))


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return max(abs(one[name] - other[name]) for name in one)
