"""Multiply-accumulate operations as several counters count them, beside what pencil and paper say.

Run by hand: ``python -m tests.benchmarks.macs``, with fvcore, ptflops and torchinfo installed; one that is not there is
left out. One example each. A counter that says nothing of a layer gives 0, one that fails a dash.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tests.benchmarks.compression_nets import NETS
from tests.compress.test_measure import CASES
from tunekit.compress.macs import macs

Counter = Callable[[nn.Module, Any], int]


def by_fvcore(model: nn.Module, x: Any) -> int:
    """Its FLOPs are multiply-accumulates."""
    from fvcore.nn import FlopCountAnalysis

    logging.disable(logging.WARNING)
    return int(FlopCountAnalysis(model, x).total())


def by_ptflops(model: nn.Module, x: Any) -> int:
    """Its newer way, which follows the calls."""
    from ptflops import get_model_complexity_info

    found, _ = get_model_complexity_info(
        model,
        tuple(x.shape[1:]),
        input_constructor=lambda shape: x,
        as_strings=False,
        print_per_layer_stat=False,
        backend="pytorch",
    )
    return int(found)


def by_torchinfo(model: nn.Module, x: Any) -> int:
    """Of the modules that it knows."""
    from torchinfo import summary

    return int(summary(model, input_data=x, verbose=0).total_mult_adds)


COUNTERS: dict[str, Counter] = {
    "tunekit": macs,
    "fvcore": by_fvcore,
    "ptflops": by_ptflops,
    "torchinfo": by_torchinfo,
}


def counted(counter: Counter, model: nn.Module, x: Any) -> str:
    """What a counter says, or a dash."""
    quiet = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        warnings.simplefilter("ignore")
        try:
            with torch.no_grad():
                return str(counter(model.eval(), x))
        except ImportError:
            return ""
        except Exception:
            return "-"


def main() -> None:
    """Print one line a case, then one a net, of which nobody knows the number beforehand."""
    torch.manual_seed(0)
    print(f"{'':<16}{'exact':>12}", *(f"{name:>12}" for name in COUNTERS), sep="")
    for name, (model, shape, exact) in CASES.items():
        x = torch.randn(*shape)
        print(f"{name:<16}{exact:>12}", *(f"{counted(one, model, x):>12}" for one in COUNTERS.values()), sep="")
    for name, (make, make_task, _) in NETS.items():
        x = make_task().validation.head(1)
        print(f"{name:<16}{'':>12}", *(f"{counted(one, make(), x):>12}" for one in COUNTERS.values()), sep="")


if __name__ == "__main__":
    main()
