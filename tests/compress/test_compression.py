from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from tests.compress.nets import build, digits, facts, tiny
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.recipe import Step
from tunekit.core import job, upstairs

RECIPE: list[Step] = [Prune(0.8), FineTune(epochs=2), Quantize()]


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 4))


@pytest.fixture(scope="module")
def lab() -> Compression:
    lab = Compression(build("conv"), digits())
    lab.run([FineTune(epochs=4), *RECIPE])
    return lab


def test_every_step_is_a_trial(lab: Compression) -> None:
    assert [trial.params["step"] for trial in lab.trials] == ["original", "FineTune(epochs=4)", *map(repr, RECIPE)]
    assert [trial.state for trial in lab.trials] == ["complete"] * 5
    assert [len(trial.reports) for trial in lab.trials] == [0, 4, 0, 2, 0]
    assert set(lab.trials[3].reports[0]) == {"accuracy", "loss"}
    assert [step["step"] for step in lab.trials[-1].params["recipe"]] == ["fine-tune", "prune", "fine-tune", "quantize"]
    assert lab[4].recipe == [FineTune(epochs=4), *RECIPE]
    assert lab[0].recipe == []


def test_the_last_report_is_the_score(lab: Compression) -> None:
    for trial in lab.trials:
        if trial.reports:
            assert trial.reports[-1]["accuracy"] == trial.metrics["accuracy"]


def test_the_outcome_is_said_in_words(lab: Compression) -> None:
    words = lab.status().words
    assert words.startswith("4 steps: ")
    assert "smaller)" in words
    assert words.endswith("on validation. Zeros alone changed neither the ONNX file nor the MACs.")
    assert lab.status().fraction == 1.0


def test_the_best_follows_its_rule(lab: Compression) -> None:
    assert lab.best_number == min(
        (t.number for t in lab.trials if t.metrics["accuracy"] >= lab.trials[0].metrics["accuracy_low"]),
        key=lambda number: (lab.trials[number].metrics["size"], lab.trials[number].metrics["bundle"]),
    )
    assert lab.best.recipe == lab[4].recipe


def test_the_report_is_made_once_on_the_test_split(lab: Compression) -> None:
    looks = lab.task.test_looks
    report = lab.best.report
    assert lab.task.test_looks == looks + 1
    assert lab.best.report is report
    assert lab.task.test_looks == looks + 1
    assert f"look number {report.look} at the test split" in repr(report)
    assert report.change.value == pytest.approx(report.compressed.value - report.original.value)
    assert lab[2].report.look == report.look + 1
    assert lab[0].report.change.value == 0


def test_the_same_seed_gives_the_same_whatever_happens_meanwhile() -> None:
    def figures(disturb: bool) -> list[Any]:
        lab = Compression(small(), tiny(), seed=5)
        over = threading.Event()
        lab.start(RECIPE)
        while disturb and not over.is_set():
            torch.rand(3)
            lab.pause()
            lab.resume()
            if lab.is_over:
                over.set()
        lab.wait()
        return [(facts(trial.metrics), trial.reports, trial.seed) for trial in lab.trials]

    assert figures(False) == figures(True)


def test_another_seed_gives_another_net() -> None:
    outputs = []
    for seed in (0, 1):
        lab = Compression(small(), tiny(), seed=seed)
        lab.run([FineTune(epochs=1)])
        outputs.append(lab[1](torch.ones(1, 16)))
    assert not torch.equal(*outputs)


def test_another_recipe_adds_rows_and_the_original_is_measured_once() -> None:
    lab = Compression(small(), tiny())
    lab.run([Prune(0.5)])
    first = lab.trials[0]
    outcome = lab.run([Prune(0.9), Quantize("dynamic")])
    assert [trial.params["step"] for trial in lab.trials] == [
        "original",
        "Prune(0.5)",
        "Prune(0.9)",
        "Quantize('dynamic')",
    ]
    assert facts(lab.trials[0].metrics) == facts(first.metrics)
    assert lab.trials[0].seconds == first.seconds
    assert "2 steps" in repr(outcome)
    assert lab[3].recipe == [Prune(0.9), Quantize("dynamic")]


