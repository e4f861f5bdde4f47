"""Histories of every kind that insight must cope with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tunekit.search.parameters import Choice, Float
from tunekit.search.space import Space
from tunekit.search.study import Study
from tunekit.search.watch import watch
from tunekit.testing.spaces import CATEGORIES, MIXED

TYPED = Space(lr=Float(1e-4, 1e-1, log=True), norm=Choice(True, False), momentum=Float(0, 0.99, when={"norm": True}))


def told(space: Space, score: Callable[[Mapping[str, Any]], float], trials: int, **options: Any) -> Study:
    """A study of so many trials at random settings, each with its score; NaN is a failure."""
    study = Study(None, space, sampler="random", seed=0, **options)
    rng = np.random.default_rng(0)
    for _ in range(trials):
        params = space.sample(rng)
        value = score(params)
        if np.isfinite(value):
            study.tell(params, value)
        else:
            study.enqueue(params)
            study.tell(study.ask(), error="RuntimeError: it broke")
    return study


def mixed_score(params: Mapping[str, Any]) -> float:
    score = -((np.log10(params["lr"]) + 2.5) ** 2) + 0.5 * (params["norm"] is True)
    return float(score + 0.3 * params.get("momentum", 0.0))


def watched_optuna() -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    theirs = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))

    def loss(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind", ["sgd", "adam"])
        lr = trial.suggest_float("lr", 1e-4, 1.0, log=True)
        depth = trial.suggest_int("depth", 1, 5)
        momentum = trial.suggest_float("momentum", 0.0, 0.9) if kind == "sgd" else 0.0
        if lr > 0.5:
            raise RuntimeError("diverged")
        for step in range(4):
            trial.report(abs(np.log10(lr) + 2) + 1 / (step + 1), step)
            if step == 1 and lr < 2e-4:
                raise optuna.TrialPruned
        return float(abs(np.log10(lr) + 2) + 0.1 * depth - momentum)

    theirs.optimize(loss, n_trials=30, catch=(RuntimeError,))
    return watch(theirs)


def watched_hyperopt() -> Study:
    import hyperopt
    from hyperopt import hp

    trials = hyperopt.Trials()
    hyperopt.fmin(
        lambda params: (params["x"] - 1) ** 2 + (params["kind"] == "b"),
        {"x": hp.uniform("x", -5, 5), "kind": hp.choice("kind", ["a", "b"])},
        algo=hyperopt.rand.suggest,
        max_evals=15,
        trials=trials,
        rstate=np.random.default_rng(0),
        verbose=False,
        show_progressbar=False,
    )
    return watch(trials)


def halted() -> Study:
    def climb(lr: float, width: int) -> Any:
        for step in range(1, 9):
            yield lr * width * step / 8

    study = Study(climb, Space(lr=(0.0, 1.0), width=(1, 64)), sampler="random", early_stopping="median", seed=0)
    study.start(25).wait()
    assert any(trial.state == "halted" for trial in study.trials)
    return study


def two_aims() -> Study:
    study = Study(
        lambda x, y: {"accuracy": x, "size": y, "other": x * y},
        Space(x=(0.0, 1.0), y=(0.0, 1.0)),
        maximize="accuracy",
        minimize="size",
        sampler="random",
        seed=0,
    )
    study.start(12).wait()
    return study


def with_repeats() -> Study:
    study = Study(None, Space(x=(0.0, 1.0)), seed=0)
    rng = np.random.default_rng(0)
    for x in (0.1, 0.5, 0.9) * 6:
        study.tell({"x": x}, x + 0.1 * rng.standard_normal())
    return study


def a_long_tail() -> Study:
    return told(Space(x=(0.0, 1.0), y=(0.0, 1.0)), lambda p: -1e6 if p["x"] > 0.8 else p["y"], 20)


# From every one of these something can be learned.
RICH: dict[str, Callable[[], Study]] = {
    "mixed": lambda: told(MIXED, mixed_score, 20),
    "minimize": lambda: told(TYPED, lambda params: -mixed_score(params), 20, minimize="loss"),
    "choices alone": lambda: told(CATEGORIES, lambda p: float(p["norm"]) + (p["activation"] is None), 12),
    "one parameter": lambda: told(Space(x=(0.0, 1.0)), lambda p: p["x"], 10),
    "some failures": lambda: told(Space(x=(0.0, 1.0), y=(0.0, 1.0)), lambda p: p["x"] if p["y"] < 0.7 else np.nan, 20),
    "four trials": lambda: told(TYPED, mixed_score, 4),
    "constant scores": lambda: told(TYPED, lambda _: 0.5, 10),
    "repeats": with_repeats,
    "a long tail": a_long_tail,
    "halted": halted,
    "two aims": two_aims,
    "watched from optuna": watched_optuna,
    "watched from hyperopt": watched_hyperopt,
}

# From these nothing can, and that is said.
POOR: dict[str, Callable[[], Study]] = {
    "no trial": lambda: told(MIXED, mixed_score, 0),
    "one trial": lambda: told(MIXED, mixed_score, 1),
    "three trials": lambda: told(MIXED, mixed_score, 3),
    "failures alone": lambda: told(MIXED, lambda _: np.nan, 6),
}
