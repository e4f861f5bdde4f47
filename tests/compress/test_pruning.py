from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.compress.nets import Tied, build, digits, tiny
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.network import copied
from tunekit.compress.pruning import criteria, masks
from tunekit.compress.pruning.layers import prunable
from tunekit.compress.pruning.prune import Prune


def share_of_zeros(model: nn.Module, *layers: str) -> float:
    weights = list(prunable(model, layers or None).values())
    return sum(int((w == 0).sum()) for w in weights) / sum(w.numel() for w in weights)


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 50), nn.ReLU(), nn.BatchNorm1d(50), nn.Linear(50, 4))


def test_twice_one_half_is_one_half() -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.5), Prune(0.5), Prune(0.75), Prune(0.2)])
    found = [share_of_zeros(lab[number].model()) for number in range(1, 5)]
    assert found == pytest.approx([0.5, 0.5, 0.75, 0.75], abs=0.001)


def test_zeros_stay_through_training_whatever_the_momentum() -> None:
    lab = Compression(build("conv"), digits())
    lab.run([FineTune(epochs=1), Prune(0.8), FineTune(epochs=2, learning_rate=0.01)])
    before, after = lab[2].model(), lab[3].model()
    for name, weight in prunable(after).items():
        pruned = prunable(before)[name] == 0
        assert pruned.any()
        assert bool((weight[pruned] == 0).all())
        assert not torch.equal(weight, prunable(before)[name])
    assert share_of_zeros(after) == pytest.approx(0.8, abs=0.001)


def test_zeros_stay_under_a_loop_of_ones_own() -> None:
    def fit(model, task, epochs):  # type: ignore[no-untyped-def]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
        for _ in range(epochs):
            for x, y in task.batches(torch.Generator().manual_seed(0)):
                optimizer.zero_grad()
                task.loss(model(x), y).backward()
                optimizer.step()
                yield

    lab = Compression(net(), tiny(fit=fit))
    lab.run([Prune(0.6), FineTune(epochs=3)])
    assert share_of_zeros(lab[2].model()) == pytest.approx(0.6, abs=0.001)
    assert lab.trials[2].reports[-1]["accuracy"] == lab.trials[2].metrics["accuracy"]


def test_a_fit_that_is_no_generator_fails_with_words() -> None:
    lab = Compression(net(), tiny(fit=lambda model, task, epochs: None))
    outcome = lab.run([FineTune(epochs=1), Prune(0.5)])
    assert lab.trials[1].state == "failed"
    assert "let it yield after each step" in repr(outcome)
    assert len(lab.trials) == 2


def test_the_ranking_is_global_and_by_size() -> None:
    weights = [torch.tensor([[5.0, -0.1], [0.2, 4.0]]), torch.tensor([0.3, -6.0])]
    kept = masks.keep_largest([w.abs() for w in weights], weights, 0.5)
    assert [mask.flatten().tolist() for mask in kept] == [[True, False, False, True], [False, True]]


def test_only_the_named_layers_are_pruned() -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.5, layers=("3",))])
    pruned = lab[1].model()
    assert share_of_zeros(pruned, "3") == 0.5
    assert share_of_zeros(pruned, "0") == 0


def test_biases_and_norms_stay() -> None:
    model = net()
    lab = Compression(model, tiny())
    lab.run([Prune(0.99)])
    new = dict(lab[1].model().named_parameters())
    for name, parameter in model.named_parameters():
        assert torch.equal(new[name], parameter) == (name not in prunable(model))


