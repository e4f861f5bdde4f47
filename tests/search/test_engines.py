"""The samplers of optuna, hyperopt and bayes_opt behind a study: the same rules as for our own."""

from __future__ import annotations

import copy
import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optuna
import pytest
from bayes_opt import BayesianOptimization, SequentialDomainReductionTransformer
from bayes_opt.acquisition import ExpectedImprovement, UpperConfidenceBound
from scipy.optimize import NonlinearConstraint

from tunekit.core import seeds
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Aim, Goal, Limit
from tunekit.core.history import History
from tunekit.search import engines
from tunekit.search.engines.told import told, told_in_order
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers import Sampler, resolve
from tunekit.search.space import Space
from tunekit.search.study import Study
from tunekit.testing import SamplerConformance

MIXED = Space(
    lr=Float(1e-4, 1e-1, log=True),
    width=Int(4, 64, log=True),
    drop=Float(0, 0.3, step=0.1),
    depth=Int(1, 9, step=3),
    layers=Choice((64,), (64, 128)),
    norm=Choice(True, 1),
    momentum=Float(0, 0.99, when={"norm": True}),
)


def score(lr: float, width: int, **_: Any) -> float:
    return float(-((np.log10(lr) + 2.5) ** 2) - abs(np.log2(width) - 4) / 4)


def make(name: str) -> Sampler:
    return engines.named(name)


# Those by name hold all the rules of the conformance suite; a person's own object is asked for everything again, which
# takes long: some of the rules.
OBJECTS: dict[str, Callable[[], Sampler]] = {
    "an optuna TPE": lambda: resolve(optuna.samplers.TPESampler(seed=3, n_startup_trials=4))[1],
    "an optuna CMA-ES": lambda: resolve(optuna.samplers.CmaEsSampler(seed=3))[1],
}
RULES = [
    "test_it_proposes_settings_of_the_space",
    "test_it_may_lose_its_memory",
    "test_the_same_question_has_the_same_answer",
    "test_nothing_around_it_changes",
    "test_running_failed_and_stopped_trials_are_tried_as_well",
    "test_failed_trials_do_not_stop_it",
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", OBJECTS)
def test_a_persons_own_sampler_holds_the_rules_too(name: str, rule: str) -> None:
    class Suite(SamplerConformance):
        def make(self) -> Sampler:
            return OBJECTS[name]()

    getattr(Suite(), rule)()


@pytest.mark.parametrize("name", engines.names())
def test_a_study_takes_it_by_name(name: str) -> None:
    study = Study(score, MIXED, sampler=name, seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        study.run(12)
    assert name in study.heading
    assert [trial.state for trial in study.trials] == ["complete"] * 12
    for trial in study.trials:
        MIXED.check(trial.params)
        assert type(trial.params["norm"]) in (bool, int)
        assert ("momentum" in trial.params) == (trial.params["norm"] is True)


@pytest.mark.parametrize("name", ["optuna:tpe", "optuna:cmaes", "hyperopt:tpe"])
def test_the_model_finds_more_than_chance(name: str) -> None:
    """Six seeds, sixty trials, a smooth score: better than random search in five of six at least."""
    space = Space(lr=Float(1e-4, 1e-1, log=True), width=Int(4, 64, log=True))

    def best(sampler: str, seed: int) -> float:
        study = Study(score, space, sampler=sampler, seed=seed)
        study.run(60)
        return study.best.metrics["score"]

    assert sum(best(name, seed) > best("random", seed) for seed in range(6)) >= 5


def test_a_study_that_was_resumed_is_the_undisturbed_one() -> None:
    """Generations and all: the population of NSGA-II turns over twice."""
    space = Space(x=(0.0, 1.0), y=(0.0, 1.0))

    def play(sampler: Callable[[], Sampler], trials: int, lose_every: int) -> list[Mapping[str, Any]]:
        history, mine = History(Goal(Aim("a"), Aim("b"))), sampler()
        for number in range(trials):
            if number % lose_every == 0:
                mine = sampler()
            params = mine.propose(space, history, seeds.generator(0, number))
            assert params is not None
            history.apply(TrialStarted(number, params))
            metrics = {"a": params["x"] - params["y"] ** 2, "b": -params["x"]}
            history.apply(TrialEnded(number, "complete", metrics, 0.0))
        return [trial.params for trial in history]

    def nsga() -> Sampler:
        return resolve(optuna.samplers.NSGAIISampler(population_size=8, seed=1))[1]

    assert play(nsga, 20, lose_every=100) == play(nsga, 20, lose_every=7)
    assert play(lambda: make("optuna:tpe"), 20, lose_every=100) == play(lambda: make("optuna:tpe"), 20, lose_every=1)


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: optuna.samplers.TPESampler(seed=1, n_startup_trials=5),
        lambda: optuna.samplers.CmaEsSampler(seed=1),
        lambda: optuna.samplers.RandomSampler(seed=1),
    ],
    ids=["tpe", "cmaes", "random"],
)
def test_an_optuna_sampler_visits_what_its_own_loop_visits(sampler: Callable[[], Any]) -> None:
    own = optuna.create_study(sampler=sampler(), direction="maximize")
    own.optimize(
        lambda trial: score(trial.suggest_float("lr", 1e-4, 1e-1, log=True), trial.suggest_int("width", 4, 64)), 15
    )
    mine = sampler()
    study = Study(score, Space(lr=(1e-4, 1e-1, "log"), width=(4, 64)), sampler=mine)
    study.run(15)
    assert [trial.params for trial in study.trials] == [trial.params for trial in own.trials]
    again = Study(score, study.space, sampler=mine)
    again.run(3)
    assert [t.params for t in again.trials] == [t.params for t in study.trials[:3]], "the object was used up"


