"""Files for ExecuTorch, where it is installed, and a clear word where it is not."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from pathlib import Path

import pytest
import torch

from tests.compress.nets import build, digits, only
from tunekit.compress.compression import Compression
from tunekit.compress.fold import Fold
from tunekit.compress.quantization.quantize import Quantize

installed = importlib.util.find_spec("executorch") is not None


@pytest.mark.skipif(not installed, reason="ExecuTorch is not installed")
@pytest.mark.parametrize("name", ["mlp", "conv", "gru"])
def test_the_file_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    runtime = importlib.import_module("executorch.runtime").Runtime.get()
    lab = Compression(build(name), digits())
    lab.run([Fold()] if name == "conv" else [Quantize("float16")])
    number = 1 if name == "conv" else 0
    path = tmp_path / "net.pte"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lab[number].export(path)
    one_only = any("one example at a time" in str(warning.message) for warning in said)
    x = only(lab.task.validation.head(1 if one_only else 7))
    program = runtime.load_program(path)
    (found,) = program.load_method("forward").execute([x])
    assert torch.allclose(found, lab[number](x), atol=1e-4)


@pytest.mark.skipif(installed, reason="ExecuTorch is installed")
def test_without_executorch_the_way_to_get_it_is_said(tmp_path: Path) -> None:
    lab = Compression(build("mlp"), digits())
    lab.run([Quantize("weights")])
    with pytest.raises(ModuleNotFoundError, match=r'needs executorch, .* pip install "tunekit\[executorch\]"'):
        lab[0].export(tmp_path / "net.pte")
    assert not list(tmp_path.iterdir())


def test_an_int8_file_is_no_network_for_it(tmp_path: Path) -> None:
    lab = Compression(build("mlp"), digits())
    lab.run([Quantize("weights")])
    with pytest.raises(RuntimeError, match="take the row before Quantize"):
        lab[1].export(tmp_path / "net.pte")
