"""Hyperparameters of a process, drawn from all that the observations leave possible.

Forty trials do not settle the length scales of ten parameters. The most probable ones alone make a surrogate that is
too sure of itself: of what it predicts, and of which parameter matters.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tunekit.insight.process import Hyperparameters, misfit
from tunekit.search.surrogate.covariances import squares_by_parameter

Array = NDArray[np.float64]

# The prior of the logarithms: of each length scale, its common mean and own deviation, alone and together; of the
# amplitudes, noise, roughness.
_COMMON_MEAN, _COMMON_DEVIATION, _OWN_DEVIATION = np.log(0.7), 0.8, 1.0
_OTHERS = np.array([[-0.7, 2.0], [-0.7, 2.0], [-6.0, 2.0], [-4.0, 2.0]])
_LEAST, _MOST = np.log(0.02), np.log(50.0)
_LEAST_NOISE = np.log(1e-8)
# Where the search for the most probable ones begins: all alike, and as the search's own fit does, steep and silent.
_STEEP, _SILENT = np.log(0.2), np.log(1e-4)
# Hamiltonian Monte Carlo: steps of one trajectory, their length, and how many draws are thrown away first.
_LEAPS, _LEAP, _BURNT = 6, 0.35, 6


def drawn_hyperparameters(
    features: Array, targets: Array, owners: NDArray[np.int64], count: int, rng: np.random.Generator
) -> list[Hyperparameters]:
    """Draws of the hyperparameters, given observations.

    Parameters
    ----------
    features, targets, owners
        As for `tunekit.insight.process.Process`.
    count
        How many draws.
    rng
        What they are drawn with.

    References
    ----------
    Neal, "MCMC using Hamiltonian dynamics", 2011; the masses are from the curvature at the most probable place.
    """
    parameters = int(owners[-1]) + 1
    squares = squares_by_parameter(features, owners, parameters)
    low = np.concatenate([np.full(2 * parameters, _LEAST), [-4.0, -4.0, _LEAST_NOISE, _LEAST_NOISE]])
    high = np.concatenate([np.full(2 * parameters, _MOST), [4.0, 4.0, 1.0, 1.0]])

    def cost(logarithms: Array) -> tuple[float, Array]:
        fit, slope = misfit(logarithms, squares, targets)
        prior, prior_slope = _prior(logarithms, parameters)
        return fit + prior, slope + prior_slope

    top = _most_probable(cost, parameters, low, high)
    walked = _walk(cost, top, low, high, count, rng)
    return [_read(logarithms, parameters) for logarithms in walked]


def _read(logarithms: Array, parameters: int) -> Hyperparameters:
    values = np.exp(logarithms)
    return Hyperparameters(values[:parameters], values[parameters : 2 * parameters], *values[2 * parameters :].tolist())


def _prior(logarithms: Array, parameters: int) -> tuple[float, Array]:
    """Minus the logarithm of the prior, and its gradient."""
    off = logarithms[: 2 * parameters].reshape(2, parameters) - _COMMON_MEAN
    own, common = _OWN_DEVIATION**2, _COMMON_DEVIATION**2
    # the common mean integrated out: a Gaussian of equal correlations
    lengths = (off - common / (own + parameters * common) * off.sum(axis=1, keepdims=True)) / own
    away = (logarithms[2 * parameters :] - _OTHERS[:, 0]) / _OTHERS[:, 1]
    cost = 0.5 * float(np.vdot(off, lengths) + away @ away)
    return cost, np.concatenate([lengths.reshape(-1), away / _OTHERS[:, 1]])


def _most_probable(cost: Callable[[Array], tuple[float, Array]], parameters: int, low: Array, high: Array) -> Array:
    from scipy.optimize import minimize

    usual = np.concatenate([np.full(2 * parameters, _COMMON_MEAN), _OTHERS[:, 0]])
    steep = np.concatenate([np.full(2 * parameters, _STEEP), _OTHERS[:2, 0], [_SILENT, _OTHERS[3, 0]]])
    tops = [
        minimize(
            cost,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(low, high, strict=True)),
            options={"maxiter": 60},
        )
        for start in (usual, steep)
    ]
    return np.asarray(min(tops, key=lambda top: float(top.fun)).x)


def _walk(
    cost: Callable[[Array], tuple[float, Array]],
    top: Array,
    low: Array,
    high: Array,
    count: int,
    rng: np.random.Generator,
) -> list[Array]:
    """Draws by Hamiltonian Monte Carlo from the top on, on axes in which the top is round."""
    axes = _axes(cost, top)

    def energy(place: Array) -> tuple[float, Array]:
        logarithms = top + axes @ place
        inside = np.clip(logarithms, low, high)
        height, slope = cost(inside)
        # outside of the bounds a wall, steep enough to turn back
        outside = logarithms - inside
        return height + 50.0 * float(outside @ outside), axes.T @ (np.where(outside == 0, slope, 0.0) + 100.0 * outside)

    place = np.zeros(len(top))
    height, slope = energy(place)
    found = []
    for number in range(_BURNT + count):
        momentum = rng.standard_normal(len(top))
        start = height + 0.5 * float(momentum @ momentum)
        leap = _LEAP * float(rng.uniform(0.7, 1.3))
        there, there_height, there_slope = place, height, slope
        for _ in range(_LEAPS):
            momentum = momentum - 0.5 * leap * there_slope
            there = there + leap * momentum
            there_height, there_slope = energy(there)
            momentum = momentum - 0.5 * leap * there_slope
        gained = start - there_height - 0.5 * float(momentum @ momentum)
        if np.log(rng.random()) < gained:
            place, height, slope = there, there_height, there_slope
        if number >= _BURNT:
            found.append(np.clip(top + axes @ place, low, high))
    return found


def _axes(cost: Callable[[Array], tuple[float, Array]], top: Array) -> Array:
    """The inverse root of the curvature at a place, by differences of the gradient, shape (k, k)."""
    step = 0.05
    rows = [(cost(top + step * unit)[1] - cost(top - step * unit)[1]) / (2 * step) for unit in np.eye(len(top))]
    curvature = np.array(rows)
    strengths, directions = np.linalg.eigh((curvature + curvature.T) / 2)
    return np.asarray(directions / np.sqrt(np.clip(strengths, 0.3, 1e4)))
