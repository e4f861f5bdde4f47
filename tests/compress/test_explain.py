"""What a compression says of itself: sensitivity, the front, what was tried, what was luck."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from tests.compress.nets import build, digits, state, tiny
from tunekit.compress import explaining
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.score import Score
from tunekit.compress.sensitivity import LayerSensitivity, Sensitivity
from tunekit.compress.table import Row


@pytest.fixture(scope="module")
def lab() -> Compression:
    lab = Compression(build("mlp"), digits())
    lab.start([FineTune(8, learning_rate=3e-3)]).wait()
    lab = Compression(lab[1].model(), digits())
    lab.start([Prune(0.5, "channels", epochs=2), Quantize()]).wait()
    lab.start([Quantize("static")]).wait()
    return lab


def test_sensitivity_is_measured_for_every_layer(lab: Compression) -> None:
    rows = len(lab.trials)
    found = lab.sensitivity((0.5, 0.9))
    assert [layer.name for layer in found.layers] == ["1", "5"]
    assert all(layer.amounts == (0.5, 0.9) and len(layer.changes) == 2 for layer in found.layers)
    assert all(change.low <= change.value <= change.high for layer in found.layers for change in layer.changes)
    assert any(layer.changes[1].value < 0 for layer in found.layers)
    assert found.count == 400
    assert len(lab.trials) == rows, "it makes no rows"
    assert lab.last_sensitivity == found
    assert repr(lab.sensitivity((0.5, 0.9))) == repr(found)


def test_channels_are_zeroed_whole() -> None:
    model = nn.Sequential(nn.Linear(16, 4))
    before = state(model)
    found = Compression(model, tiny()).sensitivity((0.25,), "channels")
    assert state(model) == before
    assert found.granularity == "channels"
    assert "so much of one layer's channels gone" in repr(found)
    assert "25 %" in repr(found)


def test_its_recipe_takes_what_each_layer_may_lose() -> None:
    def layer(name: str, *changes: float) -> LayerSensitivity:
        return LayerSensitivity(name, (0.5, 0.9), tuple(Score(one, one, one, 100) for one in changes))

    found = Sensitivity("accuracy", "weights", 100, (layer("a", 0.0, -0.02), layer("b", -0.5, -0.6), layer("c", 0, 0)))
    assert found.recipe(drop=0.01, epochs=2) == [
        Prune(0.7, layers=("a",)),
        Prune(0.01, layers=("b",)),
        Prune(0.9, layers=("c",), epochs=2),
    ]
    assert found.sentence() == "b is fragile: 50 % of its weights cost 0.500 of accuracy."


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_layer_with_several_weights_is_one_layer(name: str) -> None:
    lab = Compression(build(name), digits())
    found = lab.sensitivity((0.5,))
    assert [layer.name for layer in found.layers] == ["body", "head"]
    lab.start(found.recipe(drop=1.0)).wait()
    assert all(trial.state == "complete" for trial in lab.trials)


def test_the_callers_random_numbers_are_left_alone() -> None:
    x, y = torch.randn(64, 16), torch.randint(0, 4, (64,))
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    lab = Compression(nn.Linear(16, 4), tiny(train=loader))
    before = torch.get_rng_state()
    first, second = lab.sensitivity((0.5,)), lab.sensitivity((0.5,))
    assert torch.equal(torch.get_rng_state(), before)
    assert first == second


def test_its_recipe_runs(lab: Compression) -> None:
    steps = lab.sensitivity((0.3, 0.6)).recipe(drop=0.05, epochs=1)
    again = Compression(lab[0].model(), digits())
    again.start(steps).wait()
    assert all(trial.state == "complete" for trial in again.trials)


@pytest.mark.parametrize(
    ("amounts", "granularity", "words"),
    [
        ((1.5,), "weights", "above 0 and below 1: got 1.5; for 50 % write 0.5"),
        ((), "weights", "at one amount at least"),
        ((0.5,), "blocks", "unknown granularity 'blocks': the known ones are 'weights', 'channels'"),
    ],
)
def test_a_wrong_sensitivity(lab: Compression, amounts: tuple[float, ...], granularity: str, words: str) -> None:
    known = lab.last_sensitivity
    with pytest.raises(ValueError, match=words):
        lab.sensitivity(amounts, granularity)  # type: ignore[arg-type]
    assert lab.last_sensitivity == known


def test_the_front_is_what_no_row_beats(lab: Compression) -> None:
    front = lab.front
    assert [trial.metrics["size"] for trial in front] == sorted(trial.metrics["size"] for trial in front)
    for one in front:
        assert not any(
            other.metrics["size"] < one.metrics["size"] and other.metrics["accuracy"] > one.metrics["accuracy"]
            for other in lab.trials
        )
    assert Compression(build("mlp"), digits()).front == []


def test_it_explains_itself_in_sentences_with_figures(lab: Compression) -> None:
    lab.sensitivity((0.5, 0.9))
    words = repr(lab.explain())
    lines = words.split("\n")
    assert 3 <= len(lines) <= 10
    assert "Quantize('static') (row 3, after row 0) made the file" in words
    assert "x smaller" in words
    assert "accuracy" in words
    assert any("fragile" in line for line in lines)
    assert repr(lab.explain()) == words
    assert repr(Compression(build("mlp"), digits()).explain()) == "Nothing has been run yet."


@pytest.mark.parametrize("state", ["complete", "failed"])
def test_also_a_single_step_is_explained_in_five_sentences(state: str) -> None:
    score = Score(0.9, 0.88, 0.92, 1000)
    original = Row(0, "original", "complete", "accuracy", 102_000, macs=552_000, score=score)
    step = Row(1, "Quantize()", state, "accuracy", 30_000, score=score if state == "complete" else None, reason="no")
    said = explaining.explain([original, step], None, None)
    assert len(said) == 5
    assert "The original has a file of 102 kB, 552 k operations and accuracy 0.900." in said
    assert "That accuracy is from 1,000 examples: its 95 % interval is 0.880 to 0.920." in said
    assert said[-1] == "What each layer may lose is not measured yet: sensitivity() measures it."
    assert explaining.explain([original], None, None)[0] == "Nothing has been tried on the original yet."


def test_the_best_is_repeated_with_other_seeds(lab: Compression) -> None:
    rows = len(lab.trials)
    found = lab.confirm(2)
    assert len(lab.trials) == rows
    assert found.row == lab.best_number
    assert len(found.scores) == len(found.sizes) == 2
    assert found.scores == lab.confirm(2).scores
    assert f"Row {found.row} again with 2 other seeds: accuracy" in repr(found)
    with pytest.raises(ValueError, match="whole number from 1: got 0"):
        lab.confirm(0)
    with pytest.raises(RuntimeError, match="once there is a best row"):
        Compression(build("mlp"), digits()).confirm()


@pytest.mark.parametrize("name", ["trade_off", "sensitivity", "curves"])
def test_its_pictures_are_drawn(lab: Compression, name: str) -> None:
    assert lab.plot(name).axes
