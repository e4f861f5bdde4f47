"""Nets that take several tensors, or some by name, from every kind of data; and nets in half or double precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset, TensorDataset

from tests.compress.nets import only, tiny
from tunekit.compress import inputs
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.exporter import ExportError
from tunekit.compress.factorise import Factorise
from tunekit.compress.fold import Fold
from tunekit.compress.inputs import Inputs
from tunekit.compress.measure import measure
from tunekit.compress.network import copied
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.recipe import Step
from tunekit.compress.sharing import Share
from tunekit.compress.task import Task

COUNT = 96
IDS = torch.randint(1, 30, (COUNT, 8), generator=torch.Generator().manual_seed(0))
POINTS = torch.randn(COUNT, 12, generator=torch.Generator().manual_seed(1))
MASK = (torch.arange(8) < torch.randint(3, 9, (COUNT, 1), generator=torch.Generator().manual_seed(2))).long()
Y = (POINTS[:, 0] > 0).long()

STEPS: dict[str, list[Step]] = {
    "weights": [Prune(0.5, epochs=1)],
    "activation": [Prune(0.5, criterion="activation")],
    "taylor": [Prune(0.5, criterion="taylor")],
    "channels": [Prune(0.3, granularity="channels", of="macs", epochs=1)],
    "share": [Share(3, epochs=1)],
    "factorise": [Factorise(0.5)],
    "distill": [Distill(epochs=1)],
    "quantize": [Quantize()],
    "static": [Quantize("static")],
    "aware": [Quantize("aware", bits=4, epochs=1)],
}


class Places(nn.Module):
    """Points and words, by place."""

    def __init__(self) -> None:
        super().__init__()
        self.points, self.norm = nn.Linear(12, 24, bias=False), nn.BatchNorm1d(24)
        self.words, self.head = nn.Embedding(30, 24), nn.Linear(24, 2)

    def forward(self, points: Tensor, ids: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.points(points)))
        out: Tensor = self.head(hidden + self.words(ids).mean(1))
        return out


class Names(nn.Module):
    """Words with a mask, as a transformer takes them."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.words, self.body, self.head = nn.Embedding(30, 16), nn.TransformerEncoder(layer, 1), nn.Linear(16, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.body(self.words(input_ids), src_key_padding_mask=attention_mask == 0)
        shown = attention_mask[:, :, None]
        out: Tensor = self.head((hidden * shown).sum(1) / shown.sum(1))
        return out


