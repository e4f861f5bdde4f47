"""The rows of a compression: what was made so far, which is best, and how they are shown."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tunekit.compress import choice, explaining, sentences, table
from tunekit.compress.compressed import Compressed
from tunekit.compress.html_table import as_html
from tunekit.compress.inputs import fitted
from tunekit.compress.measure import on_device
from tunekit.compress.network import copied
from tunekit.compress.onnx_file import open_runner
from tunekit.compress.report import Report, answer, compare
from tunekit.compress.row_journal import RowJournal
from tunekit.compress.task import Task
from tunekit.compress.verdict import best_within
from tunekit.compress.workshop import Workshop
from tunekit.core import pareto, seeds, upstairs
from tunekit.core.goal import Aim, Goal
from tunekit.core.job import Result
from tunekit.core.journaled import JournaledJob, busy
from tunekit.core.trial import Trial

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.limits import Limits
    from tunekit.compress.seeking import Seeker
    from tunekit.compress.sensitivity import Sensitivity
    from tunekit.compress.task import Answers


class Rows(JournaledJob):
    """A job whose trials are nets: the original, and what steps have made of it."""

    _journal: RowJournal | None = None

    def __init__(self, model: Module, task: Task, *, seed: int = 0, compiled: bool = False) -> None:
        given: Any = task
        if not isinstance(given, Task):
            raise TypeError(
                f"a compression has a Task(train=..., validation=..., loss=...): got {type(given).__name__}"
            )
        checked = seeds.check(seed)
        if checked is None:
            raise ValueError("a compression can be repeated: seed is a whole number from 0, got None; write seed=0")
        super().__init__(Goal(Aim(task.metric_name)))
        self.task = task
        self.seed = checked
        self._original = on_device(copied(model), task)
        with seeds.seeded(0):
            sample = fitted(task.validation.head(32), self._original)
        self._shop = Workshop(task, self.seed, sample, compiled=compiled)
        self._seeker: Seeker | None = None
        self._reports: dict[int, Report] = {}
        self._original_answers: Answers | None = None
        self._sensitivity: Sensitivity | None = None

    def _open_journal(self, path: Path) -> None:
        """Go on with what a journal has; all that happens from now on is written there."""
        self._journal = RowJournal(
            path, self.history, self._shop.made, self._original, self.task, self.seed, busy(self)
        )
        weakref.finalize(self, self._journal.release)

    @property
    def trials(self) -> list[Trial]:
        """The rows so far: the original, then each step; all but the first are cumulative within their recipe."""
        return list(self.history)

    @property
    def front(self) -> list[Trial]:
        """The complete rows that no other one beats in both the size of the file and the score, the smallest first."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        if not complete:
            return []
        metric = self.task.metric_name
        gains = np.array([[-trial.metrics["size"], trial.metrics[metric]] for trial in complete])
        front = [trial for trial, keep in zip(complete, pareto.non_dominated(gains), strict=True) if keep]
        return sorted(front, key=lambda trial: (trial.metrics["size"], trial.number))

    @property
    def best(self) -> Compressed:
        """The smallest ONNX file whose score is not below the original's 95 % interval; the original if there is none.

        Of files of equal size it is the one with the smallest bundle. After a run with a budget it is the row that
        scores best among those that keep it, where there is one.

        Raises
        ------
        RuntimeError
            If nothing has been run.
        """
        number = self.best_number
        if number is None:
            raise RuntimeError("the best row is known once the original is measured: run a recipe first")
        return self[number]

    @property
    def best_number(self) -> int | None:
        """The number of the best row; None while there is no original."""
        trial = self._within or choice.best_of(self.history, self.task.metric_name)
        return None if trial is None else trial.number

    @property
    def _within(self) -> Trial | None:
        """The best of the rows that keep the last run's budget; None without a budget, or such a row."""
        return None if self.limits is None else best_within(self.limits, self.trials)

    @property
    def _rule(self) -> str:
        """By which the best row is the best."""
        if self._seeker is None or self._within is None:
            return choice.RULE
        return (
            f"Best: of the rows that keep {self._seeker.budget!r} the one that scores best, of equal ones the smallest."
        )

    def __getitem__(self, number: int) -> Compressed:
        """The model of that trial.

        Raises
        ------
        IndexError
            If there is no such trial.
        ValueError
            If it is not complete, or its net is not beside the journal any more.
        """
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(self.history):
            raise IndexError(f"rows are numbered from 0 to {len(self.history) - 1}: got {number!r}")
        trial = self.history[number]
        if trial.state != "complete":
            reason = f" ({trial.reason})" if trial.reason else ""
            raise ValueError(f"a model is there once its row is complete: row {number} is {trial.state}{reason}")
        if number not in self._shop.made:
            why = None if self._journal is None else self._journal.why_missing(number)
            raise ValueError(f"row {number} has its figures alone: {why}; run its recipe again")
        made = self._shop.made[number]
        floating = made.stage.file is None
        content = self._shop.content(made, trial.metrics)
        return Compressed(
            content,
            network=made.stage.network if floating else None,
            sample=self._shop.sample,
            report=lambda: self._report(number),
            notes=made.stage.notes,
        )

    @property
    def validation_count(self) -> int:
        """The number of validation examples; 0 until the original is scored."""
        return self._shop.validation_count

    def notes(self, number: int) -> tuple[str, ...]:
        """What the steps up to a row have to say about what they did."""
        return self._shop.notes(number)

    def explain(self) -> Result:
        """Say in words with figures what was tried and what it bought: up to ten sentences, the most useful first."""
        words = None if self._seeker is None or (self._within is None and not self.is_over) else self._outcome()
        return Result("\n".join(explaining.explain(table.rows(self), words, self.last_sensitivity)))

    def plot(self, name: str = "trade_off", **settings: Any) -> Any:
        """Draw one of the pictures.

        Parameters
        ----------
        name
            ``"trade_off"``: bytes against the score, with the budget. ``"layers"``: where the bytes and the operations
            are, before and after. ``"weights"``: how they are distributed, before and after. ``"confusion"``: which
            answers changed. ``"sensitivity"``: what each layer may lose. ``"curves"``: how the training went.
        **settings
            What the picture lets one choose: ``row=`` with ``"layers"``, ``"weights"`` and ``"confusion"`` (the best
            one, where it is left out), ``layer=`` with ``"weights"``.

        Raises
        ------
        ValueError
            If there is no picture of that name, or it has no such setting: the error lists the known ones.
        """
        return upstairs.ask("plot")(name, self, **settings)

    @property
    def limits(self) -> Limits | None:
        """The last run's budget in figures; None where it had none, or the original is not measured yet."""
        return None if self._seeker is None else self._seeker.findings.limits

    @property
    def last_sensitivity(self) -> Sensitivity | None:
        """What `sensitivity` has measured last, or a search for a budget; None before that."""
        if self._sensitivity is not None or self._seeker is None:
            return self._sensitivity
        return self._seeker.findings.sensitivity

    def bundle(self) -> dict[str, str]:
        """What a notebook shows of it, by MIME type."""
        rows = table.rows(self)
        return {"text/plain": repr(self), "text/html": as_html(rows, *sentences.below(rows, self._rule))}

    @property
    def heading(self) -> str:
        """What is compressed, and for what: the same before, while and after it runs."""
        return f"Compression({type(self._original).__name__}, {self.task!r})"

    def __repr__(self) -> str:
        """The table without the clock's columns."""
        rows = table.rows(self)
        if not rows:
            return f"{self.heading}: nothing has run yet"
        return table.as_text(rows, clock=False)

    def __str__(self) -> str:
        """The whole table, and what it says in words."""
        rows = table.rows(self)
        if not rows:
            return repr(self)
        facts, timed = sentences.below(rows, self._rule)
        return "\n".join([table.as_text(rows), "", *facts, *timed])

    def _is_complete(self, number: int) -> bool:
        return number < len(self.history) and self.history[number].state == "complete"

    def _report(self, number: int) -> Report:
        if number not in self._reports:
            if self._original_answers is None:
                self._original_answers = answer(self.task, open_runner(self._shop.made[0].file))
            original = self._original_answers
            other = original if number == 0 else answer(self.task, open_runner(self._shop.made[number].file))
            self._reports[number] = compare(self.task, original, other)
        return self._reports[number]
