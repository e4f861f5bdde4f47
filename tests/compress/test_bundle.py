from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from tests.compress.nets import Tied, build, digits, facts, tiny
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize


@pytest.fixture(scope="module")
def lab() -> Compression:
    lab = Compression(build("conv"), digits())
    lab.run([Prune(0.5), FineTune(epochs=1), Quantize()])
    return lab


@pytest.fixture
def saved(lab: Compression, tmp_path: Path) -> Path:
    lab[2].save(tmp_path / "net.tunekit")
    return tmp_path / "net.tunekit"


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_loaded_model_gives_the_same_bit_for_bit(lab: Compression, number: int, tmp_path: Path) -> None:
    path, x = tmp_path / "net.tunekit", lab.task.validation.head(50)
    lab[number].save(path)
    loaded = load(path)
    assert torch.equal(loaded(x), lab[number](x))
    assert loaded.recipe == lab[number].recipe
    assert loaded.metrics == facts(lab[number].metrics)
    loaded.export(tmp_path / "net.onnx")
    assert os.path.getsize(tmp_path / "net.onnx") == loaded.metrics["size"]
    loaded.save(tmp_path / "again.tunekit")
    assert torch.equal(load(tmp_path / "again.tunekit")(x), loaded(x))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["again.tunekit", "net.onnx", "net.tunekit"]


def test_the_same_model_gives_the_same_bytes(lab: Compression, tmp_path: Path) -> None:
    for name in ("one", "other"):
        lab[2].save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_fresh_model_is_filled_and_stays_as_it_was(lab: Compression, saved: Path) -> None:
    fresh = build("conv", seed=9).train()
    before = {name: tensor.clone() for name, tensor in fresh.state_dict().items()}
    filled, x = load(saved, model=fresh), lab.task.validation.head(50)
    assert fresh.training
    assert all(torch.equal(before[name], tensor) for name, tensor in fresh.state_dict().items())
    with torch.no_grad():
        assert torch.equal(filled(x), lab[2].model()(x))


def test_an_int8_bundle_fills_no_model(lab: Compression, tmp_path: Path) -> None:
    lab[3].save(tmp_path / "int8.tunekit")
    with pytest.raises(ValueError, match="holds int8 for onnxruntime; load it without model="):
        load(tmp_path / "int8.tunekit", model=build("conv"))
    with pytest.raises(RuntimeError, match="only onnxruntime runs"):
        lab[3].model()


def test_another_model_does_not_fit(saved: Path) -> None:
    with pytest.raises(ValueError, match="a model built like the saved one: Sequential is not"):
        load(saved, model=build("mlp"))


def test_tied_weights_are_stored_once_and_come_back_tied(tmp_path: Path) -> None:
    lab = Compression(Tied(), tiny())
    lab.run([Prune(0.5)])
    lab[1].save(tmp_path / "tied.tunekit")
    with zipfile.ZipFile(tmp_path / "tied.tunekit") as archive:
        assert archive.getinfo("weights.safetensors").file_size < 2 * 16 * 16 * 4
    filled = load(tmp_path / "tied.tunekit", model=Tied())
    assert isinstance(filled, Tied)
    assert filled.first.weight is filled.second.weight
    assert torch.equal(filled.first.weight, lab[1].model().get_parameter("first.weight"))


def test_a_loaded_model_has_no_report(saved: Path) -> None:
    with pytest.raises(RuntimeError, match="a report compares with the original"):
        load(saved).report  # noqa: B018


