"""What a search for a budget has found out: what the verdict and the pictures are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunekit.compress.limits import Limits
    from tunekit.compress.sensitivity import Sensitivity
    from tunekit.compress.shapes import Shape


@dataclass(slots=True)
class Findings:
    """What a search has found out so far.

    Parameters
    ----------
    limits
        The budget in figures; None until the original is measured.
    sought
        The same when the shapes were measured: a latency is one of that moment. None before that.
    fitting, others
        Shapes that keep the costs, and all others that were measured.
    sensitivity
        What single layers may lose of their channels; None where that was not measured.
    tried
        The numbers of the rows that were made on the way, in order.
    control
        The row of the same shape trained from scratch, beside the row that it is compared with; None where that was not
        tried.
    is_within
        Whether the original itself keeps the budget.
    ran_out, was_stopped
        Whether the time was over before the search was, and whether somebody stopped it.
    """

    limits: Limits | None = None
    sought: Limits | None = None
    fitting: tuple[Shape, ...] = ()
    others: tuple[Shape, ...] = ()
    sensitivity: Sensitivity | None = None
    tried: tuple[int, ...] = ()
    control: tuple[int, int] | None = None
    is_within: bool = False
    ran_out: bool = False
    was_stopped: bool = False
