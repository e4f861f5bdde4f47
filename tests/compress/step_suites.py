"""One example of every step, and the suites of tests that are made of a step and a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from tunekit.compress.distill import Distill
from tunekit.compress.factorise import Factorise
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.fold import Fold
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.recipe import Step
from tunekit.compress.sharing import Share
from tunekit.compress.task import Task
from tunekit.testing import StepConformance

# At least one of each registered step, and one for each way in which it works on a net.
EXAMPLES: dict[str, Step] = {
    "distill": Distill(epochs=1),
    "factorise": Factorise(0.4),
    "fine-tune": FineTune(epochs=1),
    "fold": Fold(),
    "prune": Prune(0.7),
    "prune channels": Prune(0.4, granularity="channels", epochs=1),
    "quantize": Quantize("static"),
    "quantize aware": Quantize("aware", bits=4, epochs=1),
    "share": Share(3, epochs=1),
}
# That a seed gives the same each time is seen on single steps: on pairs it would double what is run.
ONCE: Mapping[str, Any] = {"test_the_same_seed_gives_the_same": None}


def suite(
    module: str, title: str, step: Step, model: Callable[[], nn.Module], task: Callable[[], Task], **settings: Any
) -> dict[str, type]:
    """The conformance of one step on one net, under the name that pytest finds it by."""
    name = "Test" + title.title().replace(" ", "").replace("-", "")
    methods = {"make": lambda self: step, "model": lambda self: model(), "task": lambda self: task()}
    return {name: type(name, (StepConformance,), {"__module__": module, "__test__": True, **methods, **settings})}
