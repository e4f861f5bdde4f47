"""What the card of a file says is what the file holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import load_model_from_string, numpy_helper

from tests.compress.nets import NETS, build, digits, only
from tunekit.compress.compressed import Compressed
from tunekit.compress.compression import Compression
from tunekit.compress.exporter import export
from tunekit.compress.onnx_card import End, card_of
from tunekit.compress.quantization.quantize import Quantize


def weights_of(data: bytes) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in load_model_from_string(data).graph.initializer}


def compressed(name: str, mode: Any) -> tuple[Compression, Compressed]:
    lab = Compression(build(name), digits())
    lab.run([Quantize(mode)])
    return lab, lab[1]


@pytest.mark.parametrize("name", NETS)
def test_ends_operators_and_memory(name: str) -> None:
    lab, _ = compressed(name, "weights")
    for number in (0, 1):  # the second one's weights are floats in memory, too
        card, metrics = lab[number].card(), lab.trials[number].metrics
        assert card.inputs == (End("input", ("batch", 1, 14, 14), "float32"),)
        assert [end.name for end in card.outputs] == ["output"]
        assert card.file_bytes == metrics["size"]
        assert metrics["memory"] == sum(lab[0].card().weight_bytes.values()) + card.peak_activation_bytes
    assert lab[0].card().scales == ()
    assert {scale.dtype for scale in lab[1].card().scales} == {"int8"}


@pytest.mark.parametrize(("mode", "ending"), [("static", "_quantized"), ("weights", "_whole")])
def test_the_scales_of_a_file_turn_its_weights_back(mode: str, ending: str, tmp_path: Path) -> None:
    lab, row = compressed("conv", mode)
    path = tmp_path / "net.onnx"
    row.export(path, card=True)
    card = row.card()
    whole = weights_of(path.read_bytes())
    lab[0].export(tmp_path / "float.onnx")
    floats = weights_of((tmp_path / "float.onnx").read_bytes())
    stored = [scale for scale in card.scales if scale.name in whole]
    assert {"0.weight", "4.weight", "9.weight"} <= {scale.name.removesuffix(ending) for scale in stored}
    for scale in stored:
        numbers, expected = whole[scale.name], floats[scale.name.removesuffix(ending)]
        shape = [-1 if place == scale.axis else 1 for place in range(numbers.ndim)]
        value = (numbers.astype(np.float64) - np.reshape(scale.zero_point, shape)) * np.reshape(scale.scale, shape)
        assert (abs(value - expected) <= 0.51 * np.reshape(scale.scale, shape)).all()
    record = json.loads((tmp_path / "net.onnx.json").read_text())
    assert (record["format"], record["version"]) == ("tunekit card", 1)
    assert record["operators"] == dict(card.operators)
    assert [tuple(scale["scale"]) for scale in record["scales"]] == [scale.scale for scale in card.scales]


def test_the_input_scale_spans_what_it_was_calibrated_on() -> None:
    lab, row = compressed("conv", "static")
    (scale,) = [scale for scale in row.card().scales if scale.name == "input"]
    seen = only(lab.task.train.head(256))
    assert 255 * scale.scale[0] == pytest.approx(float(seen.max() - seen.min()), rel=0.02)


def test_without_a_wish_there_is_no_card_on_disk(tmp_path: Path) -> None:
    lab, _ = compressed("mlp", "weights")
    lab[1].export(tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_in_words() -> None:
    lab, _ = compressed("mlp", "weights")
    words = repr(lab[0].card())
    assert "takes input: float32 (batch, 1, 14, 14)" in words
    assert "Gemm x 2" in words
    assert "peak activation memory for one example" in words


def test_several_inputs_are_all_there() -> None:
    class Sum(torch.nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left + right.float()

    card = card_of(export(Sum(), (torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.long))))
    assert [(end.name, end.dtype) for end in card.inputs] == [("input_0", "float32"), ("input_1", "int64")]
