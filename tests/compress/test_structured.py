"""Channels, hidden units, heads and blocks that are really removed, on nets of every common shape."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, glu, pad, silu

from tests.compress.nets import build, digits, state, tiny
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.exporter import export
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.pruning.anatomy import anatomy
from tunekit.compress.pruning.blocks import blocks, leave_out
from tunekit.compress.pruning.channels import cost, remove
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.sharing import Share
from tunekit.compress.slim_attention import slim
from tunekit.compress.statistics import recalibrate
from tunekit.compress.structure import describe, rebuild
from tunekit.compress.task import Task


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 24, 3, stride=2, padding=1)
        self.one, self.wider, self.two = Block(24), nn.Conv2d(24, 48, 1, stride=2), Block(48)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(torch.relu(self.wider(self.one(torch.relu(self.stem(x))))))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


class Gated(nn.Module):
    """Channels are multiplied by gates that are computed from them (Hu, 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.squeeze, self.excite = nn.Conv2d(1, 32, 3), nn.Linear(32, 8), nn.Linear(8, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x))
        gate = torch.sigmoid(self.excite(torch.relu(self.squeeze(x.mean((2, 3))))))
        out: Tensor = self.head((x * gate[:, :, None, None]).mean((2, 3)))
        return out


def depthwise() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, groups=16),
        nn.Conv2d(16, 32, 1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


def grouped() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, groups=4),
        nn.GroupNorm(4, 32),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


class Words(nn.Module):
    """An embedding, a two-layer bidirectional GRU, a norm, mean and maximum over time side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 12)
        self.body = nn.GRU(12, 20, 2, bidirectional=True, batch_first=True)
        self.norm = nn.LayerNorm(40)
        self.head = nn.Linear(80, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.body(self.embedding(x))[0])
        out: Tensor = self.head(torch.cat([x.mean(1), x.amax(1)], 1))
        return out


class LastState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.LSTM(14, 24, batch_first=True), nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x.squeeze(1))[1][0][-1])
        return out


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 64, dropout=0.0, batch_first=True)
        self.into, self.body, self.head = nn.Linear(14, 16), nn.TransformerEncoder(layer, 2), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.into(x.squeeze(1))).mean(1))
        return out


def along_time() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(1, 2),
        nn.Conv1d(14, 32, 3),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(32, 48, 3, padding=1),
        nn.PReLU(48),
        nn.AdaptiveAvgPool1d(2),
        nn.Flatten(),
        nn.Linear(96, 10),
    )


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.attention = nn.Linear(14, 32), nn.MultiheadAttention(32, 8, batch_first=True)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x.squeeze(1))
        out: Tensor = self.head(self.norm(x + self.attention(x, x, x)[0]).mean(1))
        return out


class TwoRecurrent(nn.Module):
    """A two-layer bidirectional LSTM that a GRU reads; time comes first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LSTM(14, 32, 2, bidirectional=True), nn.GRU(64, 32)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.second(self.first(x.squeeze(1).transpose(0, 1))[0])[0][-1])
        return out


