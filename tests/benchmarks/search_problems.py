"""What the search is measured on: functions whose optimum is known and lies elsewhere at each seed.

A `Line` is one line of the table: a way to draw a task for a seed, and how many workers evaluate it. A `Task` is a
space with a function of its settings; more is better. The lines of real models stand in `search_models`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tunekit.core import seeds
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

Array = NDArray[np.float64]
Params = Mapping[str, Any]
Kind = Literal["function", "typed", "real"]


@dataclass(frozen=True)
class Task:
    """A problem as one seed poses it.

    Parameters
    ----------
    space
        What is searched.
    value
        The true score of settings, without noise; more is better.
    optimum
        The best score that there is; None where nobody knows it: then the best that any method ever found stands for
        it, so regrets of real models shrink no further once a better setting turns up.
    noise
        The standard deviation of what is added to the true score before a method sees it.
    """

    space: Space
    value: Callable[[Params], float]
    optimum: float | None = None
    noise: float = 0.0

    def observe(self, true: float, seed: int, number: int) -> float:
        """What a method is told of a true score: the noise is the same for the same seed and trial number."""
        return true + self.noise * float(seeds.generator(seed, number).standard_normal()) if self.noise else true


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Parameters
    ----------
    name
        Its name on the command line.
    kind
        ``"function"``: floats alone; ``"typed"``: parameters of all kinds; ``"real"``: a model is trained.
    draw
        The task of a seed.
    floor
        Regrets below this count as this: nobody can tell them apart. 1e-10 for functions; half a sample where the
        score is an accuracy, 1e-4 where it is continuous but data stand behind it.
    workers
        How many trials run at any time.
    """

    name: str
    kind: Kind
    draw: Callable[[int], Task]
    floor: float = 1e-10
    workers: int = 1


# How far the box of a function is moved, as a share of its sides: so far that the optimum never leaves it.
_REACH = 0.15
# Ackley's only optimum lies in the middle; it may come within a tenth of the side to a border.
_REACH_ACKLEY = 0.4


def placed(low: Array, high: Array, seed: int, reach: float = _REACH) -> tuple[Space, Callable[[Params], Array]]:
    """The unit cube as a space, and where its settings lie in a box that is moved and mirrored at random.

    Nothing is stretched, so a function on the box is as hard as the textbook's, but a method that opens at the centre,
    at a corner or on a diagonal gains nothing by it. An optimum's value stays known as long as it stays inside.
    """
    rng = np.random.default_rng([seed, 1])
    shift = rng.uniform(-reach, reach, len(low))
    mirror = rng.random(len(low)) < 0.5
    names = [f"x{place}" for place in range(len(low))]

    def place(params: Params) -> Array:
        unit = np.array([params[name] for name in names])
        return low + (high - low) * (np.where(mirror, 1 - unit, unit) + shift)

    return Space({name: Float(0.0, 1.0) for name in names}), place


def moved(function: Callable[[Array], float], low: Array, high: Array, seed: int, reach: float = _REACH) -> Task:
    """A function on a box that is moved and mirrored at random."""
    space, place = placed(low, high, seed, reach)
    return Task(space, lambda params: function(place(params)))


def branin(x: Array) -> float:
    """Minus Branin's function; largest, -0.397887, at three places. Dixon and Szegő 1978."""
    a, b = x
    bowl = (b - 5.1 / (4 * math.pi**2) * a**2 + 5 / math.pi * a - 6) ** 2
    return -float(bowl + 10 * (1 - 1 / (8 * math.pi)) * math.cos(a) + 10)


_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_STEEPNESS = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann6(x: Array) -> float:
    """Hartmann's function of six variables; largest, 3.32237, at one place. Dixon and Szegő 1978."""
    return float(_WEIGHTS @ np.exp(-np.sum(_STEEPNESS * (x - _CENTRES) ** 2, axis=1)))


def ackley(x: Array) -> float:
    """Minus Ackley's function; largest, 0, at the origin, with a local optimum near each whole number. Ackley 1987."""
    rough = math.exp(float(np.mean(np.cos(2 * math.pi * x))))
    return float(20 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2)))) - 20 + rough - math.e)


_BRANIN_OPTIMUM = -0.39788735772973816
_HARTMANN_OPTIMUM = 3.322368011415515
# A twentieth of Hartmann6's range, 0 to 3.32.
_HARTMANN_NOISE = 0.166