def test_later_changes_of_the_model_do_not_matter() -> None:
    model = small()
    lab = Compression(model, tiny())
    before = model(torch.ones(1, 16)) if not model.training else None
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    lab.run([Prune(0.1)])
    assert before is None
    assert float(lab[0](torch.ones(1, 16)).abs().sum()) > 0


def test_stop_keeps_the_finished_rows_and_the_next_run_goes_on() -> None:
    lab = Compression(small(), tiny())
    lab.start([Prune(0.5), FineTune(epochs=100_000), Quantize()])
    while not (len(lab.trials) == 3 and lab.trials[2].reports):
        time.sleep(0.01)
    words = lab.status().words
    assert "Fine-tuning" in words or "FineTune" in words
    assert "1 of 3 steps done" in words
    began = time.perf_counter()
    lab.stop()
    outcome = lab.wait()
    assert time.perf_counter() - began < 2
    assert [trial.state for trial in lab.trials] == ["complete", "complete", "stopped"]
    assert repr(outcome).startswith("Stopped: 1 of 3 steps are done.")
    with pytest.raises(ValueError, match="row 2 is stopped"):
        lab[2]
    lab.run([Prune(0.5)])
    assert [trial.state for trial in lab.trials] == ["complete", "complete", "stopped", "complete"]
    assert "stopped" in str(lab)


def test_stopped_before_the_original_is_measured_it_is_measured_next_time() -> None:
    lab = Compression(small(), tiny())
    lab.start(RECIPE).stop()
    lab.wait()
    assert [trial.state for trial in lab.trials] in ([], ["stopped"])
    with pytest.raises(RuntimeError, match="run a recipe first"):
        lab.best  # noqa: B018
    assert "Compression" in repr(lab) or "stopped" in repr(lab)
    lab.run([Prune(0.5)])
    assert [trial.state for trial in lab.trials] == ["complete", "complete"]


def test_it_can_be_paused_within_an_epoch() -> None:
    lab = Compression(small(), tiny())
    lab.start([FineTune(epochs=100_000)])
    while not (len(lab.trials) == 2 and lab.trials[1].reports):
        time.sleep(0.01)
    lab.pause()
    while lab.state != "paused":
        time.sleep(0.01)
    reports = len(lab.trials[1].reports)
    time.sleep(0.1)
    assert len(lab.trials[1].reports) == reports
    lab.resume()
    while len(lab.trials[1].reports) == reports:
        time.sleep(0.01)
    lab.stop()
    lab.wait()


def test_a_step_that_fails_is_a_row_and_ends_the_recipe() -> None:
    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(outputs, targets) * torch.nan

    lab = Compression(small(), tiny(loss=loss))
    outcome = lab.run([Prune(0.5), FineTune(epochs=1), Quantize()])
    assert [trial.state for trial in lab.trials] == ["complete", "complete", "failed"]
    assert "Step 2 of 3, FineTune(epochs=1), failed: ValueError: a loss is a finite number" in repr(outcome)
    assert "Traceback" in str(lab.trials[2].error)
    assert "latency_onnxruntime_1" in lab.trials[1].metrics
    assert "failed: ValueError" in repr(lab)