class HardCoded(nn.Module):
    """Its forward pass knows that there are 64 features."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = adaptive_avg_pool2d(torch.relu(self.second(torch.relu(self.first(x)))), 2)
        out: Tensor = self.head(x.view(-1, 64))
        return out


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


IMAGES = torch.randn(4, 1, 14, 14, generator=torch.Generator().manual_seed(0))
TEXT = torch.randint(0, 30, (4, 6), generator=torch.Generator().manual_seed(0))
NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: build("mlp"),
    "conv": lambda: build("conv"),
    "residual": Residual,
    "gated": Gated,
    "depthwise": depthwise,
    "grouped": grouped,
    "lstm": lambda: build("lstm"),
    "gru": lambda: build("gru"),
    "last state": LastState,
    "words": Words,
    "encoder": Encoder,
    "along time": along_time,
    "attention": Attention,
    "two recurrent": TwoRecurrent,
    "hard coded": HardCoded,
}


def inputs(name: str) -> Tensor:
    return TEXT if name == "words" else IMAGES


def width(network: nn.Module, name: str) -> int:
    return len(network.get_parameter(f"{name}.weight"))


def halved(network: nn.Module, x: Tensor, of: str = "parameters", amount: float = 0.5) -> nn.Module:
    whole = cost(network, x, of)
    scores = {name: parameter.detach().abs() for name, parameter in network.named_parameters()}
    return remove(network, x, (1 - amount) * whole, of=of, whole=whole, scores=scores).network


@pytest.mark.parametrize("of", ["macs", "size"])
@pytest.mark.parametrize("name", NETS)
def test_the_amount_goes_and_the_network_runs_on(name: str, of: str) -> None:
    network, x = seeded(NETS[name]), inputs(name)
    before, whole = state(network), cost(network, x, of)
    smaller = halved(network, x, of)
    assert state(network) == before
    # single hidden units are 2 to 3 % of these small recurrent nets
    assert cost(smaller, x, of) / whole == pytest.approx(0.5, abs=0.03)
    with torch.no_grad():
        expected, found = network(x), smaller(x)
    assert found.shape == expected.shape
    assert torch.allclose(open_runner(export(smaller, x))(x), found, atol=1e-4)


@pytest.mark.parametrize(("amount", "of"), [(0.2, "macs"), (0.5, "parameters"), (0.8, "macs")])
@pytest.mark.parametrize(
    "name", ["residual", "depthwise", "words", "encoder", "along time", "attention", "two recurrent"]
)
def test_the_amount_is_met_within_a_hundredth(name: str, amount: float, of: str) -> None:
    network, x = seeded(NETS[name]), inputs(name)
    smaller = halved(network, x, of, amount)
    assert 1 - cost(smaller, x, of) / cost(network, x, of) == pytest.approx(amount, abs=0.01)


class Unusual(nn.Module):
    """Two linear layers with something between them that pruners stumble over."""

    def __init__(self, between: str) -> None:
        super().__init__()
        self.between = between
        self.into = nn.Linear(14, 64)
        self.out = nn.Linear({"glu": 32, "opposites": 128, "shifted": 66}.get(between, 64), 32)
        self.norm, self.head = nn.RMSNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x[:, 0])
        if self.between == "glu":
            x = glu(x, -1)
        elif self.between == "clipped":
            x = x.clamp(0, 1)
        elif self.between == "in place":
            x += 1
            x *= silu(x)
        elif self.between == "opposites":
            x = torch.cat([torch.relu(x), torch.relu(-x)], -1)
        elif self.between == "shifted":
            x = pad(x, (1, 1))
        x = torch.relu(self.out(x))
        out: Tensor = self.head(self.norm(x).mean(1))
        return out


@pytest.mark.parametrize("between", ["glu", "clipped", "in place"])
def test_whatever_lies_between_two_layers(between: str) -> None:
    network = seeded(lambda: Unusual(between))
    smaller = halved(network, IMAGES)
    assert width(smaller, "into") < 64
    assert smaller.get_parameter("out.weight").shape[1] == width(smaller, "into") // (2 if between == "glu" else 1)
    assert smaller(IMAGES).shape == network(IMAGES).shape


@pytest.mark.parametrize("between", ["opposites", "shifted"])
def test_what_reads_a_channel_twice_or_beside_nothing_still_runs(between: str) -> None:
    network = seeded(lambda: Unusual(between))
    smaller = halved(network, IMAGES, amount=0.3)
    assert smaller(IMAGES).shape == network(IMAGES).shape


def test_layers_that_share_a_weight_lose_the_same_and_go_on_sharing() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.body = nn.Embedding(30, 32), nn.Linear(32, 32)
            self.head = nn.Linear(32, 30, bias=False)
            self.head.weight = self.words.weight

        def forward(self, x: Tensor) -> Tensor:
            x = self.words(x)
            out: Tensor = self.head((x + self.body(x)).mean(1))
            return out

    network = seeded(Tied)
    smaller = halved(network, TEXT)
    assert smaller.get_parameter("head.weight") is smaller.get_parameter("words.weight")
    assert cost(smaller, TEXT, "parameters") / cost(network, TEXT, "parameters") == pytest.approx(0.5, abs=0.02)
    rebuilt = rebuild(seeded(Tied), describe(network, smaller))
    assert rebuilt.get_parameter("head.weight") is rebuilt.get_parameter("words.weight")
    rebuilt.load_state_dict(smaller.state_dict())
    assert torch.equal(rebuilt(TEXT), smaller(TEXT))


def test_silent_heads_and_hidden_units_of_an_encoder_are_not_missed() -> None:
    network = seeded(Encoder)
    layer: nn.TransformerEncoderLayer = network.get_submodule("body.layers.0")  # type: ignore[assignment]
    with torch.no_grad():
        layer.linear1.weight[::2] = layer.linear1.bias[::2] = 0
        layer.linear2.weight[:, ::2] = 0
        for part in range(3):  # queries, keys and values of the second of four heads
            layer.self_attn.in_proj_weight[16 * part + 4 : 16 * part + 8] = 0
            layer.self_attn.in_proj_bias[16 * part + 4 : 16 * part + 8] = 0
        layer.self_attn.out_proj.weight[:, 4:8] = 0
        expected = network(IMAGES)
    whole = cost(network, IMAGES, "parameters")
    scores = {name: parameter.detach().abs() for name, parameter in network.named_parameters()}
    removal = remove(
        network,
        IMAGES,
        whole - 32 * 33 - 4 * 16 * 4 - 12,
        of="parameters",
        whole=whole,
        scores=scores,
        may_lose=lambda name: name.startswith("body.layers.0"),
    )
    smaller = removal.network.get_submodule("body.layers.0")
    assert width(smaller, "linear1") == 32
    assert smaller.get_submodule("self_attn").num_heads == 3
    with torch.no_grad():
        assert torch.allclose(removal.network(IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_a_fresh_model_is_brought_to_the_same_structure(name: str) -> None:
    network, x = seeded(NETS[name]), inputs(name)
    smaller = halved(network, x)
    rebuilt = rebuild(network, describe(network, smaller))
    rebuilt.load_state_dict(smaller.state_dict())
    with torch.no_grad():
        assert torch.equal(rebuilt(x), smaller(x))


@pytest.mark.parametrize("name", ["mlp", "residual", "depthwise", "lstm", "gru", "last state", "encoder"])
def test_what_does_nothing_goes_first_and_is_not_missed(name: str) -> None:
    """Half of the channels of every bundle are set to zero: without them the outputs are the same."""
    network, x = seeded(NETS[name]), inputs(name)
    from tunekit.compress.pruning.channels import _slimmed
    from tunekit.compress.pruning.organs import organ_of

    slimmed = _slimmed(network)
    layers = dict(network.named_modules())
    found = anatomy(network, lambda: network(x))
    sizes: dict[tuple[str, str], int] = {}
    for bundle in found.bundles:
        for owner, side, _ in bundle:
            organ = organ_of(layers[owner])
            assert organ is not None
            sizes[owner, side] = organ.sides(layers[owner])[side]
    for bundle in found.bundles:
        owner, side, number = next(node for node in bundle if node[1] == "out" or node[1].startswith(("hid", "heads")))
        if number % 2 == 0:
            _silence(layers, bundle)
    with torch.no_grad():
        expected = network(x)
    whole = cost(network, x, "parameters")
    scores = {key: parameter.detach().abs() for key, parameter in network.named_parameters()}
    smaller = remove(network, x, 0.75 * whole, of="parameters", whole=whole, scores=scores).network
    assert slimmed or name != "encoder"
    if name != "encoder":  # a norm over channels notices when silent ones are gone
        with torch.no_grad():
            assert torch.allclose(smaller(x), expected, atol=1e-5)


def _silence(layers: dict[str, nn.Module], bundle: list[tuple[str, str, int]]) -> None:
    from tunekit.compress.pruning.organs import organ_of

    for owner, side, number in bundle:
        layer = layers[owner]
        organ = organ_of(layer)
        assert organ is not None
        nothing = {key: set(value) for key, value in organ.expand(layer, {side: []}).items()}
        one = organ.expand(layer, {side: [number]})
        for own, axes in organ.slices(layer).items():
            held = attrgetter(own)(layer)
            for axis, belongs in axes.items():
                rows = [number] if belongs == side else sorted(set(one.get(belongs, ())) - nothing.get(belongs, set()))
                if rows and held is not None and own != "running_var":
                    held.data.index_fill_(axis, torch.tensor(rows), 0.0)


def test_both_arms_of_a_residual_block_lose_the_same() -> None:
    network = seeded(Residual)
    smaller = halved(network, IMAGES)
    assert isinstance(smaller, Residual)
    assert smaller.one.second.out_channels == smaller.stem.out_channels == smaller.wider.in_channels < 24
    assert smaller.two.second.out_channels == smaller.wider.out_channels == smaller.head.in_features < 48


@pytest.mark.parametrize("amount", [0.3, 0.5, 0.77])
def test_widths_are_multiples_of_sixteen_but_for_one(amount: float) -> None:
    torch.manual_seed(0)
    x = IMAGES[:, 0, 0]
    network = nn.Sequential(
        nn.Linear(14, 256),
        nn.ReLU(),
        nn.Linear(256, 192),
        nn.ReLU(),
        nn.Linear(192, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    ).eval()
    smaller = halved(network, x, amount=amount)
    widths = [layer.out_features for layer in smaller.children() if isinstance(layer, nn.Linear)][:-1]
    assert sum(width % 16 == 0 for width in widths) >= 2
    assert 1 - cost(smaller, x, "parameters") / cost(network, x, "parameters") == pytest.approx(amount, abs=0.01)


def test_heads_that_hold_sixteen_channels_go_one_by_one() -> None:
    class Wide(Attention):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.attention = nn.Linear(14, 128), nn.MultiheadAttention(128, 8, batch_first=True)
            self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, 10)

    network = seeded(Wide)
    whole = cost(network, IMAGES, "parameters")
    scores = {name: parameter.detach().abs() for name, parameter in network.named_parameters()}
    removal = remove(
        network,
        IMAGES,
        0.66 * whole,
        of="parameters",
        whole=whole,
        scores=scores,
        may_lose=lambda name: name == "attention",
    )
    assert removal.network.get_submodule("attention").num_heads == 5
    assert "widths in multiples of 16 where they are wide enough." in removal.notes[0]


def test_a_forward_pass_with_its_size_written_in_it_is_left_alone_and_told() -> None:
    network = seeded(HardCoded)
    whole = cost(network, IMAGES, "parameters")
    scores = {name: parameter.detach().abs() for name, parameter in network.named_parameters()}
    removal = remove(network, IMAGES, whole / 2, of="parameters", whole=whole, scores=scores)
    assert width(removal.network, "second") == 16
    assert width(removal.network, "first") < 8
    assert any("has their size written in it: 'second'" in note for note in removal.notes)


def test_a_net_that_can_lose_nothing_says_why() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(14, 8), nn.Linear(8, 10)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.second(torch.softmax(self.first(x[:, 0, 0]), -1))
            return out

    network = seeded(Mixed)
    with pytest.raises(ValueError, match=r"Mixed has none that can \('first': its channels are mixed before"):
        halved(network, IMAGES)


class Stepwise(nn.Module):
    """A cell that is called step by step, and attention of a kind that keeps its heads."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(14, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True, add_zero_attn=True)
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(x.shape[0], 16)
        for step in range(3):
            state = self.cell(x[:, 0, step], state)
        read = self.attention(state[:, None], state[:, None], state[:, None])[0]
        out: Tensor = self.head(torch.relu(read[:, 0]))
        return out


