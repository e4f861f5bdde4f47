"""Every registered plot holds what all plots hold; and the suite finds what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import tunekit as tk
from tunekit.plots import plots, registered

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def suite(name: str) -> type[tk.testing.PlotConformance]:
    class Suite(tk.testing.PlotConformance):
        def make(self) -> Callable[..., Figure]:
            return plots[name]

    Suite.__name__ = Suite.__qualname__ = f"Test{name.title().replace('_', '')}"
    return Suite


for registered_name in registered():
    made = suite(registered_name)
    globals()[made.__name__] = made
