"""Recurrent layers that are built or called in unusual ways."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.compress.nets import tiny
from tunekit.compress.bundle import load
from tunekit.compress.compression import Compression
from tunekit.compress.distill import Distill
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.measure import measure
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.quantization.quantize import Quantize
from tunekit.compress.task import Task


class Reader(nn.Module):
    """Reads sequences of several lengths, packed."""

    def __init__(self, kind: str, reads: str) -> None:
        super().__init__()
        self.reads = reads
        self.body = getattr(nn, kind)(6, 12, batch_first=True)
        self.second = getattr(nn, kind)(12, 12, batch_first=True) if reads == "second" else None
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        known = lengths.tolist() if self.reads == "list" else lengths.cpu()
        packed = pack_padded_sequence(x, known, batch_first=True, enforce_sorted=False)
        output, state = self.body(packed)
        if self.second is not None:
            output, state = self.second(output)
        if self.reads == "outputs":
            padded, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
            return self.head(padded.mean(1))  # type: ignore[no-any-return]
        hidden = state[0] if isinstance(state, tuple) else state
        return self.head(hidden[-1])  # type: ignore[no-any-return]


class Projecting(nn.Module):
    """An LSTM that hands on less than it remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.LSTM(16, 12, proj_size=5)
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x.unsqueeze(0))[0][0])  # type: ignore[no-any-return]


def sequences() -> Task:
    generator = torch.Generator().manual_seed(0)
    x, lengths = torch.randn(40, 7, 6, generator=generator), torch.arange(40) % 7 + 1
    data = (x, lengths), x[:, 0, :3].argmax(1)
    return Task(data, data, data, loss=cross_entropy)


@pytest.mark.parametrize(
    ("kind", "reads"), [("LSTM", "state"), ("GRU", "state"), ("RNN", "outputs"), ("LSTM", "second")]
)
def test_packed_sequences(kind: str, reads: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lab = Compression(Reader(kind, reads), sequences())
    lab.run([Prune(0.5, epochs=1), Quantize("weights")])
    assert [trial.state for trial in lab.trials] == ["complete"] * 3, [trial.reason for trial in lab.trials]
    x = lab.task.validation.head(9)
    assert torch.allclose(lab[1](x), lab[1].model()(*x), atol=1e-5)
    lab[1].save(tmp_path / "net.tunekit")
    assert torch.equal(load(tmp_path / "net.tunekit")(x), lab[1](x))
    assert torch.allclose(load(tmp_path / "net.tunekit", model=Reader(kind, reads))(*x), lab[1](x), atol=1e-5)
    assert capfd.readouterr() == ("", "")


def test_what_packed_sequences_do_not_allow_is_said_before_anything_is_trained() -> None:
    lab = Compression(Reader("LSTM", "state"), sequences())
    with pytest.raises(ValueError, match=r"nothing was trained for it.*'body' reads a PackedSequence; prune weights"):
        lab.run([FineTune(1), Prune(0.5, granularity="channels")])
    with pytest.raises(RuntimeError, match=r"no packed sequences: 'body' reads one.*the lengths as a tensor"):
        measure(Reader("LSTM", "list"), sequences())


def test_an_lstm_with_a_projection_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    words = "LSTM has no projection: in Projecting, 'body' with a proj_size; leave proj_size out"
    with pytest.raises(RuntimeError, match=words):
        measure(Projecting(), tiny())
    with pytest.raises(RuntimeError, match=f"the original model cannot be measured: .*{words}"):
        Compression(Projecting(), tiny()).run([Quantize()])
    with pytest.raises(ValueError, match=words):
        Compression(nn.Linear(16, 4), tiny()).run([Distill(1, student=Projecting())])
    assert capfd.readouterr() == ("", "")