def test_what_keeps_its_units_is_named() -> None:
    with pytest.raises(ValueError, match=r"'cell': .* GRUCell stay; 'attention': .* add_zero_attn, .* keeps its heads"):
        halved(seeded(Stepwise), IMAGES)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_attention_in_its_slim_form_gives_the_same(dtype: torch.dtype, batch_first: bool) -> None:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 4, batch_first=batch_first).to(dtype).eval()
    slimmed = slim(attention)
    assert slimmed is not None
    x = torch.randn(3, 5, 16).to(dtype)
    x = x if batch_first else x.transpose(0, 1)
    padding, ahead = torch.zeros(3, 5, dtype=torch.bool), torch.ones(5, 5).triu(1).bool()
    padding[:, -1] = True
    settings: list[dict[str, Any]] = [
        {},
        {"need_weights": False},
        {"average_attn_weights": False},
        {"key_padding_mask": padding},
        {"attn_mask": ahead},
        {"attn_mask": nn.Transformer.generate_square_subsequent_mask(5).to(dtype), "is_causal": True},
        {"attn_mask": ahead.expand(12, 5, 5), "key_padding_mask": padding},
    ]
    for each in settings:
        (expected, weights), (found, own) = attention(x, x, x, **each), slimmed(x, x, x, **each)
        atol = 1e-5 if dtype == torch.float32 else 2e-2
        assert found.dtype == dtype
        assert torch.allclose(found, expected, atol=atol)
        assert (weights is None) == (own is None)
        if own is not None:
            assert torch.allclose(own, weights, atol=atol)