def test_an_original_that_cannot_be_measured_is_an_error() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(16, 4)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.body(x), x

    lab = Compression(Pair(), tiny())
    with pytest.raises(RuntimeError, match="the original model cannot be measured"):
        lab.run([Prune(0.5)])


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Compression("model", tiny()), TypeError, r"is a torch\.nn\.Module: got str"),  # type: ignore[arg-type]
        (lambda: Compression(small(), None), TypeError, r"has a Task.*got NoneType"),  # type: ignore[arg-type]
        (lambda: Compression(small(), tiny(), seed=-1), ValueError, "got -1"),
        (lambda: Compression(nn.LazyLinear(4), tiny()), ValueError, "weight is still lazy; run one batch"),
    ],
)
def test_a_wrong_start(make: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_a_model_that_cannot_be_copied_is_an_error() -> None:
    model = small()
    model.log = open(__file__)  # type: ignore[assignment]  # noqa: SIM115
    with pytest.raises(TypeError, match=r"Sequential cannot be: .*take out what cannot be copied"):
        Compression(model, tiny())
    model.log.close()  # type: ignore[operator, union-attr]


def test_one_thing_at_a_time() -> None:
    lab = Compression(small(), tiny())
    lab.start([FineTune(epochs=100_000)])
    with pytest.raises(RuntimeError, match="one thing at a time"):
        lab.start([Prune(0.5)])
    lab.stop()
    lab.wait()


def test_a_test_loader_that_shuffles_by_its_own_generator_is_refused() -> None:
    x = torch.randn(64, 16)
    data = TensorDataset(x, x[:, :4].argmax(1))
    shuffling = DataLoader(data, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(0))
    lab = Compression(small(), tiny(test=shuffling))
    lab.run([Prune(0.5)])
    with pytest.raises(ValueError, match="shuffle=False"):
        lab[1].report  # noqa: B018


@pytest.fixture
def recurrent() -> Compression:
    return Compression(build("lstm"), digits())


def test_a_recurrent_net_is_quantized_dynamically_and_says_so(recurrent: Compression) -> None:
    recurrent.run([Quantize()])
    (note,) = recurrent[1].notes
    assert "dynamic is kept" in note
    assert "layers changed: 2 of 2" in note
    assert recurrent[1].metrics["size"] < 0.5 * recurrent[0].metrics["size"]
    x = recurrent.task.validation.head(50)
    assert float((recurrent[1](x) - recurrent[0](x)).abs().max()) < 0.2


def test_quantizing_nothing_is_an_error() -> None:
    model = nn.Sequential(nn.Conv1d(16, 4, 1), nn.Flatten())
    x = torch.randn(32, 16, 1)
    lab = Compression(model, tiny(train=(x, x[:, :4, 0].argmax(1)), validation=(x, x[:, :4, 0].argmax(1))))

    outcome = lab.run([Quantize("dynamic")])
    assert lab.trials[1].state == "complete", outcome

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.EmbeddingBag(3, 4)
            self.bias = nn.Parameter(torch.zeros(4))

        def forward(self, x: Tensor) -> Tensor:
            return x[:, :4] * self.bias

    lab = Compression(Bare(), tiny())
    assert "changed none of 0" in repr(lab.run([Quantize()]))


class TestAfter:
    def test_it_goes_on_from_a_row_without_doing_its_steps_again(self) -> None:
        lab = Compression(build("conv"), digits())
        lab.run([Prune(0.5), FineTune(epochs=1)])
        lab.run([Prune(0.8), Quantize()], after=2)
        assert [trial.params["step"] for trial in lab.trials][3:] == ["Prune(0.8)", "Quantize()"]
        assert lab[4].recipe == [Prune(0.5), FineTune(epochs=1), Prune(0.8), Quantize()]
        at_once = Compression(build("conv"), digits())
        at_once.run([Prune(0.5), FineTune(epochs=1), Prune(0.8), Quantize()])
        assert facts(at_once.trials[4].metrics) == facts(lab.trials[4].metrics)

    def test_a_row_that_cannot_be_gone_on_from(self) -> None:
        lab = Compression(build("conv"), digits())
        lab.run([Quantize()])
        with pytest.raises(ValueError, match=r"row 1 is Quantize.., which only onnxruntime runs; take the row before"):
            lab.run([Prune(0.5)], after=1)
        with pytest.raises(IndexError, match="numbered from 0 to 1: got 7"):
            lab.run([Prune(0.5)], after=7)
        assert len(lab.trials) == 2

    def test_int8_is_compared_with_the_row_it_was_made_of(self) -> None:
        lab = Compression(build("conv"), digits())
        lab.run([Prune(0.5), Prune(0.6)])
        lab.run([Quantize()], after=1)
        assert "than float (row 1)" in str(lab) or "beside float (row 1)" in str(lab)


def test_a_panel_opens_unless_one_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def ask(name: str) -> Any:
        assert name == "open_view"
        return opened.append

    monkeypatch.setattr(job, "has_viewer", lambda: True)
    monkeypatch.setattr(upstairs, "ask", ask)
    lab = Compression(small(), tiny())
    lab.run([Prune(0.5)], show=False)
    assert opened == []
    lab.run([Prune(0.5)])
    assert opened == [lab]
