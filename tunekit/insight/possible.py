"""Which values a metric can have at all, as far as its values and its name tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Words of a metric's name, lower case, that stand for a share: none of these is ever above 1.
_SHARES = frozenset({"acc", "accuracy", "auc", "auroc", "f1", "precision", "recall"})


def possible(metric: str, values: Array) -> tuple[float, float]:
    """The lowest and the highest value that a metric is believed to have; infinite where there is no bound.

    A surrogate is a Gaussian: it knows of no bound. A metric that was never negative, a loss or a time, is not believed
    to become so; one with the name of a share and with all values between 0 and 1 is one.

    Parameters
    ----------
    metric
        Its name.
    values
        All that were seen, shape (n,).

    Examples
    --------
    >>> seen = np.array([0.5, 0.9])
    >>> possible("val_accuracy", seen), possible("loss", seen), possible("reward", seen - 1)
    ((0.0, 1.0), (0.0, inf), (-inf, inf))
    """
    low = 0.0 if values.min() >= 0 else -np.inf
    is_share = not _SHARES.isdisjoint(metric.lower().split("_"))
    return low, 1.0 if is_share and low == 0 and values.max() <= 1 else np.inf
