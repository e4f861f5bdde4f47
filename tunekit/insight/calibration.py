"""Calibration: whether a model that is sure to 90 % is right nine times out of ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tunekit.compress.score import Score, of_hits
from tunekit.core import text

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

# Equal steps of probability, as in Guo et al. 2017.
BINS = 15
_DRAWS = 500
_SEED = 0
# Outputs that are probabilities already: not below zero, and so near to a sum of one.
_SUM = 1e-3


@dataclass(frozen=True, slots=True)
class Bin:
    """The examples whose answers were about equally sure.

    Parameters
    ----------
    confidence
        The mean probability of their answers, 0 to 1.
    accuracy
        The share of right answers with Wilson's 95 % interval; its count is the number of examples.
    """

    confidence: float
    accuracy: Score

    @property
    def is_off(self) -> bool:
        """Whether the mean probability lies outside of the interval of the right answers."""
        return not self.accuracy.low <= self.confidence <= self.accuracy.high


@dataclass(frozen=True, slots=True, repr=False)
class Calibration:
    """How well a model's probabilities say how often it is right.

    Parameters
    ----------
    error
        The expected calibration error, 0 to 1: the distance of probability and accuracy in each bin, averaged over the
        examples.
    by_chance
        What a perfectly calibrated model with the same probabilities stays below in 95 of 100 draws of so many
        examples: an error under it is no evidence of bad calibration.
    confidence, accuracy
        The mean probability of the answers, and the share of right ones, 0 to 1.
    bins
        The bins with examples, the least sure first.

    References
    ----------
    The error: Naeini, Cooper and Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI
    2015; 15 equal bins of the answer's probability: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
    networks", ICML 2017. What chance alone makes of it: Broecker and Smith, "Increasing the reliability of reliability
    diagrams", Weather and Forecasting 2007.
    """

    error: float
    by_chance: float
    confidence: float
    accuracy: float
    bins: tuple[Bin, ...]

    @property
    def is_off(self) -> bool:
        """Whether the error is more than chance makes of good calibration."""
        return self.error > self.by_chance

    @property
    def words(self) -> str:
        """What was found, in a few words."""
        if not self.is_off:
            return "no fault beyond chance"
        gap = self.confidence - self.accuracy
        if abs(gap) < self.error / 2:
            return f"{100 * self.error:.1f} points off, both ways"
        points = f"{100 * abs(gap):.1f} points"
        return f"{points} too sure" if gap > 0 else f"{points} too unsure"

    def __repr__(self) -> str:
        """The rounded figures."""
        chance = f"chance alone up to {text.number(self.by_chance)}"
        return f"calibration error {text.number(self.error)} ({chance}): {self.words}"


def probabilities(outputs: Tensor) -> NDArray[np.float64]:
    """Return the probabilities of the classes: the softmax, or the outputs themselves where they are probabilities.

    Parameters
    ----------
    outputs
        Shape (examples, classes): logits, log-probabilities or probabilities.

    Returns
    -------
    array
        Shape (examples, classes), 0 to 1; each row has the sum 1.

    Examples
    --------
    >>> import torch
    >>> probabilities(torch.tensor([[0.0, 0.0], [5.0, 5.0]])).tolist()
    [[0.5, 0.5], [0.5, 0.5]]
    >>> probabilities(torch.tensor([[0.75, 0.25]])).tolist()
    [[0.75, 0.25]]
    """
    values = outputs.double()
    sums = values.sum(1, keepdim=True)
    if bool((values >= 0).all()) and bool(((sums - 1).abs() < _SUM).all()):
        found: NDArray[np.float64] = (values / sums).numpy()
    else:
        found = values.softmax(1).numpy()
    return found


def calibration(shares: NDArray[np.float64], targets: NDArray[np.integer]) -> Calibration:
    """Return how well probabilities fit what was true.

    Parameters
    ----------
    shares
        Shape (examples, classes): the probabilities, each row with the sum 1.
    targets
        Shape (examples,): the numbers of the true classes.

    Examples
    --------
    >>> sure = np.tile([0.9, 0.1], (1000, 1))
    >>> calibration(sure, np.arange(1000) % 10 == 0)
    calibration error 0 (chance alone up to 0.02): no fault beyond chance
    >>> calibration(sure, np.arange(1000) % 10 < 3)
    calibration error 0.200 (chance alone up to 0.02): 20.0 points too sure
    """
    confidence, right = shares.max(1), shares.argmax(1) == targets
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    rng = np.random.default_rng(_SEED)
    drawn = [_error(confidence, rng.random(len(confidence)) < confidence, places) for _ in range(_DRAWS)]
    bins = tuple(
        Bin(float(confidence[places == place].mean()), of_hits(right[places == place])) for place in np.unique(places)
    )
    return Calibration(
        _error(confidence, right, places),
        float(np.quantile(drawn, 0.95)),
        float(confidence.mean()),
        float(right.mean()),
        bins,
    )


def _error(confidence: NDArray[np.float64], right: NDArray[np.bool_], places: NDArray[np.intp]) -> float:
    gaps = np.bincount(places, weights=right - confidence, minlength=BINS)
    # what is left of a difference of equal sums is no error
    return round(float(np.abs(gaps).sum() / len(confidence)), 12)
