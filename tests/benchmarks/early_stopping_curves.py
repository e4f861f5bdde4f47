"""Learning curves of real nets: each setting is trained once, and what it came to after each epoch is kept on disk.

Three kinds of data and of net: a plain net on scikit-learn's digits, a bag of letter triples on sentences in sixteen
languages, a convolutional net on small pictures of digits. In the last two some settings lower their rate along a
cosine, so that curves cross: they look bad in the middle and are good in the end.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.search_cache import remembered
from tests.house.tree import ROOT
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.samplers.grid import Grid
from tunekit.search.space import Space

EPOCHS = 27
# How many learning rates a grid has, its longest side.
_RATES = 12
_DATA = ROOT / "notebooks" / "data"
# Buckets for the hashes of letter triples.
_BUCKETS = 1024

Curve = dict[str, list[float]]


@dataclass(frozen=True)
class Task:
    """A net to train.

    Parameters
    ----------
    name
        What it is kept under.
    space
        Its settings.
    train
        From settings to a curve: ``"accuracy"`` and ``"loss"`` on the validation data after each epoch.
    count
        How many random settings its table has; None: all that there are.
    """

    name: str
    space: Space
    train: Callable[..., Curve]
    count: int | None

    def curve(self, params: Mapping[str, Any]) -> Curve:
        """The curve of these settings, trained at most once."""
        curve: Curve = remembered(f"curve-{self.name}", self.train)(params)
        return curve

    def table(self) -> list[tuple[dict[str, Any], Curve]]:
        """Its settings with their curves, the same each time."""
        rng = np.random.default_rng(0)
        if self.count is None:
            drawn = list(Grid(_RATES).settings(self.space))
        else:
            drawn = [self.space.sample(rng) for _ in range(self.count)]
        return [(params, self.curve(params)) for params in drawn]


def _split(inputs: Any, targets: Any, samples: int) -> tuple[Any, Any, Any, Any]:
    """So many samples to train on, and as many others to validate on."""
    import torch

    order = np.random.default_rng(1).permutation(len(inputs))[: 2 * samples]
    x, y = torch.as_tensor(inputs[order]), torch.as_tensor(targets[order].astype(np.int64))
    return x[:samples], y[:samples], x[samples:], y[samples:]


@cache
def _digits() -> Any:
    from sklearn.datasets import load_digits

    inputs, targets = load_digits(return_X_y=True)
    return _split((inputs / 16).astype(np.float32), targets, 600)


@cache
def _sentences() -> Any:
    """Shares of hashed letter triples: the languages differ in them."""
    import lzma

    with lzma.open(_DATA / "languages.tsv.xz", "rt", encoding="utf-8") as lines:
        codes, sentences = zip(*(line.rstrip("\n").split("\t", 1) for line in lines), strict=True)
    inputs = np.zeros((len(sentences), _BUCKETS), dtype=np.float32)
    for row, sentence in zip(inputs, sentences, strict=True):
        padded = f" {sentence.lower()} "
        for start in range(len(padded) - 2):
            row[zlib.crc32(padded[start : start + 3].encode()) % _BUCKETS] += 1
        row /= math.sqrt(float(np.sum(row**2)))
    return _split(inputs, np.unique(codes, return_inverse=True)[1], 1000)


@cache
def _speech() -> Any:
    """Eight slices of each recording, the mean of the frames in each."""
    with np.load(_DATA / "fsdd.npz") as stored:
        frames, lengths, targets = stored["x"] * stored["s"], stored["n"].astype(int), stored["y"]
    frames = (frames - frames.mean(axis=0)) / frames.std(axis=0)
    recordings = np.split(frames, np.cumsum(lengths)[:-1])
    # one of fewer than eight frames has some of them twice
    edges = [np.linspace(0, length, 9).astype(int) for length in lengths]
    slices = [
        [recording[low : max(high, low + 1)].mean(axis=0) for low, high in pairwise(edge)]
        for recording, edge in zip(recordings, edges, strict=True)
    ]
    return _split(np.array(slices, dtype=np.float32).reshape(len(targets), -1), targets, 600)


@cache
def _pictures() -> Any:
    with np.load(_DATA / "mnist5k.npz") as stored:
        pictures, targets = stored["x"].astype(np.float32) / 255, stored["y"]
    halved = pictures.reshape(-1, 1, 14, 2, 14, 2).mean(axis=(3, 5))
    return _split(halved, targets, 600)


def _fit(net: Any, data: Any, lr: float, weight_decay: float, batch: int, optimizer: str, cosine: bool) -> Curve:
    import torch
    from torch.nn import functional

    x, y, validation_x, validation_y = data
    if optimizer == "adam":
        updates: Any = torch.optim.AdamW(net.parameters(), lr, weight_decay=weight_decay)
    else:
        momentum = 0.9 if optimizer == "momentum" else 0.0
        updates = torch.optim.SGD(net.parameters(), lr, momentum=momentum, weight_decay=weight_decay)
    curve: Curve = {"accuracy": [], "loss": []}
    for epoch in range(EPOCHS):
        if cosine:
            updates.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))
        net.train()
        for chosen in torch.randperm(len(x)).split(batch):
            updates.zero_grad()
            functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            updates.step()
        net.eval()
        with torch.no_grad():
            scores = net(validation_x)
            curve["accuracy"].append(float((scores.argmax(dim=1) == validation_y).double().mean()))
            curve["loss"].append(float(functional.cross_entropy(scores, validation_y)))
    return curve


def _activation(name: str) -> Any:
    from torch import nn

    return {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}[name]()


def _train_plain(
    data: Callable[[], Any], *, width: int, layers: int, activation: str, dropout: float, **fit: Any
) -> Curve:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        last = data()[0].shape[1]
        steps: list[Any] = []
        for _ in range(layers):
            steps += [nn.Linear(last, width), _activation(activation), nn.Dropout(dropout)]
            last = width
        return _fit(nn.Sequential(*steps, nn.Linear(last, 16)), data(), **fit)


def _train_digits(**settings: Any) -> Curve:
    return _train_plain(_digits, **settings)


def _train_sentences(**settings: Any) -> Curve:
    return _train_plain(_sentences, **settings)


def _train_speech(**settings: Any) -> Curve:
    return _train_plain(_speech, **settings)


def _on_grid(train: Callable[..., Curve]) -> Callable[..., Curve]:
    """The same from places on a grid: of the rate in steps of a third of a decade, of the others in doublings."""

    def train_there(*, lr: int, width: int, batch: int, **settings: Any) -> Curve:
        sizes = {"width": 16 * 2**width, "batch": 32 * 2**batch}
        fixed = {"weight_decay": 1e-4, "dropout": 0.1, "activation": "relu"}
        return train(lr=1e-4 * 10 ** (lr / 3), **sizes, **fixed, **settings)

    return train_there


def _train_pictures(*, channels: int, activation: str, dropout: float, **fit: Any) -> Curve:
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, channels, 3, stride=2),
            _activation(activation),
            nn.Conv2d(channels, 2 * channels, 3),
            _activation(activation),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * channels * 16, 10),
        )
        return _fit(net, _pictures(), **fit)


_FIT = {
    "lr": Float(1e-4, 1.0, log=True),
    "weight_decay": Float(1e-6, 1e-1, log=True),
    "batch": Int(16, 128, log=True),
    "optimizer": Choice("sgd", "momentum", "adam"),
    "dropout": Float(0.0, 0.5),
    "activation": Choice("relu", "tanh", "gelu"),
}
_PLAIN = {**_FIT, "width": Int(8, 128, log=True), "layers": Int(1, 3)}

TASKS = {
    task.name: task
    for task in (
        Task("digits", Space(**_PLAIN, cosine=Choice(False)), _train_digits, 300),
        Task("sentences", Space(**_PLAIN, cosine=Choice(True, False)), _train_sentences, 300),
        Task(
            "pictures", Space(**_FIT, channels=Int(2, 12, log=True), cosine=Choice(True, False)), _train_pictures, 300
        ),
    )
}

# For searches: all that a sampler may propose, so that any number of them takes no more training than one.
_GRID = Space(
    lr=Int(0, _RATES - 1),
    width=Int(0, 3),
    batch=Int(0, 1),
    layers=Int(1, 2),
    optimizer=Choice("sgd", "momentum", "adam"),
    cosine=Choice(True, False),
)
GRIDS = {
    name: Task(f"grid-{name}", _GRID, _on_grid(train), None)
    for name, train in (("digits", _train_digits), ("speech", _train_speech), ("sentences", _train_sentences))
}
