"""A device beside the CPU that every machine has: its tensors compute here, and refuse to meet those of the CPU.

As a script it compresses nets that lie there, one JSON line for each: to register a device changes the whole process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.library import Library
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

import tunekit as tk
from tests.compress.nets import build, digits, images
from tunekit.compress import workshop

DEVICE = "elsewhere"
STEPS: Mapping[str, Callable[[], Any]] = {
    "prune": lambda: tk.Prune(0.5, epochs=1),
    "prune, taylor": lambda: tk.Prune(0.5, criterion="taylor"),
    "prune, activation": lambda: tk.Prune(0.5, criterion="activation"),
    "prune, channels": lambda: tk.Prune(0.5, "channels", epochs=1),
    "fine-tune": lambda: tk.FineTune(1),
    "distill": lambda: tk.Distill(1),
    "distill, feature": lambda: tk.Distill(1, loss="feature"),
    "share": lambda: tk.Share(4, epochs=1),
    "factorise": lambda: tk.Factorise(0.5, epochs=1),
    "fold": tk.Fold,
    "quantize": tk.Quantize,
    "quantize, aware": lambda: tk.Quantize("aware", epochs=1),
    "quantize, float16": lambda: tk.Quantize("float16"),
}
# Of a tensor there, the places may be given by one of the CPU, as on a GPU.
_INDEXED = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
_library: list[Library] = []


class There(Tensor):
    """A tensor of the device: the numbers are in one of the CPU."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, held: Tensor) -> There:
        made: There = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=torch.device(DEVICE, 0),
        )
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        settings = dict(kwargs or {})
        tensors = [one for one in tree_leaves((args, settings)) if isinstance(one, Tensor)]
        there = {id(one.held): one for one in tensors if isinstance(one, There)}
        here = [one for one in tensors if not isinstance(one, There) and one.dim()]
        if func in _INDEXED and isinstance(args[0], There):
            here = [one for one in here if one.dtype.is_floating_point]
        if here and func not in _COPIES:
            raise RuntimeError(f"{func} got tensors of {DEVICE} and of the CPU")
        target = settings.get("device")
        stays = target is None or torch.device(target).type == DEVICE
        if target is not None:
            settings["device"] = torch.device("cpu")
        found = func(*tree_map(_held, tuple(args)), **tree_map(_held, settings))
        if func is torch.ops.aten.copy_.default:
            return args[0]

        def placed(one: Any) -> Any:
            if not stays or not isinstance(one, Tensor):
                return one
            return there[id(one)] if id(one) in there else There(one)  # what was changed in place is the same tensor

        return tree_map(placed, found)


def _held(one: Any) -> Any:
    return one.held if isinstance(one, There) else one


def register() -> None:
    """Make the device known to PyTorch: for good."""

    def empty(size: Any, dtype: Any = None, **_: Any) -> Tensor:
        return There(torch.empty(size, dtype=dtype))

    def empty_strided(size: Any, stride: Any, dtype: Any = None, **_: Any) -> Tensor:
        return There(torch.empty_strided(size, stride, dtype=dtype))

    _setup_privateuseone_for_python_backend(DEVICE)
    library = Library("aten", "IMPL")
    library.impl("empty.memory_format", empty, "PrivateUse1")
    library.impl("empty_strided", empty_strided, "PrivateUse1")
    _library.append(library)


def compressed(net: str, step: str, device: str) -> dict[str, Any]:
    """What compressing a net on a device came to."""
    model, (x, y) = build(net).to(device), images()
    task = digits(train=(x[:96], y[:96]), validation=(x[400:500], y[400:500]))
    lab = tk.Compression(model, task, seed=0)
    lab.run([STEPS[step]()])
    made = lab._shop.made.get(1)
    return {
        "states": [trial.state for trial in lab.trials],
        "reasons": [trial.reason for trial in lab.trials],
        "scores": [trial.metrics.get("accuracy") for trial in lab.trials],
        "devices": sorted({one.device.type for one in model.parameters()}),
        "made": sorted({one.device.type for one in made.stage.network.parameters()}) if made else [],
    }


if __name__ == "__main__":
    register()
    workshop._SECONDS_A_CELL = 0.002  # what is timed here is of no interest
    for name in STEPS:
        for place in ("cpu", DEVICE):
            print(json.dumps({"step": name, "place": place, **compressed(sys.argv[1], name, place)}), flush=True)
