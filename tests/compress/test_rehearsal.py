"""A recipe that cannot be done to its end is refused before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tunekit as tk
from tests.compress.nets import build, digits, facts, tiny
from tunekit.compress.recipe import Step

LATE: dict[str, list[Step]] = {
    "no blocks": [tk.FineTune(1), tk.Prune(0.5, granularity="blocks", of="macs")],
    "no such layer": [tk.FineTune(1), tk.Prune(0.5, granularity="channels", layers=("0", "nowhere"))],
    "all excluded": [tk.Prune(0.5, epochs=1), tk.Prune(0.5, granularity="channels", exclude=("0", "2", "4"))],
    "norm before its layer": [tk.Prune(0.3, granularity="channels", epochs=1), tk.Fold()],
}


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def unfoldable() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.BatchNorm1d(12), nn.Linear(12, 4))


@pytest.mark.parametrize("case", LATE)
def test_what_cannot_be_done_is_said_before_anything_is_trained(case: str) -> None:
    lab = tk.Compression(unfoldable() if case.startswith("norm") else mlp(), tiny())
    with pytest.raises(ValueError, match=r"step 2 of 2 steps, .* cannot be done, so nothing was trained for it: "):
        lab.run(LATE[case])
    assert [trial.params["step"] for trial in lab.trials] == ["original"]
    lab.run([tk.FineTune(1)])  # and the lab goes on
    assert lab.trials[-1].state == "complete"


def test_a_first_step_that_cannot_be_done_has_a_row_with_its_error() -> None:
    lab = tk.Compression(mlp(), tiny())
    assert "failed" in repr(lab.run([tk.Prune(0.5, granularity="blocks"), tk.FineTune(1)]))
    assert [trial.state for trial in lab.trials] == ["complete", "failed"]


def test_a_rehearsal_changes_nothing_of_what_comes_out() -> None:
    steps: list[Step] = [tk.FineTune(1), tk.Prune(0.5, granularity="channels", criterion="taylor", epochs=1)]
    together, apart = tk.Compression(build("conv"), digits()), tk.Compression(build("conv"), digits())
    together.run(steps)
    apart.run(steps[:1])
    apart.run(steps[1:], after=1)
    assert [facts(trial.metrics) for trial in together.trials] == [facts(trial.metrics) for trial in apart.trials]


class Attentive(nn.Module):
    """A small encoder, and the names of what is in it."""

    OUTPUTS = "body.layers.0.self_attn.out_proj"

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layer = nn.TransformerEncoderLayer(8, 4, 16, dropout=0.0, batch_first=True)
            self.body, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x.unflatten(1, (2, 8))).mean(1))  # type: ignore[no-any-return]


def weights(lab: tk.Compression, number: int, name: str) -> Tensor:
    return lab[number].model().get_parameter(f"{name}.weight").detach()


@pytest.mark.parametrize("step", [tk.Share(3), tk.Prune(0.5), tk.Factorise(0.3), tk.Quantize("weights")])
def test_a_part_of_attention_that_has_lost_heads_has_its_name(step: Any) -> None:
    lab = tk.Compression(Attentive(), tiny())
    slim = tk.Prune(0.4, granularity="channels", exclude=("body.layers.1",))
    lab.run([slim, tk.FineTune(1), replace(step, exclude=(Attentive.OUTPUTS,))])
    assert [trial.state for trial in lab.trials] == ["complete"] * 4, [trial.reason for trial in lab.trials]
    before = weights(lab, 2, Attentive.OUTPUTS)
    assert before.shape[1] < 8
    if isinstance(step, tk.Quantize):
        return
    assert torch.equal(weights(lab, 3, Attentive.OUTPUTS), before)
    if isinstance(step, (tk.Share, tk.Prune)):  # and what stands beside it is not left out
        inputs = lab[3].model().get_parameter("body.layers.0.self_attn.in_proj_weight")
        assert not torch.equal(inputs, lab[2].model().get_parameter("body.layers.0.self_attn.in_proj_weight"))


HEADS = tk.Prune(0.5, granularity="channels")


def only_attention() -> nn.Module:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention, self.head = nn.MultiheadAttention(8, 4, batch_first=True), nn.Linear(8, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = x.unflatten(1, (2, 8))
            return self.head(self.attention(x, x, x)[0].mean(1))  # type: ignore[no-any-return]

    return Plain()


def test_attention_that_has_lost_heads_keeps_its_outputs_where_they_are_excluded() -> None:
    cut = tk.Compression(only_attention(), tiny())
    cut.run([HEADS])
    narrower: Any = cut[1].model().get_submodule("attention")
    assert narrower.out_features < 8
    kept = tk.Compression(only_attention(), tiny())
    kept.run([replace(HEADS, exclude=("attention.out_proj",))])
    attention: Any = kept[1].model().get_submodule("attention")
    assert attention.out_features == 8
    assert attention.num_heads < 4


def test_a_layer_that_became_two_is_named_by_its_name() -> None:
    lab = tk.Compression(mlp(), tiny())
    lab.run([tk.Factorise(0.5, layers=("2",)), tk.FineTune(1), tk.Prune(0.5, layers=("2",))])
    assert [trial.state for trial in lab.trials] == ["complete"] * 4, [trial.reason for trial in lab.trials]
    network = lab[3].model()
    pruned = {name for name, weight in network.named_parameters() if weight.dim() > 1 and bool((weight == 0).any())}
    assert pruned
    assert pruned <= {"2.0.weight", "2.1.weight"}


def test_a_layer_that_is_gone_has_nothing_to_exclude() -> None:
    lab = tk.Compression(Attentive(), tiny())
    blocks = tk.Prune(0.4, granularity="blocks", exclude=("body.layers.0",))
    lab.run([tk.FineTune(1), blocks, tk.Share(3, exclude=("body.layers.1.linear1", "head"))])
    assert lab.trials[3].state == "complete", lab.trials[3].reason
    assert any("passed over, as they are gone: 'body.layers.1.linear1'." in note for note in lab.notes(3))
    assert torch.equal(weights(lab, 3, "head"), weights(lab, 2, "head"))


@pytest.mark.parametrize(
    "steps",
    [
        [tk.FineTune(1), tk.Fold(), tk.Share(3, layers=("3",))],
        [tk.Distill(1, student=nn.Linear(16, 4)), tk.FineTune(1), tk.Share(3, exclude=("0",))],
    ],
    ids=["folded", "student"],
)
def test_a_layer_that_is_sure_to_be_gone_is_told_before_anything_is_trained(steps: list[Step]) -> None:
    lab = tk.Compression(mlp(), tiny())
    with pytest.raises(ValueError, match=r"step 3 of 3 steps, Share.* cannot be done, so nothing was trained for it: "):
        lab.run(steps)
    assert len(lab.trials) == 1
