"""Jobs that a picture must cope with: nothing yet, little, only failures, very much, and names of every kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core.events import EndState, TrialEnded, TrialReported, TrialStarted
from tunekit.core.job import Job
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space
from tunekit.search.study import Study
from tunekit.search.watch import watch
from tunekit.testing.spaces import MIXED

if TYPE_CHECKING:
    from tunekit.compress.compression import Compression

# What a person may have called something: markup, a formula that is none, two lines, signs that no font has.
HOSTILE = "$\\frac{$<img src=x onerror=alert(1)>\x1b[31m\u202e"
ODD_NAMES = Space(
    {
        "<b>$x$</b>": Float(0.0, 1.0),
        "two\nlines": Choice("$\\frac{$", "<i>", "", None, "\u5b66\u7fd2\u7387 \u00fcber\n" + "long " * 12),
        "squeeze_and_excitation_reduction_ratio_of_the_last_block": Int(1, 64, log=True),
    }
)


def jobs() -> dict[str, Callable[[], Job]]:
    """What makes each job, by what is special about it."""
    return {
        "nothing yet": lambda: Study(lambda x: x, {"x": (0.0, 1.0)}),
        "one trial": lambda: _study(MIXED, 1),
        "a trial that runs": lambda: _running(_study(MIXED, 1)),
        "only failures": lambda: _study(MIXED, 6, fails=1.0),
        "every kind of parameter": lambda: _study(MIXED, 40, fails=0.2, halts=0.2),
        "one parameter": lambda: _study(Space(lr=Float(1e-4, 1e-1, log=True)), 15, fails=0.1),
        "one whole number": lambda: _study(Space(width=Int(16, 128, log=True)), 12),
        "one category": lambda: _study(Space(act=Choice("relu", "gelu", None)), 12),
        "a single setting": lambda: _study(Space(only=Choice("this")), 1),
        "twelve parameters": lambda: _study(Space({f"parameter_{at}": (0.0, 1.0) for at in range(12)}), 30),
        "a thousand trials": lambda: _study(MIXED, 1000, fails=0.1, halts=0.3),
        "equal scores": lambda: _study(MIXED, 20, score=lambda unit: 0.5),
        "large scores": lambda: _study(MIXED, 20, score=lambda unit: 3e6 + 4e6 * float(unit[0] * (1 - unit[1]))),
        "small scores": lambda: _study(MIXED, 20, score=lambda unit: 2e-6 * float(unit[0])),
        "small losses": lambda: _study(MIXED, 20, minimize="loss", score=lambda unit: -3.75e-7 * float(unit[0])),
        "scores close together": lambda: _study(MIXED, 20, score=lambda unit: 0.9750 + 3e-5 * float(unit[0])),
        "large scores close together": lambda: _study(MIXED, 20, score=lambda unit: 1e9 + 1e-3 * float(unit[0])),
        "one that diverged": lambda: _study(MIXED, 30, minimize="loss", score=_diverging),
        "two aims": lambda: _aiming(30, maximize="accuracy", minimize="size_kb"),
        "two aims, close together": lambda: _far_aims(30),
        "three aims": lambda: _aiming(30, maximize=("accuracy", "speed"), minimize="size_kb"),
        "within limits": lambda: _aiming(30, maximize="accuracy", constraints={"size_kb": (None, 60.0)}),
        "outside of all limits": lambda: _aiming(10, maximize="accuracy", constraints={"size_kb": (None, 0.0)}),
        "hostile names": lambda: _study(ODD_NAMES, 25, fails=0.2, maximize=HOSTILE),
        "trials without a clock": lambda: _told(8),
        "an earlier study": lambda: _study(MIXED, 5, history=_study(MIXED, 20)),
        "a watched study": lambda: watch(_bayes_opt()),
        "a compression": _compression,
        "a compression that has not begun": lambda: _lab(),
    }


def _study(
    space: Space,
    trials: int,
    *,
    fails: float = 0.0,
    halts: float = 0.0,
    score: Callable[[np.ndarray[Any, Any]], float] | None = None,
    pace: float = 1.0,
    **about: Any,
) -> Study:
    """A study whose trials ran on two workers, made without running anything."""
    study = Study(lambda **params: 0.0, space, sampler="random", seed=0, **about)
    rng = np.random.default_rng(trials)
    metric = study.history.goal.metric
    sign = 1 if study.history.goal.aim.maximize else -1
    free = [1e9, 1e9]
    for number in range(trials):
        params = space.sample(rng)
        unit = space.to_unit(params)
        value = sign * float(1 - np.mean((unit - 0.4) ** 2) + 0.02 * rng.normal()) if score is None else score(unit)
        row = int(np.argmin(free))
        study.history.apply(TrialStarted(number, params, number, began=free[row]))
        drawn = rng.random()
        state: EndState = "failed" if drawn < fails else "halted" if drawn < fails + halts else "complete"
        steps = 3 if state == "halted" else 8
        if number % 2 == 0 or state == "halted":
            for step in range(steps):
                study.history.apply(TrialReported(number, {metric: value * (1 - 0.5 ** (step + 1))}))
        seconds = pace * float(rng.gamma(2.0, 3.0))
        error = "ValueError: the loss is not finite" if state == "failed" else None
        metrics = {} if state == "failed" else {metric: value}
        study.history.apply(TrialEnded(number, state, metrics, seconds, error))
        free[row] += seconds
    return study


def _running(study: Study) -> Study:
    """One more trial that has begun."""
    params = study.space.sample(np.random.default_rng(0))
    study.history.apply(TrialStarted(len(study.history), params, began=1e9 + 30))
    return study


def _diverging(unit: np.ndarray[Any, Any]) -> float:
    return 1e9 if unit[0] > 0.95 else float(np.mean((unit - 0.4) ** 2))


def _aiming(trials: int, **about: Any) -> Study:
    """A study of two parameters with three figures for each trial."""
    study = Study(None, Space(width=Int(8, 256, log=True), depth=Int(1, 6)), sampler="random", seed=0, **about)
    rng = np.random.default_rng(0)
    for _ in range(trials):
        params = study.space.sample(rng)
        size = params["width"] * params["depth"] / 10
        figures = {"accuracy": 1 - 1 / (2 + size) + 0.01 * rng.normal(), "size_kb": size, "speed": 100 / (1 + size)}
        study.tell(params, figures)
    return study


def _far_aims(trials: int) -> Study:
    """A study of two aims whose values have their first seven or more digits in common."""
    study = Study(None, Space(x=Float(0.0, 1.0)), sampler="random", seed=0, maximize="rate", minimize="cycles")
    for x in np.linspace(0.0, 1.0, trials):
        study.tell({"x": float(x)}, {"rate": 1e9 + 1e-2 * float(x), "cycles": -4e6 - float(x**2)})
    return study


def _told(trials: int) -> Study:
    study = Study(None, Space(x=Float(-2.0, 2.0), kind=Choice("a", "b")))
    rng = np.random.default_rng(0)
    for _ in range(trials):
        params = study.space.sample(rng)
        study.tell(params, -(params["x"] ** 2))
    return study


def _bayes_opt() -> Any:
    from bayes_opt import BayesianOptimization

    optimizer = BayesianOptimization(lambda x, y: -(x**2) - y**2, {"x": (-1.0, 1.0), "y": (-1.0, 1.0)}, verbose=0)
    for x in np.linspace(-1, 1, 6):
        optimizer.register({"x": x, "y": x * x - 0.3}, float(-(x**2) - (x * x - 0.3) ** 2))
    return optimizer


def _compression() -> Compression:
    """A compression as its history stands after three rows, made without running anything."""
    lab = _lab()
    rows = {"original": (80_000.0, 0.95), "Prune(0.8)": (80_000.0, 0.90), "Quantize()": (20_000.0, 0.94)}
    for number, (step, (size, score)) in enumerate(rows.items()):
        lab.history.apply(TrialStarted(number, {"step": step}, began=1e9 + 10 * number))
        figures = {"size": size, "accuracy": score, "accuracy_low": score - 0.01, "accuracy_high": score + 0.01}
        lab.history.apply(TrialEnded(number, "complete", figures, 8.0))
    return lab


def _lab() -> Compression:
    import torch

    from tunekit.compress.compression import Compression
    from tunekit.compress.task import Task

    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = torch.randn(60, 4)
        model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        data = x, x[:, :3].argmax(1)
        return Compression(model, Task(data, data, loss=torch.nn.functional.cross_entropy), seed=0)


def clocked(pace: float) -> Job:
    """A study whose trials took longer or shorter, and is the same otherwise."""
    return _study(MIXED, 20, fails=0.2, pace=pace)


def made(name: str, make: Callable[[], Job]) -> Job:
    """The job of that name, made once in a process."""
    if name not in _made:
        _made[name] = make()
    return _made[name]


_made: dict[str, Job] = {}
