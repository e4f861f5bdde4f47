"""The surrogate and its acquisition in the places that bayes_opt leaves for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bayes_opt.acquisition import AcquisitionFunction
from bayes_opt.target_space import TargetSpace
from numpy.typing import NDArray
from sklearn.gaussian_process import GaussianProcessRegressor

from tunekit.search.surrogate.belief import Belief, Memory, believe
from tunekit.search.surrogate.encoding import Encoding

Array = NDArray[np.float64]
Search = Callable[[Belief], Array | None]


class SurrogateRegressor(GaussianProcessRegressor):  # type: ignore[misc]
    """Our process where bayes_opt keeps its own: ``optimizer.predict()`` answers with it.

    Parameters
    ----------
    encoding
        Of the space.
    memory
        Where fitted hyperparameters are kept.
    """

    def __init__(self, encoding: Encoding, memory: Memory) -> None:
        super().__init__()
        self.encoding = encoding
        self.memory = memory
        self.prior: tuple[Array, Array] | None = None
        self.belief: Belief | None = None

    def fit(self, X: Array, y: Array) -> SurrogateRegressor:
        """Believe what was seen: places of shape (n, d) and values of shape (n,)."""
        values = np.asarray(y, dtype=np.float64)
        self.belief = believe(self.encoding, X, values, self.memory, "aim 0", prior=self.prior)
        return self

    def predict(self, X: Array, return_std: bool = False, return_cov: bool = False) -> Any:
        """The mean in the metric's own unit, more is better; with its standard deviation, or its covariance."""
        if self.belief is None:
            raise RuntimeError("a surrogate predicts from what it has seen: it has seen nothing yet; fit it first")
        mean, deviation = self.belief.predict(np.atleast_2d(X))
        if return_cov:
            _, covariance = self.belief.process.predict_jointly(self.belief.features(np.atleast_2d(X)))
            scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
            return mean, covariance / np.outer(scale, scale) * np.outer(deviation, deviation)
        return (mean, deviation) if return_std else mean


class SurrogateAcquisition(AcquisitionFunction):
    """Says where to go next, through bayes_opt's own hook."""

    # from the fitted belief to the place, shape (d,), that is worth most; None where there is none left
    search: Search

    def base_acq(self, *args: Any, **kwargs: Any) -> Any:
        """Not how this one works: it looks at the whole belief."""
        raise NotImplementedError("this acquisition is computed from the belief, in suggest()")

    def suggest(
        self,
        gp: Any,
        target_space: TargetSpace,
        n_random: int = 0,
        n_smart: int = 0,
        fit_gp: bool = True,
        random_state: Any = None,
    ) -> Any:
        """The place that is worth most, shape (d,), or None; the numbers of candidates are the search's own."""
        if fit_gp or gp.belief is None:
            self._fit_gp(gp=gp, target_space=target_space)
        return self.search(gp.belief)