def test_a_tied_weight_is_one_weight_and_stays_tied() -> None:
    lab = Compression(Tied(), tiny(classes=4))
    assert list(prunable(Tied())) == ["first.weight"]
    assert list(prunable(Tied(), ["second"])) == ["first.weight"]
    lab.run([Prune(0.5), FineTune(epochs=1)])
    pruned = lab[2].model()
    assert isinstance(pruned, Tied)
    assert pruned.second.weight is pruned.first.weight
    assert share_of_zeros(pruned) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (nn.Conv1d(2, 3, 3), ["weight"]),
        (nn.ConvTranspose2d(2, 3, 3), ["weight"]),
        (
            nn.LSTM(2, 3, bidirectional=True),
            ["weight_ih_l0", "weight_hh_l0", "weight_ih_l0_reverse", "weight_hh_l0_reverse"],
        ),
        (nn.GRUCell(2, 3), ["weight_ih", "weight_hh"]),
        (nn.MultiheadAttention(4, 2), ["in_proj_weight", "out_proj.weight"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_multiplied_can_be_pruned(layer: nn.Module, expected: list[str]) -> None:
    assert list(prunable(layer)) == expected


def test_an_embedding_is_pruned_by_name_only() -> None:
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
    assert list(prunable(model)) == ["1.weight"]
    assert list(prunable(model, ["0"])) == ["0.weight"]


def test_a_criterion_of_ones_own() -> None:
    @criteria.register("largest first")
    def largest_first(weights, generator):  # type: ignore[no-untyped-def]
        return [-weight.abs() for weight in weights]

    lab = Compression(net(), tiny())
    lab.run([Prune(0.5, criterion="largest first")])
    pruned, original = prunable(lab[1].model()), prunable(lab[0].model())
    kept = torch.cat([w[w != 0].abs() for w in pruned.values()])
    gone = torch.cat([original[name][w == 0].abs() for name, w in pruned.items()])
    assert kept.max() <= gone.min()


def test_a_criterion_that_gives_nonsense_fails_with_words() -> None:
    @criteria.register("nonsense")
    def nonsense(weights, generator):  # type: ignore[no-untyped-def]
        return [weight.sum() for weight in weights]

    @criteria.register("nan")
    def nan(weights, generator):  # type: ignore[no-untyped-def]
        return [weight * torch.nan for weight in weights]

    lab = Compression(net(), tiny())
    assert "a criterion gives each weight a score" in repr(lab.run([Prune(0.5, criterion="nonsense")]))
    assert "finite scores" in repr(lab.run([Prune(0.5, criterion="nan")]))


def test_random_depends_on_the_seed() -> None:
    def zeros(seed: int) -> torch.Tensor:
        lab = Compression(net(), tiny(), seed=seed)
        lab.run([Prune(0.5, criterion="random")])
        return torch.cat([w.flatten() == 0 for w in prunable(lab[1].model()).values()])

    assert torch.equal(zeros(1), zeros(1))
    assert not torch.equal(zeros(1), zeros(2))


def test_a_net_pruned_by_torch_is_copied_with_its_zeros() -> None:
    from torch.nn.utils import prune

    model = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 4))
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    model(torch.randn(2, 16)).sum().backward()
    names = [name for name, _ in model.named_parameters()]
    twin = copied(model)
    assert [name for name, _ in model.named_parameters()] == names
    assert prune.is_pruned(model)
    assert not prune.is_pruned(twin)
    x = torch.randn(5, 16)
    assert torch.equal(twin(x), model(x))
    lab = Compression(model, tiny())
    lab.run([Prune(0.5, layers=("0",))])
    assert share_of_zeros(lab[1].model(), "0") == 0.5


def test_a_parametrized_net_is_copied_with_plain_weights_and_stays_as_it_is() -> None:
    from torch.nn.utils import parametrizations, parametrize

    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(16, 8)), nn.ReLU(), nn.Linear(8, 4))
    x = torch.randn(5, 16)
    before = model(x)
    lab = Compression(model, tiny())
    lab.run([Prune(0.5), FineTune(epochs=1)])
    assert [trial.state for trial in lab.trials] == ["complete"] * 3
    assert torch.allclose(lab[0](x), before, atol=1e-6)
    assert share_of_zeros(lab[2].model()) == pytest.approx(0.5, abs=0.01)
    assert parametrize.is_parametrized(model[0])
    assert torch.equal(model(x), before)
