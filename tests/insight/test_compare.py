"""Models side by side: what the table says, what stands where they differ, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

import tunekit as tk
from tunekit.compress import latency as latencies
from tunekit.insight.comparison import Comparison


def points(count: int = 60, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Points whose class is their largest coordinate."""
    x = torch.randn(count, classes, generator=torch.Generator().manual_seed(0))
    return x, x.argmax(1)


def right(x: Tensor) -> Tensor:
    return 5 * x


def early(x: Tensor) -> Tensor:
    """Knows all classes but the last."""
    return 5 * torch.cat([x[:, :-1], x[:, -1:] - 9], 1)


def compared(**settings: Any) -> Comparison:
    return tk.compare({"right": right, "early": early}, points(), latency=False, **settings)


def test_scores_changes_and_agreement_are_those_of_the_answers() -> None:
    _, y = points()
    last = int((y == 3).sum())
    first, second = compared().rows
    assert first.score.value == 1
    assert second.score.value == pytest.approx(1 - last / 60)
    assert second.change is not None
    assert second.agreement is not None
    assert second.change.value == pytest.approx(-last / 60)
    assert second.change.high < 0
    assert second.agreement.value == pytest.approx(1 - last / 60)
    assert first.change is None
    assert first.agreement is None


def test_disagreements_are_all_of_them_the_most_contrary_first() -> None:
    found = compared(labels=["a", "b", "c", "d"]).disagreements
    x, y = points()
    assert {one.index for one in found} == set((y == 3).nonzero().flatten().tolist())
    distances = [one.distance for one in found]
    assert distances == sorted(distances, reverse=True)
    one = found[0]
    shares = np.stack([right(x).softmax(1)[one.index].numpy(), early(x).softmax(1)[one.index].numpy()])
    assert one.probabilities == pytest.approx(shares, abs=1e-5)
    assert one.distance == pytest.approx(np.abs(shares[0] - shares[1]).sum() / 2, abs=1e-5)
    assert (one.truth, one.answers[0]) == (3, 3)
    assert found.right() == (len(found), 0)
    assert "d" in repr(found).splitlines()[2]
    assert len(found[:2]) == 2


def test_with_three_models_the_farthest_two_count() -> None:
    x, y = torch.zeros(1, 2), torch.zeros(1).long()
    answers = {"a": [0.9, 0.1], "b": [0.6, 0.4], "c": [0.2, 0.8]}
    models = {name: (lambda x, given=given: torch.tensor([given])) for name, given in answers.items()}
    (one,) = tk.compare(models, (x, y), latency=False).disagreements
    assert one.distance == pytest.approx(0.7)
    assert one.answers == (0, 0, 1)


def test_the_table_is_the_same_each_time_and_the_clock_stands_apart() -> None:
    comparison = tk.compare({"right": right, "early": early}, points())
    assert repr(comparison) == repr(compared())
    page = comparison._repr_mimebundle_()["text/html"]
    without = re.sub('<span class="tunekit-time">.*?</span>', "", page, flags=re.DOTALL)
    assert page.count("tunekit-time") > without.count("tunekit-time") == 0
    assert " µs" not in without
    assert " ms<" not in without.replace("batch 1, ms<", "").replace("batch 32, ms<", "")
    assert "batch 32, ms" in str(comparison)
    assert "batch 32, ms" not in repr(comparison)


def test_all_models_are_timed_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[list[Any]] = []

    def watched(calls: Any, seconds: float) -> Any:
        runs.append(list(calls))
        return latencies_compare(calls, 0.001)

    latencies_compare = latencies.compare
    monkeypatch.setattr(latencies, "compare", watched)
    comparison = tk.compare({"right": right, "early": early}, points())
    assert [set(run) for run in runs] == [{(0, 1), (1, 1), (0, 32), (1, 32)}]
    for row in comparison.rows:
        for size in (1, 32):
            assert row.latencies[size].low <= row.latencies[size].median <= row.latencies[size].high


def test_names_are_shown_as_text() -> None:
    found = tk.compare({"<b>bold</b>": right, "\x1b[31mred": early}, points(), latency=False)
    page = found._repr_mimebundle_()["text/html"]
    assert "<b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "\x1b" not in page + repr(found) + str(found) + repr(found.disagreements)


def test_the_sentences_say_what_was_seen() -> None:
    words = str(compared())
    lost = int((points()[1] == 3).sum())
    assert f"They differ on {lost} of 60 examples: right is right on {lost}, early on 0." in words
    assert "it scores lower" in words
    same = str(tk.compare({"one": right, "other": right}, points(), latency=False))
    assert "no difference is seen" in same
    assert "They give the same answer on all of 60 examples." in same


def test_a_task_is_judged_on_its_validation_split_alone() -> None:
    x, y = points()
    task = tk.Task((x[:20], y[:20]), (x[20:], y[20:]), (x[:20], y[:20]), loss=cross_entropy)
    found = tk.compare({"right": right, "early": early}, task, latency=False)
    assert found.rows[0].score.count == 40
    assert task.test_looks == 0
    assert "40 validation examples" in str(found)


