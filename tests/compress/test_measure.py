from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.compress.nets import build, digits, only, state
from tunekit.compress.compression import Compression
from tunekit.compress.exporter import Exporter, ExportError, export, sketch
from tunekit.compress.latency import compare, finish
from tunekit.compress.macs import macs
from tunekit.compress.measure import measure
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization import int8


class First(nn.Module):
    def __init__(self, body: nn.Module, times: int = 1) -> None:
        super().__init__()
        self.body, self.times = body, times

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(*[x] * self.times)[0]
        return out


class Bilinear(nn.Module):
    """Reads its input twice, the second time without its end."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Bilinear(5, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.body(x, x[..., :4])
        return out


class Vectors(nn.Module):
    """A matrix times a vector, with something added and without, then a vector times a vector: of the first example."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        twice = torch.addmv(torch.mv(self.weight, x[0]), self.weight, x[0])
        out: Tensor = (twice @ self.weight[:, 0])[None]
        return out


class Query(nn.Module):
    """A learned query asks the input: a parameter goes into a module as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.norm = nn.Parameter(torch.randn(1, 3, 16)), nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        query = self.query.expand(x.shape[0], -1, -1)
        out: Tensor = (self.attention(query, x, x)[0] + self.norm(self.query)).mean(1)
        return out


# batch 1, 7 steps, 8 features, 16 hidden; attention: projections in and out, and two products of 7 x 7
CASES = {
    "linear": (nn.Linear(20, 30), (1, 20), 20 * 30),
    "conv": (nn.Conv2d(3, 8, 3, stride=2, padding=1, groups=1), (1, 3, 16, 16), 8 * 8 * 8 * 3 * 9),
    "depthwise": (nn.Conv1d(6, 6, 5, groups=6), (1, 6, 20), 16 * 6 * 5),
    "transposed": (nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1, groups=2), (1, 6, 7, 7), 7 * 7 * 6 * 2 * 16),
    "conv 3d": (nn.Conv3d(2, 4, 3, dilation=2), (1, 2, 7, 7, 7), 3**3 * 4 * 2 * 27),
    "bilinear": (Bilinear(), (1, 5), 5 * 4 * 3),
    "vectors": (Vectors(), (1, 8), 2 * 16 * 8 + 16),
    "projected": (First(nn.LSTM(8, 16, proj_size=4, batch_first=True)), (1, 7, 8), 7 * (4 * 16 * (8 + 4) + 16 * 4)),
    "two layers": (First(nn.RNN(8, 16, 2, batch_first=True)), (1, 7, 8), 7 * 16 * (8 + 16 + 16 + 16)),
    "cell": (nn.GRUCell(8, 16), (1, 8), 3 * 16 * (8 + 16)),
    "lstm": (First(nn.LSTM(8, 16, batch_first=True)), (1, 7, 8), 7 * 4 * 16 * (8 + 16)),
    "gru": (First(nn.GRU(8, 16, batch_first=True, bidirectional=True)), (1, 7, 8), 2 * 7 * 3 * 16 * (8 + 16)),
    "attention": (
        First(nn.MultiheadAttention(16, 2, batch_first=True), 3),
        (1, 7, 16),
        4 * 7 * 16 * 16 + 2 * 7 * 7 * 16,
    ),
    "learned query": (Query(), (1, 7, 16), 2 * (3 + 7) * 16 * 16 + 2 * 3 * 7 * 16),
    "encoder": (
        nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        (1, 7, 16),
        4 * 7 * 16 * 16 + 2 * 7 * 7 * 16 + 2 * 7 * 16 * 32,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_macs_are_exact(name: str) -> None:
    model, shape, expected = CASES[name]
    flags = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    assert macs(model, torch.randn(*shape)) == expected
    assert macs(model, torch.randn(3, *shape[1:])) == expected
    assert flags == (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled)


def test_counting_leaves_every_parameter_to_be_trained_or_not() -> None:
    model = Query()
    model.norm.weight.requires_grad_(False)
    macs(model, torch.randn(1, 7, 16))
    assert [name for name, one in model.named_parameters() if not one.requires_grad] == ["norm.weight"]


def test_measuring_leaves_everything_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    model, task = build("conv").train(), digits()
    before, stream = state(model), torch.get_rng_state()
    found = measure(model, task)
    assert state(model) == before
    assert torch.equal(stream, torch.get_rng_state())
    assert capfd.readouterr() == ("", "")
    assert set(found.latencies) == {(runtime, size) for runtime in ("eager", "onnxruntime") for size in (1, 32)}
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.metrics["latency_eager_1"] == found.latencies["eager", 1].median


def test_one_model_alone_has_the_figures_of_its_row() -> None:
    model, task = build("conv"), digits()
    lab = Compression(model, task)
    lab.run([Prune(0.3, granularity="channels", epochs=0)], show=False)
    names = ("size", "bundle", "memory", "macs", "parameters", "nonzeros", "accuracy", "accuracy_low")
    whole, slim = lab.trials[0].metrics, lab.trials[1].metrics
    alone = measure(model, task, latency=False).metrics
    assert {name: alone[name] for name in names} == {name: whole[name] for name in names}
    beside = measure(lab[1].model(), task, baseline=model, latency=False)
    assert beside.baseline is not None
    assert beside.baseline.metrics == alone
    for name in (
        "size",
        "memory",
        "macs",
        "accuracy",
        "accuracy_change",
        "accuracy_change_low",
        "accuracy_change_high",
    ):
        assert beside.metrics[name] == slim[name], name


def test_a_model_is_measured_beside_another_one() -> None:
    small, big, task = build("conv", seed=1), build("mlp"), digits()
    found = measure(small, task, baseline=big)
    assert found.baseline is not None
    assert set(found.latencies) == set(found.baseline.latencies)
    facts, *rest = repr(found).split("\n")
    assert facts == repr(measure(small, task, latency=False))
    assert rest == [line for line in repr(found.explain()).split("\n") if line.startswith("Beside the baseline: ")]
    assert f"x smaller, bundle {found.baseline.bundle_bytes / found.bundle_bytes:.1f}x smaller" in rest[0]  # type: ignore[operator]
    assert "x more, memory between layers " in rest[0]
    assert "on the same examples accuracy " in rest[0]
    for size, words in ((1, "1 example"), (32, "32 examples")):
        (said,) = (line for line in repr(found.explain()).split("\n") if line.startswith(f"With {words}: "))
        fastest = min(
            (time for (_, batch), time in found.latencies.items() if batch == size), key=lambda time: time.median
        )
        assert f", {fastest}; " in said
        assert f"the baseline in onnxruntime, {found.baseline.latencies['onnxruntime', size]}." in said
    assert task.test_looks == 0


@cache
def exported(name: str) -> tuple[nn.Module, bytes, Tensor]:
    model, x = build(name).eval(), torch.rand(40, 1, 14, 14)
    return model, export(model, x), x


@pytest.mark.parametrize("name", ["conv", "gru"])
def test_the_onnx_file_gives_the_same_for_any_batch_and_on_any_machine(name: str) -> None:
    model, data, x = exported(name)
    exporter = Exporter()
    exporter(build(name, seed=1), x)
    assert data == exporter(model, x)  # filled into the trace of another one
    run = open_runner(data)
    for size in (1, 2, 40):
        with torch.no_grad():
            assert torch.allclose(run(x[:size]), model(x[:size]), atol=1e-5)
    for trace in (b"/compress/", b"torch", b".py", b"aten", b"namespace", b"tests"):
        assert trace not in data


def test_a_network_that_onnx_cannot_hold_is_an_error() -> None:
    class Drawing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + torch.rand_like(x)

    class Reading(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(np.asarray(x.tolist()) * 2).float()

    with pytest.raises(ExportError, match=r"off by .* draw random numbers"):
        export(Drawing(), torch.rand(4, 3))
    with pytest.raises(ExportError):
        export(Reading(), torch.rand(4, 3))


def test_a_batch_size_that_is_a_number_is_said() -> None:
    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(len(x), 2, 2).flatten(1)

    with pytest.raises(ExportError, match=r"len\(x\) becomes one: write x.shape\[0\]"):
        export(Counting(), torch.rand(4, 4))


def test_a_file_that_is_no_onnx_is_an_error() -> None:
    with pytest.raises(ValueError, match="a complete ONNX file"):
        open_runner(b"nonsense")


def test_quantizing_says_what_it_changed_and_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    _, data, x = exported("conv")
    capfd.readouterr()
    static, dynamic = int8.static(data, x), int8.dynamic(data, convolutions=False)
    assert (static.changed, static.total) == (3, 3)
    assert (dynamic.changed, dynamic.total) == (1, 3)
    assert static.file == int8.static(data, x).file
    assert len(static.file) < len(data)
    points = torch.rand(64, 5)
    int8.static(export(nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 1)), points), points)
    assert capfd.readouterr() == ("", "")


def test_recurrent_weights_are_stored_in_int8_where_they_cannot_be_computed_so() -> None:
    _, data, x = exported("gru")
    done = int8.dynamic(data, convolutions=False)
    assert (done.changed, done.total) == (2, 2)
    assert len(done.file) < 0.5 * len(data)
    assert float((open_runner(done.file)(x) - open_runner(data)(x)).abs().max()) < 0.02


def test_models_are_timed_in_turn() -> None:
    order: list[str] = []

    def call(name: str, seconds: float) -> Callable[[], object]:
        def run() -> None:
            order.append(name)
            time.sleep(seconds)

        return run

    calls = {name: call(name, seconds) for name, seconds in (("fast", 0.005), ("slow", 0.02))}
    timing = compare(calls, seconds=0.08)
    shares = []
    while True:
        try:
            shares.append(next(timing))
        except StopIteration as end:
            found = end.value
            break
    assert found["fast"].median < 0.02 <= found["slow"].median
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    rest = "".join(name[0] for name in order[10:])
    assert rest.count("fs") >= 2


def test_a_slow_call_is_timed_three_times_at_least() -> None:
    found = finish(compare({"slow": lambda: time.sleep(0.05)}, seconds=0.001))
    assert found["slow"].seconds >= 0.15


@pytest.mark.parametrize("name", ["mlp", "conv", "gru", "lstm"])
def test_a_sketch_is_as_large_as_the_file_and_gives_the_same(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    model, x = build(name).eval(), only(digits().validation.head(8))
    whole, quick = export(model, x), sketch(model, x)
    assert len(quick) == pytest.approx(len(whole), rel=0.1)
    assert torch.allclose(open_runner(quick)(x), open_runner(whole)(x), atol=1e-5)
    # the older exporter prints its whole graph where it fails, as it does with conv's pooling
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")


class Doubted(nn.Linear):
    """Asks for a number that the older exporter cannot know."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if len(x) else x


def test_what_the_older_exporter_doubts_the_newer_one_writes_with_its_table_read_once() -> None:
    from torch.onnx._internal.exporter import _registration

    export(Doubted(2, 2), torch.zeros(2, 2))
    read: Any = vars(_registration)["onnxscript_apis"].get_torchlib_ops
    before = read.cache_info()
    export(Doubted(2, 3), torch.zeros(2, 2))
    assert read.cache_info().misses == before.misses
    assert read.cache_info().hits == before.hits + 1
