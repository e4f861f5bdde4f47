from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.nets import build, digits, state, tiny
from tunekit.compress import recipe as recipes
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.distillation_losses import dist, hinton
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.teaching import Features, Teacher


def student() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return nn.Sequential(nn.Flatten(), nn.Linear(196, 12), nn.ReLU(), nn.Linear(12, 10))


def test_hinton_is_the_divergence_of_softened_probabilities() -> None:
    own, other = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[2.0, 1.0, 0.0]])
    assert float(hinton(own, other, 3.0)) == pytest.approx(0.0, abs=1e-6)  # equal but for a shift
    other = torch.tensor([[0.0, 0.0, 3.0]])
    p, q = torch.softmax(other / 3, 1), torch.softmax(own / 3, 1)
    assert float(hinton(own, other, 3.0)) == pytest.approx(9 * float((p * (p / q).log()).sum()), rel=1e-5)


def test_dist_asks_for_the_order_and_not_for_the_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(8, 5, generator=generator)
    near, far = teacher + 0.01 * torch.randn(8, 5, generator=generator), torch.randn(8, 5, generator=generator)
    assert float(dist(near, teacher, 1.0)) < 0.05 < float(dist(far, teacher, 1.0))


@pytest.mark.parametrize("loss", ["hinton", "dist", "feature"])
def test_the_note_says_what_it_bought(loss: str) -> None:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.5), Distill(epochs=1, loss=loss)])  # type: ignore[arg-type]
    assert lab.trials[2].state == "complete", lab.trials[2].error
    note = lab[2].notes[-1]
    assert "kept" in note
    assert "accuracy" in note
    assert ("it did not help" in note) != ("kept, accuracy" in note)
    assert len(lab.trials[2].reports) == 2


def test_the_better_of_the_two_is_kept() -> None:
    """A teacher that is always wrong cannot help."""
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(196, 10))
    wrong[1].weight.data.zero_()  # type: ignore[operator]
    wrong[1].bias.data.copy_(torch.tensor([9.0] + [0.0] * 9))  # type: ignore[operator]
    lab = Compression(build("mlp"), digits())
    lab.run([Distill(epochs=2, teacher=wrong, weight=1.0, temperature=1.0)])
    assert "it did not help, and the plainly trained network is kept" in lab[1].notes[0]
    alone = lab.trials[1].reports[-1]["accuracy"]
    assert lab.trials[1].metrics["accuracy"] == alone > lab.trials[1].reports[1]["accuracy"]


def test_zeros_stay() -> None:
    lab = Compression(build("mlp"), digits())
    lab.run([Prune(0.7), Distill(epochs=1)])
    before, after = lab[1].model(), lab[2].model()
    for name, weight in before.named_parameters():
        assert bool((after.get_parameter(name)[weight == 0] == 0).all()) or weight.dim() == 1


@pytest.mark.parametrize("loss", ["hinton", "feature"])
def test_a_student_takes_the_place_and_is_loaded_into_one_like_it(loss: str, tmp_path: Path) -> None:
    pupil = student()
    before = state(pupil)
    lab = Compression(build("conv"), digits())
    lab.run([Distill(epochs=1, student=pupil, loss=loss), Prune(0.3, granularity="channels")])  # type: ignore[arg-type]
    assert [trial.state for trial in lab.trials] == ["complete"] * 3, [trial.error for trial in lab.trials]
    assert state(pupil) == before
    assert lab.trials[1].metrics["parameters"] == sum(p.numel() for p in pupil.parameters())
    for number in (1, 2):
        lab[number].save(tmp_path / "net.tunekit")
        x = lab.task.validation.head(9)
        with torch.no_grad():
            assert torch.equal(load(tmp_path / "net.tunekit", model=student())(x), lab[number].model()(x))


