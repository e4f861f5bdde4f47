"""Bayesian search: bayes_opt's own optimizer, given parameters of our kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.samplers.random import draw_untried
from tunekit.search.space import Space

if TYPE_CHECKING:
    from bayes_opt import BayesianOptimization

# Variance of the noise beside a signal of variance 1: a net's score moves by a few percent of its range between seeds.
# bayes_opt's own 1e-6 makes the surrogate run through every point, noise and all.
_NOISE = 1e-3
# Length scales of the kernel in the unit cube: from a twentieth of the range to practically constant.
_LENGTH_SCALES = (0.05, 5.0)
# How many random places the acquisition is computed at, and from how many of the best it climbs on.
_CANDIDATES, _ASCENTS = 2500, 3
# How often the fit of the kernel starts anew, from random length scales: there is one to fit.
_RESTARTS = 1


@samplers.register("bayes")
class Bayes:
    """Fit a Gaussian process to what was tried and go where it expects to improve most.

    Each proposal builds the optimizer anew from the history: nothing is remembered between two of them, so a study that
    goes on after a restart proposes what the undisturbed one would have.

    Parameters
    ----------
    start
        How many settings are drawn at random before the model is asked; None: twice the number of parameters, at
        least 4 and at most 10.

    References
    ----------
    Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012.
    Garrido-Merchán and Hernández-Lobato, "Dealing with categorical and integer-valued variables in Bayesian
    Optimization with Gaussian processes", Neurocomputing 2020: values are rounded inside the kernel.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> from tunekit.core.history import History
    >>> params = Bayes().propose(Space(lr=(1e-4, 1e-1, "log")), History(Goal()), np.random.default_rng(0))
    >>> 1e-4 <= params["lr"] <= 1e-1
    True
    """

    def __init__(self, start: int | None = None) -> None:
        if start is not None and (isinstance(start, bool) or not isinstance(start, int) or start < 1):
            raise ValueError(f"a Bayesian search starts with at least one random setting: got start={start!r}")
        self.start = start

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The settings with the largest expected improvement; None when every setting was tried."""
        start = self.start if self.start is not None else min(10, max(4, 2 * len(space)))
        if len(history.complete) < 1 or len(history) < start:
            return draw_untried(space, history, rng)
        from threadpoolctl import threadpool_limits

        # matrices of this size are 2 to 8 times faster on one BLAS thread than on two
        with threadpool_limits(limits=1, user_api="blas"):
            unit = _ask(self.optimizer(space, history, rng), space, rng)
        params = space.from_unit(unit)
        if space.count is not None and space.key(params) in {space.key(trial.params) for trial in history}:
            return draw_untried(space, history, rng)
        return params

    def optimizer(self, space: Space, history: History, rng: np.random.Generator) -> BayesianOptimization:
        """The bayes_opt optimizer that knows this history; higher is better for it whatever the study goes for."""
        from bayes_opt import BayesianOptimization
        from bayes_opt.acquisition import ExpectedImprovement
        from sklearn.gaussian_process.kernels import Matern

        from tunekit.search.samplers import unit_parameters

        optimizer = BayesianOptimization(
            f=None,
            pbounds=unit_parameters.of(space),
            acquisition_function=ExpectedImprovement(xi=0.0),
            random_state=np.random.RandomState(rng.integers(2**31)),
            verbose=0,
        )
        optimizer.set_gp_params(
            kernel=Matern(nu=2.5, length_scale_bounds=_LENGTH_SCALES), alpha=_NOISE, n_restarts_optimizer=_RESTARTS
        )
        for unit, target in _observations(space, history):
            # the space's own register: the optimizer's looks for the best of all so far at each call
            optimizer.space.register(unit_parameters.spread(space, unit), target)
        return optimizer


def _ask(optimizer: BayesianOptimization, space: Space, rng: np.random.Generator) -> NDArray[np.float64]:
    """The place of the largest expected improvement, shape (d,)."""
    # what optimizer.suggest() does, with a search of the acquisition that is a quarter as long
    found = optimizer.acquisition_function.suggest(
        optimizer._gp,
        optimizer.space,
        n_random=_CANDIDATES,
        n_smart=_ASCENTS,
        random_state=np.random.RandomState(rng.integers(2**31)),
    )
    suggestion = optimizer.space.array_to_params(found)
    return np.array([float(suggestion[name]) for name in space.names])


def _observations(space: Space, history: History) -> list[tuple[NDArray[np.float64], float]]:
    """Places and targets, higher is better: repeats averaged, failed trials as the worst seen."""
    sign = 1.0 if history.goal.aim.maximize else -1.0
    scores = {trial.number: history.goal.score(trial) for trial in history}
    worst = min(sign * score for score in scores.values() if score is not None)
    gathered: dict[tuple[float, ...], list[float]] = {}
    for trial in history:
        score = scores[trial.number]
        if score is not None:
            gathered.setdefault(space.key(trial.params), []).append(sign * score)
        elif trial.state == "failed":
            gathered.setdefault(space.key(trial.params), []).append(worst)
    return [(np.array(key), float(np.mean(targets))) for key, targets in gathered.items()]