def test_optunas_grid_and_fixed_parameters_work_with_the_values_themselves() -> None:
    grid: Any = optuna.samplers.GridSampler({"act": ["relu", "gelu"], "width": [1, 2]}, seed=0)
    study = Study(lambda act, width: width, Space(act=["relu", "gelu"], width=(1, 2)), sampler=grid, seed=0)
    study.run(4)
    assert {(t.params["act"], t.params["width"]) for t in study.trials} == {
        ("relu", 1), ("relu", 2), ("gelu", 1), ("gelu", 2)
    }  # fmt: skip
    assert "every setting has been tried" in study.run(1).words
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # optuna calls it experimental
        fixed: Any = optuna.samplers.PartialFixedSampler({"act": "gelu"}, optuna.samplers.RandomSampler(seed=0))
    study = Study(lambda act, x: x, Space(act=["relu", "gelu"], x=(0.0, 1.0)), sampler=fixed)
    study.run(5)
    assert {trial.params["act"] for trial in study.trials} == {"gelu"}


@pytest.mark.parametrize("name", ["optuna:tpe", "optuna:nsgaii", "optuna:cmaes", "hyperopt:tpe", "hyperopt:anneal"])
def test_it_learns_of_the_limits(name: str) -> None:
    """The score draws to large x and so to large sizes, up to 2; a limit keeps it where they are small."""

    def late_sizes(limits: dict[str, tuple[float | None, float | None]] | None) -> float:
        def objective(x: float, y: float) -> dict[str, float]:
            return {"score": x, "size": x + y}

        space = Space(x=(0.0, 1.0), y=(0.0, 1.0))
        study = Study(objective, space, maximize="score", constraints=limits, sampler=name, seed=0)
        study.run(150 if name == "optuna:nsgaii" else 60)  # its first generation of fifty is random
        return float(np.mean([trial.metrics["size"] for trial in study.trials[-30:]]))

    assert late_sizes({"size": (None, 0.6)}) < 0.95
    assert late_sizes(None) > 1.0


@pytest.mark.parametrize("name", ["optuna:tpe", "optuna:gp", "optuna:nsgaii"])
def test_several_aims_make_a_front(name: str) -> None:
    study = Study(
        lambda x, y: {"up": x, "down": x + y}, {"x": (0.0, 1.0), "y": (0.0, 1.0)}, maximize="up", minimize="down",
        sampler=name, seed=0,
    )  # fmt: skip
    study.run(14)
    assert len(study.trials) == 14
    assert 1 <= len(study.front) <= 14


def test_what_an_engine_is_told() -> None:
    """The worst so far for a failure, a loss whatever the direction, nothing of what still runs."""
    history = History(Goal(Aim("score"), limits=(Limit("size", high=10.0),)))
    ends = [("failed", {}), ("complete", {"score": 1.0, "size": 5.0}), ("complete", {"score": 3.0, "size": 20.0})]
    for number, (state, metrics) in enumerate([*ends, ("failed", {})]):
        history.apply(TrialStarted(number, {"x": 0.1}))
        history.apply(TrialEnded(number, state, metrics, 0.0, None))  # type: ignore[arg-type]
    history.apply(TrialStarted(4, {"x": 0.2}))
    assert [trial.losses for trial in told(history)] == [None, (-1.0,), (-3.0,), (-1.0,), None]
    assert [trial.excesses for trial in told(history)] == [None, (-5.0,), (10.0,), (10.0,), None]
    ordered = [None if trial.losses is None else trial.losses[0] for trial in told_in_order(history)]
    assert ordered == [None, -0.5, 1.5, 1.5, None]
    assert [trial.pending for trial in told(history)] == [False] * 4 + [True]


def test_optuna_keeps_still_and_its_logging_is_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("optuna")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="optuna:cmaes", seed=0).run(4)
        assert logger.level == logging.DEBUG
    finally:
        logger.setLevel(before)
    said = capfd.readouterr()
    assert "optuna" not in said.err
    assert "[I " not in said.err


# bayes_opt objects


def configured(**options: Any) -> Any:
    bounds: dict[str, Any] = {"x": (2.0, 4.0), "y": (-3.0, 3.0)}
    return BayesianOptimization(None, bounds, **{"random_state": 1, "verbose": 0, **options})


def black_box(x: float, y: float) -> float:
    return -(x**2) - (y - 1) ** 2 + 1


