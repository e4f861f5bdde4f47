"""What a compression did survives its process: made again with its journal it has its rows, and goes on from them."""

from __future__ import annotations

import copy
import gc
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tunekit as tk
from tests.compress.nets import NETS, build, digits, facts, state, tiny
from tests.house.tree import ROOT
from tunekit.compress import racing
from tunekit.compress.recipe import Step
from tunekit.core.journal import JournalError
from tunekit.core.trial import Trial

RECIPE: list[Step] = [
    tk.Prune(0.5, granularity="channels", epochs=1),
    tk.Prune(0.6, epochs=1),
    tk.Share(3),
    tk.Quantize(),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "net.jsonl"


def mlp(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))


def rows(lab: tk.Compression) -> list[Any]:
    return [
        (trial.number, trial.params, trial.state, trial.reports, facts(trial.metrics))
        for trial in lab.trials
        if trial.state == "complete"
    ]


def forgotten(*labs: tk.Compression) -> None:
    """As at the end of a process: nobody holds their journals."""
    for lab in labs:
        assert lab._journal is not None
        lab._journal.release()
    gc.collect()


@pytest.mark.parametrize("done", range(len(RECIPE) + 1))
def test_a_recipe_goes_on_where_it_was(path: Path, done: int) -> None:
    whole = tk.Compression(mlp(), tiny())
    whole.start(RECIPE).wait()
    first = tk.Compression(mlp(), tiny(), journal=path)
    if done:
        first.start(RECIPE[:done]).wait()
    forgotten(first)
    made: list[int] = []
    again = tk.Compression(mlp(), tiny(), journal=path)
    again.subscribe(lambda: made.extend(t.number for t in again.trials if t.state == "running"))
    said = repr(again.start(RECIPE).wait())
    assert rows(again) == rows(whole)
    x = tiny().validation.head(8)
    assert torch.equal(again[len(RECIPE)](x), whole[len(RECIPE)](x))
    assert all(number > done for number in made) or not done, "what is there is not done again"
    assert (f"{done} of 4 steps were in the journal" in said) == bool(done)


@pytest.mark.parametrize("name", sorted(NETS))
def test_each_kind_of_net_comes_back(path: Path, name: str) -> None:
    model = build(name)
    first = tk.Compression(model, digits(), journal=path)
    first.start([tk.Prune(0.3), tk.FineTune(1)]).wait()
    forgotten(first)
    before = state(model)
    again = tk.Compression(model, digits(), journal=path)
    assert rows(again) == rows(first)
    for number in (0, 1, 2):
        assert state(again[number].model()) == state(first[number].model())
        assert again.notes(number) == first.notes(number)
    first_on, again_on = (tk.Compression(model, digits()), again)
    first_on.start([tk.Prune(0.3), tk.FineTune(1), tk.Prune(0.6, epochs=1)]).wait()
    again_on.start([tk.Prune(0.6, epochs=1)], after=2).wait()
    assert rows(again_on) == rows(first_on)
    assert state(model) == before


def test_without_the_same_cells_nothing_is_taken_for_them(path: Path) -> None:
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start([tk.Prune(0.5)]).wait()
    forgotten(first)
    again = tk.Compression(mlp(), tiny(), journal=path)
    again.start([tk.Prune(0.7)]).wait()
    assert len(again.trials) == 3
    again.start([tk.Prune(0.5)]).wait()  # that of the journal
    assert len(again.trials) == 3
    again.start([tk.Prune(0.5)]).wait()  # asked for once more
    assert len(again.trials) == 4


def test_another_teacher_is_another_step(path: Path) -> None:
    def taught_by(seed: int) -> list[Any]:
        return [tk.Distill(1, teacher=mlp(seed), control=False)]

    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start(taught_by(1)).wait()
    forgotten(first)
    again = tk.Compression(mlp(), tiny(), journal=path)
    again.start(taught_by(1)).wait()
    assert len(again.trials) == 2
    again.start(taught_by(2)).wait()
    assert len(again.trials) == 3


def test_a_student_of_ones_own_is_said_to_be_gone(path: Path) -> None:
    recipe: list[Step] = [tk.Distill(1, student=nn.Sequential(nn.Linear(16, 4)), control=False)]
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start(recipe).wait()
    forgotten(first)
    again = tk.Compression(mlp(), tiny(), journal=path)
    assert rows(again) == rows(first)
    with pytest.raises(ValueError, match=r"row 1 has its figures alone: .* student .*; run its recipe again"):
        again[1]
    again.start(recipe).wait()
    assert facts(again.trials[2].metrics) == facts(again.trials[1].metrics)
    again[2]


@pytest.mark.parametrize("lost", ["0000", "0001"])
def test_a_net_that_is_gone_is_said_and_made_again(path: Path, lost: str) -> None:
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start([tk.Prune(0.5)]).wait()
    forgotten(first)
    (path.with_suffix(".rows") / lost / "net.safetensors").unlink()
    again = tk.Compression(mlp(), tiny(), journal=path)
    assert rows(again) == rows(first)
    with pytest.raises(ValueError, match="has its figures alone: its net cannot be read"):
        again[int(lost)]
    again.start([tk.Prune(0.5)]).wait()
    assert facts(again.trials[-1].metrics) == facts(first.trials[-1].metrics)
    again[len(again.trials) - 1].report  # noqa: B018