def test_attention_with_fewer_heads_is_attention_with_silent_heads() -> None:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    x, mask = torch.randn(3, 5, 16), torch.zeros(3, 5, dtype=torch.bool)
    mask[:, -1] = True
    slimmed = slim(attention)
    assert slimmed is not None
    for settings in ({}, {"key_padding_mask": mask}, {"attn_mask": torch.ones(5, 5).triu(1).bool()}):
        expected, weights = attention(x, x, x, **settings)
        found, own = slimmed(x, x, x, **settings)
        assert torch.allclose(found, expected, atol=1e-5)
        assert own is not None
        assert torch.allclose(own, weights, atol=1e-5)
    from tunekit.compress.pruning.organs import cut

    attention.out_proj.weight.data[:, 4:8] = 0
    cut(slimmed, {"heads": [0, 2, 3]})
    assert torch.allclose(slimmed(x, x, x)[0], attention(x, x, x)[0], atol=1e-5)


class TestBlocks:
    def test_those_whose_output_has_the_shape_of_their_input_are_found(self) -> None:
        assert blocks(seeded(Residual), IMAGES) == ["one", "two"]

    @pytest.mark.parametrize(("missed", "left"), [("one", "two"), ("two", "one")])
    def test_the_one_that_is_missed_least_goes(self, missed: str, left: str) -> None:
        network = seeded(Residual)

        def loss_of(shorter: nn.Module) -> float:
            return 1.0 if isinstance(shorter.get_submodule(missed), nn.Identity) else 0.5

        whole = cost(network, IMAGES, "macs")
        removal = leave_out(network, IMAGES, 0.6 * whole, of="macs", whole=whole, loss_of=loss_of)
        assert isinstance(removal.network.get_submodule(left), nn.Identity)
        assert f"Blocks left out: '{left}'" in removal.notes[0]
        assert isinstance(network.get_submodule(left), Block)

    def test_as_a_step_the_loss_decides(self) -> None:
        lab = Compression(seeded(Residual), digits())
        lab.run([Prune(0.6, granularity="blocks", of="macs", epochs=1)])
        assert lab.trials[1].state == "complete", lab.trials[1].error
        assert lab.trials[1].metrics["macs"] < 0.7 * lab.trials[0].metrics["macs"]

    def test_a_net_without_blocks(self) -> None:
        lab = Compression(build("mlp"), digits())
        assert 'use granularity="channels" instead' in repr(lab.run([Prune(0.5, granularity="blocks")]))


