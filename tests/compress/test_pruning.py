from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from tests.compress.nets import Tied, build, by_hand, digits, only, state, tiny
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.layers import prunable
from tunekit.compress.network import copied
from tunekit.compress.pruning import criteria, masks
from tunekit.compress.pruning.evidence import Evidence
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.sharing import Share


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
    fit = by_hand(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.01)
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


@pytest.mark.parametrize("excluded", ["tied.first", "tied.second", "tied"])
def test_a_tied_weight_is_left_alone_by_each_of_its_layers(excluded: str) -> None:
    network = nn.Sequential(OrderedDict(tied=Tied(), head=nn.Linear(16, 4)))
    assert list(prunable(network, exclude=(excluded,))) == ["head.weight"]
    with pytest.raises(ValueError, match=r"takes .* away, as they share weights"):
        prunable(Tied(), exclude=("second",))


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
    def largest_first(evidence):  # type: ignore[no-untyped-def]
        return [-weight.abs() for weight in evidence.weights]

    lab = Compression(net(), tiny())
    lab.run([Prune(0.5, criterion="largest first")])
    pruned, original = prunable(lab[1].model()), prunable(lab[0].model())
    kept = torch.cat([w[w != 0].abs() for w in pruned.values()])
    gone = torch.cat([original[name][w == 0].abs() for name, w in pruned.items()])
    assert kept.max() <= gone.min()


def test_a_criterion_that_gives_nonsense_fails_with_words() -> None:
    @criteria.register("nonsense")
    def nonsense(evidence):  # type: ignore[no-untyped-def]
        return [weight.sum() for weight in evidence.weights]

    @criteria.register("nan")
    def nan(evidence):  # type: ignore[no-untyped-def]
        return [weight * torch.nan for weight in evidence.weights]

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


class TestCriteria:
    @pytest.mark.parametrize("name", criteria.criteria)
    @pytest.mark.parametrize("kind", ["mlp", "conv", "lstm", "gru"])
    def test_every_one_scores_every_weight_and_leaves_the_net_as_it_is(self, name: str, kind: str) -> None:
        if name in ("nonsense", "nan"):
            pytest.skip("made to fail, by the tests above")
        network = build(kind).eval()
        before = state(network)
        weights = prunable(network)
        evidence = Evidence(network, weights, digits(), torch.Generator().manual_seed(0))
        scores = criteria.score(name, evidence)
        assert [one.shape for one in scores] == [weight.shape for weight in weights.values()]
        assert state(network) == before
        assert all(parameter.grad is None for parameter in network.parameters())

    def test_taylor_is_what_the_loss_loses_to_first_order(self) -> None:
        torch.manual_seed(0)
        network, task = nn.Linear(16, 4), tiny(batch_size=64)
        evidence = Evidence(network, prunable(network), task, torch.Generator().manual_seed(0))
        (score,) = criteria.score("taylor", evidence)
        x, y = only(task.train.head(64)), next(iter(task.batches(torch.Generator().manual_seed(0))))[1]
        order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
        task.loss(network(x[order]), y).backward()
        assert network.weight.grad is not None
        assert torch.allclose(score.float(), (network.weight * network.weight.grad).abs(), atol=1e-6)

    def test_activation_sees_which_inputs_are_dead(self) -> None:
        network, task = nn.Linear(16, 4), tiny()
        x, y = only(task.train.head(64)).clone(), torch.arange(64) % 4
        x[:, :8] = 0
        lab = Compression(network, tiny(train=(x, y)))
        lab.run([Prune(0.5, criterion="activation"), Prune(0.5, criterion="activation-zeros")])
        for number in (1, 2):
            pruned = lab[number].model()
            assert bool((next(pruned.parameters())[:, :8] == 0).all())

    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            (nn.Conv2d(4, 6, 3, groups=2, bias=False), (2, 4, 8, 8)),
            (nn.Conv1d(4, 4, 3, groups=4, bias=False), (2, 4, 8)),
            (nn.ConvTranspose2d(4, 6, 3, bias=False), (2, 4, 5, 5)),
        ],
        ids=["grouped", "depthwise", "transposed"],
    )
    def test_what_flows_into_a_convolution_is_told_by_its_channel(
        self, layer: nn.Module, shape: tuple[int, ...]
    ) -> None:
        x = torch.zeros(shape) + torch.arange(4.0).reshape(1, 4, *(1,) * (len(shape) - 2))
        task = tiny(
            train=(x, torch.zeros(len(x))), validation=(x, torch.zeros(len(x))), loss=lambda output, y: output.sum()
        )
        evidence = Evidence(layer, dict(layer.named_parameters()), task, torch.Generator())
        seen = evidence.inputs[0].expand(layer.weight.shape)  # type: ignore[arg-type]
        if isinstance(layer, nn.ConvTranspose2d):
            assert [float(row.mean()) for row in seen] == [0, 1, 2, 3]
        elif layer.groups == 2:
            assert [row[:, 0, 0].tolist() for row in seen] == [[0, 1]] * 3 + [[2, 3]] * 3
        else:
            assert [float(row.mean()) for row in seen] == [0, 1, 2, 3]


