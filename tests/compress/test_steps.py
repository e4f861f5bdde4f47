"""What every registered step holds, on every net, alone and after every other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.nets import NETS, build, digits, tiny
from tunekit.compress import recipe as recipes
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.factorise import Factorise
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.fold import Fold
from tunekit.compress.layers import prunable
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
# Where a step does not apply: what it says, before it starts.
NOT_APPLICABLE = {("fold", net): "has none; leave Fold out" for net in ("lstm", "gru")}


def small() -> nn.Module:
    """A net for pairs of steps: all kinds of things in it, hardly any weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(16, 24, bias=False),
            nn.BatchNorm1d(24),
            nn.ReLU(),
            nn.Linear(24, 24),
            nn.ReLU(),
            nn.Linear(24, 4),
        )


def suite(name: str, step: Step, model: Callable[[], nn.Module], task: Callable[[], Task], **settings: Any) -> type:
    """The conformance of one step on one net."""
    methods = {"make": lambda self: step, "model": lambda self: model(), "task": lambda self: task()}
    return type(name, (StepConformance,), {"__module__": __name__, "__test__": True, **methods, **settings})


for _net in NETS:
    for _name, _step in EXAMPLES.items():
        _title = "Test" + f"{_name} of {_net}".title().replace(" ", "").replace("-", "")
        globals()[_title] = suite(
            _title,
            _step,
            lambda net=_net: build(net),  # type: ignore[misc]
            digits,
            refused=NOT_APPLICABLE.get((_name, _net)),
        )

for _name, _step in EXAMPLES.items():
    for _first, _before in EXAMPLES.items():
        if not _before.last and (_first, _name) != ("fold", "fold"):
            _title = "Test" + f"{_name} after {_first}".title().replace(" ", "").replace("-", "")
            # that a seed gives the same each time is seen on single steps: here it would double what is run
            once = {"test_the_same_seed_gives_the_same": None}
            globals()[_title] = suite(_title, _step, small, tiny, before=(_before,), **once)


def test_every_registered_step_is_here() -> None:
    assert {recipes.to_records([step])[0]["step"] for step in EXAMPLES.values()} == set(recipes.known_steps())


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_repr_is_what_one_types(name: str) -> None:
    step = EXAMPLES[name]
    assert eval(repr(step), {type(step).__name__: type(step)}) == step


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_latency_that_exists_is_measured(name: str) -> None:
    lab = Compression(small(), tiny())
    lab.run([EXAMPLES[name]])
    for trial in lab.trials:
        assert trial.metrics["latency_onnxruntime_1"] > 0
        assert trial.metrics["latency_onnxruntime_32_low"] <= trial.metrics["latency_onnxruntime_32_high"]
    assert ("latency_eager_1" in lab.trials[1].metrics) == (not EXAMPLES[name].last)


@pytest.mark.parametrize("net", NETS)
def test_the_amount_is_reached(net: str) -> None:
    lab = Compression(build(net), digits())
    lab.run([Prune(0.7)])
    weights = list(prunable(lab[1].model()).values())
    zero = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    assert zero == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("step", [FineTune(epochs=1), Distill(epochs=1), Prune(0.1, epochs=1), Share(4, epochs=1)])
def test_a_frozen_parameter_is_not_trained(step: Step) -> None:
    model = small()
    model.get_parameter("3.weight").requires_grad_(False)
    lab = Compression(model, tiny())
    lab.run([step, FineTune(epochs=1)])
    before, after = lab[1].model(), lab[2].model()
    assert torch.equal(before.get_parameter("3.weight"), after.get_parameter("3.weight"))
    assert not torch.equal(before.get_parameter("0.weight"), after.get_parameter("0.weight"))