@pytest.mark.parametrize("kind", ["mlp", "conv", "lstm", "gru"])
def test_as_steps_of_a_recipe(kind: str, tmp_path: Path) -> None:
    model = build(kind)
    before = state(model)
    lab = Compression(model, digits())
    lab.run(
        [
            Prune(0.5, granularity="channels", epochs=1),
            Prune(0.7, granularity="channels", of="macs", schedule="iterative", epochs=2, criterion="taylor"),
            Prune(0.6, epochs=1),
            Share(3, epochs=1),
            Quantize(),
        ]
    )
    assert [trial.state for trial in lab.trials] == ["complete"] * 6, [trial.error for trial in lab.trials]
    assert state(model) == before
    figures = [trial.metrics for trial in lab.trials]
    assert figures[1]["parameters"] / figures[0]["parameters"] == pytest.approx(0.5, abs=0.03)
    assert figures[2]["macs"] / figures[0]["macs"] == pytest.approx(0.3, abs=0.03)
    assert figures[1]["size"] < figures[0]["size"]
    x = lab.task.validation.head(40)
    for number in range(1, 6):
        lab[number].save(tmp_path / "net.tunekit")
        assert torch.equal(load(tmp_path / "net.tunekit")(x), lab[number](x))
        if number < 5:
            filled = load(tmp_path / "net.tunekit", model=build(kind, seed=4))
            with torch.no_grad():
                assert torch.equal(filled(x), lab[number].model()(x))