class TestSchedules:
    @pytest.mark.parametrize("schedule", ["one-shot", "iterative", "cubic"])
    def test_the_amount_is_reached_and_the_zeros_stay(self, schedule: str) -> None:
        lab = Compression(build("conv"), digits())
        lab.run([Prune(0.9, epochs=3, schedule=schedule), FineTune(epochs=1)])  # type: ignore[arg-type]
        assert len(lab.trials[1].reports) == 3
        for number in (1, 2):
            assert share_of_zeros(lab[number].model()) == pytest.approx(0.9, abs=0.005)

    def test_iterative_takes_some_before_each_epoch(self) -> None:
        seen = []

        def loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            seen.append(share_of_zeros(current[0]))
            return nn.functional.cross_entropy(outputs, targets)

        current: list[nn.Module] = []

        class Watched(nn.Sequential):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                current[:] = [self]
                return self[2](self[1](self[0](x)))  # type: ignore[no-any-return]

        model = Watched(nn.Linear(16, 40), nn.ReLU(), nn.Linear(40, 4))
        lab = Compression(model, tiny(loss=loss))
        lab.run([Prune(0.75, epochs=2, schedule="iterative")])
        assert [round(share, 2) for share in seen] == [0.5, 0.75]

    def test_a_loop_of_ones_own_prunes_epoch_by_epoch(self) -> None:
        def fit(model, task, epochs):  # type: ignore[no-untyped-def]
            calls.append((epochs, round(share_of_zeros(model), 2)))
            yield

        calls: list[tuple[int, float]] = []
        lab = Compression(net(), tiny(fit=fit))
        lab.run([Prune(0.6, epochs=3)])
        assert [epochs for epochs, _ in calls] == [1, 1, 1]
        assert [share for _, share in calls] == sorted(share for _, share in calls)
        assert share_of_zeros(lab[1].model()) == pytest.approx(0.6, abs=0.005)


def test_each_layer_loses_the_same_share_where_asked() -> None:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.5, scope="layer")])
    assert [share_of_zeros(lab[1].model(), name) for name in ("0", "4", "9")] == pytest.approx([0.5] * 3, abs=0.01)


def test_layers_are_left_out_by_name() -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.5, exclude=("3",))])
    assert share_of_zeros(lab[1].model(), "3") == 0
    with pytest.raises(ValueError, match=r"exclude= names layers of the model: '4' is none"):
        lab.run([Prune(0.5, exclude=("4",))])
    with pytest.raises(ValueError, match="at least one layer is left"):
        lab.run([Prune(0.5, exclude=("0", "3"))])


@pytest.mark.parametrize("kind", ["mlp", "conv", "gru"])
def test_two_of_four(kind: str) -> None:
    lab = Compression(build(kind), digits())
    lab.run([Prune(0.5, pattern="2:4", epochs=1)])
    for weight in prunable(lab[1].model()).values():
        whole = weight.shape[1] // 4 * 4
        blocks = weight[:, :whole].movedim(1, -1).unflatten(-1, (-1, 4)) if whole else torch.zeros(1, 4)
        assert bool(((blocks == 0).sum(-1) >= 2).all()) or not whole


def test_a_pattern_needs_that_many_inputs() -> None:
    model = nn.Sequential(nn.Linear(16, 2), nn.ReLU(), nn.Linear(2, 4))
    with pytest.raises(ValueError, match="no layer of Sequential has 32"):
        Compression(model, tiny()).run([Prune(0.5, pattern="16:32")])


def zeros(model: nn.Module) -> torch.Tensor:
    return torch.cat([(weight == 0).flatten() for weight in prunable(model).values()])


