from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.compress.nets import Backwards, build, digits, tiny
from tunekit.compress.compression import Compression
from tunekit.compress.factorise import Factorise, best_ranks
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.fold import Fold, fold
from tunekit.compress.network import norm_epsilons
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.sharing import Share


def shaken(network: nn.Module) -> nn.Module:
    """Norms as they are after training: no mean 0, no variance 1."""
    generator = torch.Generator().manual_seed(0)
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():
            tensor.data.add_(0.3 * torch.rand(tensor.shape, generator=generator))
    return network.eval()


FOLDED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), (3, 6)),
    "conv1d": (lambda: nn.Sequential(nn.Conv1d(3, 5, 3, bias=False), nn.BatchNorm1d(5)), (3, 3, 9)),
    "conv2d": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), nn.BatchNorm2d(4, affine=False)), (3, 3, 6, 6)),
    "transposed": (lambda: nn.Sequential(nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm2d(4)), (3, 3, 6, 6)),
    "depthwise": (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)), (3, 4, 6, 6)),
}


@pytest.mark.parametrize("name", FOLDED)
def test_folded_it_gives_the_same(name: str) -> None:
    make, shape = FOLDED[name]
    network, x = shaken(make()), torch.randn(shape)
    with torch.no_grad():
        expected = network(x)
        assert fold(network, x) == ["0"]
        assert torch.allclose(network(x), expected, atol=1e-4)
    assert not norm_epsilons(network)


def test_a_layer_whose_output_somebody_else_reads_is_left_alone() -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.norm = nn.Linear(6, 5), nn.BatchNorm1d(5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.layer(x)
            out: Tensor = self.norm(x) + x
            return out

    network, x = shaken(Both()), torch.randn(4, 6)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.no_grad():
        expected = network(x)
        assert fold(network, x) == []
        assert torch.equal(network(x), expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_zeros_outlive_folding_and_shared_values_do_not() -> None:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.6), Share(3), Fold(), FineTune(epochs=1)])
    pruned, tuned = lab[1].model(), lab[4].model()
    for name in ("0.weight", "4.weight"):
        assert bool((tuned.get_parameter(name)[pruned.get_parameter(name) == 0] == 0).all())
        assert len(tuned.get_parameter(name).unique()) > 8
    assert len(tuned.get_parameter("9.weight").unique()) <= 8
    assert "put Share after Fold" in lab[3].notes[-1]
    assert "folded: 2 of 2" in lab[3].notes[-1]
    assert lab.trials[3].metrics["accuracy"] == lab.trials[2].metrics["accuracy"]


def test_nothing_to_fold_says_why() -> None:
    apart = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 4))
    lab = Compression(apart, tiny())
    assert "none of 1 follows a convolution or a linear layer like that" in repr(lab.run([Fold()]))


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(30, 20), (3, 30)),
    "conv1d": (lambda: nn.Conv1d(6, 20, 5, stride=2, padding=1, dilation=2), (3, 6, 20)),
    "conv2d": (lambda: nn.Conv2d(6, 20, 3, padding="same", padding_mode="circular", bias=False), (3, 6, 9, 9)),
    "conv3d": (lambda: nn.Conv3d(3, 20, 2), (2, 3, 4, 4, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_of_low_rank_is_replaced_exactly(name: str) -> None:
    make, shape = LAYERS[name]
    layer, x = make(), torch.randn(shape)
    weight = layer.get_parameter("weight")
    rank_three = torch.randn(len(weight), 3) @ torch.randn(3, weight[0].numel())
    weight.data.copy_(rank_three.reshape(weight.shape) / 5)
    model = nn.Sequential(layer, nn.Flatten())
    with torch.no_grad():
        expected = model(x)
    y = torch.zeros(len(x), dtype=torch.long)
    task = tiny(train=(x, y), validation=(x, y), test=None)
    lab = Compression(model, task)
    whole = weight.numel()
    thin = 3 * (len(weight) + weight[0].numel())
    lab.run([Factorise(1 - thin / whole)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
    smaller = lab[1].model()
    assert sum(p.numel() for p in smaller.parameters() if p.dim() > 1) == thin
    with torch.no_grad():
        assert torch.allclose(smaller(x), expected, atol=1e-4)


@pytest.mark.parametrize("amount", [0.2, 0.5, 0.8])
def test_the_amount_is_met(amount: float) -> None:
    generator = torch.Generator().manual_seed(0)
    weights = {str(n): torch.randn(n, 2 * n, generator=generator) for n in (40, 60, 80)}
    ranks = best_ranks(weights, amount)
    whole = sum(weight.numel() for weight in weights.values())
    left = 0
    for name, weight in weights.items():
        rank = ranks[name]
        left += weight.numel() if rank is None else rank * sum(weight.shape)
    assert left / whole == pytest.approx(1 - amount, abs=0.01)


def test_what_is_thin_already_goes_first() -> None:
    """Of two layers of one size the one of low rank gives."""
    generator = torch.Generator().manual_seed(0)
    thin = torch.randn(40, 4, generator=generator) @ torch.randn(4, 40, generator=generator)
    assert best_ranks({"thin": thin, "full": torch.randn(40, 40, generator=generator)}, 0.4) == {
        "thin": 4,
        "full": None,
    }


def test_tied_and_grouped_layers_stay_whole() -> None:
    model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2), nn.Flatten())
    with pytest.raises(ValueError, match="leave Factorise out"):
        Compression(model, digits()).run([Factorise(0.5)])


class Twice(nn.Module):
    """One square weight used by two layers, and a layer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(16, 16), nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.head = nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.relu(self.second(torch.relu(self.first(x)))))
        return out


def test_an_amount_that_is_missed_is_told_and_so_is_what_was_left_alone() -> None:
    lab = Compression(Twice(), tiny())
    lab.run([Factorise(0.5)])
    left = sum(
        weight.numel() for name, weight in lab[1].model().named_parameters() if "head" in name and "bias" not in name
    )
    missed = abs(1 - left / 64 - 0.5)
    assert missed == pytest.approx(0.125)
    note = lab.notes(1)[-1]
    assert "layers factorised: 1 of 1." in note
    assert f"The amount is missed by {100 * missed:.1f} % of their weights" in note
    assert "becomes two: 'first'." in note
    lab.run([Factorise(0.375, layers=("head",))])
    assert lab.notes(2)[-1].endswith("layers factorised: 1 of 1.")


@pytest.mark.parametrize(("amount", "words"), [(0, "above 0 and below 1: got 0"), (1, "got 1"), (1.5, "got 1.5")])
def test_a_wrong_amount(amount: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Factorise(amount)


def test_a_weight_that_is_read_without_its_layer_is_told() -> None:
    lab = Compression(Backwards(), tiny())
    assert "leave the one that is read elsewhere out with exclude=" in repr(lab.run([Factorise(0.5)]))
    lab.run([Factorise(0.2, exclude=("layer",))])
    assert lab.trials[-1].state == "complete"
