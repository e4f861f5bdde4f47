"""Nothing is lost: processes that are killed, disks that are full, files that are torn, two writers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tunekit as tk
from tunekit.core.journal import JournalHeld

SPACE = {"x": (0.0, 1.0), "n": (1, 9), "act": ["relu", "gelu"]}


def rise(x: float, n: int, act: str) -> Any:
    """Four steps; a third of the trials fails at the third one."""
    for step in range(4):
        if step == 2 and n % 3 == 0:
            raise ArithmeticError(f"at step {step}")
        yield x * step + n + (act == "gelu")


def study(journal: Path | None = None, objective: Callable[..., Any] = rise, **settings: Any) -> tk.Study:
    return tk.Study(objective, SPACE, **{"sampler": "random", "seed": 0, "journal": journal, **settings})


def facts(trials: Any) -> list[tuple[Any, ...]]:
    """What counts of trials: all but the time they took and where in the code they failed."""
    return [
        (trial.number, dict(trial.params), trial.seed, trial.state, trial.reports, dict(trial.metrics), trial.reason)
        for trial in trials
    ]


def script(code: str, *arguments: object, timeout: float = 90) -> Any:
    """What a fresh process says last, as JSON."""
    run = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, timeout=timeout
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


# Killed

# A server forks off one life of the study after the other and kills it; a life says what it was told is done. Every
# second one is killed as it opens the journal or soon after, the others some time after their first trial has ended: so
# no trial dies three times.
LIVES = """
import json, os, random, select, signal, sys, time
from pathlib import Path
import tunekit as tk

path, sampler, trials, kills, chance = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
chance = random.Random(chance)
tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler=sampler, seed=0).run(4)  # reads the modules

def live(say):
    def objective(x, n, act, trial):
        os.write(say, f"{trial.number} 0 0\\n".encode())
        for step in range(3):
            time.sleep(0.001)
            yield x * step + n + (act == "gelu")
            os.write(say, f"{trial.number} {step + 1} 0\\n".encode())

    space = {"x": (0.0, 1.0), "n": (1, 9), "act": ["relu", "gelu"]}
    study = tk.Study(objective, space, sampler=sampler, seed=0, journal=path)
    ended = lambda: sum(trial.state not in ("running", "stopped") for trial in study.trials)
    study.subscribe(lambda: os.write(say, f"0 0 {ended()}\\n".encode()))
    study.run(trials)

def heard(listen, until):
    said, end = b"", time.monotonic() + 60
    while not until(said) and time.monotonic() < end:
        if select.select([listen], [], [], 0.05)[0]:
            more = os.read(listen, 65536)
            if not more:
                break
            said += more
    return said

def has_ended_one(said):
    \"\"\"Whether a trial has ended in this life.\"\"\"
    ends = [int(line.split()[2]) for line in said.splitlines()[:-1] if line.startswith(b"0 0 ")]
    return bool(ends) and ends[-1] > ends[0]

def lost(said, before, after):
    \"\"\"What a life was told is done and the file does not have.\"\"\"
    told = [tuple(map(int, line.split())) for line in said.splitlines() if line.count(b" ") == 2]
    mine = [json.loads(line) for line in after[len(before):].splitlines(keepends=True) if line.endswith(b"\\n")]
    everything = [json.loads(line) for line in after.splitlines(keepends=True) if line.endswith(b"\\n")]
    state = {}
    for record in everything:
        if "ended" in record:
            state[record["ended"]] = record["state"]
        elif "started" in record:
            state[record["started"]] = "running"
    ended = sum(each not in ("running", "stopped") for each in state.values())
    missing = []
    for number, steps, ends in told:
        begun = any(record.get("started") == number for record in mine)
        there = sum(record.get("reported") == number for record in mine)
        if ends > ended or (steps and (not begun or there < steps)):
            missing.append((number, steps, ends))
    return missing

killed, missing, events = 0, [], 0
while True:
    before = path.read_bytes() if path.exists() else b""
    listen, say = os.pipe()
    life = os.fork()
    if life == 0:
        os.close(listen)
        live(say)
        os._exit(0)
    os.close(say)
    said = b""
    if killed < kills:
        if killed % 2:
            said += heard(listen, has_ended_one)
        time.sleep(chance.random() * 0.015)
        os.kill(life, signal.SIGKILL)
    said += heard(listen, lambda said: False)
    os.close(listen)
    _, status = os.waitpid(life, 0)
    after = path.read_bytes() if path.exists() else b""
    assert after.startswith(before[: before.rfind(b"\\n") + 1])
    missing += lost(said, before[: before.rfind(b"\\n") + 1], after)
    events += said.count(b"\\n")
    killed += os.WIFSIGNALED(status)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0
        break
print(json.dumps([killed, events, missing]))
"""


def landscape(x: float, n: int, act: str) -> Any:
    """As in the lives."""
    for step in range(3):
        yield x * step + n + (act == "gelu")


@pytest.mark.parametrize(("sampler", "trials", "kills"), [("random", 300, 40), ("bayes", 24, 10)])
def test_killed_at_any_moment_nothing_that_was_acknowledged_is_lost_and_the_study_is_the_same(
    tmp_path: Path, sampler: str, trials: int, kills: int
) -> None:
    path = tmp_path / "killed.jsonl"
    killed, events, missing = script(LIVES, path, sampler, trials, kills, sampler, timeout=300)
    assert killed == kills, "the study was over before it was killed so often"
    assert events > 3 * trials
    assert missing == []
    undisturbed = study(objective=landscape, sampler=sampler)
    undisturbed.run(trials)
    assert facts(study(path, landscape, sampler=sampler).trials) == facts(undisturbed.trials)


DEADLY = """
import os, signal, sys
import tunekit as tk