def test_zeros_and_values_stay_when_channels_go() -> None:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.6), Share(2), Prune(0.5, granularity="channels"), FineTune(epochs=1)])
    last = lab[4].model()
    assert all(len(weight.unique()) <= 4 for weight in last.parameters() if weight.dim() > 1)
    zeros = [int((weight == 0).sum()) for weight in last.parameters() if weight.dim() > 1]
    before = [int((weight == 0).sum()) for weight in lab[3].model().parameters() if weight.dim() > 1]
    assert zeros == before
    assert sum(zeros) > 0


def test_each_layer_may_lose_the_same_share_of_its_channels() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(16, 64), nn.Linear(64, 128)
    with torch.no_grad():
        for weights in (first.weight[:48], first.bias[:48], second.weight[:, :48]):
            weights.mul_(0.01)  # over all layers these go first
    model = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Linear(128, 4))
    left = {}
    for step in (Prune(0.7, "channels"), Prune(0.7, "channels", scope="layer")):
        lab = Compression(model, tiny())
        lab.start([step]).wait()
        left[step.scope] = [len(parameter) for parameter in lab[1].model().parameters()][0:4:2]
        assert lab.trials[1].metrics["parameters"] == pytest.approx(0.3 * lab.trials[0].metrics["parameters"], rel=0.05)
    assert left["layer"][0] / 64 == pytest.approx(left["layer"][1] / 128, abs=0.1)
    assert left["global"][1] / 128 - left["global"][0] / 64 > 0.3


@pytest.mark.parametrize("share", [0.5, 0.1, 0.03])
def test_widths_need_not_be_round_where_single_channels_are_asked_for(share: float) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 160), nn.ReLU(), nn.Linear(160, 4))
    widths, missed = {}, {}
    for multiple in (16, 1):
        lab = Compression(model, tiny())
        lab.start([Prune(1 - share, "channels", round_to=multiple)]).wait()
        layers = [layer for layer in lab[1].model().modules() if isinstance(layer, nn.Linear)]
        widths[multiple] = [layer.out_features for layer in layers[:-1]]
        left = lab.trials[1].metrics["parameters"] / lab.trials[0].metrics["parameters"]
        missed[multiple] = abs(left - share)
    assert any(width % 16 == 0 for width in widths[16])
    assert missed[1] <= min(0.005, missed[16] + 1e-9)
    if share < 0.05:  # a round width is most of what is left
        assert min(widths[1]) < 16


def test_layers_that_may_lose_channels_are_chosen_by_name() -> None:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.3, granularity="channels", exclude=("0",)), Prune(0.3, granularity="channels", layers=("0",))])
    first, second = lab[1].model(), lab[2].model()
    assert width(first, "0") == 8
    assert width(first, "4") < 16
    assert width(second, "4") == width(first, "4")


def test_statistics_are_measured_anew() -> None:
    norm = nn.BatchNorm1d(2).eval()
    x = torch.randn(1500, 2, generator=torch.Generator().manual_seed(0)) * 3 + 5
    assert recalibrate(norm, [(part, part) for part in x.split(100)])
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert torch.allclose(norm.running_mean, x[:1000].mean(0), atol=1e-4)
    assert torch.allclose(norm.running_var, x[:1000].var(0), rtol=0.05)
    assert norm.momentum == 0.1
    assert not norm.training
    assert not recalibrate(nn.Linear(2, 2), [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"granularity": "channel"}, "unknown granularity 'channel'"),
        ({"granularity": "channels", "of": "time"}, "unknown of 'time'"),
        ({"of": "macs"}, "of='macs'"),
        ({"granularity": "channels", "pattern": "2:4"}, "pattern= is for weights"),
        ({"granularity": "blocks", "scope": "layer"}, "scope= is for weights and channels"),
        ({"granularity": "blocks", "schedule": "cubic", "epochs": 2}, "in rounds"),
        ({"granularity": "channels", "round_to": 3}, "one of 16, 8, 4, 2, 1 channels: got round_to=3"),
        ({"granularity": "blocks", "round_to": 8}, "round_to= is for channels"),
        ({"round_to": 8}, "layers keep their widths"),
    ],
)
def test_a_wrong_setting(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Prune(0.5, **settings)  # type: ignore[arg-type]


def test_the_task_is_not_needed_to_know_the_words() -> None:
    words = Task((TEXT, torch.arange(4)), (TEXT, torch.arange(4)), loss=cross_entropy)
    lab = Compression(seeded(Words), words)
    lab.run([Prune(0.4, granularity="channels", epochs=1)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
