from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tunekit.compress.exporter import export
from tunekit.compress.onnx_memory import memory_bytes
from tunekit.compress.quantization import int8

FLOAT = 4
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    # weights and biases, and at one time the widest pair of a layer's input and output
    "two layers": (
        lambda: nn.Sequential(nn.Linear(8, 100), nn.Linear(100, 4)),
        (8,),
        FLOAT * (8 * 100 + 100 + 100 * 4 + 4 + (8 + 100)),
    ),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.ReLU()),
        (1, 10, 10),
        FLOAT * (4 * 9 + 2 * 4 * 100),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_exact_where_one_can_count_by_hand(name: str) -> None:
    make, shape, expected = CASES[name]
    assert memory_bytes(export(make().eval(), torch.randn(3, *shape))) == expected


def test_what_is_read_later_is_kept_alive() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(50, 50, bias=False), nn.Linear(50, 50, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.relu(self.second(torch.relu(self.first(x))))

    plain = nn.Sequential(nn.Linear(50, 50, bias=False), nn.ReLU(), nn.Linear(50, 50, bias=False), nn.ReLU())
    x = torch.randn(2, 50)
    assert memory_bytes(export(Skip().eval(), x)) == memory_bytes(export(plain.eval(), x)) + FLOAT * 50


def test_int8_weights_take_a_quarter() -> None:
    layer, x = nn.Linear(200, 100, bias=False).eval(), torch.randn(64, 200)
    whole = export(layer, x)
    for made in (int8.dynamic(whole, convolutions=False), int8.static(whole, x)):
        assert memory_bytes(made.file) < 0.35 * memory_bytes(whole)


def test_weights_that_are_only_stored_in_int8_are_floats_in_memory() -> None:
    layer, x = nn.Linear(200, 100, bias=False).eval(), torch.randn(64, 200)
    whole = export(layer, x)
    assert memory_bytes(int8.stored(whole, "int8").file) == memory_bytes(whole)
