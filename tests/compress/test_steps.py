"""What every registered step holds, on every net."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from tests.compress.nets import NETS, build, digits, small, tiny
from tests.compress.step_suites import EXAMPLES, ONCE, suite
from tests.compress.zoo import ZOO
from tunekit.compress import recipe as recipes
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.layers import prunable
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.recipe import Step
from tunekit.compress.sharing import Share

WITHOUT_A_NORM = ("lstm", "gru", "recurrent", "encoder", "tied", "weight norm", "half")
# Where a step does not apply: what it says, before it starts.
NOT_APPLICABLE = {("fold", net): "has none; leave Fold out" for net in WITHOUT_A_NORM}

for _net in NETS:
    for _name, _step in EXAMPLES.items():
        _refused = NOT_APPLICABLE.get((_name, _net))
        globals().update(suite(__name__, f"{_name} of {_net}", _step, partial(build, _net), digits, refused=_refused))

for _net, _kind in ZOO.items():
    for _name, _step in EXAMPLES.items():
        _refused = NOT_APPLICABLE.get((_name, _net))
        globals().update(
            suite(__name__, f"{_name} of {_net}", _step, _kind.model, _kind.task, refused=_refused, **ONCE)
        )


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
