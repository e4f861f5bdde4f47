"""A bayes_opt optimizer as a study: the same points as its own loop, with the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.core.events import Event, TrialEnded, TrialStarted
from tunekit.core.history import History
from tunekit.search.parameters import Choice, Float, Int, Parameter
from tunekit.search.space import Space
from tunekit.search.study import Study

if TYPE_CHECKING:
    from bayes_opt import BayesianOptimization


class BayesOptStudy(Study):
    """A study whose proposals are the optimizer's own, and whose trials are registered with it.

    Parameters
    ----------
    optimizer
        A ``bayes_opt.BayesianOptimization`` with a function to maximize.
    init_points
        How many random points come first, 0 or more.

    Raises
    ------
    TypeError
        If the optimizer has no function.
    ValueError
        If ``init_points`` is no whole number from 0.
    """

    def __init__(self, optimizer: BayesianOptimization, init_points: int) -> None:
        function = optimizer.space.target_func
        if function is None:
            raise TypeError("watch needs an optimizer with a function to maximize: this one was made with f=None")
        if isinstance(init_points, bool) or not isinstance(init_points, (int, np.integer)) or init_points < 0:
            raise ValueError(f"init_points is a whole number from 0: got {init_points!r}")
        space = Space({name: _parameter(config) for name, config in optimizer.space.params_config.items()})
        super().__init__(function, space, maximize="target", sampler=_Own(optimizer, int(init_points)))
        self.sampler_name = "bayes_opt"
        self.optimizer = optimizer
        for number, point in enumerate(optimizer.res):
            self.history.apply(TrialStarted(number, point["params"]))
            self.history.apply(TrialEnded(number, "complete", {"target": float(point["target"])}, seconds=0.0))

    def _keep(self, event: Event) -> None:
        super()._keep(event)
        if isinstance(event, TrialEnded) and event.state != "stopped":
            self._register(self.history[event.number].params, event.metrics.get("target"))

    def _register(self, params: Mapping[str, Any], target: float | None) -> None:
        """Tell the optimizer: a failed point as the worst so far, since it has no word for a failure."""
        space = self.optimizer.space
        if target is None:
            if space.empty:
                return
            target = float(np.min(space.target))
        if space.params_to_array(params) in space and not self.optimizer._allow_duplicate_points:
            return
        constraint = None if space.constraint is None else space.constraint.eval(**params)
        # the space's own register: the optimizer's prints a table row, which would land in whatever cell is running
        space.register(params, target, constraint)
        transformer = self.optimizer._bounds_transformer
        if transformer and isinstance(self.sampler, _Own) and self.sampler.suggested:
            bounds: Any = transformer.transform(space)
            self.optimizer.set_bounds(bounds)


class _Own:
    """Proposes as the loop of ``BayesianOptimization.maximize`` does: the queue first, then its suggestions."""

    def __init__(self, optimizer: BayesianOptimization, init_points: int) -> None:
        self.optimizer = optimizer
        self.init_points = init_points
        self.primed = False
        self.suggested = 0

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any]:
        """The next point; the optimizer's own random state moves on, so this is no pure function."""
        # bayes_opt has no public way to ask its queue of probes, and the draw must happen as maximize() does it
        queue = self.optimizer._queue
        if not self.primed:
            self.optimizer._prime_queue(self.init_points)
            self.primed = True
        if queue:
            point = queue.popleft()
            return (
                dict(point) if isinstance(point, Mapping) else self.optimizer.space.array_to_params(np.asarray(point))
            )
        self.suggested += 1
        return self.optimizer.suggest()


def _parameter(config: Any) -> Parameter:
    """A bayes_opt parameter as one of ours, for the panel and the plots; its values are never rounded by it."""
    categories = getattr(config, "categories", None)
    if categories is not None:
        return Choice(*categories)
    low, high = (bound.item() for bound in np.asarray(config.bounds).reshape(2))
    return Float(low, high) if config.is_continuous else Int(int(low), int(high))