@pytest.mark.parametrize("criterion", ["magnitude", "random"])
def test_a_pattern_keeps_the_zeros_that_were_there(criterion: str) -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.8), Prune(0.5, pattern="2:4", criterion=criterion), FineTune(epochs=2)])
    before, set_to, tuned = (zeros(lab[number].model()) for number in (1, 2, 3))
    assert bool(set_to[before].all())
    assert torch.equal(tuned, set_to)
    for weight in prunable(lab[3].model()).values():
        whole = weight.shape[1] // 4 * 4
        assert bool(((weight[:, :whole].unflatten(1, (-1, 4)) == 0).sum(-1) >= 2).all())


def test_zeros_count_among_those_of_their_block() -> None:
    """Where one half is zero in each block already, a pattern takes nothing more, whatever the scores are."""
    lab = Compression(net(), tiny())
    lab.run([Prune(0.5, pattern="2:4"), Prune(0.5, pattern="2:4", criterion="random")])
    assert torch.equal(zeros(lab[2].model()), zeros(lab[1].model()))


def test_shared_values_that_become_zero_by_a_pattern_leave_those_that_were_zero_alone() -> None:
    lab = Compression(net(), tiny())
    lab.run([Prune(0.8), Share(3), Prune(0.5, pattern="2:4", criterion="random"), FineTune(epochs=2)])
    before, tuned = lab[1].model(), lab[4].model()
    assert bool(zeros(tuned)[zeros(before)].all())
    assert all(len(weight.unique()) <= 9 for weight in prunable(tuned).values())


class Mixed(nn.Module):
    """Of its four layers two have fewer inputs than four for each output, and two have six or eight."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(1, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
        self.up = nn.ConvTranspose2d(8, 6, 2)
        self.head = nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.up(torch.relu(self.grouped(torch.relu(self.narrow(x)))))
        out: torch.Tensor = self.head(x.mean((2, 3)))
        return out


def squares() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(32, 1, 5, 5, generator=generator), torch.arange(32) % 4


def test_a_pattern_says_which_layers_it_leaves_whole_and_what_it_reached_unless_it_is_met() -> None:
    torch.manual_seed(0)
    data = squares()
    lab = Compression(Mixed(), tiny(train=data, validation=data, test=data))
    lab.run([Prune(0.5, pattern="2:4")])
    pruned = lab[1].model()
    shares = [share_of_zeros(pruned, name) for name in ("narrow", "grouped", "up", "head")]
    assert shares == pytest.approx([0, 0, 0.5, 1 / 3], abs=0.001)
    reached = share_of_zeros(pruned)
    notes = " ".join(lab.notes(1))
    assert "fewer than the 4 inputs of a block: 'narrow', 'grouped'." in notes
    assert f"Weights that are zero: {100 * reached:.1f} %." in notes
    assert f"The amount is missed by {100 * (0.5 - reached):.1f} % of the weights" in notes
    lab.run([Prune(0.5, pattern="2:4", layers=("up",))])
    assert not lab.notes(2)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_pattern_takes_the_inputs_of_a_transposed_convolution(groups: int) -> None:
    """Its weight is (inputs, outputs of a group, ...); no block reaches from one group into the next."""
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(12, 8, 2, groups=groups)
    x, y = torch.randn(16, 12, 3, 3), torch.arange(16) % 8
    task = tiny(train=(x, y), validation=(x, y), test=(x, y))
    lab = Compression(nn.Sequential(layer, nn.AdaptiveAvgPool2d(1), nn.Flatten()), task)
    lab.run([Prune(0.5, pattern="2:4")])
    pruned = prunable(lab[1].model())["0.weight"] == 0
    for group in pruned.split(12 // groups):
        whole = len(group) // 4 * 4
        blocks = group[:whole].unflatten(0, (-1, 4))
        assert bool((blocks.sum(1) == 2).all())
        assert not group[whole:].any()


def test_a_transposed_convolution_needs_that_many_inputs() -> None:
    model = nn.Sequential(nn.ConvTranspose1d(2, 8, 3), nn.Flatten())
    x, y = torch.randn(16, 2, 4), torch.arange(16) % 8
    with pytest.raises(ValueError, match="no layer of Sequential has 4"):
        Compression(model, tiny(train=(x, y), validation=(x, y), test=(x, y))).run([Prune(0.5, pattern="2:4")])
