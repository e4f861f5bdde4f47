"""The row of a compression that a picture is of."""

from __future__ import annotations

from tunekit.compress.rows import Rows
from tunekit.core.job import Job


def compression_of(job: Job, name: str) -> Rows:
    """The job as a compression.

    Raises
    ------
    ValueError
        If it is none: the plot of that name is for a compression, whose trials are nets.
    """
    if not isinstance(job, Rows):
        raise ValueError(
            f"the plot {name!r} is for a Compression, whose rows are nets: got one for a {type(job).__name__}; "
            "draw it with plot() of the Compression"
        )
    return job


def chosen_row(lab: Rows, row: int | None) -> int | None:
    """The number of the row to show, whose net is there.

    Parameters
    ----------
    lab
        The compression.
    row
        The one that was asked for; None: the best one, the last complete one where that is the original.

    Returns
    -------
    int | None
        None while nothing is measured and none was asked for.

    Raises
    ------
    IndexError
        If there is no such row.
    ValueError
        If it is not complete, or its net is not there.
    """
    if row is not None:
        lab[row]  # one that is not there says why
        return row
    known = [trial.number for trial in lab.history.complete if trial.number in lab._shop.made]
    if not known or 0 not in known:
        return None
    best = lab.best_number
    return best if best and best in known else known[-1]
