"""Recipes whose fields are searched, and one search over a net's hyperparameters and its recipe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import torch
from torch import nn

from tests.compress.nets import build, digits, state, tiny
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.factorise import Factorise
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pipeline import Pipeline, pipeline
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.recipe import Step
from tunekit.compress.searched import filled, parameters_of
from tunekit.compress.sharing import Share
from tunekit.compress.task import Task
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.study import Study

# Steps are typed by the values that they have in the end.
SHARE: Any = Float(0.2, 0.8)
TOO_MUCH: Any = Float(2, 3)
COUNT: Any = Int(1, 3)


def recipe() -> list[Step]:
    return [Prune(SHARE, granularity=Choice("weights", "channels"), epochs=1), Quantize()]  # type: ignore[arg-type]


def perceptron(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 4))


@pytest.fixture(scope="module")
def searched() -> tuple[Compression, Study]:
    lab = Compression(build("mlp"), digits(), seed=1)
    return lab, lab.search(recipe(), 4)


def test_it_is_a_study_of_the_open_fields(searched: tuple[Compression, Study]) -> None:
    lab, study = searched
    assert study.space.names == ("prune_amount", "prune_granularity")
    assert [trial.state for trial in study.trials] == ["complete"] * 4
    assert [aim.metric for aim in study.history.goal.aims] == ["accuracy", "size"]
    assert {"accuracy", "size", "bundle", "macs", "memory"} <= set(study.trials[0].metrics)
    assert len(study.trials[0].reports) == 1  # one epoch
    assert lab.trials == []


def test_a_trial_is_made_again_as_a_row_bit_for_bit(searched: tuple[Compression, Study]) -> None:
    lab, study = searched
    for trial in (study.trials[0], study.front[0]):
        lab.start(recipe(), params=trial.params).wait()
        row = lab.trials[-1].metrics
        assert {name: row[name] for name in ("accuracy", "size", "bundle", "macs")} == {
            name: trial.metrics[name] for name in ("accuracy", "size", "bundle", "macs")
        }


def test_the_model_is_not_changed_by_a_search() -> None:
    model = build("mlp")
    before = state(model)
    Compression(model, digits()).search([Prune(SHARE)], 2, minimize="bundle")
    assert state(model) == before


def test_a_search_by_time_has_a_latency() -> None:
    lab = Compression(perceptron(32), tiny())
    study = lab.search([Prune(SHARE, "channels")], 2, maximize="accuracy", minimize="latency")
    assert all(0 < trial.metrics["latency"] < 1 for trial in study.trials)


def test_early_stopping_and_a_journal_apply(tmp_path: Path) -> None:
    lab = Compression(build("mlp"), digits())
    steps: list[Step] = [Prune(SHARE), FineTune(3)]
    path = tmp_path / "search.jsonl"
    first = lab.search(steps, 3, maximize="accuracy", sampler="random", early_stopping="median", journal=path)
    assert path.exists()
    again = lab.search(steps, 1, maximize="accuracy", sampler="random", early_stopping="median", journal=path)
    assert [trial.params for trial in again.trials][:3] == [trial.params for trial in first.trials]


def test_a_step_that_fails_is_a_failed_trial_with_its_reason() -> None:
    lab = Compression(nn.Sequential(nn.Linear(16, 4)), tiny())
    steps: list[Step] = [Prune(0.5, granularity=Choice("weights", "channels"))]  # type: ignore[arg-type]
    study = lab.search(steps, 2, maximize="accuracy", sampler="grid")
    states = {trial.params["prune_granularity"]: trial for trial in study.trials}
    assert states["weights"].state == "complete"
    assert states["channels"].state == "failed"
    assert "prune weights instead" in (states["channels"].reason or "")


@pytest.mark.parametrize(
    "step",
    [
        lambda: Prune(SHARE),
        lambda: FineTune(COUNT),
        lambda: Distill(COUNT),
        lambda: Factorise(SHARE),
        lambda: Share(Int(2, 6)),  # type: ignore[arg-type]
        lambda: Quantize(Choice("static", "dynamic")),  # type: ignore[arg-type]
    ],
)
def test_every_step_may_be_open_and_is_not_run_so(step: Callable[[], Step]) -> None:
    chain = [step()]
    (name,) = parameters_of(chain)
    assert repr(filled(chain, {name: parameters_of(chain)[name].from_unit(0.0)})[0])
    with pytest.raises(ValueError, match=r"once all of its fields have values: .* is open; search it"):
        Compression(build("mlp"), digits()).run(chain)


def test_two_steps_of_a_kind_have_two_names() -> None:
    chain: list[Step] = [Prune(SHARE), FineTune(1), Prune(SHARE, epochs=COUNT)]
    assert set(parameters_of(chain)) == {"prune_amount", "prune_2_amount", "prune_2_epochs"}


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda lab: lab.search([Prune(0.5)], 2), ValueError, ["in place of a value", "Prune(0.5)", "use run"]),
        (lambda lab: lab.search("prune", 2), TypeError, ["a list of steps"]),
        (lambda lab: lab.search([Prune(TOO_MUCH)], 2), ValueError, ["fills in what the steps allow", "got 3"]),
        (lambda lab: lab.search(recipe(), 2, maximize="f1"), ValueError, ["unknown metric 'f1'", "'bundle'", "'macs'"]),
        (lambda lab: lab.run(recipe(), params={}), ValueError, ["'prune_amount' is not", "search it with search"]),
    ],
)
def test_what_cannot_be_searched(call: Callable[[Any], Any], kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as error:
        call(Compression(build("mlp"), digits()))
    assert [word for word in words if word not in str(error.value)] == []


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Study, Path]:
    folder = tmp_path_factory.mktemp("nets")
    steps: list[Step] = [Prune(Choice(0.2, 0.6), "channels", epochs=1), Quantize("static")]  # type: ignore[arg-type]
    trained = pipeline(
        perceptron, tiny(), {"width": Choice(64, 128)}, recipe=steps, epochs=3, learning_rate=1e-2, cache=folder
    )
    study = Study(trained, trained.space, maximize="accuracy", minimize="size", sampler="grid", seed=0)
    study.run(4)
    return trained, study, folder


def test_one_search_over_both_halves(both: tuple[Pipeline, Study, Path]) -> None:
    trained, study, _ = both
    assert trained.space.names == ("width", "prune_amount")
    # one epoch after three
    assert (trained.space.kept, trained.space.share) == (("width",), 0.25)
    assert [trial.state for trial in study.trials] == ["complete"] * 4
    for trial in study.trials:
        assert trial.metrics["size"] < trial.metrics["original_size"]
        assert 0 <= trial.metrics["original_accuracy"] <= 1


def test_a_net_is_trained_once_where_only_the_recipe_differs(both: tuple[Pipeline, Study, Path]) -> None:
    _, study, folder = both
    assert len(list(folder.glob("*.safetensors"))) == 2
    lengths = sorted(len(trial.reports) for trial in study.trials)
    assert lengths == [1, 1, 4, 4]  # three epochs of training, one of pruning
    by_width = {trial.params["width"]: set() for trial in study.trials}  # type: ignore[var-annotated]
    for trial in study.trials:
        by_width[trial.params["width"]].add(trial.metrics["original_accuracy"])
    assert [len(scores) for scores in by_width.values()] == [1, 1]


def test_its_net_and_its_recipe_give_the_trial_again(both: tuple[Pipeline, Study, Path]) -> None:
    trained, study, _ = both
    best = study.front[0]
    lab = Compression(trained.model(best.params), tiny())
    lab.start(trained.recipe(best.params)).wait()
    assert lab.trials[0].metrics["accuracy"] == best.metrics["original_accuracy"]
    assert lab.trials[-1].metrics["accuracy"] == best.metrics["accuracy"]
    assert lab.trials[-1].metrics["size"] == best.metrics["size"]


def test_the_best_nets_of_a_study_teach(both: tuple[Pipeline, Study, Path]) -> None:
    trained, study, folder = both
    files = sorted(place.stat().st_ino for place in folder.glob("*.safetensors"))
    teachers = trained.best_nets(study, 3)
    # four trials, but two nets: those of one width differ in their recipes only
    scores = {trial.params["width"]: trial.metrics["original_accuracy"] for trial in study.trials}
    widths = [net[0].out_features for net in teachers]  # type: ignore[index]
    assert sorted(widths) == [64, 128]
    assert scores[widths[0]] >= scores[widths[1]]
    assert [state(net) for net in trained.best_nets(study, 1)] == [state(teachers[0])]
    assert sorted(place.stat().st_ino for place in folder.glob("*.safetensors")) == files  # none was trained again
    lab = Compression(perceptron(8), tiny())
    lab.run([Distill(epochs=1, teacher=teachers)])
    assert lab.trials[1].state == "complete"


def test_the_best_nets_are_of_a_study_that_has_some(both: tuple[Pipeline, Study, Path]) -> None:
    trained, study, _ = both
    with pytest.raises(ValueError, match="from 1: got count=0"):
        trained.best_nets(study, 0)
    other = Study(lambda width: 1.0 * width, {"width": Int(1, 9)}, sampler="random", seed=0)
    other.run(1)
    for nothing in (Study(trained, trained.space, maximize="accuracy"), other):
        with pytest.raises(ValueError, match=r"have the metric 'original_accuracy'.*run a study of this objective"):
            trained.best_nets(nothing)


def test_it_goes_to_another_process(both: tuple[Pipeline, Study, Path]) -> None:
    trained, study, _ = both
    there = cloudpickle.loads(cloudpickle.dumps(trained))
    again = Study(there, there.space, maximize="accuracy", minimize="size", sampler="grid", seed=0)
    again.run(1)
    assert again.trials[0].metrics == study.trials[0].metrics


def test_another_loss_data_or_net_is_trained_anew(tmp_path: Path) -> None:
    def tried(task: Task, make: Callable[..., nn.Module] = perceptron) -> None:
        pipeline(make, task, {"width": Int(2, 9)}, epochs=1, cache=tmp_path).model({"width": 4})

    x, y = torch.randn(32, 16), torch.arange(32) % 4
    tried(tiny())
    tried(tiny())
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    tried(tiny(train=(x, y)))
    tried(tiny(train=(x, (y + 1) % 4)))
    tried(tiny(loss=lambda outputs, targets: nn.functional.cross_entropy(outputs, targets)))
    tried(tiny(), lambda width: nn.Sequential(nn.Linear(16, width), nn.Tanh(), nn.Linear(width, 4)))
    assert len(list(tmp_path.glob("*.safetensors"))) == 5


def test_a_cache_that_cannot_be_written_costs_no_trial(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder is wanted")
    whole = pipeline(perceptron, tiny(), {"width": Int(4, 8)}, recipe=[Quantize()], epochs=1, cache=tmp_path / "cache")
    study = Study(whole, whole.space, maximize="accuracy", minimize="size", sampler="random", seed=0)
    study.start(2).wait()
    assert [trial.state for trial in study.trials] == ["complete"] * 2


def test_the_cache_is_bounded(tmp_path: Path) -> None:
    trained = pipeline(perceptron, tiny(), {"width": Int(2, 9)}, epochs=1, cache=tmp_path, keep=2)
    for width in range(2, 7):
        trained.model({"width": width})
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    before = torch.get_rng_state()
    trained.model({"width": 6})
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: pipeline(perceptron, tiny()), ValueError, ["something to look for"]),
        (lambda: pipeline(perceptron, tiny(), {"depth": COUNT}), TypeError, ["'depth'", "perceptron", "does not fit"]),
        (lambda: pipeline(perceptron, tiny(), {"width": COUNT}, keep=0), ValueError, ["from 1", "keep=0"]),
        (lambda: pipeline(perceptron, tiny(), {"width": COUNT}, epochs=-1), ValueError, ["from 0", "epochs=-1"]),
        (
            lambda: pipeline(lambda prune_amount: None, tiny(), {"prune_amount": COUNT}, recipe=[Prune(SHARE)]),  # type: ignore[arg-type, return-value]
            ValueError,
            ["'prune_amount'", "rename"],
        ),
    ],
)
def test_a_wrong_pipeline(make: Callable[[], Any], kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as error:
        make()
    assert [word for word in words if word not in str(error.value)] == []


def test_a_build_that_returns_no_net_is_a_failed_trial() -> None:
    trained = pipeline(lambda width: width, tiny(), {"width": COUNT}, epochs=1)
    study = Study(trained, trained.space, maximize="accuracy")
    study.run(1)
    assert "build returns a torch.nn.Module" in (study.trials[0].reason or "")
