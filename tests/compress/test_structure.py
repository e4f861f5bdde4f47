"""How a network is built, as plain data: what differs is built again, and what a stranger writes is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.nets import build
from tunekit.compress.slim_attention import SlimAttention
from tunekit.compress.structure import describe, rebuild


def nested(depth: int) -> dict[str, Any]:
    part: dict[str, Any] = {"kind": "Identity", "with": {}}
    for _ in range(depth):
        part = {"kind": "Sequential", "of": [part]}
    return part


def linear(**settings: Any) -> dict[str, Any]:
    return {"kind": "Linear", "with": {"in_features": 2, "out_features": 1, "bias": True} | settings}


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "Module", "with": {}},
        {"kind": "Linear", "with": {}},
        {"kind": "Linear"},
        {"kind": ["Linear"], "with": {}},
        linear(in_features=2**40),
        linear(in_features=30_000, out_features=30_000),
        linear(in_features=-1),
        linear(in_features=True),
        linear(in_features=2.5),
        linear(in_features="2"),
        linear(bias="yes"),
        linear(device="meta"),
        linear(device="cuda"),
        linear(dtype="float64"),
        linear(weights=1),
        {"kind": "Embedding", "with": {"num_embeddings": 1, "embedding_dim": 1, "_weight": [1]}},
        {"kind": "EmbeddingBag", "with": {"num_embeddings": 1, "embedding_dim": 1, "mode": "evil"}},
        {"kind": "LSTM", "with": {"input_size": 1, "hidden_size": 1, "num_layers": 100_000}},
        {"kind": "RNN", "with": {"input_size": 1, "hidden_size": 1, "nonlinearity": "evil"}},
        {"kind": "Conv2d", "with": {"in_channels": 1, "out_channels": 1, "kernel_size": 1, "groups": 0}},
        {"kind": "Conv3d", "with": {"in_channels": 9, "out_channels": 9, "kernel_size": [900, 900, 900]}},
        {"kind": "Conv1d", "with": {"in_channels": 1, "out_channels": 1, "kernel_size": [[1]]}},
        {"kind": "GroupNorm", "with": {"num_groups": 0, "num_channels": 4}},
        {"kind": "LayerNorm", "with": {"normalized_shape": [4], "eps": float("nan")}},
        {"kind": "SlimAttention", "with": {"in_features": 4, "out_features": 4, "num_heads": -1, "head_dim": -4}},
        {"kind": "Sequential", "of": [linear(in_features=5_000, out_features=5_000)] * 99},
        nested(11),
        nested(2_000),
    ],
)
def test_a_hostile_layer_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the structure has a"):
        rebuild(build("mlp"), [{"at": "1", **part}])


@pytest.mark.parametrize(
    "edits",
    [
        ["evil"],
        [None],
        [{}],
        [{"at": "", "kind": "Identity", "with": {}}],
        [{"at": "nowhere", "kind": "Identity", "with": {}}],
        [{"at": "1.weight", "kind": "Identity", "with": {}}],
        [{"at": "__class__", "kind": "Identity", "with": {}}],
        [{"at": 1, "kind": "Identity", "with": {}}],
        [{"at": "1", "same as": "5"}],
        [{"at": "1", **linear()}, {"at": "nowhere", "same as": "1"}],
        [{"at": "1", **linear()}, {"at": "1", **linear()}],
        [{"at": "1", "kind": "Sequential", "of": [linear()]}, {"at": "1.0", **linear()}],
        [{"tied": ["1.weight"]}],
        [{"tied": ["1.weight", 5]}],
        [{"tied": ["1.weight", "nowhere.weight"]}],
        [{"tied": ["1.weight", "5.weight"]}],
    ],
)
def test_a_hostile_place_is_refused(edits: list[Any]) -> None:
    with pytest.raises(ValueError, match="structure"):
        rebuild(build("mlp"), edits)


def test_a_layer_is_built_without_drawing_numbers_and_leaves_the_model_as_it_is() -> None:
    model = build("mlp")
    before, state = torch.get_rng_state(), copy.deepcopy(model.state_dict())
    rebuilt = rebuild(model, [{"at": "5", **linear(in_features=32, out_features=3)}])
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not rebuilt.get_parameter("5.weight").any()


LAYERS: list[tuple[nn.Module, nn.Module]] = [
    (nn.Linear(8, 8), nn.Linear(4, 6, bias=False)),
    (nn.Conv1d(8, 8, 3), nn.Conv1d(4, 6, 3, stride=2, padding="valid", groups=2)),
    (nn.Conv2d(8, 8, 3), nn.Conv2d(4, 6, (3, 1), padding=(1, 0), dilation=2, padding_mode="circular")),
    (nn.Conv3d(8, 8, 3), nn.Conv3d(4, 6, 3, bias=False)),
    (nn.ConvTranspose2d(8, 8, 3), nn.ConvTranspose2d(4, 6, 3, stride=2, output_padding=1)),
    (nn.BatchNorm2d(8), nn.BatchNorm2d(4, eps=1e-3, momentum=None)),
    (nn.InstanceNorm1d(8), nn.InstanceNorm1d(4, affine=True)),
    (nn.LayerNorm(8), nn.LayerNorm(4, eps=1e-3, bias=False)),
    (nn.RMSNorm(8), nn.RMSNorm(4)),
    (nn.GroupNorm(4, 8), nn.GroupNorm(4, 4)),
    (nn.PReLU(8), nn.PReLU(4)),
    (nn.Embedding(9, 8), nn.Embedding(9, 4, padding_idx=0)),
    (nn.EmbeddingBag(9, 8), nn.EmbeddingBag(9, 4, mode="max")),
    (nn.LSTM(8, 8, 2), nn.LSTM(4, 6, 2, bidirectional=True, batch_first=True, dropout=0.1)),
    (nn.RNN(8, 8), nn.RNN(4, 6, nonlinearity="relu", bias=False)),
    (nn.MultiheadAttention(8, 4), SlimAttention(8, 8, num_heads=3, head_dim=2)),
    (nn.BatchNorm1d(8), nn.Identity()),
    (nn.Linear(8, 8), nn.Sequential(nn.Linear(8, 2, bias=False), nn.Linear(2, 8))),
]


@pytest.mark.parametrize(("before", "after"), LAYERS, ids=lambda layer: type(layer).__name__)
def test_every_kind_of_layer_is_built_again(before: nn.Module, after: nn.Module) -> None:
    original, network = nn.ModuleDict({"only": before}), nn.ModuleDict({"only": after})
    edits = json.loads(json.dumps(describe(original, network)))
    rebuilt = rebuild(original, edits)
    assert repr(rebuilt) == repr(network)
    rebuilt.load_state_dict(network.state_dict(), strict=True)
    assert describe(network, rebuilt) == []


def test_weights_of_slim_attention_that_were_saved_under_earlier_names_are_read() -> None:
    attention = SlimAttention(8, 8, num_heads=3, head_dim=2)
    earlier = {name.replace("out_proj.", "out_proj_"): weight for name, weight in attention.state_dict().items()}
    assert "out_proj_weight" in earlier
    read = SlimAttention(8, 8, num_heads=3, head_dim=2)
    nn.ModuleDict({"only": read}).load_state_dict({f"only.{name}": weight for name, weight in earlier.items()})
    x = torch.randn(2, 5, 8)
    assert torch.equal(read(x, x, x)[0], attention(x, x, x)[0])


def test_a_layer_that_stands_in_two_places_is_built_once() -> None:
    def twice(width: int) -> nn.Module:
        shared = nn.Linear(width, width)
        return nn.Sequential(shared, nn.ReLU(), shared)

    rebuilt = rebuild(twice(4), json.loads(json.dumps(describe(twice(4), twice(3)))))
    assert rebuilt.get_submodule("0") is rebuilt.get_submodule("2")


def test_what_cannot_be_said_is_an_error() -> None:
    class Own(nn.Linear):
        pass

    with pytest.raises(ValueError, match="'0' is a Own"):
        describe(nn.Sequential(nn.Linear(2, 2)), nn.Sequential(Own(2, 2)))
    with pytest.raises(ValueError, match="'1' was not there"):
        describe(nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
