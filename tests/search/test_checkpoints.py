"""Checkpoints: a trial goes on where it was as if nothing had happened; what is on disk is safe; folders stay tidy."""

from __future__ import annotations

import gc
import json
import random
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import tunekit as tk
from tunekit.core.history import History
from tunekit.core.trial import Trial
from tunekit.search import checkpoint
from tunekit.search.context import Context
from tunekit.search.samplers import Offspring


def net(width: int = 8, dropout: float = 0.5) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
    )


def one_epoch(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    """Dropout, shuffling by torch, noise by numpy and Python: all that a trial draws."""
    inputs = torch.linspace(-1, 1, 32 * 4).reshape(32, 4)
    for rows in torch.randperm(32).split(8):
        optimizer.zero_grad()
        wanted = inputs[rows].sum(1, keepdim=True) + float(np.random.rand()) * random.random()
        loss = (model(inputs[rows]) - wanted).square().mean()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def training(epochs: int, cut_after: Sequence[int] = (), log: list[int] | None = None, saves: bool = True) -> Any:
    """An objective; at the epochs of ``cut_after`` it is interrupted once, after the epoch, before its report."""
    cuts = list(cut_after)

    def train(lr: float, trial: Any) -> Iterator[float]:
        torch.set_num_threads(1)  # as in a worker: sums in another order differ in the last digit
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        done = trial.load(model, optimizer, schedule)
        for epoch in range(done, epochs):
            if log is not None:
                log.append(epoch)
            loss = one_epoch(model, optimizer)
            schedule.step()
            if saves:
                trial.save(model, optimizer, schedule)
            if epoch in cuts:
                cuts.remove(epoch)
                raise KeyboardInterrupt
            yield loss

    return train


def studied(objective: Callable[..., Any], **options: Any) -> tk.Study:
    space = {"lr": tk.Float(1e-3, 1e-1, log=True)}
    return tk.Study(objective, space, minimize="loss", sampler="random", **{"seed": 3, **options})


def curve(trial: Trial) -> list[float]:
    return [report["loss"] for report in trial.reports]


def as_stopped(study: tk.Study, number: int = 0) -> None:
    """The state of a trial after its process was killed, as a study that goes on finds it."""
    from tunekit.core.events import TrialEnded

    study.history.apply(TrialEnded(number, "stopped", {}, 0.0))


# A trial that goes on


@pytest.mark.parametrize("cuts", [[0], [2], [1, 3]])
def test_a_trial_that_was_cut_off_equals_the_undisturbed_one(cuts: list[int]) -> None:
    undisturbed = studied(training(5))
    undisturbed.run(2)
    log: list[int] = []
    study = studied(training(5, cuts, log))
    for _ in cuts:
        with pytest.raises(KeyboardInterrupt):
            study.run(2)
        as_stopped(study)
    study.run(2)
    assert [curve(trial) for trial in study.trials] == [curve(trial) for trial in undisturbed.trials]
    # an epoch that was not on record yet is made again, and no other
    assert sorted(log[: 5 + len(cuts)]) == sorted([*range(5), *cuts])


def test_a_stop_between_two_steps_keeps_the_checkpoint_of_the_last() -> None:
    undisturbed = studied(training(6))
    undisturbed.run(1)
    log: list[int] = []
    train = training(6, log=log)

    def stopping(lr: float, trial: Any) -> Iterator[float]:
        for score in train(lr, trial):
            if len(log) == 3:
                study.stop()
            yield score

    study = studied(stopping)
    study.run(1)
    assert study.trials[0].state == "stopped"
    study.run(1)
    assert curve(study.trials[0]) == curve(undisturbed.trials[0])
    assert log == list(range(6))


def test_a_trial_that_was_cut_off_after_its_last_step_has_nothing_left_to_do() -> None:
    study = studied(training(3))
    study.run(1)
    whole = curve(study.trials[0])
    as_stopped(study)
    study.run(1)
    assert (study.trials[0].state, curve(study.trials[0])) == ("complete", whole)
    assert study.trials[0].metrics == {"loss": whole[-1]}


def test_a_halted_trial_that_is_thawed_goes_on_from_its_checkpoint() -> None:
    log: list[int] = []

    class AtOnce:
        def decide(self, history: History, trial: Trial) -> str:
            return "halt" if len(trial.reports) == 2 else "go"

    study = studied(training(4, log=log), early_stopping=AtOnce())
    study.run(1)
    assert study.trials[0].state == "halted"
    study.thaw(0)
    study.run(1)
    assert [trial.state for trial in study.trials] == ["complete"]
    assert log == [0, 1, 2, 3]


def test_several_workers_go_on_from_the_checkpoints_of_a_run_with_one() -> None:
    undisturbed = studied(training(4))
    undisturbed.run(3)
    study = studied(training(4, [2]))
    with pytest.raises(KeyboardInterrupt):
        study.run(3)
    as_stopped(study)
    study.run(3, workers=2)
    assert [curve(trial) for trial in study.trials] == [curve(trial) for trial in undisturbed.trials]
    assert study.checkpoint(2).steps == 4


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.search.test_checkpoints import journaled, training

def killed(lr, trial):
    steps = training(5)(lr, trial)
    for step, score in enumerate(steps, 1):
        if trial.number == 1 and step == 3:  # the checkpoint of the third step is written, its report is not
            os.kill(os.getpid(), signal.SIGKILL)
        yield score

killed.__name__ = "train"
journaled(killed, Path({path!r})).run(3)
"""


def journaled(objective: Any, path: Path) -> tk.Study:
    return studied(objective, journal=path)


def test_a_study_whose_process_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "digits.jsonl"
    root = str(Path(__file__).parents[2])
    killed = subprocess.run([sys.executable, "-c", KILLED.format(root=root, path=str(path))], timeout=300)
    assert killed.returncode == -signal.SIGKILL
    log: list[int] = []
    study = journaled(training(5, log=log), path)
    study.run(3)
    undisturbed = studied(training(5))
    undisturbed.run(3)
    assert [curve(trial) for trial in study.trials] == [curve(trial) for trial in undisturbed.trials]
    assert log == [2, 3, 4, 0, 1, 2, 3, 4]
    assert study.checkpoint(1).path.parent == tmp_path / "digits.trials" / "0001"


def test_checkpoints_of_a_journal_that_is_no_more_are_not_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "digits.jsonl"
    log: list[int] = []
    for _ in range(2):
        study = journaled(training(3, log=log), path)
        study.run(1)
        del study
        gc.collect()
        path.unlink()
    assert log == [0, 1, 2] * 2


# What can be saved


def there_and_back(*things: Any, into: Sequence[Any], folder: Path) -> None:
    checkpoint.write(folder, things)
    checkpoint.commit(folder, 1, [], None)
    found = checkpoint.newest(folder)
    assert found is not None
    assert found.load(*into) == 1


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, 4)
        self.head = nn.Linear(4, 6, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("table", torch.arange(12.0).reshape(3, 4).T)
        self.register_buffer("small", torch.randn(3).to(torch.float16))
        self.register_buffer("row", self.get_buffer("table")[1])
        self.register_buffer("empty", torch.zeros(0, 3))
        self.steps = 3

    def get_extra_state(self) -> Any:
        return {"steps": self.steps}

    def set_extra_state(self, state: Any) -> None:
        self.steps = state["steps"]


def test_tied_weights_views_buffers_and_half_precision(tmp_path: Path) -> None:
    saved, target = Tied().to(torch.bfloat16), Tied().to(torch.bfloat16)
    saved.steps = 7
    there_and_back(saved, into=[target], folder=tmp_path)
    for name, tensor in saved.state_dict().items():
        found = target.state_dict()[name]
        if isinstance(tensor, torch.Tensor):
            assert found.dtype == tensor.dtype
            assert torch.equal(found, tensor), name
    assert target.head.weight is target.embed.weight
    assert target.steps == 7


def test_views_of_one_tensor_and_arrays_in_any_order(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    saved: dict[str, Any] = {"whole": whole, "row": whole[1], "turned": whole.T, "again": whole}
    saved |= {f"array {place}": np.asfortranarray(np.full((8, 9), place) * np.arange(9)) for place in range(40)}
    target: dict[str, Any] = {}
    there_and_back(saved, into=[target], folder=tmp_path)
    assert list(target) == list(saved)
    assert all((target[name] == saved[name]).all() for name in saved)


def test_the_versions_of_layers_come_along(tmp_path: Path) -> None:
    seen: list[Any] = []

    class Versioned(nn.Linear):
        _version = 7

        def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *others: Any) -> None:
            seen.append(local_metadata.get("version"))
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *others)

    there_and_back(Versioned(2, 2), into=[Versioned(2, 2)], folder=tmp_path)
    assert seen == [7]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_tensors_of_a_device_go_to_that_of_the_target(tmp_path: Path) -> None:
    saved, target = net().cuda(), net()
    optimizer, other = (torch.optim.Adam(model.parameters()) for model in (saved, target))
    saved(torch.ones(2, 4, device="cuda")).sum().backward()
    optimizer.step()
    there_and_back(saved, optimizer, into=[target, other], folder=tmp_path)
    assert {tensor.device.type for tensor in target.state_dict().values()} == {"cpu"}
    assert {state["exp_avg"].device.type for state in other.state.values()} == {"cpu"}
    one_epoch(target, other)


def test_dicts_with_numbers_of_every_kind_and_generators(tmp_path: Path) -> None:
    noise, numpys, pythons = torch.Generator().manual_seed(3), np.random.default_rng(3), random.Random(3)
    for draw in (lambda: torch.rand(2, generator=noise), numpys.random, pythons.random):
        draw()
    plain = {
        "epoch": 3, "rate": 0.1, "best": float("inf"), "name": "a", "none": None, "on": True, "sizes": (64, [1, 2]),
        4: {"of": torch.ones(2, dtype=torch.int64)}, "scale": np.float32(0.5), "array": np.arange(3),
        "a.b": torch.zeros(1), "a": {"b": torch.ones(1)},
    }  # fmt: skip
    target: dict[Any, Any] = {"other": 1}
    others = torch.Generator(), np.random.default_rng(), random.Random()
    there_and_back(plain, noise, numpys, pythons, into=[target, *others], folder=tmp_path)
    assert list(target) == list(plain)
    assert repr(target) == repr({**plain, "scale": 0.5})
    assert torch.equal(torch.rand(3, generator=others[0]), torch.rand(3, generator=noise))
    assert (others[1].random(), others[2].random()) == (numpys.random(), pythons.random())


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "one cycle": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=20, cycle_momentum=False
    ),
    "milestones": lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 2, 4], 0.5),
    "warmup, then cosine": lambda optimizer: torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=3),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9),
        ],
        [3],
    ),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad])
def test_an_optimizer_and_its_schedule_go_on_as_they_were(
    kind: Any, schedule: Callable[[Any], Any], tmp_path: Path
) -> None:
    def made() -> tuple[Any, Any, Any]:
        torch.manual_seed(0)
        model = net(dropout=0.0)
        optimizer = kind(model.parameters(), lr=0.01)
        return model, optimizer, schedule(optimizer)

    def epochs(things: tuple[Any, Any, Any], count: int) -> list[float]:
        rates = []
        for _ in range(count):
            one_epoch(things[0], things[1])
            things[2].step()
            rates.append(things[1].param_groups[0]["lr"])
        return rates

    whole, part, other = made(), made(), made()
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of a deprecated argument inside its own SequentialLR
        rates = epochs(whole, 3)
        torch.manual_seed(1)
        assert epochs(part, 3) == rates
        there_and_back(*part, into=other, folder=tmp_path)
        assert epochs(other, 5) == epochs(whole, 5)


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (object(), "nets, optimizers, schedules.*got object of type object"),
        ({"f": print}, "tensors, arrays, numbers.*0.f is print"),
        ({"a": {("b",): 1}}, "keys of a dict in a checkpoint are words and numbers: 0.a"),
        ({"t": torch.eye(2).to_sparse()}, "plain tensors: 0.t is torch.sparse_coo"),
        ({"t": torch.empty(2, device="meta")}, "plain tensors: 0.t is meta"),
        ({"t": np.array(["a"])}, "0.t is .* of type ndarray"),
    ],
)
def test_what_cannot_be_saved_says_so(thing: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=words):
        checkpoint.write(tmp_path, [thing])


def test_a_step_and_the_things_are_checked(tmp_path: Path) -> None:
    context = Context(0, None, home=tmp_path)
    with pytest.raises(ValueError, match="takes what the training goes on from: got nothing"):
        context.save()
    for step in (0, -1, True, 1.5):
        with pytest.raises(ValueError, match="a step is a whole number from 1: got step="):
            context.save({}, step=step)  # type: ignore[arg-type]


def test_the_step_that_was_given_is_what_load_gives_back() -> None:
    def train(x: float, trial: Any) -> Iterator[float]:
        for epoch in range(trial.load(state := {}), 10):
            state["epoch"] = epoch
            trial.save(state, step=epoch + 1)
            if epoch % 5 == 4:
                yield x

    study = tk.Study(train, {"x": [1, 2]}, sampler="grid")
    study.run(1)
    assert study.checkpoint(0).steps == 10


def test_a_function_that_returns_can_save_as_well() -> None:
    def train(x: float, trial: Any) -> float:
        trial.save({"x": x})
        return x

    study = tk.Study(train, {"x": [1, 2]}, sampler="grid")
    study.run(2)
    found: dict[str, Any] = {}
    assert study.checkpoint(study.best).load(found) == 1
    assert found == {"x": 2}


# What does not fit


def saved_net(folder: Path) -> checkpoint.Checkpoint:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    one_epoch(model, optimizer)
    place = folder / "0003"
    place.mkdir()
    checkpoint.write(place, [model, optimizer])
    checkpoint.commit(place, 1, [{"loss": 1.0}], None)
    found = checkpoint.newest(place)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: [net(width=9)], r"'0.weight' of thing 1 .*trial 3, Sequential, has shape \(8, 4\), here .*\(9, 4\)"),
        (lambda: [nn.Linear(4, 8)], "does not fit: it has no 'weight', 'bias'; this net has no '0.weight'"),
        (lambda: [net(), torch.optim.Adam(net().parameters())], "thing 2 of .*trial 3 is SGD, got Adam"),
        (lambda: [net(), torch.optim.SGD(nn.Linear(4, 8).parameters())], r"groups of \[6\] parameters, here .*\[2\]"),
        (lambda: [net(), torch.optim.SGD(net(9).parameters())], "momentum_buffer' of parameter 0 .*has shape"),
        (lambda: [{}], "thing 1 of the checkpoint of trial 3 is Sequential, got dict"),
        (lambda: [net(), {}], "thing 2 .* is SGD, got dict"),
        (lambda: [net(), torch.optim.SGD(net().parameters()), {}], r"holds 2 things \(Sequential, SGD\), got 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_an_error_and_changes_nothing(
    make: Callable[[], list[Any]], words: str, tmp_path: Path
) -> None:
    found, things = saved_net(tmp_path), make()
    before = [repr(thing.state_dict() if hasattr(thing, "state_dict") else thing) for thing in things]
    with pytest.raises(ValueError, match=words):
        found.load(*things)
    assert [repr(thing.state_dict() if hasattr(thing, "state_dict") else thing) for thing in things] == before


def harm(path: Path, how: str) -> None:
    record = path.with_suffix(".json")
    data = path.read_bytes()
    if how == "torn tensors":
        path.write_bytes(data[:-7])
    elif how == "no tensors":
        path.unlink()
    elif how == "torn record":
        record.write_bytes(record.read_bytes()[:-7])
    elif how == "deep record":
        record.write_text("[" * 100_000)
    elif how == "another record":
        record.write_text(json.dumps({**json.loads(record.read_text()), "reports": [{"loss": "high"}]}))
    elif how == "a later version":
        record.write_text(json.dumps({**json.loads(record.read_text()), "version": 99}))
    elif how == "a pickle":
        torch.save({"weight": torch.ones(3)}, path)
    elif how == "a long header":
        path.write_bytes((2**62).to_bytes(8, "little") + data[8:])


HARMS = ["torn tensors", "no tensors", "torn record", "deep record", "another record", "a later version", "a pickle",
         "a long header"]  # fmt: skip


@pytest.mark.parametrize("how", HARMS)
def test_a_damaged_checkpoint_is_passed_over_to_the_one_before(how: str, tmp_path: Path) -> None:
    for steps in (1, 2):
        checkpoint.write(tmp_path, [{"step": steps}])
        checkpoint.commit(tmp_path, steps, [{"loss": 1.0}] * steps, None)
    found = checkpoint.newest(tmp_path)
    assert found is not None
    harm(found.path, how)
    with pytest.warns(UserWarning, match="a damaged checkpoint is passed over.*checkpoint-000002"):
        older = checkpoint.newest(tmp_path)
    assert older is not None
    state: dict[str, Any] = {}
    assert older.load(state) == 1
    assert state == {"step": 1}


DEEP: Any = None
for _ in range(400):
    DEEP = {"list": [DEEP]}


@pytest.mark.parametrize(
    "state",
    [
        {"import": "os"}, {"tensor": "nowhere"}, {"tensor": [1]}, {"dict": {"a": 1}}, {"dict": [[["a"], 1]]}, [1],
        {"list": 3}, {"dict": [], "list": []}, "os", DEEP,
    ],
)  # fmt: skip
def test_a_hostile_structure_is_an_error(state: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    things = [{"name": "dict", "role": "dict", "state": state}]
    path = tmp_path / "checkpoint-000001.safetensors"
    save_file({}, path, {"format": checkpoint.FORMAT, "version": "1", "things": json.dumps(things)})
    with pytest.raises(ValueError, match=r"structure|tensor|mapping|dict"):
        checkpoint.Checkpoint(path, 1).load({})


# Children


def test_a_child_takes_over_momentum_and_progress_and_keeps_its_own_settings() -> None:
    seen: dict[int, Any] = {}

    def train(lr: float, trial: Any) -> Iterator[float]:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=lr / 10)
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
        done = trial.load(model, optimizer, schedule)
        seen[trial.number] = done, optimizer.param_groups[0], len(optimizer.state), schedule.last_epoch
        for _ in range(done, done + 2):
            loss = one_epoch(model, optimizer)
            schedule.step()
            trial.save(model, optimizer, schedule)
            yield loss
        seen[trial.number] += (optimizer.param_groups[0]["lr"], schedule.get_last_lr())

    class Twice:
        def propose(self, space: tk.Space, history: History, rng: Any) -> Any:
            return {"lr": 0.1} if not len(history) else Offspring({"lr": 0.02}, parent=0)

    study = tk.Study(train, {"lr": (0.01, 1.0)}, minimize="loss", sampler=Twice(), seed=0)
    study.run(2)
    assert study.trials[1].state == "complete", study.trials[1].error
    done, group, states, epoch, rate, last = seen[1]
    assert (done, states, epoch) == (2, 2, 2)
    assert (group["initial_lr"], group["weight_decay"]) == (0.02, 0.002)
    assert rate == pytest.approx(0.02 * 0.5**4)
    assert last == [rate]
    assert curve(study.trials[1])[:2] == curve(study.trials[0])
    assert len(study.trials[1].reports) == 4


def decaying_by_hand(optimizer: torch.optim.Optimizer) -> Any:
    class ByHand:
        def step(self) -> None:
            for group in optimizer.param_groups:
                group["lr"] *= 0.7

    return ByHand()


class Plateau(torch.optim.lr_scheduler.ReduceLROnPlateau):
    def step(self, *_: Any, **__: Any) -> None:
        super().step(1.0)


DECAYS = {
    **SCHEDULES,
    "plateau": lambda optimizer: Plateau(optimizer, patience=1),
    "restarts": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3),
    "own function": lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
    "by hand": decaying_by_hand,
    "one cycle": lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
        optimizer, optimizer.param_groups[0]["lr"], total_steps=20
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning:torch")
@pytest.mark.parametrize("lr", [0.1, 0.02])
@pytest.mark.parametrize("decay", DECAYS.values(), ids=list(DECAYS))
def test_the_rate_of_a_child_is_its_own_decayed_as_far(decay: Callable[[Any], Any], lr: float, tmp_path: Path) -> None:
    def made(rate: float) -> tuple[list[Any], Any]:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9)
        schedule = decay(optimizer)
        return [model, optimizer, *([schedule] if hasattr(schedule, "state_dict") else [])], schedule

    def rates(things: list[Any], schedule: Any, steps: int) -> list[float]:
        found = []
        for _ in range(steps):
            one_epoch(things[0], things[1])
            schedule.step()
            found.append(things[1].param_groups[0]["lr"])
        return found

    (parent, schedule), context = made(0.1), Context(0, None, home=tmp_path)
    context.load(*parent)
    rates(parent, schedule, 4)
    context.save(*parent)
    context.note({"loss": 1.0})
    context.commit()
    child, own = made(lr)
    assert Context(1, None, parent=0, home=tmp_path).load(*child) == 1
    expected = [rate * lr / 0.1 for rate in rates(parent, schedule, 6)]
    assert rates(child, own, 6) == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_child_with_another_optimizer_begins_with_a_new_one(tmp_path: Path) -> None:
    saved_net(tmp_path)
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    assert Context(4, 0, parent=3, home=tmp_path).load(model, optimizer) == 1
    assert not optimizer.state
    one_epoch(model, optimizer)


def test_a_parent_without_a_checkpoint_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"trial 4 goes on from trial 3, of which there is no checkpoint"):
        Context(4, 0, parent=3, home=tmp_path).load({})


# Folders


def test_without_save_there_is_no_folder() -> None:
    study = studied(training(2, saves=False))
    study.run(3)
    with pytest.raises(ValueError, match=r"trial 0 has no checkpoint: .*trial.save\(model, optimizer\)"):
        study.checkpoint(0)
    with pytest.raises(ValueError, match="there is no trial 3: the study has 3"):
        study.checkpoint(3)


def test_the_best_few_are_kept_and_a_persons_own_files_stay() -> None:
    def train(x: int, trial: Any) -> Iterator[int]:
        (trial.folder / "notes.txt").write_text("mine")
        trial.save({"x": x})
        yield x

    study = tk.Study(train, {"x": [5, 1, 4, 2, 3, 0]}, sampler="grid")
    study.run(6)
    home = study.checkpoint(0).path.parent.parent
    assert [path.parent.name for path in sorted(home.glob("*/checkpoint*.json"))] == ["0000", "0002", "0004"]
    assert len(list(home.glob("*/notes.txt"))) == 6
    with pytest.raises(ValueError, match=r"kept of the best 3 trials.*trial 1 is not among them"):
        study.checkpoint(1)


def test_of_the_trials_that_were_halted_the_best_few_can_be_thawed() -> None:
    def train(x: int, trial: Any) -> Iterator[int]:
        for _ in range(2):
            trial.save({"x": x})
            yield x

    class Early:
        def decide(self, history: History, trial: Trial) -> str:
            return "halt" if trial.number % 2 else "go"

    study = tk.Study(train, {"x": list(range(12))}, sampler="grid", early_stopping=Early())
    study.run(12)
    home = study.checkpoint(11).path.parent.parent
    assert sorted(int(path.name) for path in home.iterdir()) == [6, 7, 8, 9, 10, 11]


def test_within_a_trial_the_newest_and_the_one_before_are_kept() -> None:
    study = studied(training(5))
    study.run(1)
    names = sorted(path.name for path in study.checkpoint(0).path.parent.iterdir())
    assert names == [f"checkpoint-00000{step}.{end}" for step in (4, 5) for end in ("json", "safetensors")]


def test_without_a_journal_the_folders_go_with_the_study() -> None:
    study = studied(training(2))
    study.run(1)
    home = study.checkpoint(0).path.parent.parent
    assert home.is_dir()
    del study
    gc.collect()
    assert not home.exists()


def test_a_context_of_its_own_has_a_folder_of_its_own() -> None:
    context = Context(0, None)
    folder = context.folder
    context.save({"x": 1})
    context.commit()
    assert context.load({}) == 1
    del context
    gc.collect()
    assert not folder.exists()


def test_loading_runs_no_code_and_changes_the_callers_net_only_when_asked() -> None:
    study = studied(training(3))
    study.run(1)
    model = net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = study.checkpoint(study.best)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert (found.steps, found.load(model)) == (3, 3)
    assert not torch.equal(model.state_dict()["0.weight"], before["0.weight"])


def test_an_unseeded_study_leaves_the_callers_generators_alone() -> None:
    study = studied(training(3, [1]), seed=None)
    with pytest.raises(KeyboardInterrupt):
        study.run(1)
    as_stopped(study)
    random.seed(5)
    drawn = random.random()
    random.seed(5)

    def only_loading(lr: float, trial: Any) -> Iterator[float]:
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr)
        assert trial.load(model, optimizer) == 1
        yield random.random()

    from tunekit.search.objective import Objective

    study.objective = Objective(only_loading, study.space, ["loss"])
    study.run(1)
    assert curve(study.trials[0])[-1] == drawn
