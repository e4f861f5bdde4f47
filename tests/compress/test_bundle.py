from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import nn

from tests.compress.nets import Tied, build, digits, facts, tiny
from tunekit.compress import bundle_file
from tunekit.compress.bundle import load
from tunekit.compress.coding import archive
from tunekit.compress.compression import Compression
from tunekit.compress.exporter import export
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.inputs import Port
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.sharing import Share


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
    header, _, weights = parts((tmp_path / "tied.tunekit").read_bytes())
    assert list(archive.decode(weights)) == ["first.weight", "first.bias", "second.bias"]
    assert header["aliases"] == {"second.weight": "first.weight"}
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
        (torch.zeros(2, 1, 14, 14).long(), TypeError, r"x\.to\(torch\.float32\)"),
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


def parts(data: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """The header, the graph and the weights of a bundle."""
    _, _, _, length = struct.unpack_from("<7sBII", data)
    packed, weights = data[16 : 16 + length], data[16 + length :]
    head = zlib.decompress(packed)
    (size,) = struct.unpack_from("<I", head)
    return json.loads(head[4 : 4 + size]), head[4 + size :], weights


def joined(words: bytes, graph: bytes, weights: bytes, version: int = 1) -> bytes:
    head = zlib.compress(struct.pack("<I", len(words)) + words + graph)
    rest = head + weights
    return struct.pack("<7sBII", b"tunekit", version, zlib.crc32(rest), len(head)) + rest


def changed(
    data: bytes,
    *,
    graph: Callable[[bytes], bytes] = bytes,
    weights: Callable[[bytes], bytes] = bytes,
    version: int = 1,
    **header: Any,
) -> bytes:
    """A bundle with other contents and a checksum that fits."""
    words, old_graph, old_weights = parts(data)
    return joined(json.dumps(words | header).encode(), graph(old_graph), weights(old_weights), version)


def outside(graph: bytes) -> bytes:
    model = onnx.load_model_from_string(graph)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    data: bytes = model.SerializeToString()
    return data


def other_size(data: bytes) -> bytes:
    words, graph, weights = parts(data)
    longer = {name: value[..., None] for name, value in archive.decode(weights).items()}
    return joined(json.dumps(words).encode(), graph, archive.encode(longer))


def without_weights(data: bytes) -> bytes:
    words, graph, _ = parts(data)
    return joined(json.dumps(words).encode(), graph, archive.encode({}))


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "does not begin like one"),
    "text": (lambda data: b"hello, this is no bundle", "does not begin like one"),
    "a zip": (lambda data: b"PK" + data, "does not begin like one"),
    "half": (lambda data: data[: len(data) // 2], "damaged or cut off"),
    "a flipped bit": (lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:], "damaged or cut off"),
    "no json": (lambda data: joined(b"{", b"", b""), "is no JSON"),
    "deep json": (lambda data: joined(b"[" * 10**6, b"", b""), "is no JSON"),
    "another format": (lambda data: changed(data, format="zip"), "does not say"),
    "a later version": (lambda data: changed(data, version=2), "reads bundles of version 1.*has version 2"),
    "no input": (lambda data: changed(data, input=None), "is not complete"),
    "a strange shape": (lambda data: changed(data, input={"shape": [-1], "dtype": "float32"}), "is not complete"),
    "strange metrics": (lambda data: changed(data, metrics={"size": "1"}), "is not complete"),
    "an unknown step": (lambda data: changed(data, recipe=[{"step": "run", "code": "1"}]), "unknown step 'run'"),
    "a lost alias": (lambda data: changed(data, aliases={"a": "b"}), "weights lack 'b'"),
    "a strange derivation": (
        lambda data: changed(data, sources={"0.weight": ["eval", "1"]}),
        "unknown derivation",
    ),
    "no onnx": (lambda data: changed(data, graph=lambda graph: b"nonsense"), "damaged"),
    "half an onnx": (lambda data: changed(data, graph=lambda graph: graph[: len(graph) // 2]), "damaged|ONNX file"),
    "weights elsewhere": (lambda data: changed(data, graph=outside), "points at other files"),
    "no weights": (without_weights, "that is not there"),
    "half of the weights": (lambda data: changed(data, weights=lambda weights: weights[:100]), "damaged or cut off"),
    "weights of another size": (other_size, "another size|is damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_damaged_bundle_is_refused(saved: Path, name: str) -> None:
    harm, words = HOSTILE[name]
    saved.write_bytes(harm(saved.read_bytes()))
    with pytest.raises(ValueError, match=words):
        load(saved)


def test_what_onnxruntime_refuses_is_said_once(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    saved.write_bytes(changed(saved.read_bytes(), graph=lambda graph: graph.replace(b"Conv", b"Co\xd7v")))
    with pytest.raises(ValueError, match="onnxruntime runs a complete ONNX file: this one it refuses"):
        load(saved)
    assert capfd.readouterr() == ("", "")


def test_what_goes_wrong_in_onnxruntime_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    run = open_runner(export(nn.Embedding(4, 3), torch.tensor([[1, 2]])))
    with pytest.raises(Exception, match="indices element out of data bounds"):
        run(torch.tensor([[9, 2]]))
    assert capfd.readouterr() == ("", "")


def test_a_header_that_fills_the_memory_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_file, "_MOST_HEAD", 10_000)
    saved.write_bytes(changed(saved.read_bytes(), filling=" " * 100_000))
    with pytest.raises(ValueError, match="unpacks to more than 10000 bytes"):
        load(saved)


def test_it_is_refused_when_cut_anywhere(saved: Path) -> None:
    data = saved.read_bytes()
    for end in [*range(0, 400, 7), *range(400, len(data), 97)]:
        saved.write_bytes(data[:end])
        with pytest.raises(ValueError, match="is refused"):
            load(saved)


def test_each_weight_stands_in_it_once(lab: Compression, saved: Path) -> None:
    header, graph, weights = parts(saved.read_bytes())
    count = sum(weight.numel() for weight in lab[2].model().state_dict().values())
    assert len(weights) < 4.1 * count
    assert len(graph) < 2500
    assert {source[0] for source in header["sources"].values()} == {"folded weight", "folded bias"}


@pytest.mark.parametrize("kind", ["mlp", "conv", "lstm", "gru"])
def test_pruned_and_shared_it_is_many_times_smaller_than_its_weights(kind: str, tmp_path: Path) -> None:
    lab = Compression(build(kind), digits())
    lab.run([Prune(0.9), Share(3)])
    lab[2].save(tmp_path / "net.tunekit")
    size = os.path.getsize(tmp_path / "net.tunekit")
    assert size == lab.trials[2].metrics["bundle"]
    weights = 4 * lab.trials[0].metrics["parameters"]
    assert size < 1500 + weights / 30
    assert lab.trials[2].metrics["bundle"] < lab.trials[1].metrics["bundle"] < lab.trials[0].metrics["bundle"]
    x = lab.task.validation.head(50)
    assert torch.equal(load(tmp_path / "net.tunekit")(x), lab[2](x))
    assert isinstance(load(tmp_path / "net.tunekit", model=build(kind)), nn.Module)


def test_half_precision_comes_back(tmp_path: Path) -> None:
    weights = {"w": torch.randn(5, 3).bfloat16(), "v": torch.randn(4).half()}
    data = bundle_file.pack(bundle_file.Bundle([], {}, (Port("input", (3,), "float32"),), b"", weights))
    found = bundle_file.unpack(data).weights
    assert found is not None
    assert {name: tensor.dtype for name, tensor in found.items()} == {"w": torch.bfloat16, "v": torch.float16}
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
