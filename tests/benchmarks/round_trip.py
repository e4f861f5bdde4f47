"""Whether what is saved comes back bit for bit: every net, with every step and every pair of steps.

Run by hand: ``python -m tests.benchmarks.round_trip``; names of nets may follow. The nets of the compression benchmark
with random weights, and the small ones of every kind; few examples, one epoch. Each is saved and loaded on its own, and
into a fresh model where it has a PyTorch network; both have to give the same outputs as before.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

import tunekit as tk
from tests.benchmarks.compression_nets import NETS
from tests.compress.step_suites import EXAMPLES
from tests.compress.zoo import ZOO
from tunekit.compress.inputs import call

EXAMPLES_OF_A_TASK = 64


def nets() -> dict[str, tuple[Callable[[], nn.Module], Callable[[], tk.Task]]]:
    """How to make each net, the same each time, and its task."""
    small = {name: (kind.model, kind.task) for name, kind in ZOO.items()}
    return {name: (_seeded(make), _few(make_task)) for name, (make, make_task, _) in NETS.items()} | small


def _seeded(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    def model() -> nn.Module:
        torch.manual_seed(0)
        return make()

    return model


def _few(make_task: Callable[[], tk.Task]) -> Callable[[], tk.Task]:
    def task() -> tk.Task:
        whole = make_task()
        x, targets = next(whole.batches(torch.Generator().manual_seed(0)))
        data = x[:EXAMPLES_OF_A_TASK], targets[:EXAMPLES_OF_A_TASK]
        return tk.Task(data, data, loss=whole.loss, metric=whole.metric)

    return task


def recipes() -> Iterator[tuple[str, ...]]:
    """Every step alone, and after every other."""
    for name in EXAMPLES:
        yield (name,)
        yield from ((first, name) for first, before in EXAMPLES.items() if not before.last)


def outcome(model: Callable[[], nn.Module], task: tk.Task, recipe: Sequence[str]) -> str:
    """``"held"``, or what was said or went wrong."""
    steps = [EXAMPLES[name] for name in recipe]
    lab = tk.Compression(model(), task)
    try:
        lab.run(steps, show=False)
    except ValueError as error:
        return f"not applicable: {error}"
    if (failed := lab.trials[-1]).state != "complete":
        return f"FAILED: {(failed.error or '').strip().splitlines()[-1]}"
    row, x = lab[len(steps)], task.validation.head(20)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        row.save(f"{folder}/net.tunekit")
        same = [_same(tk.load(f"{folder}/net.tunekit")(x), row(x))]
        if not steps[-1].last:
            same.append(_same(call(tk.load(f"{folder}/net.tunekit", model=model()), x), call(row.model(), x)))
    return "held" if all(same) else "FAILED: other outputs"


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one, other)


def main(names: Sequence[str]) -> None:
    """Print a line for each net, and below it whatever did not hold."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for name, (model, make_task) in nets().items():
        if names and name not in names:
            continue
        task = make_task()
        found = {recipe: outcome(model, task, recipe) for recipe in recipes()}
        count = Counter(said.partition(":")[0] for said in found.values())
        print(f"{name}: {', '.join(f'{number} {what}' for what, number in count.items())}", flush=True)
        for said in dict.fromkeys(said for said in found.values() if said != "held"):
            several = [" then ".join(recipe) for recipe, one in found.items() if one == said]
            print(f"    {said} ({len(several)}: {', '.join(several[:3])})", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