def _draw_branin(seed: int) -> Task:
    task = moved(branin, np.array([-5.0, 0.0]), np.array([10.0, 15.0]), seed)
    return Task(task.space, task.value, _BRANIN_OPTIMUM)


def _draw_hartmann6(seed: int) -> Task:
    task = moved(hartmann6, np.zeros(6), np.ones(6), seed)
    return Task(task.space, task.value, _HARTMANN_OPTIMUM)


def _draw_noisy_hartmann6(seed: int) -> Task:
    task = moved(hartmann6, np.zeros(6), np.ones(6), seed)
    return Task(task.space, task.value, _HARTMANN_OPTIMUM, _HARTMANN_NOISE)


def _draw_ackley(seed: int) -> Task:
    # the box of the textbook is four times as wide: nobody sees the funnel in fifty trials, and all do equally badly
    task = moved(ackley, np.full(10, -7.5), np.full(10, 7.5), seed, _REACH_ACKLEY)
    return Task(task.space, task.value, 0.0)


def draw_typed(seed: int) -> Task:
    """A net's training in a formula: every kind of parameter, interactions, two parameters without effect.

    The score is exp(-penalty), like an accuracy: 1 at the optimum and flat far from it. The penalty is a sum of terms
    that are 0 at the optimum alone. The best learning rate (0..1 on its log scale) depends on the optimizer and on the
    batch size, and costs more above than below; without normalisation it must be met three times as well; the best
    dropout grows with the width; depth wants one value. ``warm_up`` and ``shuffle`` do nothing. The places, the order
    of the categories and the strength of the terms are drawn at each seed.
    """
    rng = np.random.default_rng([seed, 2])
    space = Space(
        lr=Float(1e-5, 1.0, log=True),
        width=Int(8, 512, log=True),
        depth=Int(1, 6),
        batch=Int(8, 256, log=True),
        activation=Choice("relu", "gelu", "tanh", "sigmoid"),
        optimizer=Choice("sgd", "momentum", "adam"),
        normalise=Choice(True, False),
        dropout=Float(0.0, 0.6),
        warm_up=Int(0, 10),
        shuffle=Choice(True, False),
    )
    best_lr, best_dropout = rng.uniform(0.35, 0.65), rng.uniform(0.2, 0.4)
    best = {"width": round(math.exp(rng.uniform(math.log(12), math.log(340)))), "depth": int(rng.integers(1, 7))}
    best["batch"] = round(math.exp(rng.uniform(math.log(12), math.log(170))))
    activations = dict(zip(space["activation"].values, rng.permutation([0.0, 0.05, 0.15, 0.4]), strict=True))  # type: ignore[attr-defined]
    optimizers = dict(zip(space["optimizer"].values, rng.permutation([0.0, 0.05, 0.2]), strict=True))  # type: ignore[attr-defined]
    offsets = dict(zip(space["optimizer"].values, rng.uniform(-0.2, 0.2, 3), strict=True))  # type: ignore[attr-defined]
    strength = rng.uniform(0.7, 1.4, 6)

    def value(params: Params) -> float:
        unit = {name: space[name].to_unit(params[name]) for name in ("lr", "width", "batch")}
        width = unit["width"] - space["width"].to_unit(best["width"])
        batch = unit["batch"] - space["batch"].to_unit(best["batch"])
        lr = unit["lr"] - best_lr - offsets[params["optimizer"]] - 0.3 * batch
        terms = [
            (1.0 if params["normalise"] else 3.0) * (12.0 if lr > 0 else 5.0) * lr**2,
            0.8 * width**2,
            0.03 * abs(params["depth"] - best["depth"]),
            0.5 * batch**2,
            2.0 * (params["dropout"] - best_dropout - 0.3 * width) ** 2,
            activations[params["activation"]] + optimizers[params["optimizer"]] + (0 if params["normalise"] else 0.08),
        ]
        return math.exp(-float(strength @ np.array(terms)))

    return Task(space, value, 1.0)


FUNCTIONS = (
    Line("branin", "function", _draw_branin),
    Line("hartmann6", "function", _draw_hartmann6),
    Line("hartmann6-noisy", "function", _draw_noisy_hartmann6),
    Line("ackley", "function", _draw_ackley),
    Line("typed", "typed", draw_typed),
    Line("hartmann6-4-workers", "function", _draw_hartmann6, workers=4),
    Line("typed-4-workers", "typed", draw_typed, workers=4),
)
