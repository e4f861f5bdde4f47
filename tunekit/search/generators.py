"""The state of the global random generators of Python, numpy and torch, as plain JSON."""

from __future__ import annotations

import base64
import random
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np


def take() -> dict[str, Any]:
    """The state of the generators now; of torch's only where somebody has imported it.

    Examples
    --------
    >>> from tunekit.core import seeds
    >>> with seeds.preserved():
    ...     state = take()
    ...     first = random.random()
    ...     give(state)
    ...     random.random() == first
    True
    """
    version, words, gauss = random.getstate()
    _, keys, place, has_gauss, cached = np.random.get_state()
    state: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "numpy": [_written(np.asarray(keys, dtype="<u4")), int(place), int(has_gauss), float(cached)],
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        state["torch"] = _written(torch.default_generator.get_state().numpy())
        if torch.cuda.is_initialized():
            state["cuda"] = [_written(one.numpy()) for one in torch.cuda.get_rng_state_all()]
    return state


def give(state: Mapping[str, Any]) -> None:
    """Set the generators to a state that `take` has found; those that it does not speak of stay as they are.

    Raises
    ------
    ValueError
        If it is no such state.
    """
    try:
        version, words, gauss = state["python"]
        keys, place, has_gauss, cached = state["numpy"]
        python = (version, tuple(words), gauss)
        numpy = ("MT19937", _read(keys, "<u4"), place, has_gauss, cached)
        on_cpu = None if "torch" not in state else _read(state["torch"], "u1")
        on_cuda = [_read(one, "u1") for one in state.get("cuda", ())]
        random.setstate(python)
        np.random.set_state(numpy)
        if on_cpu is not None:
            import torch

            torch.default_generator.set_state(torch.from_numpy(on_cpu))
            if on_cuda and torch.cuda.device_count() == len(on_cuda):
                torch.cuda.set_rng_state_all([torch.from_numpy(one) for one in on_cuda])
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"the state of the random generators cannot be read: {error}") from error


def _written(numbers: np.ndarray[Any, Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def _read(written: str, dtype: str) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(written, validate=True), dtype=dtype).copy()