def test_modules_rows_and_loaded_models_stand_side_by_side(tmp_path: Path) -> None:
    torch.manual_seed(0)
    x, y = points()
    task = tk.Task((x, y), (x, y), loss=cross_entropy)
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).train()
    lab = tk.Compression(model, task)
    lab.run([tk.Prune(0.5)], show=False)
    lab[1].save(tmp_path / "net.tunekit")
    models = {"module": model, "original": lab[0], "pruned": lab[1], "loaded": tk.load(tmp_path / "net.tunekit")}
    found = tk.compare(models, task)
    assert [row.runtime for row in found.rows] == ["PyTorch", "onnxruntime", "onnxruntime", "onnxruntime"]
    assert [row.file_bytes for row in found.rows] == [None, *(int(lab[n].metrics["size"]) for n in (0, 1, 1))]
    assert found.rows[1].agreement is not None
    assert found.rows[1].agreement.value == 1
    assert found.rows[2].score == found.rows[3].score
    assert found.rows[2].score.value == lab[1].metrics["accuracy"]
    assert model.training
    assert "Where the runtimes differ" in str(found)


def test_a_loader_that_shuffles_is_no_trouble() -> None:
    x, y = points()
    loader = DataLoader(TensorDataset(x, y), batch_size=7, shuffle=True)
    found = tk.compare({"right": right, "early": early}, loader, latency=False)
    assert found.rows[1].score == compared().rows[1].score
    for one in found.disagreements:
        assert found.ask_example(one.index)[0].answer == one.truth == 3


def test_several_inputs_by_name_and_arrays_out_of_a_function() -> None:
    x, y = points()
    found = tk.compare(
        {"sum": lambda one, other: one + other, "numpy": lambda one, other: one.numpy()},
        ({"one": x, "other": x}, y),
        latency=False,
    )
    assert [row.score.value for row in found.rows] == [1, 1]
    assert found.ask_example(0)[1].answer == int(y[0])


def test_without_classes_there_is_a_score_and_no_calibration() -> None:
    x = torch.linspace(-1, 1, 40)[:, None]
    task = tk.Task((x, x), (x, x), loss=mse_loss, metric=lambda outputs, targets: -float(mse_loss(outputs, targets)))
    found = tk.compare({"same": lambda x: x, "half": lambda x: x / 2}, task, latency=False)
    assert found.rows[0].calibration is None
    assert found.rows[1].change is not None
    assert found.rows[1].change.value < 0
    assert "No calibration and no disagreements" in str(found)
    for asked in (lambda: found.disagreements, lambda: found.ask_example(0), found.plot, found.live):
        with pytest.raises(ValueError, match="outputs are not"):
            asked()


def test_one_column_is_no_choice_between_classes() -> None:
    x, y = points()
    task = tk.Task((x, y), (x, y), loss=mse_loss, metric=lambda outputs, targets: float(outputs.mean()))
    found = tk.compare({"one": lambda x: x[:, :1], "other": lambda x: x[:, 1:2]}, task, latency=False)
    assert found.rows[0].calibration is None


def test_something_new_is_asked_through_prepare() -> None:
    found = compared(raw=["a"] * 60, prepare=lambda words: torch.tensor([float(words == each) for each in "abcd"]))
    assert [reply.answer for reply in found.ask("b")] == [1, 1]
    assert [reply.name for reply in found.ask("d")] == ["right", "early"]
    with pytest.raises(ValueError, match=r"compare\(..., prepare=...\)"):
        compared().ask("a")


def test_a_model_that_fails_on_something_new_says_why_and_the_others_answer() -> None:
    def moody(x: Tensor) -> Tensor:
        if bool((x == 0).all()):
            raise RuntimeError("nothing to see")
        return 5 * x

    found = tk.compare({"right": right, "moody": moody}, points(), latency=False, raw=["a"] * 60, prepare=torch.zeros)
    answered, failed = found.ask(4)
    assert answered.answer is not None
    assert not answered.error
    assert failed.answer is None
    assert failed.error == "RuntimeError: nothing to see"


@pytest.mark.parametrize(
    ("models", "error", "words"),
    [
        ({}, ValueError, "two models or more.*got none"),
        ({"only": right}, ValueError, "'only' alone; tk.measure"),
        ([right, early], TypeError, "given by their names.*a list"),
        ({1: right, 2: early}, TypeError, "a string: got 1"),
        ({"": right, "early": early}, ValueError, "says something"),
        ({"right": right, "text": "net.onnx"}, TypeError, "'text' is a str"),
        ({"right": right, "few": lambda x: x[:, :2]}, ValueError, "same classes: 'right' has 4, 'few' has 2"),
        ({"right": right, "bad": lambda x: x @ x}, ValueError, r"'bad' fails on inputs of shape \(60, 4\)"),
        ({"right": right, "torn": lambda x: x / 0 * 0}, ValueError, "'torn' fails.*NaN"),
        ({"right": right, "one": lambda x: x[:1]}, ValueError, "'one' fails.*60 went in"),
    ],
)
def test_what_cannot_be_compared_is_refused(models: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        tk.compare(models, points(), latency=False)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({"labels": ["a"]}, ValueError, "know 4 classes, and labels has 1"),
        ({"labels": "abcd"}, ValueError, "each class has a label"),
        ({"kind": "smell"}, ValueError, "unknown kind 'smell': the known ones are 'image', 'text', 'sound'"),
        ({"kind": "image"}, ValueError, r"that of the data is \(4,\)"),
        ({"kind": "text"}, ValueError, "raw=sentences"),
        ({"kind": "sound"}, ValueError, "rate=None"),
        ({"raw": ["a"]}, ValueError, "the data have 60, raw has 1"),
        ({"prepare": "lower"}, TypeError, "prepare is a function"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(settings: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        compared(**settings)


def test_what_is_no_picture_of_a_comparison_lists_those_that_are() -> None:
    with pytest.raises(ValueError, match="'calibration', 'disagreements'"):
        compared().plot("history")


def test_an_example_that_is_not_at_hand_is_an_error() -> None:
    with pytest.raises(IndexError, match="999"):
        compared().ask_example(999)
