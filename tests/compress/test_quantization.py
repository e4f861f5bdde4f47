from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from tests.compress.nets import Backwards, Tied, build, digits, only, state, tiny
from tunekit.compress import latency
from tunekit.compress.compression import Compression
from tunekit.compress.exporter import export
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization import int8
from tunekit.compress.quantization.aware import best_scale, rounded
from tunekit.compress.quantization.choosing import Form, choose
from tunekit.compress.quantization.nodes import layers_with_weights, weights_of
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.stage import Context
from tunekit.compress.task import Task

MODES: list[dict[str, Any]] = [
    {"mode": "auto"},
    {"mode": "static"},
    {"mode": "dynamic"},
    {"mode": "weights"},
    {"mode": "float16"},
    {"mode": "bfloat16"},
    {"mode": "aware", "bits": 3, "epochs": 1},
]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
        self.embedding, self.body, self.head = nn.Embedding(40, 16), nn.TransformerEncoder(layer, 1), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embedding(x)).mean(1))
        return out


class Speller(nn.Module):
    """Its table of letters is also what it answers with."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.body, self.head = nn.Embedding(40, 16), nn.Linear(16, 16), nn.Linear(16, 40, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embedding(x)).mean(1))
        return out


def words() -> Task:
    x = torch.randint(0, 40, (60, 7), generator=torch.Generator().manual_seed(0))
    return tiny(train=(x, x[:, 0] % 4), validation=(x, x[:, 0] % 4), test=None)


def encoder() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Encoder()


@pytest.mark.parametrize("settings", MODES, ids=lambda settings: settings["mode"])
@pytest.mark.parametrize("net", ["conv", "lstm", "gru", "encoder"])
def test_every_mode_makes_every_net_smaller_and_says_how(net: str, settings: dict[str, Any]) -> None:
    model, task = (encoder(), words()) if net == "encoder" else (build(net), digits())
    before = state(model)
    lab = Compression(model, task)
    lab.run([Quantize(**settings)])
    trial = lab.trials[1]
    assert trial.state == "complete", trial.error
    assert state(model) == before
    assert "layers changed: " in lab[1].notes[-1]
    # what a static form adds to these tiny files for its ranges may be more than it saves
    if settings["mode"] not in ("static", "aware") or net in ("mlp", "conv"):
        assert trial.metrics["size"] < 0.95 * lab.trials[0].metrics["size"]
    x = task.validation.head(32)
    wide = 3.0 if settings.get("bits") else 0.3
    assert float((lab[1](x) - lab[0](x)).abs().max()) < wide


def test_half_precision_is_what_torch_makes_of_it() -> None:
    x = only(digits().validation.head(16))
    linear = nn.Linear(196, 10)
    for mode, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        alone = nn.Sequential(nn.Flatten(), linear).eval()
        file = int8.stored(export(alone, x), mode).file  # type: ignore[arg-type]
        with torch.no_grad():
            expected = nn.functional.linear(x.flatten(1), linear.weight.to(dtype).float(), linear.bias)
        assert torch.allclose(open_runner(file)(x), expected, atol=1e-5)
        assert len(file) < 0.6 * len(export(alone, x))


def test_weights_of_each_output_have_a_scale_of_their_own() -> None:
    layer = nn.Linear(32, 8)
    layer.weight.data *= torch.logspace(-3, 0, 8)[:, None]
    x = torch.randn(20, 32)
    found = open_runner(int8.stored(export(layer.eval(), x), "int8").file)(x)
    with torch.no_grad():
        expected = layer(x)
    missed = ((found - expected).abs().amax(0) / layer.weight.detach().abs().amax(1)).numpy()
    assert float(missed.max()) < 0.2


@pytest.mark.parametrize("kind", ["int8", "float16", "bfloat16"])
@pytest.mark.parametrize("net", ["conv", "lstm", "encoder"])
def test_what_is_stored_is_turned_into_floats_when_the_file_is_loaded(net: str, kind: Any, tmp_path: Path) -> None:
    """What is left to compute for each batch is what the float file computes: so it takes as long."""
    model, task = (encoder(), words()) if net == "encoder" else (build(net), digits())
    data = export(model, only(task.validation.head(8)))

    def computed(file: bytes) -> list[str]:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
        onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        return sorted(node.op_type for node in onnx.load(tmp_path / "loaded.onnx").graph.node)

    assert computed(int8.stored(data, kind).file) == computed(data)


class TestExclude:
    def test_layers_are_found_in_the_file_by_their_names(self) -> None:
        model, x = encoder().eval(), words().validation.head(8)
        data = export(model, x)
        assert {"embedding", "body.layers.0.linear1", "head"} <= set(layers_with_weights(data, model))
        names = weights_of(data, model, ["body.layers.0.linear1", "head"])
        floats = {one.name: one for one in onnx.load_model_from_string(data).graph.initializer}
        assert sorted(int(np.prod(floats[name].dims)) for name in names) == [4, 32, 64, 512]

    @pytest.mark.parametrize("mode", ["static", "dynamic", "weights"])
    def test_they_stay_as_they_are(self, mode: str, tmp_path: Path) -> None:
        lab = Compression(build("mlp"), digits())
        lab.run([Quantize(mode, exclude=("5",))])  # type: ignore[arg-type]
        assert "layers changed: 1 of 2" in lab[1].notes[-1]
        lab[1].export(tmp_path / "net.onnx")
        held = {one.name: numpy_helper.to_array(one) for one in onnx.load(tmp_path / "net.onnx").graph.initializer}
        weight = lab[0].model().get_parameter("5.weight").detach().numpy()
        same = [value for value in held.values() if value.shape in (weight.shape, weight.T.shape)]
        assert any(
            value.dtype == np.float32 and np.array_equal(np.sort(value, None), np.sort(weight, None)) for value in same
        )

    @pytest.mark.parametrize("mode", ["static", "dynamic", "weights"])
    @pytest.mark.parametrize(("exclude", "changed"), [("body.layers.0.self_attn", 4), ("body.layers.0", 2)])
    def test_attention_that_was_made_slimmer_stays(self, mode: Any, exclude: str, changed: int) -> None:
        lab = Compression(encoder(), words())
        lab.run([Prune(0.5, granularity="channels"), Quantize(mode, exclude=(exclude,))])
        too_small = 1 if mode == "weights" else 0  # to store the slimmer head in fewer bits would save nothing
        assert f"layers changed: {changed - too_small} of 8" in lab[2].notes[-1]

    @pytest.mark.parametrize("mode", ["static", "dynamic", "weights"])
    def test_a_tied_weight_stays_by_the_second_of_its_layers(self, mode: Any) -> None:
        lab = Compression(nn.Sequential(OrderedDict(tied=Tied(), head=nn.Linear(16, 4))), tiny())
        lab.run([Quantize(mode, exclude=("tied.second",))])
        assert "layers changed: 1 of 3" in lab[1].notes[-1]

    @pytest.mark.parametrize("mode", ["static", "dynamic", "weights"])
    def test_a_table_that_is_tied_to_the_output_stays_by_the_name_of_the_output(self, mode: Any) -> None:
        task = words()
        lab = Compression(Speller(), task)
        lab.run([Quantize(mode, exclude=("head",))])
        assert lab.trials[1].state == "complete", lab.trials[1].error
        assert "layers changed: 1 of 3" in lab[1].notes[-1]

    @pytest.mark.parametrize("settings", [{"mode": "static"}, {"mode": "aware", "bits": 2, "epochs": 1}])
    def test_a_layer_is_known_by_its_second_name_too(self, settings: dict[str, Any]) -> None:
        layer = nn.Linear(16, 16)
        model = nn.Sequential(OrderedDict(once=layer, between=nn.ReLU(), again=layer, head=nn.Linear(16, 4)))
        lab = Compression(model, tiny())
        lab.run([Quantize(**settings, exclude=("again",))])
        assert "layers changed: 1 of 3" in lab[1].notes[-1]

    def test_training_with_few_bits_leaves_a_tied_weight_as_it_is(self, tmp_path: Path) -> None:
        lab = Compression(nn.Sequential(OrderedDict(tied=Tied(), head=nn.Linear(16, 4))), tiny())
        lab.run([Quantize("aware", bits=2, epochs=1, exclude=("tied.second",))])
        lab[1].export(tmp_path / "net.onnx")
        held = [numpy_helper.to_array(one) for one in onnx.load(tmp_path / "net.onnx").graph.initializer]
        (weight,) = [value for value in held if value.dtype == np.float32 and value.shape == (16, 16)]
        assert len(np.unique(weight)) > 100

    def test_layers_with_equal_biases_are_told_apart(self) -> None:
        model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
        for layer in (model[0], model[2]):
            layer.bias.data.fill_(1.0)  # type: ignore[operator]
        lab = Compression(model, tiny(classes=16))
        lab.run([Quantize("static", exclude=("0",))])
        assert "layers changed: 1 of 2" in lab[1].notes[-1]

    def test_a_layer_without_weights_is_refused_before_any_work(self) -> None:
        lab = Compression(build("mlp"), digits())
        with pytest.raises(ValueError, match="layers with weights: '3' has none; leave it out of exclude="):
            lab.run([Quantize("static", exclude=("3",))])
        assert not lab.trials

    def test_an_unknown_name_lists_the_known_ones(self) -> None:
        lab = Compression(build("mlp"), digits())
        with pytest.raises(ValueError, match=r"'7' is none; the known ones are '0', '1'"):
            lab.run([Quantize(exclude=("7",))])
        assert not lab.trials

    def test_auto_spares_what_is_sensitive(self) -> None:
        """One layer whose weights differ by a factor of ten thousand within each output: 8 bits lose the small ones."""
        torch.manual_seed(0)
        x = torch.randn(400, 16)
        x[:, 8:] *= 1e4
        y = (x[:, 0] > 0).long()
        first, second = nn.Linear(16, 2, bias=False), nn.Linear(2, 2, bias=False)
        first.weight.data = torch.zeros(2, 16)
        first.weight.data[:, 0] = torch.tensor([1.0, -1.0])
        second.weight.data = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        model = nn.Sequential(first, nn.ReLU(), second)
        lab = Compression(model, tiny(train=(x, y), validation=(x, y), test=(x, y)))
        lab.run([Quantize("static")])
        if lab.trials[1].metrics["accuracy"] > 0.95:
            pytest.skip("the quantizer does well here")
        lab.run([Quantize("static", exclude="auto")])
        assert lab.trials[2].metrics["accuracy"] >= lab.trials[0].metrics["accuracy"] - 0.02
        assert "left in float: " in lab[2].notes[-1]


def test_what_the_quantizer_stumbles_over_is_an_error_with_a_way_out() -> None:
    lab = Compression(Backwards(), tiny())
    lab.run([Quantize("static")])
    assert 'write mode="auto", which takes what works' in str(lab.trials[1].error)
    lab.run([Quantize()])
    assert lab.trials[-1].state == "complete"


class TestNothingChanged:
    @pytest.mark.parametrize("mode", ["auto", "static", "dynamic", "weights"])
    def test_all_layers_are_excluded(self, mode: Any) -> None:
        lab = Compression(build("mlp"), digits())
        lab.run([Quantize(mode, exclude=("1", "5"))])
        assert "exclude= keeps all of them in float: exclude fewer layers" in str(lab.trials[1].error)

    @pytest.mark.parametrize("mode", ["weights", "float16", "bfloat16"])
    def test_all_layers_are_tiny(self, mode: Any) -> None:
        lab = Compression(nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 4)), tiny(features=8))
        lab.run([Quantize(mode)])
        error = str(lab.trials[1].error)
        assert "stores weights of 64 numbers or more" in error
        assert "the largest has 32" in error
        lab.run([Quantize(mode, exclude=("0",))])
        assert "the largest that is not excluded has 16" in str(lab.trials[2].error)


@pytest.mark.parametrize("settings", [{"mode": "static"}, {"mode": "aware", "bits": 4, "epochs": 1}])
def test_transposed_convolutions_in_groups(settings: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(4, 8, 2, groups=2)
    lab = Compression(nn.Sequential(nn.Unflatten(1, (4, 2, 2)), layer, nn.Flatten(), nn.Linear(72, 4)), tiny())
    lab.run([Quantize(**settings)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
    assert "layers changed: 2 of 2" in lab[1].notes[-1]
    x = lab.task.validation.head(32)
    if settings["mode"] == "static":
        assert float((lab[1](x) - lab[0](x)).abs().max()) < 0.05 * float(lab[0](x).abs().max())


class TestAuto:
    def test_it_says_what_it_tried(self) -> None:
        lab = Compression(build("conv"), digits())
        lab.run([Quantize()])
        note = lab[1].notes[-1]
        for mode in ("float", "static", "dynamic", "weights"):
            assert f"{mode} " in note
        assert "is kept" in note

    def test_what_is_detectably_worse_or_larger_or_slower_is_not_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        task = tiny()
        good, bad = nn.Linear(16, 4).eval(), nn.Linear(16, 4).eval()
        good.weight.data.copy_(torch.eye(4, 16))
        good.bias.data.zero_()
        bad.weight.data.copy_(-torch.eye(4, 16))
        x = task.validation.head(4)
        right, wrong = export(good, x), export(bad, x)
        forms = [
            _form("float", right, 4000),
            _form("small", right, 2000),
            _form("wrong", wrong, 0),
            _form("slow", right, 100),
        ]
        _clock(monkeypatch, forms, {"slow": (3.0, 3.0)})
        best, why = _last(choose(forms, _context(task)))
        assert best.mode == "small"
        assert "wrong" in why
        assert "detectably worse" in why
        assert "much slower" in why
        tried = [forms[0], forms[2], forms[3]]
        _clock(monkeypatch, tried, {"slow": (3.0, 3.0)})
        best, why = _last(choose(tried, _context(task)))
        assert best.mode == "float"
        assert "float is kept, as nothing else is smaller and neither worse nor much slower" in why

    @pytest.mark.parametrize(
        ("times", "kept"),
        [((0.6, 1.0), "second"), ((1.0, 0.6), "second"), ((0.7, 0.7), "first"), ((0.4, 1.2), "first")],
    )
    def test_of_forms_equally_small_the_faster_is_kept(
        self, monkeypatch: pytest.MonkeyPatch, times: tuple[float, float], kept: str
    ) -> None:
        task = tiny()
        file = export(nn.Linear(16, 4).eval(), task.validation.head(4))
        forms = [_form("float", file, 4000), _form("first", file, 1950), _form("second", file, 2000)]
        _clock(monkeypatch, forms, {"second": times})
        best, _ = _last(choose(forms, _context(task)))
        assert best.mode == kept


def _form(mode: str, data: bytes, padding: int) -> Form:
    model = onnx.load_model_from_string(data)
    model.doc_string = "x" * padding
    return Form(mode, int8.Int8(model.SerializeToString(), 1, 1))


def _clock(monkeypatch: pytest.MonkeyPatch, forms: Sequence[Form], times: dict[str, tuple[float, float]]) -> None:
    """Let each form take these seconds, with one example and with 32; one second where there are none."""

    def compare(calls: dict[tuple[int, int], Any], seconds: float) -> Any:
        yield 1.0
        taken = {(place, size): times.get(forms[place].mode, (1.0, 1.0))[size > 1] for place, size in calls}
        return {key: latency.Latency(taken[key], 0, 0, 1) for key in calls}

    monkeypatch.setattr(latency, "compare", compare)


def _last(generator: Any) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def _context(task: Task) -> Context:
    def answers(run: Any) -> Any:
        found = None
        for answered in task.answers(run):
            found = answered
            yield None
        return found

    unused: Any = None
    return Context(task, 0, 0, unused, unused, unused, answers)


class TestAware:
    def test_weights_are_on_a_grid_of_so_many_steps(self) -> None:
        weight = torch.randn(6, 40, generator=torch.Generator().manual_seed(0))
        for bits in (2, 3, 4, 8):
            on_grid = rounded(weight, best_scale(weight, 0, bits), bits)
            assert all(len(row.unique()) <= 2**bits - 1 for row in on_grid)
        largest = weight.abs().amax(1, keepdim=True)
        plain = rounded(weight, largest / 3, 3)
        assert float(((rounded(weight, best_scale(weight, 0, 3), 3) - weight) ** 2).sum()) < float(
            ((plain - weight) ** 2).sum()
        )

    def test_training_brings_back_what_few_bits_cost(self) -> None:
        lab = Compression(build("mlp"), digits())
        lab.run([FineTune(epochs=10)])
        lab.run([Quantize("aware", bits=2, epochs=1, learning_rate=1e-6)], after=1)
        lab.run([Quantize("aware", bits=2, epochs=8)], after=1)
        rounded_only, trained = (lab.trials[number].metrics["accuracy"] for number in (2, 3))
        assert trained > rounded_only + 0.05
        assert lab.trials[3].metrics["bundle"] < 0.8 * lab.trials[3].metrics["size"]

    def test_zeros_stay(self, tmp_path: Path) -> None:
        lab = Compression(build("mlp"), digits())
        lab.run([Prune(0.8), Quantize("aware", bits=4, epochs=1)])
        lab[2].export(tmp_path / "net.onnx")
        held = [numpy_helper.to_array(one) for one in onnx.load(tmp_path / "net.onnx").graph.initializer]
        whole = [value for value in held if value.dtype == np.int8 and value.ndim == 2]
        share = sum(int((value == 0).sum()) for value in whole) / sum(value.size for value in whole)
        assert share >= 0.79


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"bits": 4}, ValueError, 'write mode="aware" and epochs=3, say'),
        ({"mode": "aware", "epochs": 1, "bits": 1}, ValueError, "2 to 8 bits: got bits=1"),
        ({"mode": "aware"}, ValueError, "give epochs=3, say"),
        ({"mode": "static", "epochs": 2}, ValueError, "leave epochs out"),
        ({"exclude": "head"}, TypeError, "list of names"),
        ({"bits": 4.5}, TypeError, "whole number"),
    ],
)
def test_a_wrong_setting(settings: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Quantize(**settings)
