"""What observations say of values that vary together with them, as Gaussians do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Conditioned:
    """Observations, and how they vary together.

    Parameters
    ----------
    covariance
        Of the observations, the noise among them, shape (n, n); changed here.
    targets
        What was observed, shape (n,), about mean 0.

    References
    ----------
    Rasmussen and Williams, "Gaussian Processes for Machine Learning", MIT Press 2006, algorithm 2.1.
    """

    def __init__(self, covariance: Array, targets: Array) -> None:
        from scipy.linalg import lapack

        # the inverse of the factor: predicting many places is then one product instead of a triangular solve
        self.whitener, _ = lapack.dtrtri(_factor(covariance), lower=1)
        self.weights = self.solve(targets)

    def predict(self, covariance: Array, variance: float) -> tuple[Array, Array]:
        """Mean and standard deviation, each of shape (m,), of what varies with the observations as (m, n) says.

        Parameters
        ----------
        covariance
            With the observations, shape (m, n).
        variance
            Before anything was observed.
        """
        whitened = covariance @ self.whitener.T
        left = variance - np.einsum("ij,ij->i", whitened, whitened)
        return covariance @ self.weights, np.sqrt(np.maximum(left, 1e-12))

    def solve(self, residuals: Array) -> Array:
        """The inverse of the covariance, times columns of shape (n,) or (n, k)."""
        return np.asarray(self.whitener.T @ (self.whitener @ residuals))


def misfit(covariance: Array, targets: Array) -> tuple[float, Array] | None:
    """Minus the logarithm of the likelihood, and its pull: twice its slope in each entry of the covariance.

    Parameters
    ----------
    covariance
        Of the observations, shape (n, n).
    targets
        What was observed, shape (n,).

    Returns
    -------
    tuple or None
        The cost and the pull, shape (n, n); None where the covariance is none, to the precision of the machine.
    """
    from scipy.linalg import lapack

    factor, failed = lapack.dpotrf(covariance, lower=1, clean=1)
    if failed:
        return None
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    solved = inverse @ targets
    cost = 0.5 * float(targets @ solved) + float(np.sum(np.log(np.diag(factor))))
    return cost, inverse - np.outer(solved, solved)


def _factor(covariance: Array) -> Array:
    """The lower Cholesky factor; with as little added to the diagonal as makes it possible."""
    from scipy.linalg import lapack

    added = 0.0
    while True:
        factor, failed = lapack.dpotrf(covariance, lower=1, clean=1)
        if not failed:
            return np.asarray(factor)
        added = max(1e-8, 10 * added)
        covariance[np.diag_indices_from(covariance)] += added