@pytest.mark.parametrize(
    ("x", "kind", "words"),
    [
        ([1.0], TypeError, "takes a tensor float32 of shape .batch, 1, 14, 14.: got list"),
        (torch.zeros(2, 1, 14, 14).double(), TypeError, r"x\.to\(torch\.float32\)"),
        (torch.zeros(1, 14, 14), ValueError, r"got shape \(1, 14, 14\); one example is x\[None\]"),
        (torch.zeros(1, 3, 14, 14), ValueError, r"with shape \(1, 3, 14, 14\) it fails"),
    ],
)
def test_a_wrong_batch(lab: Compression, x: torch.Tensor, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        lab[1](x)


def test_a_folder_that_is_not_there(lab: Compression, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not; make it"):
        lab[1].save(tmp_path / "nowhere" / "net.tunekit")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "net.tunekit")


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def with_header(data: bytes, **changes: object) -> bytes:
    parts = contents(data)
    return packed(parts | {"bundle.json": json.dumps(json.loads(parts["bundle.json"]) | changes).encode()})


def with_outside_weights(data: bytes) -> bytes:
    parts = contents(data)
    model = onnx.load_model_from_string(parts["model.onnx"])
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    return packed(parts | {"model.onnx": model.SerializeToString()})


def flipped(data: bytes) -> bytes:
    place = data.index(b"model.onnx") + 5000
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "no zip"),
    "text": (lambda data: b"hello", "no zip"),
    "half": (lambda data: data[: len(data) // 2], "no zip"),
    "a flipped bit": (flipped, "damaged"),
    "no zip entries": (lambda data: packed({}), "instead of"),
    "no model": (lambda data: packed({"bundle.json": contents(data)["bundle.json"]}), "instead of"),
    "a path": (lambda data: packed(contents(data) | {"../../evil.py": b""}), r"it holds '\.\./\.\./evil\.py'"),
    "a pickle": (lambda data: packed(contents(data) | {"data.pkl": b""}), "it holds 'data.pkl'"),
    "a bomb": (lambda data: packed(contents(data) | {"model.onnx": b"\0" * 10**8}, zipfile.ZIP_DEFLATED), "not stored"),
    "no json": (lambda data: packed(contents(data) | {"bundle.json": b"{"}), "is no JSON"),
    "deep json": (lambda data: packed(contents(data) | {"bundle.json": b"[" * 10**6}), "is no JSON"),
    "another format": (lambda data: with_header(data, format="zip"), "does not say"),
    "a later version": (lambda data: with_header(data, version=2), "reads bundles of version 1.*has version 2"),
    "no input": (lambda data: with_header(data, input=None), "is not complete"),
    "a strange shape": (lambda data: with_header(data, input={"shape": [-1], "dtype": "float32"}), "is not complete"),
    "strange metrics": (lambda data: with_header(data, metrics={"size": "1"}), "is not complete"),
    "an unknown step": (lambda data: with_header(data, recipe=[{"step": "run", "code": "1"}]), "unknown step 'run'"),
    "a lost alias": (lambda data: with_header(data, aliases={"a": "b"}), "weights lack 'b'"),
    "no onnx": (lambda data: packed(contents(data) | {"model.onnx": b"nonsense"}), "complete ONNX file"),
    "half an onnx": (
        lambda data: packed(contents(data) | {"model.onnx": contents(data)["model.onnx"][:3000]}),
        "ONNX file",
    ),
    "weights elsewhere": (with_outside_weights, "points at other files"),
    "no weights": (lambda data: packed(contents(data) | {"weights.safetensors": b"nonsense"}), "weights are damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_damaged_bundle_is_refused(saved: Path, name: str) -> None:
    harm, words = HOSTILE[name]
    saved.write_bytes(harm(saved.read_bytes()))
    with pytest.raises(ValueError, match=words):
        load(saved)


def test_parts_that_overlap_are_refused(saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    directory = data.rindex(b"PK\x05\x06")
    first = data.index(b"PK\x01\x02")
    data[first + 24 : first + 28] = (10**9).to_bytes(4, "little")  # says that it unpacks to a gigabyte
    data[first + 20 : first + 24] = (10**9).to_bytes(4, "little")
    assert first < directory
    saved.write_bytes(bytes(data))
    with pytest.raises(ValueError, match="is refused"):
        load(saved)


def test_nothing_is_pickled(saved: Path) -> None:
    for name, part in contents(saved.read_bytes()).items():
        assert b"pickle" not in part, name
    assert isinstance(load(saved, model=build("conv")), nn.Module)
