from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.compress.nets import tiny
from tunekit.compress import sentences, table
from tunekit.compress.choice import best_of
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.html_table import as_html
from tunekit.compress.pruning import criteria
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.core.events import TrialMeasured
from tunekit.core.trial import Trial

TIME = re.compile(r'<span class="tunekit-time">(?s:.*?)</span>')


@pytest.fixture(scope="module")
def lab() -> Compression:
    torch.manual_seed(0)
    lab = Compression(nn.Sequential(nn.Linear(16, 200), nn.ReLU(), nn.Linear(200, 4)), tiny())
    lab.run([FineTune(epochs=3), Prune(0.9), Quantize()])
    return lab


def test_masks_are_seen_not_to_help(lab: Compression) -> None:
    rows = table.rows(lab)
    assert rows[2].size == rows[1].size
    assert rows[2].macs == rows[0].macs
    assert rows[2].nonzeros < 0.2 * rows[0].nonzeros
    facts, _ = sentences.below(rows)
    assert any(
        "of the parameters are zero, and the ONNX file and the MACs are as before: zeros alone save no time" in f
        for f in facts
    )
    assert "zeros alone save no time; the bundle is" in str(lab)


def test_the_clock_stands_in_its_spans_and_nowhere_else(lab: Compression) -> None:
    before = lab.bundle()
    lab.history.apply(slower(lab))
    after = lab.bundle()
    assert before["text/html"] != after["text/html"]
    assert TIME.sub("", before["text/html"]) == TIME.sub("", after["text/html"])
    assert before["text/plain"] == after["text/plain"] == repr(lab)
    assert " ms" not in before["text/plain"]


def slower(lab: Compression) -> TrialMeasured:
    times = {name: 3 * value for name, value in lab.trials[3].metrics.items() if name.startswith("latency_")}
    return TrialMeasured(3, times)


def test_every_row_has_every_cell(lab: Compression) -> None:
    html = lab.bundle()["text/html"]
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert [row.count("<th ") + row.count("<td ") for row in rows] == [7 + 2, 4] + [11] * 4
    assert len(re.findall('<span class="tunekit-time"><i [^>]*title="quartiles ', html)) == 3 * 4 + 2
    assert len({len(line) for line in repr(lab).splitlines()}) == 1


def test_colours_come_from_the_theme(lab: Compression) -> None:
    html = lab.bundle()["text/html"]
    for colour in re.findall(r"color:\s*([^;\"]+)", html):
        assert colour.startswith("var(--jp-")
    assert "background:none" in html


def test_what_a_person_named_is_escaped() -> None:
    @criteria.register("<b>&</b>")
    def bold(evidence):  # type: ignore[no-untyped-def]
        return [weight.abs() for weight in evidence.weights]

    lab = Compression(nn.Linear(16, 4), tiny())
    lab.run([Prune(0.5, criterion="<b>&</b>")])
    html = lab.bundle()["text/html"]
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in html


def test_a_failed_row_says_why(lab: Compression) -> None:
    rows = table.rows(lab)
    failed = replace(rows[1], state="failed", score=None, reason="ValueError: <too> bad", is_best=False)
    html = as_html([rows[0], failed])
    assert "failed: ValueError: &lt;too&gt; bad" in html
    assert "failed: ValueError: <too> bad" in table.as_text([rows[0], failed])


def test_it_says_whether_the_quantized_file_is_faster(lab: Compression) -> None:
    rows = table.rows(lab)
    _, timed = sentences.below(rows)
    assert any("float (row" in one and ("faster" in one or "slower" in one or "as fast" in one) for one in timed)


def test_it_says_what_was_looked_at(lab: Compression) -> None:
    facts, _ = sentences.below(table.rows(lab))
    assert any("64 validation examples" in fact and "test split was not used" in fact for fact in facts)
    assert any(fact.startswith("Best: the smallest ONNX file") for fact in facts)
    assert any("layers changed: 2 of 2" in fact for fact in facts)


def test_before_anything_has_run() -> None:
    lab = Compression(nn.Linear(16, 4), tiny())
    assert repr(lab) == str(lab)
    assert "nothing has run yet" in repr(lab)
    assert "No rows yet" in lab.bundle()["text/html"]
    assert lab.status().words == "Nothing has run yet."


def test_of_files_of_one_size_what_training_improved_is_the_best() -> None:
    """The numbers of a trained net take a few more bytes in the bundle than those of the original, or a few less."""

    def row(number: int, bundle: float, accuracy: float) -> Trial:
        metrics = {"size": 900.0, "bundle": bundle, "accuracy": accuracy, "accuracy_low": accuracy - 0.02}
        return Trial(number, {}, state="complete", metrics=metrics)

    original, trained, shared = row(0, 700.0, 0.95), row(1, 707.0, 0.97), row(2, 100.0, 0.94)
    assert best_of([original, trained], "accuracy") is trained
    assert best_of([original, trained, shared], "accuracy") is shared
    assert best_of([original, row(1, 690.0, 0.94)], "accuracy") is original
