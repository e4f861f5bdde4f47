"""Conformance suites: what everything of a kind holds, for whoever writes one of their own.

A suite is a class. Subclass it in a test file of your own, say how to make the thing, and pytest runs all of its tests.

Examples
--------
>>> import tunekit as tk
>>> class TestMine(tk.testing.SamplerConformance):
...     def make(self):
...         return MySampler()
"""

from __future__ import annotations

from tunekit.testing.early_stopping_conformance import EarlyStoppingConformance
from tunekit.testing.executor_conformance import ExecutorConformance
from tunekit.testing.plot_conformance import PlotConformance
from tunekit.testing.sampler_conformance import SamplerConformance
from tunekit.testing.step_conformance import StepConformance

__all__ = [
    "EarlyStoppingConformance",
    "ExecutorConformance",
    "PlotConformance",
    "SamplerConformance",
    "StepConformance",
]
