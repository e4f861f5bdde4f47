from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from torch import nn

from tests.compress.nets import Tied, build, digits, tiny
from tunekit.compress import clusters
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.layers import prunable
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.sharing import Share


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 50), nn.ReLU(), nn.BatchNorm1d(50), nn.Linear(50, 4))


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("kind", ["mlp", "conv", "gru"])
def test_each_tensor_has_so_many_values_also_after_training(kind: str, bits: int) -> None:
    lab = Compression(build(kind), digits())
    lab.run([Share(bits, epochs=1, bias_bits=3), FineTune(epochs=1)])
    for number in (1, 2):
        for parameter in lab[number].model().parameters():
            assert len(parameter.unique()) <= 2 ** (bits if parameter.dim() > 1 else 3)


def test_training_moves_the_values_and_not_the_clusters() -> None:
    lab = Compression(net(), tiny())
    lab.run([Share(3), FineTune(epochs=2, learning_rate=0.01)])
    before, after = (lab[number].model().get_parameter("0.weight") for number in (1, 2))
    assert not torch.equal(before, after)
    _, first = before.unique(return_inverse=True)
    for number in range(8):
        assert len(after[first == number].unique()) <= 1


def test_zeros_stay_zeros() -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.8), Share(2, epochs=2), FineTune(epochs=1)])
    pruned = prunable(lab[1].model())
    for number in (2, 3):
        for name, weight in prunable(lab[number].model()).items():
            assert bool((weight[pruned[name] == 0] == 0).all())
            assert len(weight.unique()) <= 4


def test_a_pruned_weight_leaves_its_cluster() -> None:
    lab = Compression(net(), tiny())
    lab.run([Share(3), Prune(0.7), FineTune(epochs=1)])
    for number in (2, 3):
        weights = list(prunable(lab[number].model()).values())
        assert sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights) == pytest.approx(
            0.7, abs=0.01
        )
        assert all(len(weight.unique()) <= 9 for weight in weights)


def test_the_common_gradient_is_that_of_the_value() -> None:
    """Trained as one number, a value goes where all weights that share it go together."""
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    y = x @ torch.tensor([[1.0], [2.0], [6.0]])
    model = nn.Linear(3, 1, bias=False)
    model.weight.data.fill_(0.5)
    task = tiny(
        train=(x, y), validation=(x, y), loss=nn.functional.mse_loss, metric=lambda o, t: -float(((o - t) ** 2).mean())
    )
    lab = Compression(model, task)
    lab.run([Share(2), FineTune(epochs=100, learning_rate=0.2)])
    weight = lab[2].model().get_parameter("weight").detach()
    best = (x.sum(1) * y[:, 0]).sum() / (x.sum(1) ** 2).sum()  # least squares for w (x1 + x2 + x3) = y
    assert len(weight.unique()) == 1
    assert float(weight[0, 0]) == pytest.approx(float(best), abs=0.1)


def test_layers_are_chosen_by_name() -> None:
    lab = Compression(net(), tiny())
    lab.run([Share(2, layers=("0",)), Share(2, exclude=("0", "2"))])
    first, second = lab[1].model(), lab[2].model()
    assert len(first.get_parameter("0.weight").unique()) == 4
    assert len(first.get_parameter("3.weight").unique()) > 100
    assert len(second.get_parameter("3.weight").unique()) == 4
    with pytest.raises(ValueError, match=r"'7' is no layer of the model; the known ones are '0', '1'"):
        lab.run([Share(2, layers=("7",))])


@pytest.mark.parametrize("share", [Share(2, exclude=("1",)), Share(2, layers=("0",))])
def test_the_statistics_of_a_norm_that_is_left_out_stay(share: Share) -> None:
    network = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)).eval()
    network.get_buffer("1.running_mean").copy_(torch.randn(8))
    lab = Compression(network, tiny())
    lab.run([share, Share(2)])
    before, after, rounded = (lab[row].model().get_buffer("1.running_mean") for row in range(3))
    assert torch.equal(after, before)
    assert not torch.equal(rounded, before)


def test_tied_weights_stay_tied() -> None:
    lab = Compression(Tied(), tiny())
    lab.run([Share(2, epochs=1)])
    shared = lab[1].model()
    assert isinstance(shared, Tied)
    assert shared.first.weight is shared.second.weight


def tied_words() -> nn.Module:
    """An embedding and the layer that turns its vectors back into words."""
    network = nn.Sequential(nn.Embedding(9, 16), nn.Flatten(), nn.Linear(32, 16), nn.Linear(16, 9, bias=False))
    network.get_submodule("3").weight = network.get_parameter("0.weight")
    return network


@pytest.mark.parametrize("excluded", ["0", "3"])
def test_a_tied_weight_is_left_alone_by_each_of_its_layers(excluded: str) -> None:
    ids = torch.arange(64).reshape(32, 2) % 9
    task = tiny(train=(ids, ids[:, 0]), validation=(ids, ids[:, 0]), test=None)
    network = tied_words()
    lab = Compression(network, task)
    lab.run([Share(2, exclude=(excluded,))])
    shared = lab[1].model()
    assert torch.equal(shared.get_parameter("0.weight"), network.get_parameter("0.weight"))
    assert len(shared.get_parameter("2.weight").unique()) == 4
    with pytest.raises(ValueError, match="in common with those in exclude="):
        lab.run([Share(2, layers=("0", "3"), exclude=(excluded,))])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Share(1), "2 to 8 bits: got bits=1"),
        (lambda: Share(9), "got bits=9"),
        (lambda: Share(4, bias_bits=16), "got bias_bits=16"),
        (lambda: Share(4, epochs=-1), "epochs=-1"),
    ],
)
def test_a_wrong_setting(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        make()


@given(
    arrays.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e3, 1e3, allow_subnormal=False)),
    st.integers(1, 9),
)
def test_means_are_few_ascending_and_fixed_points(values: NDArray[np.float64], count: int) -> None:
    means = clusters.nearest_means(values, count)
    assert 1 <= len(means) <= count
    assert bool((np.diff(means) > 0).all())
    numbers = clusters.assign(values, means)
    best = np.abs(values[:, None] - means).min(1)
    assert np.abs(values - means[numbers]) == pytest.approx(best, abs=1e-9)
    if len(np.unique(values)) <= count:
        assert np.array_equal(means[numbers], values)
