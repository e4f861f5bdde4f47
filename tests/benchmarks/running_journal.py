"""What a journal costs: for an event, for a trial, to open a long one; beside plain lines of JSON.

Run by hand: ``python -m tests.benchmarks.running_journal``, or with the name of one table: ``events``, ``study``,
``opening``; a folder after it says on which disk (the working folder's otherwise: a temporary one may lie in memory).
What is compared takes turns in one process. CPU is that of the whole process; medians of the rounds with the lowest and
the highest.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import tunekit as tk
from tunekit.core.journal import JournalFile

ROUNDS = 5
REPORTS = 20
LONG = 10_000
SPACE = {"lr": (1e-4, 1e-1, "log"), "width": (16, 128), "dropout": (0.0, 0.8)}
REPORT = {"reported": 1234, "metrics": {"score": 0.9531234567890123}}
START = {
    "started": 1234,
    "params": {"lr": 0.00123456789012, "width": 77, "dropout": 0.123456789012},
    "seed": 1790637272,
}
END = {"ended": 1234, "state": "complete", "metrics": {"score": 0.9531234567890123}, "seconds": 0.0012345678901}

Act = Callable[[], None]


def plain(path: Path, sync: bool) -> Act:
    """The same line by Python's own means: `json`, a buffered file, a flush."""
    file = path.open("a")

    def act() -> None:
        file.write(json.dumps(REPORT) + "\n")
        file.flush()
        if sync:
            os.fsync(file.fileno())

    return act


def journal(path: Path, event: dict[str, object], sync: bool) -> Act:
    """A line of a journal."""
    kept = JournalFile(path, {})
    return lambda: kept.write(event, sync=sync)


def spent(act: Act, times: int) -> tuple[float, float]:
    """CPU and wall microseconds each time."""
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        act()
    return 1e6 * (time.process_time() - cpu) / times, 1e6 * (time.perf_counter() - wall) / times


def print_events(folder: Path) -> None:
    """One row for each kind of line."""
    acts: dict[str, tuple[Act, int]] = {
        "json, flush": (plain(folder / "plain", False), 20_000),
        "journal, report": (journal(folder / "report", REPORT, False), 20_000),
        "journal, start": (journal(folder / "start", START, False), 20_000),
        "json, flush, fsync": (plain(folder / "synced", True), 100),
        "journal, end of a trial": (journal(folder / "end", END, True), 100),
    }
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in acts}
    for _ in range(ROUNDS):
        for name, (act, times) in acts.items():
            rows[name].append(spent(act, times))
    print_rows("µs a line", rows)


def study(reports: int, path: Path | None) -> Callable[[int], None]:
    """A run of that many trials that learn nothing."""

    def train(lr: float, width: int, dropout: float) -> Iterator[float]:
        for step in range(reports):
            yield lr * (step + 1)

    def run(trials: int) -> None:
        tk.Study(train, SPACE, sampler="random", seed=0, journal=path).run(trials)

    return run


def print_study(folder: Path) -> None:
    """What a study takes for a trial, in memory and with a journal."""
    rows: dict[str, list[tuple[float, float]]] = {}
    for turn in range(ROUNDS + 1):
        for reports in (1, REPORTS):
            for name in ("in memory", "journal"):
                path = folder / f"study-{turn}-{reports}.jsonl" if name == "journal" else None
                run, trials = study(reports, path), 300
                figures = spent(lambda run=run, trials=trials: run(trials), 1)  # type: ignore[misc]
                if turn:  # the first one reads modules
                    label = f"{name}, {reports} report{'s' if reports > 1 else ''}"
                    rows.setdefault(label, []).append((figures[0] / trials, figures[1] / trials))
    print_rows("µs a trial", rows)


def print_opening(folder: Path) -> None:
    """How long a journal of many trials takes until its study can go on."""
    path = folder / "long.jsonl"
    study(REPORTS, path)(100)
    first, *records = (json.loads(line) for line in path.read_text().splitlines())
    of_trials = [record for record in records if record.keys() & {"started", "reported", "ended"}]
    with path.open("w") as file:
        file.write(json.dumps(first) + "\n")
        for begin in range(0, LONG, 100):
            for record in of_trials:
                kind = next(iter(record))
                file.write(json.dumps({**record, kind: record[kind] + begin}) + "\n")
    size = path.stat().st_size
    rows: dict[str, list[tuple[float, float]]] = {}

    def opened() -> None:
        kept = tk.Study(lambda lr, width, dropout: 0.0, SPACE, sampler="random", seed=0, journal=path)
        assert len(kept.trials) == LONG

    def watched() -> None:
        assert len(tk.watch(path).trials) == LONG

    def read() -> None:
        for line in path.open():
            json.loads(line)

    for _ in range(ROUNDS):
        for name, act in {"Study(journal=)": opened, "watch(path)": watched, "json, line by line": read}.items():
            rows.setdefault(name, []).append(spent(act, 1))
    print(f"{LONG:,} trials with {REPORTS} reports each, {size / 1e6:.1f} MB\n")
    print_rows("s", {name: [(cpu / 1e6, wall / 1e6) for cpu, wall in row] for name, row in rows.items()})


def print_rows(unit: str, rows: dict[str, list[tuple[float, float]]]) -> None:
    """Medians, lowest and highest."""
    print(f"{unit:26}{'CPU':>32}{'wall':>36}")
    for name, figures in rows.items():
        cells = [
            f"{statistics.median(each):,.2f} ({min(each):,.2f} to {max(each):,.2f})"
            for each in zip(*figures, strict=True)
        ]
        print(f"{name:26}{cells[0]:>32}{cells[1]:>36}")


TABLES = {"events": print_events, "study": print_study, "opening": print_opening}

if __name__ == "__main__":
    disk = Path(sys.argv.pop()) if len(sys.argv) > 1 and sys.argv[-1] not in TABLES else Path.cwd()
    for table in sys.argv[1:] or TABLES:
        print(f"\n## {table}\n")
        with tempfile.TemporaryDirectory(dir=disk) as place:
            TABLES[table](Path(place))