def objective(x):
    yield x
    if len(study.trials) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=sys.argv[1])
study.run(5)
"""


def test_a_trial_that_kills_the_process_is_not_run_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "deadly.jsonl"
    for _ in range(3):
        run = subprocess.run([sys.executable, "-c", DEADLY, str(path)], capture_output=True, timeout=60)
        assert run.returncode == -9, run.stderr
    new = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
    assert [trial.state for trial in new.trials] == ["complete", "complete", "failed"]
    assert "killed 3 times" in str(new.trials[2].reason)
    new.run(5)
    assert [trial.state for trial in new.trials] == ["complete", "complete", "failed", "complete", "complete"]


# Torn


def test_cut_at_any_byte_of_its_last_lines_it_goes_on_to_the_same_study(tmp_path: Path) -> None:
    path, torn = tmp_path / "whole.jsonl", tmp_path / "torn.jsonl"
    whole = study(path)
    whole.run(4)
    written = path.read_bytes()
    lines = written.splitlines(keepends=True)
    for size in range(len(written) - len(lines[-1]) - len(lines[-2]), len(written)):
        torn.write_bytes(written[:size])
        again = study(torn)
        assert facts(again.trials[:3]) == facts(whole.trials[:3])
        again.run(4)
        assert facts(again.trials) == facts(whole.trials), f"cut at byte {size}"


# A disk that takes no more

FULL = """
import json, resource, sys, threading, time, warnings
from pathlib import Path
import tunekit as tk

path, then = Path(sys.argv[1]), sys.argv[2]

def objective(x):
    for step in range(20):
        time.sleep(0.002)
        yield x * step

def until(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)

study = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 700, hard))
study.start(3)
until(lambda: study.state == "paused")
said = [study.state, study.status().words, len(study.trials[0].reports)]
whole = path.read_bytes().endswith(b"\\n")
if then == "goes on":
    study.resume()
    until(lambda: study.state == "paused")
    said.append(study.state)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    study.resume()
    study.wait()
    warned = ""
else:
    study.stop()
    until(lambda: study.is_over)
    said.append(study.state)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            study.wait()
        except Exception as error:
            warned = str(error)
        else:
            warned = " ".join(str(each.message) for each in caught)
print(json.dumps([said, whole, warned]), flush=True)
"""


def slow(x: float) -> Any:
    """As in the full disk, without the waiting."""
    for step in range(20):
        yield x * step


def on_a_full_disk(path: Path, then: str) -> Any:
    return script(FULL, path, then)


def test_a_full_disk_pauses_the_study_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    said, whole, _ = on_a_full_disk(path, "goes on")
    state, words, reports, again = said
    assert (state, again, whole) == ("paused", "paused", True)
    assert "too large" in words, "the reason of the system is told"
    assert "othing is lost" in words
    assert reports > 3
    undisturbed = tk.Study(slow, {"x": (0.0, 1.0)}, sampler="random", seed=0)
    undisturbed.run(3)
    kept = tk.Study(slow, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
    assert facts(kept.trials) == facts(undisturbed.trials)


def test_stopped_on_a_full_disk_it_ends_and_says_what_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    said, whole, warned = on_a_full_disk(path, "stops")
    assert (said[0], said[-1], whole) == ("paused", "over", True)
    assert "too large" in warned
    assert "event" in warned
    kept = tk.Study(slow, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
    assert [trial.state for trial in kept.trials] == ["stopped"]
    kept.run(3)
    assert [trial.state for trial in kept.trials] == ["complete"] * 3


def test_a_new_journal_on_a_full_disk_is_an_error_and_later_a_journal(tmp_path: Path) -> None:
    code = """
import json, resource, sys
import tunekit as tk

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
try:
    tk.Study(lambda x: x, {"x": (0.0, 1.0)}, journal=sys.argv[1])
except Exception as error:
    said = str(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
study = tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", journal=sys.argv[1])
study.run(1)
print(json.dumps([said, len(study.trials)]))
"""
    said, trials = script(code, tmp_path / "new.jsonl")
    assert "too large" in said
    assert trials == 1


# Two writers

SECOND = """
import json, sys
import tunekit as tk

try:
    tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=sys.argv[1])
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def test_a_second_kernel_is_refused_and_the_first_does_not_notice(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    refused: list[Any] = []

    def objective(x: float) -> float:
        if not refused:
            refused.append(script(SECOND, path))
        return x

    new = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
    new.run(2)
    name, words = refused[0]
    assert name == "JournalHeld"
    assert str(path) in words
    assert [trial.state for trial in new.trials] == ["complete", "complete"]


def test_another_study_of_the_same_process_is_refused_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    refused: list[str] = []

    def objective(x: float) -> float:
        if not refused:
            with pytest.raises(JournalHeld, match=str(path)) as caught:
                tk.Study(lambda x: x, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
            refused.append(str(caught.value))
        return x

    new = tk.Study(objective, {"x": (0.0, 1.0)}, sampler="random", seed=0, journal=path)
    new.run(2)
    assert "stop()" in refused[0]
    assert [trial.state for trial in new.trials] == ["complete", "complete"]