def test_the_search_for_a_budget_goes_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_SHORT", "_MIDDLE", "_LONG"):
        monkeypatch.setattr(racing, name, 1)

    def searched(lab: tk.Compression) -> str:
        said = repr(lab.start(budget=tk.Budget(size=1 / 3, drop=0.1)).wait())
        return re.sub(r"row \d+", "row", said, flags=re.IGNORECASE)  # the one that was cut off has a number, too

    whole = tk.Compression(build("conv"), digits())
    said = searched(whole)
    first = tk.Compression(build("conv"), digits(), journal=path)
    first.subscribe(lambda: first.stop() if first.state == "running" and len(first.trials) > 4 else None)
    searched(first)
    done = [trial.number for trial in first.trials if trial.state == "complete"]
    forgotten(first)
    again = tk.Compression(build("conv"), digits(), journal=path)
    assert searched(again) == said
    made = [trial.params["step"] for trial in again.trials if trial.state == "complete"]
    assert sorted(made) == sorted(trial.params["step"] for trial in whole.trials)
    assert len(made) > len(done) >= 2


KILLED = """
import os, sys
from tests.compress.test_row_journal import RECIPE, mlp, tiny
import tunekit as tk

lab = tk.Compression(mlp(), tiny(), journal=sys.argv[1])
lab.subscribe(lambda: os.kill(os.getpid(), 9) if len(lab.trials) > 2 else None)
lab.start(RECIPE).wait()
"""


def test_a_process_that_is_killed_loses_the_step_that_it_was_at(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -9
    lab = tk.Compression(mlp(), tiny(), journal=path)
    assert [trial.state for trial in lab.trials] == ["complete", "complete", "stopped"]
    lab.start(RECIPE).wait()
    whole = tk.Compression(mlp(), tiny())
    whole.start(RECIPE).wait()
    assert [facts(t.metrics) for t in lab.trials if t.state == "complete"] == [facts(t.metrics) for t in whole.trials]


FULL = """
import json, resource, sys, time
from tests.compress.test_row_journal import RECIPE, mlp, tiny
import tunekit as tk

lab = tk.Compression(mlp(), tiny(), journal=sys.argv[1])
lab.start(RECIPE[:1]).wait()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
lab.start(RECIPE[1:], after=1)
end = time.monotonic() + 60
while lab.state != "paused" and time.monotonic() < end:
    time.sleep(0.01)
said = [lab.state, lab.status().words]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
lab.wait()
print(json.dumps([*said, [trial.state for trial in lab.trials]]))
"""


def test_a_full_disk_pauses_it_and_nothing_is_lost(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], cwd=ROOT, timeout=120, check=True, capture_output=True, text=True
    )
    where, words, states = json.loads(run.stdout.splitlines()[-1])
    assert where == "paused"
    assert "too large" in words
    assert "othing is lost" in words
    assert states == ["complete"] * 5
    lab = tk.Compression(mlp(), tiny(), journal=path)
    assert [trial.state for trial in lab.trials] == states
    lab[4](tiny().validation.head(2))


def test_another_model_or_seed_is_an_error_that_says_what_differs(path: Path) -> None:
    forgotten(tk.Compression(mlp(), tiny(), journal=path))
    written = path.read_bytes()
    with pytest.raises(JournalError, match="another model"):
        tk.Compression(mlp(1), tiny(), journal=path)
    with pytest.raises(JournalError, match="another seed, 0, here it is 1"):
        tk.Compression(mlp(), tiny(), seed=1, journal=path)
    study = path.with_name("study.jsonl")
    tk.Study(lambda x: x, {"x": (0.0, 1.0)}, journal=study)
    with pytest.raises(JournalError, match="is the journal of a study"):
        tk.Compression(mlp(), tiny(), journal=study)
    with pytest.raises(JournalError, match="journal of a compression"):
        tk.Study(lambda x: x, {"x": (0.0, 1.0)}, journal=path)
    with pytest.raises(JournalError, match="Compression\\(model, task, journal="):
        tk.watch(path)
    assert path.read_bytes() == written


def test_other_data_are_an_error_before_anything_is_done(path: Path) -> None:
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start([tk.Prune(0.5)]).wait()
    forgotten(first)
    x, y = tiny().validation.head(64), torch.zeros(64, dtype=torch.long)
    again = tk.Compression(mlp(), tiny(validation=(x, y)), journal=path)
    with pytest.raises(ValueError, match="goes on with the data that it began with: there the original has accuracy"):
        again.start([tk.Prune(0.7)]).wait()
    assert len(again.trials) == 2


def test_a_newer_compression_takes_an_idle_ones_journal_over(path: Path) -> None:
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start([tk.Prune(0.5)]).wait()
    second = tk.Compression(copy.deepcopy(mlp()), tiny(), journal=path)
    with pytest.raises(RuntimeError, match="goes on in a newer compression"):
        first.start([tk.Prune(0.7)])
    assert rows(second) == rows(first)


def test_it_says_what_it_has_before_it_runs(path: Path) -> None:
    first = tk.Compression(mlp(), tiny(), journal=path)
    first.start([tk.Prune(0.5)]).wait()
    forgotten(first)
    again = tk.Compression(mlp(), tiny(), journal=path)
    assert again.status().words == "2 rows from the journal."
    assert "Prune(0.5)" in repr(again)


def test_a_relative_journal_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lab = tk.Compression(mlp(), tiny(), journal="net.jsonl")
    (tmp_path / "elsewhere").mkdir()
    os.chdir("elsewhere")
    lab.start([tk.Prune(0.5)]).wait()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["elsewhere", "net.jsonl", "net.rows"]


def test_trials_are_plain(path: Path) -> None:
    lab = tk.Compression(mlp(), tiny(), journal=path)
    lab.start([tk.Prune(0.5)]).wait()
    forgotten(lab)
    again = tk.Compression(mlp(), tiny(), journal=path)
    for one, other in zip(lab.trials, again.trials, strict=True):
        assert isinstance(other, Trial)
        assert one.metrics == other.metrics, "latencies too"
        assert one.params == other.params
