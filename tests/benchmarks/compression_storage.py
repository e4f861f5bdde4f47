"""How few bytes the weights of pruned and shared nets take, and how long that lasts.

Run by hand: ``python -m tests.benchmarks.compression_storage``; the ``.npz`` files of other nets may follow, which are
then measured instead. The nets are LeNet-300-100 and LeNet-5 on 5,000 digits, pruned by magnitude in five steps to
1.25 and 0.75 % of their weights, weights that share 2 or 4 bits, biases 4, all values in half precision; what leads
nowhere is set to zero. Everything a file needs is counted, names and shapes too, but for the entropy: that of each
tensor's numbers, knowing nothing of their places, and the values in half precision.
"""

from __future__ import annotations

import lzma
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import tunekit as tk
from tests.benchmarks.compression_nets import trained
from tunekit.compress.coding.archive import decode, encode
from tunekit.compress.network import runner
from tunekit.compress.task import last

Tensors = Mapping[str, NDArray[Any]]
RAMPS = {"LeNet-300-100": (0.9, 0.97, 0.98, 0.985, 0.9875), "LeNet-5": (0.9, 0.97, 0.985, 0.99, 0.9925)}
BITS = (2, 4)
SEEDS = 3
REPEATS = 5


def shared(name: str, seed: int) -> Iterator[tuple[int, float, Tensors]]:
    """Train, prune and share a net: the bits, the accuracy on the validation split, and the weights."""
    model, task = trained(name, seed)
    lab = tk.Compression(model, task, seed=seed)
    lab.run([tk.Prune(amount, epochs=8) for amount in RAMPS[name]])
    pruned = without_dead_ends(lab[len(RAMPS[name])].model())
    for bits in BITS:
        lab = tk.Compression(pruned, task, seed=seed)
        lab.run([tk.Prune(0.0), tk.Share(bits, epochs=4)])
        net = without_dead_ends(lab[2].model())
        net.load_state_dict({key: value.half().float() for key, value in net.state_dict().items()})
        yield bits, score(net, task), {key: value.numpy() for key, value in net.state_dict().items()}


def without_dead_ends(net: nn.Module) -> nn.Module:
    """Set to zero what no output depends on, and put units that are constant into the biases behind them."""
    layers: list[Any] = [layer for layer in net.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    for _ in layers:
        for before, after in pairwise(layers):
            with torch.no_grad():
                weight = after.weight.view(len(after.weight), len(before.weight), -1)
                silent, unheard = before.weight.flatten(1).eq(0).all(1), weight.eq(0).all(2).all(0)
                constant = before.bias.relu() if isinstance(before, nn.Linear) else before.bias
                after.bias += (weight.sum(2) * (constant * silent)).sum(1)
                weight[:, silent] = 0
                before.weight[silent | unheard] = 0
                before.bias[silent | unheard] = 0
    return net


def score(net: nn.Module, task: tk.Task) -> float:
    """The accuracy on the validation split."""
    return task.score(last(task.answers(runner(net)))).value


def numbered(array: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The distinct values and the number of each place's."""
    values, numbers = np.unique(array, return_inverse=True)
    return values, numbers.reshape(-1).astype(np.uint8)


def masked(tensors: Tensors) -> int:
    """A bitmask and half precision, packed by zlib."""
    parts = [
        np.packbits(array != 0).tobytes() + array[array != 0].astype(np.float16).tobytes() for array in tensors.values()
    ]
    return len(zlib.compress(b"".join(parts), 9)) + names(tensors)


def by_lzma(tensors: Tensors) -> int:
    """The values, and their numbers, a byte each, packed by lzma."""
    found = [numbered(array) for array in tensors.values()]
    codes = lzma.compress(b"".join(numbers.tobytes() for _, numbers in found), lzma.FORMAT_ALONE, preset=9)
    return sum(2 * len(values) for values, _ in found) + len(codes) + names(tensors)


def entropy(tensors: Tensors) -> int:
    """In bytes."""
    total = 0.0
    for array in tensors.values():
        counts = np.unique(array, return_counts=True)[1]
        total += 2 * len(counts) - (counts * np.log2(counts / counts.sum())).sum() / 8
    return round(total)


def names(tensors: Tensors) -> int:
    """Names, types and shapes, packed."""
    return len(
        zlib.compress(repr([(name, str(array.dtype), array.shape) for name, array in tensors.items()]).encode(), 9)
    )


def line(label: str, tensors: Tensors) -> str:
    """One row of the table."""
    writing, reading = [], []
    for _ in range(REPEATS):
        began = time.process_time()
        data = encode(tensors)
        between = time.process_time()
        found = decode(data)
        writing.append(between - began)
        reading.append(time.process_time() - between)
    assert all(found[name].tobytes() == array.tobytes() for name, array in tensors.items())
    whole = sum(array.nbytes for array in tensors.values())
    nonzeros = sum(np.count_nonzero(array) for array in tensors.values() if array.ndim > 1)
    return (
        f"| {label} | {nonzeros} | {whole} | {masked(tensors)} | {by_lzma(tensors)} | {entropy(tensors)} | "
        f"**{len(data)}** | {whole / len(data):.0f}x | {min(writing):.2f} | {min(reading):.2f} |"
    )


def main() -> None:
    torch.set_num_threads(1)
    print("| net | weights | raw | bitmask, zlib | codes, lzma | entropy | bytes | smaller | s to write | to read |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for path in sys.argv[1:]:
        with np.load(path) as held:
            print(line(path, dict(held)), flush=True)
    if sys.argv[1:]:
        return
    for name in RAMPS:
        for seed in range(SEEDS):
            for bits, accuracy, tensors in shared(name, seed):
                print(line(f"{name}, {bits} bits, seed {seed}, {100 * accuracy:.1f} %", tensors), flush=True)


if __name__ == "__main__":
    main()
