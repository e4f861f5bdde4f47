"""Tiny torch nets on scikit-learn's digits: real training with parameters of every kind, in 10 to 60 ms."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np

from tunekit.search.parameters import Choice, Float, Int
from tunekit.search.space import Space

# Samples to train on, and as many to validate on.
_SAMPLES = 500
_STEPS = 40

NETS_SPACE = Space(
    lr=Float(1e-4, 1.0, log=True),
    width=Int(4, 64, log=True),
    layers=Int(1, 3),
    activation=Choice("relu", "tanh", "gelu"),
    optimizer=Choice("sgd", "momentum", "adam", "rmsprop"),
    batch=Int(16, 128, log=True),
    dropout=Float(0.0, 0.5),
    weight_decay=Float(1e-6, 1e-1, log=True),
    normalise=Choice(True, False),
    cosine=Choice(True, False),
)


@cache
def _digits(normalise: bool) -> tuple[Any, Any, Any, Any]:
    """Training inputs and targets, then those of the validation."""
    import torch
    from sklearn.datasets import load_digits

    inputs, targets = load_digits(return_X_y=True)
    chosen = np.random.default_rng(1).permutation(len(inputs))[: 2 * _SAMPLES]
    inputs, targets = inputs[chosen], targets[chosen]
    if normalise:
        training = inputs[:_SAMPLES]
        inputs = (inputs - training.mean(axis=0)) / (training.std(axis=0) + 1e-3)
    x, y = torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets)
    return x[:_SAMPLES], y[:_SAMPLES], x[_SAMPLES:], y[_SAMPLES:]


def _net(width: int, layers: int, activation: str, dropout: float) -> Any:
    from torch import nn

    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
    steps: list[Any] = []
    inputs = 64
    for _ in range(layers):
        steps += [nn.Linear(inputs, width), kinds[activation](), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*steps, nn.Linear(inputs, 10))


def _optimizer(name: str, parameters: Any, lr: float, weight_decay: float) -> Any:
    from torch import optim

    if name == "adam":
        return optim.AdamW(parameters, lr, weight_decay=weight_decay)
    if name == "rmsprop":
        return optim.RMSprop(parameters, lr, weight_decay=weight_decay)
    return optim.SGD(parameters, lr, momentum=0.9 if name == "momentum" else 0.0, weight_decay=weight_decay)


def trained(
    lr: float,
    width: int,
    layers: int,
    activation: str,
    optimizer: str,
    batch: int,
    dropout: float,
    weight_decay: float,
    normalise: bool,
    cosine: bool,
) -> tuple[float, int]:
    """Accuracy on the validation samples after a fixed number of steps, and the number of the net's parameters."""
    import torch
    from torch.nn import functional

    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y, validation_x, validation_y = _digits(normalise)
        net = _net(width, layers, activation, dropout)
        updates = _optimizer(optimizer, net.parameters(), lr, weight_decay)
        for step in range(_STEPS):
            if cosine:
                updates.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / _STEPS))
            chosen = torch.randint(_SAMPLES, (batch,))
            updates.zero_grad()
            functional.cross_entropy(net(x[chosen]), y[chosen]).backward()
            updates.step()
        net.eval()
        with torch.no_grad():
            right = net(validation_x).argmax(dim=1) == validation_y
    return float(right.double().mean()), sum(parameter.numel() for parameter in net.parameters())


def train_net(**settings: Any) -> float:
    """The accuracy alone."""
    return trained(**settings)[0]