BOX = Space(x=(2.0, 4.0), y=(-3.0, 3.0))
CONFIGURED: dict[str, Callable[[], Any]] = {
    "as it is": configured,
    "decay": lambda: configured(acquisition_function=UpperConfidenceBound(kappa=5.0, exploration_decay=0.5)),
    "ei": lambda: configured(acquisition_function=ExpectedImprovement(xi=0.01)),
    "domain reduction": lambda: configured(bounds_transformer=SequentialDomainReductionTransformer()),
    "constraint": lambda: configured(constraint=NonlinearConstraint(lambda x, y: x + y, -np.inf, 4.0)),
}


@pytest.mark.parametrize("name", CONFIGURED)
def test_a_bayes_opt_optimizer_is_a_sampler_that_stays_as_it_is(name: str) -> None:
    optimizer = CONFIGURED[name]()
    undisturbed = Study(black_box, BOX, sampler=optimizer)
    undisturbed.run(9)
    assert optimizer.res == []
    assert undisturbed.best.metrics["score"] > -4.5  # the best of nine random points: -5.6 on average
    resumed = History(Goal())
    for trial in undisturbed.trials[:7]:
        resumed.apply(TrialStarted(trial.number, copy.deepcopy(trial.params)))
        resumed.apply(TrialEnded(trial.number, "complete", trial.metrics, 0.0))
    params = resolve(CONFIGURED[name]())[1].propose(BOX, resumed, np.random.default_rng(0))
    assert params == undisturbed.trials[7].params


def test_its_domain_reduction_and_its_constraint_are_used() -> None:
    reduced = Study(black_box, BOX, sampler=CONFIGURED["domain reduction"]())
    reduced.run(14)
    late = np.array([[trial.params["x"], trial.params["y"]] for trial in reduced.trials[-4:]])
    assert np.ptp(late[:, 1]) < 3.0  # half of the bounds
    constrained = Study(lambda x, y: x + y, BOX, sampler=CONFIGURED["constraint"]())
    constrained.run(12)
    assert max(trial.metrics["score"] for trial in constrained.trials[6:]) <= 4.2


def test_the_points_that_an_optimizer_knows_already_count() -> None:
    optimizer = configured()
    for x in np.linspace(2, 4, 6):
        optimizer.register({"x": x, "y": 1.0}, black_box(x, 1.0))
    first = resolve(optimizer)[1].propose(BOX, History(Goal()), np.random.default_rng(0))
    assert first is not None
    assert first["x"] < 3.0
    assert len(optimizer.res) == 6


def test_four_at_once_are_different_points_for_bayes_opt_too() -> None:
    history = History(Goal())
    sampler = resolve(configured())[1]
    for number in range(10):
        params = sampler.propose(BOX, history, np.random.default_rng(0))
        assert params is not None
        history.apply(TrialStarted(number, params))
        if number < 6:
            end = "failed" if number == 2 else "complete"
            metrics = {} if number == 2 else {"score": black_box(**params)}
            history.apply(TrialEnded(number, end, metrics, 0.0))  # type: ignore[arg-type]
    assert len({BOX.key(trial.params) for trial in history}) == 10


def test_whole_numbers_and_categories_of_bayes_opt_are_tried_once_each() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # bayes_opt calls these kinds experimental
        optimizer: Any = BayesianOptimization(None, {"k": (1, 3, int), "c": ("a", "b")}, random_state=0, verbose=0)
    study = Study(lambda k, c: float(k), Space(k=(1, 3), c=["a", "b"]), sampler=optimizer, seed=0)
    words = study.run(10).words
    assert "every setting has been tried" in words
    assert len({(trial.params["k"], trial.params["c"]) for trial in study.trials}) == 6
    assert all(type(trial.params["k"]) is int for trial in study.trials)


# Mistakes


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        ("optuna:tpa", "unknown sampler 'optuna:tpa': the known ones of optuna are 'optuna:cmaes', 'optuna:gp'"),
        ("hyperopt:", "the known ones of hyperopt are 'hyperopt:anneal', 'hyperopt:rand', 'hyperopt:tpe'"),
        ("optun:tpe", "an engine is a package and a name in it: got 'optun:tpe', known are 'hyperopt:anneal'"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(sampler: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Study(score, MIXED, sampler=sampler)


@pytest.mark.parametrize("package", ["optuna", "hyperopt"])
def test_a_missing_package_is_told_with_its_pip_line(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf'pip install "tunekit\[{package}\]"'):
        Study(score, MIXED, sampler=f"{package}:tpe")


@pytest.mark.parametrize(
    ("space", "words"),
    [
        (Space(x=(2.0, 4.0), z=(0, 1)), "have the same names: the optimizer has 'x', 'y', the space 'x', 'z'"),
        (Space(x=(2.0, 4.0), y=["a", "b"]), "'y' is the same kind in the optimizer and in the space"),
        (Space(x=[1, 2], y=Float(0, 1, when={"x": 1})), "'x' is the same kind|only sometimes: 'y' has when="),
    ],
)
def test_a_bayes_opt_optimizer_that_does_not_fit_the_space_is_told(space: Space, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        resolve(configured())[1].propose(space, History(Goal()), np.random.default_rng(0))
