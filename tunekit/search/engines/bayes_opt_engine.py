"""A configured bayes_opt optimizer as a sampler of a study: its acquisition, its domain reduction, its constraint."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core import text
from tunekit.core.history import History
from tunekit.search.engines.quiet import quiet
from tunekit.search.engines.told import check_one_aim, told
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers.random import draw_untried, tried_keys
from tunekit.search.space import Space
from tunekit.search.surrogate.threads import one_blas_thread

if TYPE_CHECKING:
    from bayes_opt import BayesianOptimization

# How many random points come first: the init_points of its own maximize().
_START = 5


class BayesOptObject:
    """A configured ``bayes_opt.BayesianOptimization`` that says what to try: the object itself stays as it is.

    Its acquisition function, kernel, domain reduction and constraint are used, and the points that it knows already.
    Five random points come first, as in its ``maximize``. Its space and the study's have the same names.

    Parameters
    ----------
    optimizer
        The optimizer; its own function is not called.

    Notes
    -----
    Each proposal is made by a copy that is told of the whole history: failed trials and those that break a limit as the
    worst so far, running ones as well, so that it goes elsewhere. The decay of an exploration goes on from trial to
    trial; other memories of an acquisition function, such as the gains of ``GPHedge``, begin anew. The random numbers
    come from the optimizer's ``random_state``: seed it to have the same points each time.

    Examples
    --------
    >>> from bayes_opt import BayesianOptimization
    >>> from tunekit.search.study import Study
    >>> optimizer = BayesianOptimization(None, {"x": (-1.0, 1.0)}, random_state=1, verbose=0)
    >>> study = Study(lambda x: -(x**2), Space(x=(-1.0, 1.0)), sampler=optimizer)
    >>> len(study.run(7).words) > 0, len(optimizer.res)
    (True, 0)
    """

    def __init__(self, optimizer: BayesianOptimization) -> None:
        self.optimizer = optimizer
        self._entropy = int(copy.deepcopy(optimizer._random_state).randint(2**31 - 1))
        self._constraint_values: dict[tuple[float, ...], Any] = {}

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """What the optimizer suggests; where that was tried, settings drawn at random; None when all were tried.

        Raises
        ------
        ValueError
            If its space does not fit the study's, or the study goes for several metrics.
        """
        check_one_aim(history.goal, "a bayes_opt optimizer")
        _check_space(space, self.optimizer)
        state = np.random.RandomState(
            np.random.SeedSequence(self._entropy, spawn_key=(len(history),)).generate_state(1)
        )
        with quiet("bayes_opt"):
            params = self._ask(space, history, state)
        if space.key(params) in tried_keys(space, history):
            return draw_untried(space, history, rng)
        return params

    def _ask(self, space: Space, history: History, state: np.random.RandomState) -> dict[str, Any]:
        optimizer = self._copy()
        optimizer._random_state = state
        optimizer.set_gp_params(random_state=state)
        suggestions = self._register(optimizer, space, history)
        if suggestions < 0 or optimizer.max is None:  # no point keeps its constraint yet
            suggested = optimizer.random_sample(1)[0]
        else:
            _decay(optimizer.acquisition_function, suggestions)
            with one_blas_thread():
                suggested = optimizer.suggest()
        return {name: _legal(space[name], suggested[name]) for name in space}

    def _copy(self) -> BayesianOptimization:
        """A copy that shares the person's functions with the original: they may be methods of something large."""
        space = self.optimizer.space
        functions = [space.target_func, getattr(space.constraint, "fun", None)]
        return copy.deepcopy(self.optimizer, {id(function): function for function in functions if function is not None})

    def _register(self, optimizer: BayesianOptimization, space: Space, history: History) -> int:
        """Tell it of all trials; return how many of them it has suggested, below 0 while random points come first."""
        suggestions = len(optimizer.space) - _START
        worst = float(np.min(optimizer.space.target)) if len(optimizer.space) else None
        for trial in told(history):
            breaks = any(excess > 0 for excess in trial.excesses or ())
            target = worst if trial.losses is None or breaks else -trial.losses[0]
            suggestions += 1
            if target is None:
                continue
            worst = target if worst is None else min(worst, target)
            point = optimizer.space.params_to_array(trial.params)
            if point in optimizer.space:
                continue
            # the space's own register: the optimizer's prints a table row
            optimizer.space.register(point, target, self._constraint(optimizer, space, trial.params))
            transformer: Any = optimizer._bounds_transformer
            if transformer and suggestions > 0 and not trial.pending and optimizer.max is not None:
                optimizer.set_bounds(transformer.transform(optimizer.space))
        return suggestions

    def _constraint(self, optimizer: BayesianOptimization, space: Space, params: Mapping[str, Any]) -> Any:
        """What its constraint function gives there, computed once."""
        if optimizer.space.constraint is None:
            return None
        key = space.key(params)
        if key not in self._constraint_values:
            self._constraint_values[key] = optimizer.space.constraint.eval(**params)
        return self._constraint_values[key]


def _decay(acquisition: Any, suggestions: int) -> None:
    """Bring the exploration to where so many suggestions have brought it."""
    base = getattr(acquisition, "base_acquisition", acquisition)
    for _ in range(suggestions):
        base.i += 1
        if hasattr(base, "decay_exploration"):
            base.decay_exploration()


def _check_space(space: Space, optimizer: BayesianOptimization) -> None:
    ours, theirs = set(space.names), set(optimizer.space.keys)
    if ours != theirs:
        raise ValueError(
            "a bayes_opt optimizer and the study's space have the same names: the optimizer has "
            f"{text.listed(sorted(theirs))}, the space {text.listed(sorted(ours))}"
        )
    for name in space:
        if space[name].when is not None:
            raise ValueError(
                f"bayes_opt knows no parameters that count only sometimes: {name!r} has when={space[name].when}"
            )
        categories = getattr(optimizer.space.params_config[name], "categories", None)
        if (categories is not None) != isinstance(space[name], Choice):
            raise ValueError(
                f"{name!r} is the same kind in the optimizer and in the space: got "
                f"{text.value(optimizer.space.params_config[name])} and {space[name]}"
            )


def _legal(parameter: Any, value: Any) -> Any:
    """The value of the study's space that is next to it."""
    if isinstance(parameter, Choice):
        return parameter.from_unit(parameter.to_unit(value))
    number = min(parameter.high, max(parameter.low, float(np.asarray(value).item())))
    if isinstance(parameter, Int) or (isinstance(parameter, Float) and parameter.step is not None):
        return parameter.from_unit(parameter.to_unit(round(number) if isinstance(parameter, Int) else number))
    return number
