"""The nets and the data of the compression benchmarks: real digits, sentences and spoken digits."""

from __future__ import annotations

import lzma
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import tunekit as tk

DATA = Path(__file__).resolve().parents[2] / "notebooks" / "data"


def images() -> tk.Task:
    """5,000 MNIST digits, split once 3500 / 750 / 750."""
    with np.load(DATA / "mnist5k.npz") as held:
        x, y = torch.from_numpy(held["x"]).float()[:, None] / 255, torch.from_numpy(held["y"]).long()
    return _task(x, y, 3500, 750)


def speech() -> tk.Task:
    """3,000 spoken digits, 13 coefficients a frame, cut or filled to 48 frames; 2000 / 500 / 500."""
    with np.load(DATA / "fsdd.npz") as held:
        frames, scale, lengths, y = (held[name] for name in ("x", "s", "n", "y"))
    x = np.zeros((len(y), 48, frames.shape[1]), np.float32)
    start = 0
    for place, length in enumerate(lengths):
        part = frames[start : start + min(48, length)] * scale
        x[place, : len(part)] = part
        start += length
    held_x = torch.from_numpy(x)
    return _task((held_x - held_x.mean((0, 1))) / held_x.std((0, 1)), torch.from_numpy(y).long(), 2000, 500)


def text() -> tk.Task:
    """The language of a string, 16 of them: the first 64 bytes."""
    lines = lzma.decompress((DATA / "languages.tsv.xz").read_bytes()).decode().splitlines()
    codes, sentences = zip(*(line.split("\t", 1) for line in lines), strict=True)
    x = torch.zeros(len(lines), 64, dtype=torch.long)
    for place, sentence in enumerate(sentences):
        given = list(sentence.encode())[:64]
        x[place, : len(given)] = torch.tensor(given)
    y = torch.tensor([sorted(set(codes)).index(code) for code in codes])
    return _task(x, y, 4500, 1370)


def _task(x: Tensor, y: Tensor, train: int, validation: int) -> tk.Task:
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    parts = order[:train], order[train : train + validation], order[train + validation :]
    splits = [(x[part], y[part]) for part in parts]
    return tk.Task(*splits, loss=cross_entropy)


def lenet_300_100() -> nn.Module:
    """Of LeCun 1998, as Deep Compression takes it: 266,610 parameters."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


def lenet_5() -> nn.Module:
    """Caffe's: 20 and 50 channels, 500 units; 431,080 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.MaxPool2d(2),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(800, 500),
        nn.ReLU(),
        nn.Linear(500, 10),
    )


class Down(nn.Module):
    """A convolution of stride 2."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(given, channels, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x)))


class Block(nn.Module):
    """A residual block (He 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(x + self.second_norm(self.second(inner)))


class Residual(nn.Module):
    """A stride-2 stem, three stages of two blocks with 16, 32 and 64 channels: 197,000 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block1, self.block2 = Down(1, 16), Block(16), Block(16)
        self.down1, self.block3, self.block4 = Down(16, 32), Block(32), Block(32)
        self.down2, self.block5, self.block6 = Down(32, 64), Block(64), Block(64)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block2(self.block1(self.stem(x)))
        x = self.block4(self.block3(self.down1(x)))
        x = self.block6(self.block5(self.down2(x)))
        out: Tensor = self.head(x.mean((2, 3)))
        return out


def depthwise() -> nn.Module:
    """Depthwise and pointwise convolutions in turn (Howard 2017)."""

    def pair(given: int, channels: int, stride: int) -> list[nn.Module]:
        return [
            nn.Conv2d(given, given, 3, stride=stride, padding=1, groups=given, bias=False),
            nn.BatchNorm2d(given),
            nn.ReLU(),
            nn.Conv2d(given, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]

    return nn.Sequential(
        *(nn.Conv2d(1, 32, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *pair(32, 64, 1),
        *pair(64, 128, 2),
        *pair(128, 128, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


class Gru(nn.Module):
    """Reads frames; the mean over time is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.GRU(13, 64, batch_first=True), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x)[0].mean(1))
        return out


class Encoder(nn.Module):
    """Bytes with learned places, two layers of attention, the mean over time."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(48, 4, 128, dropout=0.1, batch_first=True)
        self.embedding = nn.Embedding(256, 48, padding_idx=0)
        self.places = nn.Parameter(0.02 * torch.randn(64, 48))
        self.body, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(48, 16)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.embedding(x) + self.places).mean(1))
        return out


NETS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tk.Task], int]] = {
    "LeNet-300-100": (lenet_300_100, images, 15),
    "LeNet-5": (lenet_5, images, 15),
    "residual": (Residual, images, 15),
    "depthwise": (depthwise, images, 15),
    "GRU": (Gru, speech, 20),
    "encoder": (Encoder, text, 12),
}


def trained(name: str, seed: int) -> tuple[nn.Module, tk.Task]:
    """A net of that name, trained with Adam along a cosine for its number of epochs, and its task."""
    make, make_task, epochs = NETS[name]
    task = make_task()
    torch.manual_seed(seed)
    model = make()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    steps = task.train.steps or 1
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    for epoch in range(epochs):
        for x, y in task.batches(torch.Generator().manual_seed(1000 * seed + epoch)):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
            schedule.step()
    return model.eval(), task
