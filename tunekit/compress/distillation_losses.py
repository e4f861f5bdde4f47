"""What a student may learn from a teacher's outputs, beside the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Called with the student's and the teacher's outputs, shape (batch, classes), and a temperature above 0.
OutputLoss = Callable[["Tensor", "Tensor", float], "Tensor"]


def hinton(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """The divergence of the softened class probabilities, times the square of the temperature.

    Parameters
    ----------
    student, teacher
        Outputs before softmax, shape (batch, classes, ...).
    temperature
        Above 0; the larger, the more the small probabilities count.

    References
    ----------
    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.

    Examples
    --------
    >>> import torch
    >>> outputs = torch.tensor([[1.0, 2.0]])
    >>> abs(float(hinton(outputs, outputs, 4.0))) < 1e-6
    True
    """
    import torch

    probabilities = torch.softmax(teacher / temperature, 1)
    own = torch.log_softmax(student / temperature, 1)
    return torch.nn.functional.kl_div(own, probabilities, reduction="batchmean") * temperature**2


def dist(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """How little the class probabilities correlate: those of each example, and those of each class over the batch.

    Parameters
    ----------
    student, teacher
        Outputs before softmax, shape (batch, classes).
    temperature
        Above 0.

    References
    ----------
    Huang et al., "Knowledge Distillation from a Stronger Teacher", NeurIPS 2022, equations 8 to 11; both parts count
    equally, times the square of the temperature as in the authors' code.

    Examples
    --------
    >>> import torch
    >>> outputs = torch.tensor([[1.0, 2.0, 4.0], [3.0, 2.0, 0.0]])
    >>> abs(float(dist(outputs, outputs, 1.0))) < 1e-5
    True
    """
    import torch

    own, other = (torch.softmax(outputs / temperature, 1) for outputs in (student, teacher))
    between = 1 - _correlation(own, other).mean()
    within = 1 - _correlation(own.T, other.T).mean() if len(own) > 1 else torch.zeros((), device=own.device)
    return (between + within) * temperature**2


OUTPUT_LOSSES: dict[str, OutputLoss] = {"hinton": hinton, "dist": dist}


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's correlation of each row."""
    import torch

    centred = [values - values.mean(1, keepdim=True) for values in (one, other)]
    return torch.nn.functional.cosine_similarity(centred[0], centred[1], dim=1)
