"""A recipe that cannot be done to its end is refused before anything is trained."""

from __future__ import annotations

import pytest
from torch import nn

import tunekit as tk
from tests.compress.nets import build, digits, facts, tiny
from tunekit.compress.recipe import Step

LATE: dict[str, list[Step]] = {
    "no blocks": [tk.FineTune(1), tk.Prune(0.5, granularity="blocks", of="macs")],
    "no such layer": [tk.FineTune(1), tk.Prune(0.5, granularity="channels", layers=("0", "nowhere"))],
    "all excluded": [tk.Prune(0.5, epochs=1), tk.Prune(0.5, granularity="channels", exclude=("0", "2", "4"))],
    "norm before its layer": [tk.Prune(0.3, granularity="channels", epochs=1), tk.Fold()],
}


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def unfoldable() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.BatchNorm1d(12), nn.Linear(12, 4))


@pytest.mark.parametrize("case", LATE)
def test_what_cannot_be_done_is_said_before_anything_is_trained(case: str) -> None:
    lab = tk.Compression(unfoldable() if case.startswith("norm") else mlp(), tiny())
    with pytest.raises(ValueError, match=r"step 2 of 2 steps, .* cannot be done, so nothing was trained for it: "):
        lab.run(LATE[case])
    assert [trial.params["step"] for trial in lab.trials] == ["original"]
    lab.run([tk.FineTune(1)])  # and the lab goes on
    assert lab.trials[-1].state == "complete"


def test_a_first_step_that_cannot_be_done_has_a_row_with_its_error() -> None:
    lab = tk.Compression(mlp(), tiny())
    assert "failed" in repr(lab.run([tk.Prune(0.5, granularity="blocks"), tk.FineTune(1)]))
    assert [trial.state for trial in lab.trials] == ["complete", "failed"]


def test_a_rehearsal_changes_nothing_of_what_comes_out() -> None:
    steps: list[Step] = [tk.FineTune(1), tk.Prune(0.5, granularity="channels", criterion="taylor", epochs=1)]
    together, apart = tk.Compression(build("conv"), digits()), tk.Compression(build("conv"), digits())
    together.run(steps)
    apart.run(steps[:1])
    apart.run(steps[1:], after=1)
    assert [facts(trial.metrics) for trial in together.trials] == [facts(trial.metrics) for trial in apart.trials]
