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
from typing import Any

import numpy as np

from tests.benchmarks.search_cache import remembered
from tests.house.tree import ROOT
from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

EPOCHS = 27
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
        How many random settings its table has.
    """

    name: str
    space: Space
    train: Callable[..., Curve]
    count: int

    def curve(self, params: Mapping[str, Any]) -> Curve:
        """The curve of these settings, trained at most once."""
        curve: Curve = remembered(f"curve-{self.name}", self.train)(params)
        return curve

    def table(self) -> list[tuple[dict[str, Any], Curve]]:
        """Random settings with their curves, the same each time."""
        rng = np.random.default_rng(0)
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
