"""Nets of images are trained with their channels last in memory: faster, and nobody else sees it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import tunekit as tk

DATA = (torch.randn(24, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 3)


class Seen(nn.Module):
    """A convolution and a linear layer, which notes how its weights lie while it is trained."""

    def __init__(self, flatten: str) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(4 * 64, 3)
        self.flatten = flatten

    def forward(self, x: Tensor) -> Tensor:
        if self.training and torch.is_grad_enabled():
            LAST.append(self.second.weight.is_contiguous(memory_format=torch.channels_last))
        x = self.second(self.first(x).relu())
        # a view asks for the usual order of memory
        x = x.view(-1, 4 * 64) if self.flatten == "view" else x.flatten(1)
        out: Tensor = self.head(x)
        return out


LAST: list[bool] = []


@pytest.mark.parametrize("flatten", ["flatten", "view"])
def test_the_channels_come_last_in_training_where_a_net_can_be_run_so(flatten: str) -> None:
    LAST.clear()
    model = Seen(flatten)
    lab = tk.Compression(model, tk.Task(DATA, DATA, loss=nn.functional.cross_entropy), seed=0)
    lab.run([tk.FineTune(1)])
    assert lab.trials[1].state == "complete"
    assert set(LAST) == {flatten == "flatten"}
    assert all(parameter.is_contiguous() for parameter in lab[1].model().parameters())


def test_an_order_of_memory_that_somebody_chose_stays() -> None:
    LAST.clear()
    model = Seen("flatten").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lab = tk.Compression(model, tk.Task(DATA, DATA, loss=nn.functional.cross_entropy), seed=0)
    lab.run([tk.FineTune(1)])
    trained: Seen = lab[1].model()  # type: ignore[assignment]
    assert trained.second.weight.is_contiguous(memory_format=torch.channels_last)
    assert set(LAST) == {True}


def test_what_is_learned_does_not_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the order in which sums are taken."""

    def trained() -> nn.Module:
        torch.manual_seed(0)
        lab = tk.Compression(Seen("flatten"), tk.Task(DATA, DATA, loss=nn.functional.cross_entropy), seed=0)
        lab.run([tk.FineTune(2)])
        return lab[1].model()

    with_it = trained()
    monkeypatch.setattr("tunekit.compress.layout._may_change", lambda network: False)
    for one, other in zip(with_it.parameters(), trained().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
