"""Runs of a method on a line: made once, kept as one JSON line each, read again by whoever makes a table."""

from __future__ import annotations

import argparse
import fcntl
import itertools
import json
import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from tests.benchmarks.search_peers import METHODS, Method
from tunekit.core.goal import Goal
from tunekit.search.space import Space


@dataclass(frozen=True)
class Run:
    """What came of one run.

    Parameters
    ----------
    line, method, seed
        Which run it is.
    figures
        One mapping for each trial, in the order of their ends: for a search of one score ``observed``, what the method
        was told, and ``true``, the score without noise; otherwise all metrics by name.
    seconds
        The processor time of the method itself, over all trials: asking and telling, no evaluation.
    error
        What the method raised, if it did; the figures are those until then.
    """

    line: str
    method: str
    seed: int
    figures: list[dict[str, float]]
    seconds: float
    error: str | None = None


class Runs:
    """All runs of one benchmark, in a file of JSON lines that several processes may extend at once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[Run]:
        """The runs, each (line, method, seed) once: the last one counts."""
        if not self.path.exists():
            return iter(())
        runs = (Run(**json.loads(line)) for line in self.path.read_text().splitlines())
        return iter({(run.line, run.method, run.seed): run for run in runs}.values())

    def add(self, run: Run) -> None:
        """Write one more."""
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(json.dumps(asdict(run)) + "\n")

    def drop(self, method: str) -> None:
        """Forget the runs of a method."""
        if not self.path.exists():
            return
        with self.path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            kept = [line for line in file if json.loads(line)["method"] != method]
            file.seek(0)
            file.truncate()
            file.writelines(kept)


@dataclass(frozen=True)
class Chosen:
    """A method as the command line names it: ``label=name`` keeps a variant's runs under a label of its own."""

    label: str
    name: str
    python: str | None = None

    def begin(self, space: Space, goal: Goal, seed: int) -> Method:
        entry = METHODS[self.name]
        if entry.outside is None:
            return entry.begin(space, goal, seed)
        return entry.begin(space, goal, seed, entry.outside, self.python)


def chosen(words: list[str], pythons: list[str]) -> list[Chosen]:
    """The methods that the command line names; those that live elsewhere need their Python."""
    homes = dict(word.split("=", 1) for word in pythons)
    found = []
    for word in words:
        label, _, name = word.rpartition("=")
        if name not in METHODS:
            raise SystemExit(f"unknown method {name!r}: the known ones are {', '.join(METHODS)}")
        if METHODS[name].outside and name not in homes:
            raise SystemExit(f"{name} needs the Python of its own environment: --python {name}=/path/to/python")
        found.append(Chosen(label or name, name, homes.get(name)))
    return found


class Named(Protocol):
    """What is asked of a line here."""

    @property
    def name(self) -> str:
        """Its name on the command line."""


Line = TypeVar("Line", bound=Named)


def command(doc: str | None, lines: Collection[str], methods: list[str], trials: int) -> argparse.ArgumentParser:
    """The options that all benchmarks of searches have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", nargs="+", choices=list(lines), default=list(lines), metavar="LINE")
    parser.add_argument("--methods", nargs="+", default=methods, metavar="METHOD")
    parser.add_argument("--python", nargs="+", default=[], metavar="METHOD=PATH")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=30, help="one more than the last seed")
    parser.add_argument("--trials", type=int, default=trials)
    parser.add_argument("--fresh", nargs="+", default=[], metavar="METHOD", help="forget these methods' runs first")
    parser.add_argument("--table", action="store_true", help="only print")
    return parser


def run_missing(
    runs: Runs,
    lines: Iterable[Line],
    arguments: argparse.Namespace,
    make: Callable[[Line, Chosen, int, int], Run],
    wanted: Callable[[Line, str, int], bool],
    most: Callable[[Line], int | None] = lambda line: None,
) -> None:
    """Make the runs that are wanted and not there, seed by seed: all lines and methods at one seed, then the next.

    ``make`` makes one of a line, a method, a seed and a number of trials; ``most`` says of a line that more trials than
    that say nothing new.
    """
    for label in arguments.fresh:
        runs.drop(label)
    methods = [] if arguments.table else chosen(arguments.methods, arguments.python)
    made = {(run.line, run.method, run.seed): math.inf if run.error else len(run.figures) for run in runs}
    for seed, line, method in itertools.product(range(arguments.first, arguments.seeds), list(lines), methods):
        trials = min(arguments.trials, most(line) or arguments.trials)
        if made.get((line.name, method.label, seed), 0) >= trials or not wanted(line, method.name, seed):
            continue
        run = make(line, method, seed, trials)
        runs.add(run)
        print(f"{line.name} {method.label} seed {seed}: {run.seconds:.1f} s", run.error or "", flush=True)


def print_failures(runs: Runs) -> None:
    """The runs that the method itself ended by an error: they are in no figure above."""
    for run in runs:
        if run.error is not None:
            print(f"{run.line} {run.method} seed {run.seed}: raised after {len(run.figures)} trials: {run.error}")


def drive(
    run: Method,
    evaluate: Callable[[Mapping[str, Any], int], tuple[dict[str, float], dict[str, float]]],
    trials: int,
    workers: int,
) -> tuple[list[dict[str, float]], float, str | None]:
    """Run a method: the figures of its trials, its own seconds, and its error if it raised one.

    ``evaluate`` gives, for settings and a trial's number, what the method is told and what is written down. With
    several workers, that many trials run at any time; the one that began first ends first.
    """
    figures: list[dict[str, float]] = []
    running: deque[tuple[int, Mapping[str, Any]]] = deque()
    clock = _Clock(run)

    def end_first() -> None:
        number, params = running.popleft()
        told, written = evaluate(params, number)
        figures.append(written)
        with clock:
            run.tell(number, told)

    try:
        for number in range(trials):
            if len(running) == workers:
                end_first()
            with clock:
                params = run.ask()
            running.append((number, params))
        while running:
            end_first()
    except MethodError as error:
        return figures, clock.seconds, str(error)
    return figures, clock.seconds, None


class MethodError(Exception):
    """The method itself raised, not the evaluation."""


class _Clock:
    """Counts the processor seconds of a method inside its blocks: a process elsewhere says its own."""

    def __init__(self, run: Any) -> None:
        self.seconds, self._outside = 0.0, getattr(run, "outside", None)

    def __enter__(self) -> None:
        self._began = self._now()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.seconds += self._now() - self._began
        if isinstance(error, Exception) and not isinstance(error, ImportError):
            raise MethodError(f"{type(error).__name__}: {error}") from error

    def _now(self) -> float:
        return time.process_time() + (self._outside.seconds if self._outside is not None else 0.0)


def alone(module: str) -> None:
    """Begin anew with one thread for all libraries and without warnings, unless that is so already.

    The libraries read the number of threads when they are loaded, so it must stand before they are.
    """
    if os.environ.get("OMP_NUM_THREADS") != "1":
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **threads, "PYTHONWARNINGS": "ignore"}
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)
