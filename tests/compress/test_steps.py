"""What every registered step keeps, on every net."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.compress.nets import build, digits, facts, state
from tunekit.compress import recipe as recipes
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.sharing import Share

EXAMPLES: dict[str, recipes.Step] = {
    "prune": Prune(0.7),
    "fine-tune": FineTune(epochs=1),
    "quantize": Quantize(),
    "share": Share(3, epochs=1),
}
NETS = ["mlp", "conv", "lstm"]


@cache
def ran(net: str) -> tuple[Compression, dict[str, list[int]], bool, bool]:
    """Each step alone, twice, on one net; whether the caller's model and random numbers were left as they were."""
    model, task = build(net).train(), digits()
    next(model.parameters()).requires_grad_(False)
    before, streams = state(model), (random.getstate(), repr(np.random.get_state()), torch.get_rng_state())
    lab = Compression(model, task, seed=3)
    rows: dict[str, list[int]] = {}
    for name, step in EXAMPLES.items():
        for _ in range(2):
            lab.run([step])
            rows.setdefault(name, []).append(len(lab.trials) - 1)
    after = random.getstate(), repr(np.random.get_state()), torch.get_rng_state()
    undisturbed = streams[:2] == after[:2] and torch.equal(streams[2], after[2])
    return lab, rows, before == state(model), undisturbed


def test_every_registered_step_is_here() -> None:
    assert sorted(EXAMPLES) == list(recipes.known_steps())


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", EXAMPLES)
class TestStep:
    def test_it_completes(self, name: str, net: str) -> None:
        lab, rows, *_ = ran(net)
        for number in rows[name]:
            trial = lab.trials[number]
            assert trial.state == "complete", trial.error
            assert trial.params["step"] == repr(EXAMPLES[name])

    def test_the_callers_model_and_random_numbers_stay(self, name: str, net: str) -> None:
        *_, same_model, same_streams = ran(net)
        assert same_model
        assert same_streams

    def test_the_same_seed_gives_the_same(self, name: str, net: str) -> None:
        lab, rows, *_ = ran(net)
        first, second = (lab[number] for number in rows[name])
        assert facts(first.metrics) == facts(second.metrics)
        x = lab.task.validation.head(20)
        assert torch.equal(first(x), second(x))

    def test_its_size_is_that_of_the_exported_file(self, name: str, net: str, tmp_path: Path) -> None:
        lab, rows, *_ = ran(net)
        row = lab[rows[name][0]]
        row.export(tmp_path / "net.onnx")
        assert os.path.getsize(tmp_path / "net.onnx") == row.metrics["size"]

    def test_its_score_is_that_of_the_model_one_calls(self, name: str, net: str) -> None:
        lab, rows, *_ = ran(net)
        row = lab[rows[name][0]]
        right, count = 0, 0
        for x, y in lab.task.validation.chunks():
            right, count = right + int((row(x).argmax(1) == y).sum()), count + len(y)
        assert row.metrics["accuracy"] == pytest.approx(right / count, abs=1.5 / count)

    def test_it_comes_back_from_json(self, name: str, net: str) -> None:
        lab, rows, *_ = ran(net)
        assert recipes.from_json(recipes.to_json([EXAMPLES[name]])) == [EXAMPLES[name]]
        assert lab[rows[name][0]].recipe == [EXAMPLES[name]]

    def test_its_repr_is_what_one_types(self, name: str, net: str) -> None:
        step = EXAMPLES[name]
        assert eval(repr(step), {type(step).__name__: type(step)}) == step

    def test_every_latency_that_exists_is_measured(self, name: str, net: str) -> None:
        lab, rows, *_ = ran(net)
        for number in rows[name]:
            metrics = lab.trials[number].metrics
            assert metrics["latency_onnxruntime_1"] > 0
            assert metrics["latency_onnxruntime_32_low"] <= metrics["latency_onnxruntime_32_high"]
            assert ("latency_eager_1" in metrics) == (name != "quantize")


@pytest.mark.parametrize("net", NETS)
def test_the_amount_is_reached(net: str) -> None:
    lab, rows, *_ = ran(net)
    network = lab[rows["prune"][0]].model()
    from tunekit.compress.layers import prunable

    weights = list(prunable(network).values())
    zero = sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
    assert zero == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("net", NETS)
def test_a_frozen_parameter_is_not_trained(net: str) -> None:
    lab, rows, *_ = ran(net)
    tuned, original = lab[rows["fine-tune"][0]].model(), lab[0].model()
    pairs = list(zip(tuned.parameters(), original.parameters(), strict=True))
    assert torch.equal(*pairs[0])
    assert not any(torch.equal(one, other) for one, other in pairs[1:])
