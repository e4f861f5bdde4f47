"""Bayesian search: bayes_opt's optimizer with a surrogate that knows scales, categories, noise, failures and limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tunekit.core import text
from tunekit.core.goal import Goal
from tunekit.core.history import History
from tunekit.search.samplers import samplers
from tunekit.search.samplers.random import draw_untried, tried_keys
from tunekit.search.samplers.sobol import Sobol
from tunekit.search.space import Space
from tunekit.search.surrogate.acquisitions import acquisitions
from tunekit.search.surrogate.ascent import best_first
from tunekit.search.surrogate.belief import Belief, Memory
from tunekit.search.surrogate.criterion import Criterion
from tunekit.search.surrogate.encoding import Encoding
from tunekit.search.surrogate.model import Model
from tunekit.search.surrogate.observations import Places, observe
from tunekit.search.surrogate.region import Region, everywhere, near
from tunekit.search.surrogate.reuse import Reuse
from tunekit.search.surrogate.thompson import drawn_order
from tunekit.search.surrogate.threads import one_blas_thread

if TYPE_CHECKING:
    from bayes_opt import BayesianOptimization

Array = NDArray[np.float64]

# How many settings are spread over the space before the model is asked; and where each of them makes what later ones
# can use again: measured on nets that are trained and compressed.
_START, _START_KEPT = 5, 2
# With so many trials begun, every other one is sought around the best so far.
_SETTLED = 15
# With three aims or more: until so many have begun, all of them go for weights that are drawn.
_SURVEYED = 30
# The one acquisition that is no function of mean and deviation: the best of one draw from all that is believed.
_THOMPSON = "thompson sampling"


@samplers.register("bayes")
class Bayes:
    """Fit a Gaussian process to what was tried and go where a trial is worth most.

    The surrogate has one length scale for each parameter, shrunk towards their common mean; learned noise, and learned
    roughness: jumps between close settings that no repetition averages out; the long tail of bad scores drawn in.
    Failed trials count as the worst seen, running ones as what the surrogate expects. From the fifteenth trial on,
    every other one is sought in a box around the best. Several aims: the expected growth of the volume that the front
    covers; with three or more, the first thirty and then every other trial are the best ones for weights of the aims
    that are drawn. Limits: times the probability that they are kept; while nothing keeps them, that probability alone.

    Where the space keeps something (`Space.keeping`), a place is worth what it promises for what it costs: what was
    made before is used again. That holds for several aims, and for one by the first of the acquisitions.

    What it keeps between two proposals it may lose: each follows from the history and the generator alone.

    Parameters
    ----------
    start
        How many settings are spread over the space (a scrambled Sobol sequence) before the model is asked, 1 or more;
        None: 5, or 2 where the space keeps something.
    acquisition
        ``"log expected improvement"``, ``"expected improvement"``, ``"probability of improvement"``,
        ``"upper confidence bound"`` or ``"thompson sampling"``: what makes a place worth a trial, where there is one
        aim.
    reference
        Where there are several: a value of each aim that every wanted trial is better than, by name; None: a little
        below the worst of the better trials, those in the first layers of non-dominated ones.

    Raises
    ------
    ValueError
        If an argument breaks a rule above.

    References
    ----------
    Snoek, Larochelle and Adams, "Practical Bayesian Optimization of Machine Learning Algorithms", NeurIPS 2012.

    Examples
    --------
    >>> from tunekit.core.goal import Goal
    >>> from tunekit.core.history import History
    >>> params = Bayes().propose(Space(lr=(1e-4, 1e-1, "log")), History(Goal()), np.random.default_rng(0))
    >>> 1e-4 <= params["lr"] <= 1e-1
    True
    """

    def __init__(
        self,
        start: int | None = None,
        acquisition: str = "log expected improvement",
        reference: Mapping[str, float] | None = None,
    ) -> None:
        if start is not None and (isinstance(start, bool) or not isinstance(start, (int, np.integer)) or start < 1):
            raise ValueError(f"a Bayesian search starts with at least one setting: got start={start!r}")
        if acquisition != _THOMPSON and acquisition not in acquisitions:
            known = text.listed([*acquisitions, _THOMPSON])
            raise ValueError(f"unknown acquisition {acquisition!r}: the known ones are {known}")
        self.start = None if start is None else int(start)
        self.acquisition = acquisition
        self.reference = reference
        self._memory = Memory()
        self._spaces: tuple[Space, Encoding, Places] | None = None
        self._optimizer: BayesianOptimization | None = None

    def propose(self, space: Space, history: History, rng: np.random.Generator) -> Mapping[str, Any] | None:
        """The settings that are worth most; None when every setting was tried."""
        if len(history) + len(history.prior) < self._start(space) or not (history.has_complete or history.prior):
            return Sobol().propose(space, history, rng)
        tried = tried_keys(space, history)

        def first_untried(model: Model) -> Array | None:
            places = self._in_turn(model, history, rng)
            return next((place for place in places if space.key(space.from_unit(place)) not in tried), None)

        with one_blas_thread():
            found = _suggestion(self._informed(space, history, first_untried))
        return draw_untried(space, history, rng) if found is None else space.from_unit(found)

    def expected_gain(self, space: Space, history: History, rng: np.random.Generator) -> float | None:
        """How much better than the best so far one more trial is expected to be, in the metric's own unit.

        None while nothing is known: before the model is asked, while no trial is feasible, or with several aims.
        """
        if len(history.complete) < self._start(space) or not history.feasible or len(history.goal.aims) > 1:
            return None
        gains: list[float] = []

        def measure(model: Model) -> Array:
            place = next(self._by_worth(model, history.goal, rng, "log expected improvement"))
            gains.append(model.expected_gain(place))
            return place

        with one_blas_thread():
            _suggestion(self._informed(space, history, measure))
        return gains[0]

    def optimizer(self, space: Space, history: History) -> BayesianOptimization:
        """The bayes_opt optimizer that knows this history: ``predict()`` answers with the surrogate of this search.

        Its parameters are places from 0 to 1 (`Space.to_unit`); its target is the first aim, signed so that more is
        better. Its ``suggest()`` proposes the place that is worth most, tried before or not.

        Raises
        ------
        RuntimeError
            If no trial is complete yet.
        """
        if not (history.has_complete or history.prior):
            raise RuntimeError("a surrogate rests on complete trials: there is none yet; run the study first")
        rng = np.random.default_rng(len(history))
        return self._informed(space, history, lambda model: next(self._by_worth(model, history.goal, rng)))

    def belief(self, space: Space, history: History) -> Belief:
        """What the surrogate believes of the first aim, on the scale that the search works on.

        Raises
        ------
        RuntimeError
            If no trial is complete yet.
        """
        optimizer = self.optimizer(space, history)
        regressor = optimizer._gp
        with one_blas_thread():
            optimizer.acquisition_function._fit_gp(regressor, optimizer.space)
        fitted: Belief = regressor.belief
        return fitted

    def _start(self, space: Space) -> int:
        if self.start is not None:
            return self.start
        return _START_KEPT if space.kept else _START

    def _in_turn(self, model: Model, history: History, rng: np.random.Generator) -> Iterator[Array]:
        """Places, shape (d,), the one to try first coming first: by their worth, and every other time otherwise.

        One aim: around the best alone. In many dimensions most of a space stays unknown, and a search that goes where
        it knows least never comes to refine what is good. Three aims or more: by their worth to somebody for whom the
        aims count as is drawn, and at first in no other way. A trial that is extreme in one aim and hopeless in the
        others adds a large volume, as long as the reference is no better than the first trials.
        """
        aims, begun, by_worth = len(model.aims), len(history), self._by_worth(model, history.goal, rng)
        if not len(model.seen.places) or not model.seen.feasible.any():
            return by_worth
        if aims == 1 and begun % 2 and begun >= _SETTLED and self.acquisition != _THOMPSON:
            # where all settings around the best were tried, the others come into question
            return chain(self._by_worth(model, history.goal, rng, near_best=True), by_worth)
        if aims > 2 and (begun % 2 or begun < _SURVEYED) and self.reference is None:
            criterion = model.weighted_criterion(rng.dirichlet(np.ones(aims)))
            return self._ranked(model, criterion, *everywhere(model, rng), rng)
        return by_worth

    def _by_worth(
        self,
        model: Model,
        goal: Goal,
        rng: np.random.Generator,
        acquisition: str | None = None,
        *,
        near_best: bool = False,
    ) -> Iterator[Array]:
        """Places, shape (d,), those that are worth most first; everywhere, or near the best trial alone."""
        wanted = self.acquisition if acquisition is None else acquisition
        places, region = near(model, model.leaders()[0], rng) if near_best else everywhere(model, rng)
        if wanted == _THOMPSON and model.best is not None and len(model.aims) == 1:
            yield from drawn_order(model, places, rng)
            return
        if wanted == _THOMPSON or (model.limits and wanted == "expected improvement"):
            wanted = "log expected improvement"  # which can be added to the logarithms of probabilities
        criterion = model.criterion(acquisitions[wanted], self._signed_reference(goal))
        if len(model.aims) == 1 and wanted != "log expected improvement":
            yield from best_first(model, criterion, places, region)
        else:
            yield from self._ranked(model, criterion, places, region, rng)

    def _ranked(
        self, model: Model, criterion: Criterion, places: Array, region: Region, rng: np.random.Generator
    ) -> Iterator[Array]:
        """The best places first by a criterion that is a logarithm: by what they are worth for what they cost."""
        reuse = Reuse.of(model.encoding.space, model.seen)
        if reuse is not None:
            places = model.encoding.settle(reuse.moved(places, rng))
        return best_first(model, criterion, places, region, reuse)

    def _signed_reference(self, goal: Goal) -> Array | None:
        if self.reference is None:
            return None
        missing = [aim.metric for aim in goal.aims if aim.metric not in self.reference]
        if missing:
            raise ValueError(
                f"the reference has a value for each aim: {text.listed(missing)} is missing in {dict(self.reference)!r}"
            )
        return np.array([aim.gain(float(self.reference[aim.metric])) for aim in goal.aims])

    def _informed(
        self, space: Space, history: History, search: Callable[[Model], Array | None]
    ) -> BayesianOptimization:
        """The optimizer, told what it does not know yet, with a search of the whole model in place of its own."""
        encoding, places = self._read(space)
        seen = observe(places, history)
        optimizer = self._optimizer
        known = 0 if optimizer is None else len(optimizer.space.target)
        if optimizer is None or not (
            np.array_equal(optimizer.space.params, seen.places[:known])
            and np.array_equal(optimizer.space.target, seen.gains[:known, 0])
        ):
            optimizer, known = new_optimizer(space, encoding, self._memory), 0
            self._optimizer = optimizer
        for place, gain in zip(seen.places[known:], seen.gains[known:, 0], strict=True):
            # of a place that was measured before bayes_opt prints a line: it forgets where it was, and learns it again
            optimizer.space._cache.pop(tuple(place.tolist()), None)
            # the space's own register: the optimizer's looks for the best of all so far at each call
            optimizer.space.register(place, float(gain))
        optimizer._gp.prior = (seen.prior_places, seen.prior_gains[:, 0]) if len(seen.prior_gains) else None
        acquisition: Any = optimizer.acquisition_function
        acquisition.search = lambda belief: search(Model.of(belief, seen, self._memory))
        return optimizer

    def _read(self, space: Space) -> tuple[Encoding, Places]:
        if self._spaces is None or self._spaces[0] is not space:
            self._spaces = (space, Encoding(space), Places(space))
            self._memory, self._optimizer = Memory(), None
        return self._spaces[1:]


def new_optimizer(space: Space, encoding: Encoding, memory: Memory) -> BayesianOptimization:
    """A bayes_opt optimizer over places of the unit cube, with our surrogate and acquisition where its own stand."""
    from bayes_opt import BayesianOptimization

    from tunekit.search.samplers import unit_parameters
    from tunekit.search.samplers.regressor import SurrogateAcquisition, SurrogateRegressor

    optimizer = BayesianOptimization(
        f=None,
        pbounds=unit_parameters.of(space),
        acquisition_function=SurrogateAcquisition(),
        allow_duplicate_points=True,
        verbose=0,
    )
    # bayes_opt takes another kernel through its interface, but no other regressor
    optimizer._gp = SurrogateRegressor(encoding, memory)
    return optimizer


def _suggestion(optimizer: BayesianOptimization) -> Array | None:
    """What the optimizer's acquisition suggests: a place of shape (d,), or None."""
    acquisition: Any = optimizer.acquisition_function
    place: Array | None = acquisition.suggest(optimizer._gp, optimizer.space)
    return place
