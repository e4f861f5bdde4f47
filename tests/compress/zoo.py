"""A net of every kind that people have, each as small as can be, with data that fit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.parametrizations import weight_norm

from tunekit.compress.inputs import Inputs
from tunekit.compress.task import Task

COUNT, CLASSES, WORDS, STEPS, SIDE = 64, 4, 20, 6, 8


def _drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _whole(seed: int, low: int, high: int, *shape: int) -> Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


TARGETS = _whole(0, 0, CLASSES, COUNT)
# what is to be learned stands in a corner, in a step or in a word
IMAGES = _drawn(1, COUNT, 1, SIDE, SIDE) + TARGETS[:, None, None, None]
SERIES = _drawn(2, COUNT, STEPS, SIDE) + TARGETS[:, None, None]
TEXT = torch.cat(
    [TARGETS[:, None], torch.randint(CLASSES, WORDS, (COUNT, STEPS - 1), generator=torch.Generator().manual_seed(3))], 1
)
MASK = (
    torch.arange(STEPS) < torch.randint(3, STEPS + 1, (COUNT, 1), generator=torch.Generator().manual_seed(4))
).long()


class Block(nn.Module):
    """Two convolutions beside nothing at all."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.norm(self.first(x)))))


def residual() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Block(8),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, CLASSES),
    )


def depthwise() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.Conv2d(8, 12, 1, bias=False),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, CLASSES),
    )


class Recurrent(nn.Module):
    """Reads words there and back."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 8)
        self.body = nn.GRU(8, 8, bidirectional=True, batch_first=True)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.words(x))[0].mean(1))
        return out


class Encoder(nn.Module):
    """Words with a mask, by name, as a transformer takes them."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1, batch_first=True)
        self.words, self.places = nn.Embedding(WORDS, 16), nn.Parameter(0.1 * torch.randn(1, STEPS, 16))
        self.body, self.head = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Linear(16, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.body(self.words(input_ids) + self.places, src_key_padding_mask=attention_mask == 0)
        shown = attention_mask[:, :, None]
        out: Tensor = self.head((hidden * shown).sum(1) / shown.sum(1))
        return out


class TwoInputs(nn.Module):
    """An image and words, by place."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.norm = nn.Conv2d(1, 12, 3, stride=2, bias=False), nn.BatchNorm2d(12)
        self.words, self.head = nn.Embedding(WORDS, 12), nn.Linear(12, CLASSES)

    def forward(self, image: Tensor, ids: Tensor) -> Tensor:
        seen = torch.relu(self.norm(self.image(image))).mean((2, 3))
        out: Tensor = self.head(seen + self.words(ids).mean(1))
        return out


class Tied(nn.Module):
    """Says which word comes: its head is its embedding, turned."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.body = nn.Embedding(WORDS, 12), nn.Linear(12, 12)
        self.head = nn.Linear(12, WORDS, bias=False)
        self.head.weight = self.words.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(torch.relu(self.body(self.words(x).mean(1))))
        return out


def weight_normed() -> nn.Module:
    return nn.Sequential(
        weight_norm(nn.Conv1d(STEPS, 12, 3)),
        nn.ReLU(),
        nn.Flatten(),
        weight_norm(nn.Linear(12 * (SIDE - 2), 12)),
        nn.ReLU(),
        nn.Linear(12, CLASSES),
    )


def half() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(SIDE * SIDE, 16), nn.ReLU(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, CLASSES)
    ).half()


def compiled() -> nn.Module:
    """Nothing is compiled before it is called."""
    made = torch.compile(residual())
    assert isinstance(made, nn.Module)
    return made


@dataclass(frozen=True, slots=True)
class Kind:
    """How to make a net of it, and what it takes."""

    make: Callable[[], nn.Module]
    inputs: Inputs

    def model(self) -> nn.Module:
        """The same weights each time; the global stream is left as it is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make()

    def task(self) -> Task:
        """All of the data, three times."""
        data = (self.inputs, TARGETS)
        return Task(data, data, data, loss=_loss)


def _loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs.float(), targets)


ZOO: dict[str, Kind] = {
    "residual": Kind(residual, IMAGES),
    "depthwise": Kind(depthwise, IMAGES),
    "recurrent": Kind(Recurrent, TEXT),
    "encoder": Kind(Encoder, {"input_ids": TEXT, "attention_mask": MASK}),
    "two inputs": Kind(TwoInputs, (IMAGES, TEXT)),
    "tied": Kind(Tied, TEXT),
    "weight norm": Kind(weight_normed, SERIES),
    "half": Kind(half, IMAGES.half()),
    "compiled": Kind(compiled, IMAGES),
}
