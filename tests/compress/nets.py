"""Small nets, small tasks and small helpers that the tests of compression share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from tunekit.compress.inputs import Inputs
from tunekit.compress.task import Task

DATA = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "mnist5k.npz"


class Recurrent(nn.Module):
    """Reads an image row by row."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.body = getattr(nn, kind)(14, 24, batch_first=True)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(x.squeeze(1))[0][:, -1])
        return out


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(16, 16)
        self.second = nn.Linear(16, 16)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(torch.relu(self.first(x)))
        return out


class Backwards(nn.Module):
    """Reads a layer's weight a second time, turned and without the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(16, 8), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.layer(x))
        out: Tensor = self.head(nn.functional.linear(hidden, self.layer.weight.t()))
        return out


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(196, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)
    )


def conv() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def small() -> nn.Module:
    """A net for pairs of steps: all kinds of things in it, hardly any weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Linear(16, 24, bias=False),
            nn.BatchNorm1d(24),
            nn.ReLU(),
            nn.Linear(24, 24),
            nn.ReLU(),
            nn.Linear(24, 4),
        )


NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "conv": conv,
    "lstm": lambda: Recurrent("LSTM"),
    "gru": lambda: Recurrent("GRU"),
}


def build(name: str, seed: int = 0) -> nn.Module:
    """A net with weights that depend on the seed only; the global stream is left as it is."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    model = NETS[name]()
    torch.set_rng_state(state)
    return model


def images() -> tuple[Tensor, Tensor]:
    """Real digits, 14 x 14, in a fixed random order; drawn ones where the file is not there."""
    if DATA.exists():
        with np.load(DATA) as data:
            x, y = torch.from_numpy(data["x"]).float()[:, None] / 255, torch.from_numpy(data["y"]).long()
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:900]
        return avg_pool2d(x[order], 2), y[order]
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 10, (900,), generator=generator)
    return torch.rand(10, 1, 14, 14, generator=generator)[y] + 0.3 * torch.rand(900, 1, 14, 14, generator=generator), y


def digits(**settings: Any) -> Task:
    x, y = images()
    parts: dict[str, Any] = {
        "train": (x[:400], y[:400]),
        "validation": (x[400:650], y[400:650]),
        "test": (x[650:], y[650:]),
        "loss": cross_entropy,
    }
    return Task(**(parts | settings))


def only(x: Inputs) -> Tensor:
    """The one tensor that such inputs are."""
    assert isinstance(x, Tensor)
    return x


def tiny(features: int = 16, classes: int = 4, **settings: Any) -> Task:
    """Points that need no thinking: 64 of them."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, features, generator=generator)
    y = x[:, :classes].argmax(1)
    parts: dict[str, Any] = {"train": (x, y), "validation": (x, y), "test": (x, y), "loss": cross_entropy}
    return Task(**(parts | settings))


def by_hand(
    kind: Callable[..., torch.optim.Optimizer] = torch.optim.Adam, **settings: float
) -> Callable[[nn.Module, Task, int], Iterator[None]]:
    """A training loop of the user's own, with any optimizer."""

    def fit(model: nn.Module, task: Task, epochs: int) -> Iterator[None]:
        optimizer = kind(model.parameters(), **settings)
        for _ in range(epochs):
            for x, y in task.batches(torch.Generator().manual_seed(0)):
                optimizer.zero_grad()
                task.loss(model(only(x)), y).backward()
                optimizer.step()
                yield

    return fit


def state(model: nn.Module) -> list[tuple[str, str, bytes, bool]]:
    """Every byte of a model, with what else could be changed on it."""
    return [
        (name, str(tensor.dtype), tensor.detach().numpy().tobytes(), tensor.requires_grad)
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]
    ] + [(name, str(len(module._forward_hooks)), b"", module.training) for name, module in model.named_modules()]


def facts(metrics: Any) -> dict[str, float]:
    """The figures that no clock takes part in."""
    return {name: value for name, value in metrics.items() if not name.startswith("latency_")}