def test_an_ensemble_answers_with_the_mean_of_its_probabilities() -> None:
    x = torch.randn(5, 1, 14, 14)
    networks = [build("mlp", seed).eval() for seed in (1, 2)]
    mean = torch.stack([network(x).softmax(1) for network in networks]).mean(0)
    assert torch.allclose(Teacher(networks)(x).softmax(1), mean, atol=1e-5)
    lab = Compression(build("mlp"), digits())
    lab.run([Distill(epochs=1, teacher=networks)])
    assert lab.trials[1].params["step"] == "Distill(epochs=1, teacher='Sequential and Sequential')"


def test_features_of_another_width_are_mapped() -> None:
    features = Features(student(), Teacher([build("mlp")]), 0)
    x = torch.randn(40, 1, 14, 14)
    first = float(features(x)[1].detach())
    for _ in range(50):
        _, missed = features(x)
    assert float(missed.detach()) < first


def test_a_teacher_is_asked_once_about_each_example() -> None:
    asked: list[int] = []
    layer = nn.Linear(4, 3)
    layer.register_forward_hook(lambda layer, args, output: asked.append(len(args[0])))
    teacher, x = Teacher([layer]), torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    first = teacher(x)
    assert torch.equal(teacher(x.flip(0)), first.flip(0))
    assert asked == [6]
    teacher(torch.cat([x[:5], x[5:] + 1]))  # one of them is new, as where images are shifted at random
    assert asked == [6, 6]


def test_a_recipe_that_was_read_asks_for_its_teacher() -> None:
    teacher = build("mlp")
    (read,) = recipes.from_json(recipes.to_json([Distill(epochs=1, teacher=teacher)]))
    lab = Compression(build("mlp"), digits())
    with pytest.raises(ValueError, match="does not hold its teacher, a Sequential; give it again"):
        lab.run([read])
    assert isinstance(read, Distill)
    lab.run([replace(read, teacher=teacher)])
    assert lab.trials[1].state == "complete"


def test_a_loop_of_ones_own_is_refused() -> None:
    def fit(model, task, epochs):  # type: ignore[no-untyped-def]
        yield

    lab = Compression(nn.Linear(16, 4), tiny(fit=fit))
    assert "leave fit out of the Task" in repr(lab.run([Distill(epochs=1)]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"teacher": nn.Linear(16, 7)}, "Linear gives 7 numbers, and the student, Linear, 4 numbers"),
        ({"teacher": [nn.Linear(16, 4), nn.Linear(16, 7)], "loss": "dist"}, "for each example Linear gives 7 numbers"),
        ({"student": nn.Linear(16, 3)}, "Linear gives 4 numbers, and the student, Linear, 3 numbers"),
        ({"teacher": nn.Sequential(nn.Linear(9, 4))}, "a teacher takes the inputs of the task: Sequential does not"),
        ({"teacher": nn.Linear(9, 4), "loss": "feature"}, "a teacher takes the inputs of the task: Linear does not"),
        ({"student": nn.Linear(9, 4)}, "a student takes the inputs of the task: Linear does not"),
        ({"teacher": nn.LSTM(16, 4)}, "a teacher answers with a tensor: LSTM gives a tuple"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_before_training(settings: dict[str, Any], words: str) -> None:
    lab = Compression(nn.Linear(16, 4), tiny())
    lab.run([Distill(epochs=1, **settings)])
    assert lab.trials[1].state == "failed"
    assert words in str(lab.trials[1].error)
    assert not lab.trials[1].reports


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"epochs": 0}, ValueError, "at least one epoch"),
        ({"loss": "kd"}, ValueError, "unknown loss 'kd': the known ones are 'hinton', 'dist', 'feature'"),
        ({"temperature": 0}, ValueError, "temperature is above 0: got 0"),
        ({"weight": 1.5}, ValueError, "weight is above 0 and at most 1: got 1.5"),
        ({"teacher": 3}, TypeError, "a teacher is a torch.nn.Module: got 3"),
        ({"teacher": []}, ValueError, "a teacher is a network, or several: got \\[\\]; write teacher=None"),
        ({"student": [1]}, TypeError, "a student is a torch.nn.Module"),
    ],
)
def test_a_wrong_setting(settings: dict[str, object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Distill(**({"epochs": 1} | settings))  # type: ignore[arg-type]
