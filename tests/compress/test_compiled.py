"""Rows that are timed with torch.compile, where that works, and say so where it does not."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from tests.compress.nets import digits
from tunekit.compress.compiled import CompileError, compile_for
from tunekit.compress.compression import Compression
from tunekit.compress.measure import measure
from tunekit.compress.measurement import BATCHES, RUNTIMES
from tunekit.compress.quantization.quantize import Quantize


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(196, 10))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no working C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))


def test_it_is_one_more_runtime_where_it_is_asked_for() -> None:
    threads = threading.active_count()
    lab = Compression(linear(), digits(), compiled=True)
    lab.run([Quantize("weights")])
    for number, runtimes in ((0, list(RUNTIMES)), (1, ["onnxruntime"])):  # PyTorch cannot run an int8 file
        timed = {name.removeprefix("latency_") for name in lab.trials[number].metrics if name.startswith("latency")}
        assert {f"{runtime}_{size}" for runtime in runtimes for size in BATCHES} <= timed
        assert len(timed) == 3 * len(runtimes) * len(BATCHES)
    for shown in (str(lab), lab.bundle()["text/html"]):
        assert "torch.compile" in shown
    assert "compile" not in repr(lab)
    assert threading.active_count() <= threads + 1
    plain = measure(linear(), digits())
    assert {runtime for runtime, _ in plain.latencies} == {"eager", "onnxruntime"}


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_a_sentence_says_so_and_all_else_is_there() -> None:
    lab = Compression(linear(), digits(), compiled=True)
    lab.run([Quantize("weights")])
    assert "torch.compile does not work for Sequential on this machine" in str(lab)
    assert "latency_compiled_1" not in lab.trials[0].metrics
    assert "latency_eager_1" in lab.trials[0].metrics
    with pytest.raises(CompileError, match=r"does not work for Sequential .* C\+\+ compiler found$"):
        measure(linear(), digits(), compiled=True)


def test_what_answers_otherwise_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda network, **_: nn.Sequential(network, nn.Threshold(1e9, 0.5)))
    with pytest.raises(CompileError, match=r"gives other answers for Linear on this machine: off by"):
        compile_for(nn.Linear(4, 2), [torch.randn(3, 4)])
