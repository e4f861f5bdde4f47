"""What happens on the worker thread of a compression: one step after the other, each one measured."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tunekit.compress import bundle_file
from tunekit.compress import latency as latencies
from tunekit.compress import recipe as recipes
from tunekit.compress.bundle_file import Bundle
from tunekit.compress.compiled import CompileError
from tunekit.compress.exporter import Exporter
from tunekit.compress.inputs import ports
from tunekit.compress.measure import compiled_calls, facts_of, timed_calls
from tunekit.compress.measurement import latency_metrics
from tunekit.compress.network import norm_epsilons, runner
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.present import named_now
from tunekit.compress.randomness import own_stream
from tunekit.compress.stage import Context, Stage
from tunekit.compress.structure import describe
from tunekit.compress.task import has_classes
from tunekit.core import seeds, text
from tunekit.core.events import Event, Progressed, TrialEnded, TrialMeasured, TrialStarted
from tunekit.core.job import StopRequested, Work

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.measurement import Cell
    from tunekit.compress.recipe import Step
    from tunekit.compress.score import Score
    from tunekit.compress.task import Answers, Runner, Task

# Each cell of the table is timed this long, all of them together no longer than that.
_SECONDS_A_CELL = 0.15
_SECONDS_IN_ALL = 5.0


@dataclass(frozen=True, slots=True)
class Made:
    """What a row of the table stands for: the model, its ONNX file, and the steps that led there."""

    stage: Stage
    file: bytes
    recipe: tuple[Step, ...]


class Workshop:
    """Makes the rows of a compression and keeps them.

    Parameters
    ----------
    task
        The data, the loss and the metric.
    seed
        What all randomness comes from, 0 or more.
    sample
        Real inputs of up to 32 examples, to write and to time files with.
    compiled
        Whether rows are timed with ``torch.compile``, too.
    """

    def __init__(self, task: Task, seed: int, sample: Inputs, *, compiled: bool = False) -> None:
        self.task = task
        self.seed = seed
        self.sample = sample
        self.made: dict[int, Made] = {}
        self.validation_count = 0
        self.is_classification = False
        self._export = Exporter()
        self._compiles = compiled
        self._compiled: dict[int, dict[Cell, Callable[[], Any]]] = {}
        self._not_compiled: dict[int, str] = {}
        self._original_answers: Answers | None = None

    def trial(
        self, number: int, steps: Sequence[Step], stage: Stage, recipe: tuple[Step, ...], clock: Callable[[], float]
    ) -> Generator[Event, None, Made | None]:
        """Do one step, or several in a row, and measure what they made.

        Parameters
        ----------
        number
            The trial's.
        steps, stage
            What to do and to what; without steps the stage is measured as it is.
        recipe
            All steps up to these and with them.
        clock
            Seconds so far without pauses.

        Returns
        -------
        Made | None
            The new row, or None where it failed: the last event says why.
        """
        params: Mapping[str, Any] = {"step": "original"}
        if steps:
            params = {"step": ", ".join(map(repr, steps)), "recipe": recipes.to_records(recipe)}
        seed = seeds.trial_seed(self.seed, len(recipe))  # by its place: the same recipe again gives the same figures
        began = clock()
        try:
            yield TrialStarted(number, params, seed, began=round(time.time(), 3))
            for place, one in enumerate(steps[:-1], start=len(recipe) - len(steps) + 1):
                earlier = seeds.trial_seed(self.seed, place)
                context = self.context(number, stage, clock, earlier)
                step, stage = named_now(one, stage, context.original)
                stage = yield from own_stream(step.apply(stage, context), earlier)
            context = self.context(number, stage, clock, seed)
            made, metrics = yield from own_stream(self._make(steps[-1:], stage, recipe, context), seed)
        except StopRequested:
            yield TrialEnded(number, "stopped", {}, clock() - began)
            raise
        except Exception:
            yield TrialEnded(number, "failed", {}, clock() - began, traceback.format_exc())
            return None
        self.made[number] = made
        yield TrialEnded(number, "complete", metrics, clock() - began)
        return made

    def recall(self, stage: Stage, metrics: Mapping[str, float]) -> Work:
        """Score the original once more where its row comes from a journal: other rows are compared with its answers.

        Parameters
        ----------
        stage
            The original.
        metrics
            What the journal says of it.

        Raises
        ------
        ValueError
            If it scores otherwise: then the data are others.
        """
        if self._original_answers is not None:
            return
        if 0 not in self.made:
            self.made[0] = Made(stage, self.file(stage), ())
        answers = yield from self._answered(runner(stage.network), "Scoring the original once more", 0.0)
        name, value = self.task.metric_name, self.task.value(answers)
        if not math.isclose(value, metrics[name], rel_tol=1e-3, abs_tol=1e-3):
            raise ValueError(
                f"a journal goes on with the data that it began with: there the original has {name} "
                f"{text.number(metrics[name])}, here {text.number(value)}; give the same validation split, or choose "
                "another name for the journal"
            )
        self._original_scored(answers)

    def _original_scored(self, answers: Answers) -> None:
        self.validation_count = len(answers.targets)
        self._original_answers = answers
        self.is_classification = has_classes(answers)

    def context(self, number: int, stage: Stage, clock: Callable[[], float], seed: int) -> Context:
        """What a step gets beside the stage."""
        return Context(self.task, number, seed, clock, self.file, self._original(stage), self._scored)

    def _make(
        self, steps: Sequence[Step], stage: Stage, recipe: tuple[Step, ...], context: Context
    ) -> Generator[Event, None, tuple[Made, dict[str, float]]]:
        for one in steps:
            step, stage = named_now(one, stage, context.original)
            stage = yield from step.apply(stage, context)
        name = ", ".join(map(repr, steps)) or "the original"
        yield Progressed(f"Writing the ONNX file of {name}", 0.9)
        file = self.file(stage)
        run = runner(stage.network) if stage.file is None else open_runner(file)
        answers = yield from self._answered(run, f"Scoring {name} on the validation split", 0.95)
        facts = facts_of(stage.network, file, self.task, self.task.score(answers), self.sample)
        made = Made(stage, file, recipe)
        if not steps:
            self._original_scored(answers)
        metrics = replace(facts, change=self._change(answers)).metrics
        return made, metrics | {"bundle": self.bundle_bytes(made, metrics)}

    def bundle_bytes(self, made: Made, metrics: Mapping[str, float]) -> int:
        """How large the bundle is that `Compressed.save` would write."""
        return len(bundle_file.pack(self.content(made, metrics)))

    def _change(self, answers: Answers) -> Score | None:
        """How the score changed against the original on the same examples; None for the original itself."""
        if self._original_answers is None or self._original_answers is answers:
            return None
        return self.task.change(self._original_answers, answers)

    def content(self, made: Made, metrics: Mapping[str, float]) -> Bundle:
        """What the bundle of a row holds."""
        network = made.stage.network if made.stage.file is None else None
        return Bundle(
            recipes.to_records(made.recipe),
            metrics,
            ports(self.sample),
            made.file,
            None if network is None else network.state_dict(),
            [] if network is None else describe(made.stage.built_like or self._original(made.stage), network),
            {} if network is None else norm_epsilons(network),
        )

    def _original(self, stage: Stage) -> Module:
        return self.made[0].stage.network if 0 in self.made else stage.network

    def _scored(self, run: Runner) -> Generator[Event, None, Answers]:
        return self._answered(run, "Scoring on the validation split")

    def _answered(self, run: Runner, words: str, share: float | None = None) -> Generator[Event, None, Answers]:
        found = None
        for found in self.task.answers(run):
            if found is None:
                yield Progressed(words, share)
        if found is None:
            raise ValueError("a split holds at least one example: validation is empty")
        return found

    def file(self, stage: Stage) -> bytes:
        """The bytes of a stage's ONNX file."""
        if stage.file is not None:
            return stage.file
        for made in self.made.values():
            if made.stage.file is None and made.stage.network is stage.network:
                return made.file
        return self._export(stage.network, self.sample)

    def notes(self, number: int) -> tuple[str, ...]:
        """What the steps up to a row have to say about what they did, and why it was not compiled."""
        if number not in self.made:
            return ()
        reason = self._not_compiled.get(number)
        return (*self.made[number].stage.notes, *(() if reason is None else (f"{reason}.",)))

    def _compiled_calls(self, number: int, network: Module) -> dict[Cell, Callable[[], Any]]:
        if number not in self._compiled:
            try:
                self._compiled[number] = compiled_calls(network, self.sample)
            except CompileError as error:
                self._compiled[number] = {}
                self._not_compiled[number] = str(error)
        return self._compiled[number]

    def forget(self, *numbers: int) -> None:
        """Let rows go that nobody will ask for again; the original stays."""
        for number in numbers:
            if number:
                self.made.pop(number, None)

    def time_rows(self, numbers: Collection[int] | None = None) -> Work:
        """Time rows in turn: only what was timed together can be compared.

        Parameters
        ----------
        numbers
            Of the rows; None: all, those of earlier runs too.
        """
        calls: dict[tuple[int, Cell], Callable[[], Any]] = {}
        chosen = self.made if numbers is None else {number: self.made[number] for number in numbers}
        for number, made in chosen.items():
            yield Progressed(f"Preparing to time {text.plural(len(chosen), 'row')}")
            network = made.stage.network if made.stage.file is None else None
            found = timed_calls(network, made.file, self.sample)
            if network is not None and self._compiles:
                yield Progressed(f"Compiling row {number}, to time it")
                found |= self._compiled_calls(number, network)
            calls |= {(number, cell): call for cell, call in found.items()}
        comparison = latencies.compare(calls, min(_SECONDS_A_CELL, _SECONDS_IN_ALL / len(calls)))
        words = f"Timing {text.plural(len(chosen), 'row')} in turn"
        times = yield from latencies.told(comparison, words, has_share=True)
        for number in chosen:
            own = {cell: time for (row, cell), time in times.items() if row == number}
            yield TrialMeasured(number, latency_metrics(own))