class Records(Dataset[Any]):
    """What a dataset for transformers gives."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, place: int) -> dict[str, Tensor]:
        return {"input_ids": IDS[place], "attention_mask": MASK[place], "labels": Y[place]}


NAMED: Inputs = {"input_ids": IDS, "attention_mask": MASK}
FORMS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "a tuple": (Places, ((POINTS, IDS), Y)),
    "a list": (Places, ([POINTS, IDS], Y)),
    "a tensor dataset": (Places, TensorDataset(POINTS, IDS, Y)),
    "a loader": (Places, DataLoader(TensorDataset(POINTS, IDS, Y), batch_size=32)),
    "a dict": (Names, (NAMED, Y)),
    "records": (Names, Records()),
    "a loader of records": (Names, DataLoader(Records(), batch_size=32)),
}


def built(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_data_is_measured_and_trained_with(form: str) -> None:
    make, split = FORMS[form]
    task = Task(split, split, split, loss=cross_entropy)
    model = built(make)
    assert measure(model, task, latency=False).score.count == COUNT
    lab = Compression(model, task)
    lab.run([Prune(0.5, epochs=1)])
    assert [trial.state for trial in lab.trials] == ["complete", "complete"]
    assert lab[1].report.compressed.count == COUNT


@pytest.mark.parametrize("x", [(IDS,), {"ids": IDS}, {"input": IDS}], ids=["a tuple", "a dict", "by the name of all"])
def test_one_tensor_may_come_in_a_form_of_its_own(x: Inputs, tmp_path: Path) -> None:
    class One(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.head = nn.Embedding(30, 16), nn.Linear(16, 2)

        def forward(self, ids: Tensor | None = None, input: Tensor | None = None) -> Tensor:  # noqa: A002
            given = ids if ids is not None else input
            assert given is not None
            out: Tensor = self.head(self.words(given).mean(1))
            return out

    lab = Compression(built(One), Task((x, Y), (x, Y), loss=cross_entropy))
    lab.run([Quantize("static")])
    assert lab.trials[1].state == "complete", lab.trials[1].error
    lab[1].save(tmp_path / "net.tunekit")
    assert torch.equal(load(tmp_path / "net.tunekit")(x), lab[1](x))


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("form", ["a tuple", "a dict"])
def test_every_step_works_on_several_inputs_and_comes_back(form: str, name: str, tmp_path: Path) -> None:
    make, split = FORMS[form]
    task = Task(split, split, loss=cross_entropy)
    model = built(make)
    lab = Compression(model, task)
    lab.run(STEPS[name])
    assert [trial.reason for trial in lab.trials if trial.state != "complete"] == []
    row = lab[len(lab.trials) - 1]
    row.save(tmp_path / "net.tunekit")
    x = task.validation.head(7)
    assert torch.equal(load(tmp_path / "net.tunekit")(x), row(x))
    if not STEPS[name][-1].last:
        filled = load(tmp_path / "net.tunekit", model=built(make))
        assert torch.equal(inputs.call(filled, x), inputs.call(row.model(), x))


def test_whole_layers_of_a_transformer_go(tmp_path: Path) -> None:
    class Deep(Names):
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.body = nn.TransformerEncoder(layer, 3)

    split = FORMS["a dict"][1]
    lab = Compression(built(Deep), Task(split, split, loss=cross_entropy))
    lab.run([Prune(0.66, granularity="blocks", of="macs", epochs=1)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
    assert lab.trials[1].metrics["macs"] < 0.4 * lab.trials[0].metrics["macs"]
    assert "Blocks left out: 'body.layers." in lab.notes(1)[0]
    lab[1].save(tmp_path / "net.tunekit")
    x = lab.task.validation.head(5)
    assert torch.equal(load(tmp_path / "net.tunekit")(x), lab[1](x))
    filled = load(tmp_path / "net.tunekit", model=built(Deep))
    assert torch.equal(inputs.call(filled, x), inputs.call(lab[1].model(), x))


def test_names_may_come_in_any_order() -> None:
    make, split = FORMS["a dict"]
    lab = Compression(built(make), Task(split, split, loss=cross_entropy))
    lab.run([Prune(0.5)])
    turned = {"attention_mask": MASK[:5], "input_ids": IDS[:5]}
    assert torch.equal(lab[1](turned), lab[1]({"input_ids": IDS[:5], "attention_mask": MASK[:5]}))


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        ({"input_ids": IDS}, ValueError, "takes input_ids: a tensor int64 .*attention_mask.*: got 'input_ids'"),
        ({"input_ids": IDS.float(), "attention_mask": MASK}, TypeError, "got torch.float32; convert it"),
        ({"input_ids": IDS[0], "attention_mask": MASK[0]}, ValueError, "one example is x.None."),
        ({"input_ids": IDS, "attention_mask": MASK[:5]}, ValueError, "96 in 'input_ids', 5 in 'attention_mask'"),
        (IDS, ValueError, "got 'input'"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_a_wrong_call_says_what_the_model_takes(x: Any, kind: type[Exception], words: str) -> None:
    make, split = FORMS["a dict"]
    lab = Compression(built(make), Task(split, split, loss=cross_entropy))
    lab.run([Prune(0.5)])
    with pytest.raises(kind, match=words):
        lab[0](x)


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        ((POINTS, IDS[:5]), ValueError, "one entry for each example.*96 in 'input_0', 5 in 'input_1'"),
        ((POINTS, "ids"), TypeError, "a tuple of tensors or a dict.*train holds Tensor, str"),
        ({"input ids": IDS}, TypeError, "arguments of the model's forward.*'input ids'"),
        ((), ValueError, "at least one tensor"),
        ("ids", TypeError, "train holds str"),
    ],
)
def test_wrong_inputs_are_an_error_at_once(x: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Task((x, Y), (POINTS, Y), loss=cross_entropy)


@st.composite
def some_inputs(draw: st.DrawFn) -> Inputs:
    count = draw(st.integers(1, 9))
    parts = [torch.arange(count * size).reshape(count, size) for size in draw(st.lists(st.integers(1, 3), min_size=1))]
    match draw(st.sampled_from(["one", "several", "named"])):
        case "one":
            return parts[0]
        case "several":
            return tuple(parts)
        case _:
            return {f"name_{place}": part for place, part in enumerate(parts)}


@given(some_inputs(), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_parts_joined_are_the_whole(x: Inputs, size: int) -> None:
    parts = inputs.split(x, size)
    assert [inputs.count(part) for part in parts[:-1]] == [size] * (len(parts) - 1)
    whole = inputs.joined(parts)
    assert type(whole) is type(x)
    assert [*inputs.named(whole)] == [*inputs.named(x)]
    for one, other in zip(inputs.named(whole).values(), inputs.named(x).values(), strict=True):
        assert torch.equal(one, other)


# What comes out


class Said(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.body, self.how = nn.Linear(12, 2), how

    def forward(self, x: Tensor) -> Any:
        out = self.body(x)
        return {"logits": out, "hidden": x} if self.how == "a dict" else (out, x)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("a dict", r"returns a dict of 'logits', 'hidden'; .* such as self\.model\(x\)\['logits'\]"),
        ("a tuple", r"returns a tuple; .* such as self\.model\(x\)\[0\]"),
    ],
)
def test_a_net_that_returns_more_than_one_tensor_is_refused_with_the_way_out(how: str, words: str) -> None:
    with pytest.raises(ExportError, match=words):
        measure(Said(how), Task((POINTS, Y), (POINTS, Y), loss=cross_entropy))


def test_a_net_with_its_batch_size_written_in_it_is_refused_with_the_way_out() -> None:
    class Counts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = nn.GRUCell(12, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.head(self.cell(x, torch.zeros(len(x), 8)))
            return out

    with pytest.raises(ExportError, match=r"write x\.shape\[0\]"):
        measure(Counts(), Task((POINTS, Y), (POINTS, Y), loss=cross_entropy))


# Precision

PRECISIONS = [torch.float16, torch.bfloat16, torch.float64]


def norms() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))


@pytest.mark.parametrize("name", [*STEPS, "fold"])
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_every_step_keeps_the_precision_of_the_network(precision: torch.dtype, name: str, tmp_path: Path) -> None:
    model, task = built(norms).to(precision), tiny()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    lab = Compression(model, task)
    lab.run(STEPS.get(name, [Fold()]))
    assert [trial.reason for trial in lab.trials if trial.state != "complete"] == []
    row = lab[1]
    row.save(tmp_path / "net.tunekit")
    x = inputs.fitted(task.validation.head(5), model)
    assert torch.equal(load(tmp_path / "net.tunekit")(x), row(x))
    if not row.recipe[-1].last:
        assert {weight.dtype for weight in row.model().parameters()} == {precision}
        filled = load(tmp_path / "net.tunekit", model=built(norms).to(precision))
        assert torch.equal(inputs.call(filled, x), inputs.call(row.model(), x))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("precision", [torch.float32, *PRECISIONS], ids=str)
def test_a_batch_may_have_any_precision_as_the_data_of_the_task(precision: torch.dtype, tmp_path: Path) -> None:
    lab = Compression(built(norms).to(precision), tiny())
    lab.run([Prune(0.5), Quantize("weights")])
    x = only(lab.task.validation.head(5)).to(torch.float16)
    for number in range(3):
        lab[number].save(tmp_path / "net.tunekit")
        expected = lab[number](x.to(precision))
        for other in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
            for run in (lab[number], load(tmp_path / "net.tunekit")):
                assert torch.allclose(run(x.to(other)), expected, atol=0.05)
        if number < 2:
            with torch.no_grad():
                assert torch.allclose(inputs.call(lab[number].model(), x).double(), expected.double(), atol=0.05)
        with pytest.raises(TypeError, match=r"got torch\.int64; convert it with"):
            lab[number](x.long())


def test_zeros_and_shared_values_outlive_half_precision() -> None:
    lab = Compression(built(norms).half(), tiny())
    lab.run([Prune(0.8, epochs=1), Share(2, epochs=1)])
    weight = lab[2].model().get_parameter("3.weight")
    assert int((weight == 0).sum()) > 0
    assert len(weight.unique()) <= 5


def test_where_onnxruntime_has_no_bfloat16_it_is_said_and_the_bundle_is_small() -> None:
    def wide() -> nn.Module:
        return nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 4))

    labs = [Compression(built(wide).to(precision), tiny()) for precision in (torch.float32, torch.bfloat16)]
    for lab in labs:
        lab.run([Prune(0.5)])
    assert "has the same weights as float32, the bundle has them in bfloat16" in labs[1].notes(0)[0]
    assert labs[0].notes(0) == ()
    sizes = [lab.trials[0].metrics["bundle"] for lab in labs]
    assert sizes[1] < 0.6 * sizes[0]


# Wrapped models


@pytest.mark.parametrize(
    "wrap",
    [
        torch.compile,
        nn.DataParallel,
        lambda model: nn.Sequential(nn.utils.weight_norm(model[0]), *model[1:]),
        lambda model: nn.Sequential(nn.utils.spectral_norm(model[0]), *model[1:]),
    ],
    ids=["compiled", "data parallel", "weight norm", "spectral norm"],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_wrapped_model_is_that_within(wrap: Callable[[Any], nn.Module]) -> None:
    model = wrap(built(norms))
    keys = list(model.state_dict())
    lab = Compression(model, tiny())
    lab.run([Prune(0.3, granularity="channels", epochs=1)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
    assert type(lab[1].model()) is nn.Sequential
    assert list(model.state_dict()) == keys


def test_a_scripted_model_is_refused_with_the_way_out() -> None:
    with pytest.raises(TypeError, match=r"scripted.*give the module that it was made of"):
        copied(torch.jit.script(norms()))


# Nets that onnxruntime's quantizer stumbles over


class Looked(nn.Module):
    """Its table of words is its output layer's weight, too."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(30, 16), nn.Linear(16, 30, bias=False)
        self.out.weight = self.words.weight

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.out(torch.relu(self.words(ids).mean(1)))
        return out


class Bag(nn.Module):
    """An embedding bag, which the exporter writes as a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.EmbeddingBag(30, 16), nn.Linear(16, 30)

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.out(self.words(ids))
        return out


@pytest.mark.parametrize("mode", ["static", "dynamic", "weights", "auto", "float16"])
@pytest.mark.parametrize("make", [Looked, Bag])
def test_tied_tables_and_loops_are_quantized(make: Callable[[], nn.Module], mode: Any) -> None:
    lab = Compression(built(make), Task((IDS, IDS[:, 0]), (IDS, IDS[:, 0]), loss=cross_entropy))
    lab.run([Quantize(mode)])
    assert lab.trials[1].state == "complete", lab.trials[1].error
