"""Functions on their way to a worker: by value what was defined in a notebook, by name what is in a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tunekit.search.executors.crew import Assignment
    from tunekit.search.objective import Objective


def pack(objective: Objective) -> bytes:
    """The objective, with all that it uses of the notebook, as bytes for a worker of this very run.

    Raises
    ------
    TypeError
        If something in it cannot leave this process.
    """
    import cloudpickle

    try:
        return cloudpickle.dumps(objective)  # type: ignore[no-any-return]
    except Exception as error:
        raise TypeError(
            f"what runs in another process must be able to go there: {objective.name} uses something that cannot "
            f"({type(error).__name__}: {error}); make it inside the function, or run with executor='threads'"
        ) from error


def pack_assignment(assignment: Assignment) -> bytes:
    """A trial for a worker: its settings may be any objects that are choices of the space."""
    import cloudpickle

    return cloudpickle.dumps(assignment)  # type: ignore[no-any-return]


def unpack(given: bytes) -> object:
    """What the run has packed; never called on anything that did not come over its authenticated link."""
    import cloudpickle

    return cloudpickle.loads(given)
