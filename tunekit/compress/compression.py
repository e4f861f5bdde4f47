"""The job that runs recipes on a model, measures every step and keeps every row."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress import recipe as recipes
from tunekit.compress import sentences
from tunekit.compress.budget import Budget
from tunekit.compress.limits import METRICS
from tunekit.compress.precision import words_on
from tunekit.compress.questions import Questions
from tunekit.compress.randomness import own_stream
from tunekit.compress.rehearsal import rehearse
from tunekit.compress.searched import filled
from tunekit.compress.seeking import Seeker
from tunekit.compress.stage import Stage
from tunekit.compress.task import Task
from tunekit.compress.verdict import verdict
from tunekit.core import text
from tunekit.core.job import Result, State, Status, Work
from tunekit.core.journaled import journal_path
from tunekit.core.seeds import trial_seed

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.recipe import Step


class Compression(Questions):
    """Run recipes on a model; every step becomes a trial, with its figures on the validation split.

    Parameters
    ----------
    model
        A network that returns one tensor (batch, ...); it is called with the task's inputs: one tensor, several, or
        several by name. It is copied at once and never changed.
    task
        Its data, loss and metric.
    seed
        A whole number from 0: with the same one, all figures but the latencies are the same.
    compiled
        Whether every row is timed with ``torch.compile``, too; the first time that takes up to a minute a row. Where it
        does not work for a row, a sentence says why.
    journal
        The path of a file, such as ``"runs/digits.jsonl"``: all that happens is written there, and the nets of the rows
        into the folder ``runs/digits.rows``. Made again with it, after a restart or a kill, the compression has all its
        rows; a recipe whose first rows are there goes on from them, and so does the search for a budget. A row with a
        student of the caller's own is not gone on from: its figures are there, the net is not.

    Raises
    ------
    TypeError
        If the model is no module or cannot be copied, or the task is no `Task`.
    ValueError
        If the seed is not a whole number from 0; if the journal is of another model, metric or seed, or damaged.
    JournalHeld
        If another process holds the journal.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> data = torch.eye(4), torch.arange(4)
    >>> lab = Compression(torch.nn.Linear(4, 4), Task(data, data, loss=torch.nn.functional.cross_entropy))
    >>> _ = lab.start([Prune(0.5)]).wait()
    >>> [trial.params["step"] for trial in lab.trials]
    ['original', 'Prune(0.5)']
    """

    def __init__(
        self,
        model: Module,
        task: Task,
        *,
        seed: int = 0,
        compiled: bool = False,
        journal: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(model, task, seed=seed, compiled=compiled)
        self._plan: list[Step] = []
        self._numbers: list[int] = []
        self._found = 0
        if journal is not None:
            self._open_journal(journal_path(journal))

    # What a person calls

    def run(
        self,
        recipe: Sequence[Step] | None = None,
        *,
        after: int = 0,
        show: bool = True,
        budget: Budget | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Result:
        """Run a recipe, or find one that keeps a budget, and wait for its end; rows are added to those that are there.

        With a budget the net is quantized first. Where that is not enough, ways to cut it are measured before any is
        trained; those that cost no more than they may are trained a little, the better ones longer, the best one to the
        end. Beside it the same shape is trained from scratch, as long as any of its rows. Of all rows that keep the
        budget the one that scores best is `best`; where none does, looser budgets are tried, and the result says what
        is missing, how near it came, and what a larger drop would buy.

        Parameters
        ----------
        recipe
            Steps, such as ``[Prune(0.8), FineTune(epochs=3), Quantize()]``; None where there is a budget.
        after
            The number of the row to go on from: 0 is the original; another one's steps are not done again.
        show
            Whether a notebook shows the panel: not, for example, where many recipes are run in a loop.
        budget
            Such as ``Budget(size=1/10, drop=0.01)``, in place of a recipe.
        params
            Values for the recipe's parameters, such as the ``params`` of a trial that `search` has found: the same seed
            gives the very net that the trial had.

        Raises
        ------
        ValueError
            If the recipe cannot be run on this model, nothing has been done then; if the budget contradicts the score.
        """
        return self.start(recipe, after=after, show=show, budget=budget, params=params).wait()

    def start(
        self,
        recipe: Sequence[Step] | None = None,
        *,
        after: int = 0,
        show: bool = True,
        budget: Budget | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Compression:
        """Begin a recipe, or the search for one, and return at once."""
        if budget is not None:
            return self._seek(recipe, after, budget, show)
        if recipe is None:
            raise TypeError(
                "a run has a recipe, such as [Prune(0.8), FineTune(epochs=3), Quantize()], or a budget, such as "
                "budget=Budget(size=1/10): got neither"
            )
        plan = recipes.check(recipe if params is None else filled(recipe, params), self._start_of(after))
        self._check_over()
        known = self._done_before(plan, after)
        first = max(1, len(self.history))
        rest = plan[len(known) :]
        numbers = [*known, *range(first, first + len(rest))]
        self._begin(self._work(rest, first, [after, *known][-1]), plan, numbers, None, show)
        self._found = len(known)
        return self

    def _done_before(self, plan: Sequence[Step], after: int) -> list[int]:
        """The rows of an earlier process that the first steps of a plan have made."""
        if self._journal is None:
            return []
        before = self._shop.made[after].recipe if after in self._shop.made else ()
        rows: list[int] = []
        for end in range(1, len(plan) + 1):
            row = self._journal.take((*before, *plan[:end]))
            if row is None:
                break
            rows.append(row)
        return rows

    def _seek(self, recipe: Sequence[Step] | None, after: int, budget: Budget, show: bool) -> Compression:
        given: Any = budget
        if not isinstance(given, Budget):
            raise TypeError(f"a budget is a Budget, such as Budget(size=1/10, drop=0.01): got {text.value(budget)}")
        if recipe is not None or after != 0:
            raise ValueError(
                "a budget finds the recipe by itself, from the original: got "
                f"{'a recipe' if recipe is not None else f'after={after!r}'} beside it; give one or the other"
            )
        seeker = Seeker(budget, self._shop, self.history, self._clock)
        self._begin(self._seeking(seeker), [], [], seeker, show)
        return self

    def _begin(self, work: Work, plan: list[Step], numbers: list[int], seeker: Seeker | None, show: bool) -> None:
        """Launch some work; where that cannot begin, what is going on stays what it was."""
        before = self._plan, self._numbers, self._seeker
        self._check_over()
        if self._journal is not None:
            self._journal.check_open()
        self._plan, self._numbers, self._seeker, self._found = plan, numbers, seeker, 0
        self._is_aside = False
        try:
            self._launch(work, show=show)
        except BaseException:
            self._plan, self._numbers, self._seeker = before
            raise

    # What a view reads

    def status(self) -> Status:
        """What is going on, in words."""
        done = sum(1 for number in self._numbers if self._is_complete(number))
        state = self.state
        if state == "idle":
            rows = text.plural(len(self.history), "row")
            return Status(state, f"{rows} from the journal." if self.history else "Nothing has run yet.", 0.0)
        if state == "over":
            return Status(state, self._outcome(), 1.0)
        progress = self._progress
        now = progress.words if progress is not None else self._current()
        share = progress.fraction or 0.0 if progress is not None else 0.0
        if self._is_aside:
            return Status(state, now, share)
        if self._seeker is not None:
            return self._seeker_status(self._seeker, state, now)
        total = len(self._plan) + 2  # the original and the latencies
        over = done + (1 if 0 in self._shop.made else 0)
        steps = f"{done} of {text.plural(len(self._plan), 'step')} done"
        words = {
            "pausing": f"Pausing: {now}; {steps}",
            "paused": f"Paused: {now}; nothing is lost, Resume goes on from here; {steps}",
            "stopping": f"Stopping; what is finished is kept: {steps}",
        }.get(state, f"{now}; {steps}")
        return Status(state, self._waits_for_the_disk or words, min(1.0, (over + share) / total))

    def _seeker_status(self, seeker: Seeker, state: State, now: str) -> Status:
        best, tried = self._within, text.plural(len(seeker.findings.tried), "net")
        known = f"{tried} made" + (f", row {best.number} is within the budget" if best is not None else "")
        words = {
            "pausing": f"Pausing: {now}; {known}",
            "paused": f"Paused: {now}; nothing is lost, Resume goes on from here; {known}",
            "stopping": f"Stopping; what is finished is kept: {known}",
        }.get(state, f"{now}; {known}")
        return Status(state, self._waits_for_the_disk or words, seeker.fraction)

    # The work, on the worker thread

    def _start_of(self, after: int) -> Module:
        """The network of the row that a recipe goes on from."""
        if after == 0 and not isinstance(after, bool):
            return self._original
        self[after]  # an unknown or unfinished row says what it is
        stage = self._shop.made[after].stage
        if stage.file is not None:
            step = self._shop.made[after].recipe[-1]
            raise ValueError(
                f"a recipe goes on from a row with a PyTorch network: row {after} is {step!r}, which only onnxruntime "
                "runs; take the row before"
            )
        return stage.network

    def _work(self, plan: list[Step], first: int, after: int) -> Work:
        shop = self._shop
        yield from self._measured_original()
        made = shop.made[after]
        before = made.recipe
        seed = trial_seed(self._shop.seed, first)
        yield from own_stream(rehearse(plan, made.stage, shop.context(first, made.stage, self._clock, seed)), seed)
        for position, step in enumerate(plan):
            chain = (*before, *plan[: position + 1])
            following = yield from shop.trial(first + position, [step], made.stage, chain, self._clock)
            if following is None:
                break
            made = following
        if plan or not all(METRICS["latency"] in self.history[number].metrics for number in shop.made):
            yield from shop.time_rows()

    def _seeking(self, seeker: Seeker) -> Work:
        yield from self._measured_original()
        yield from seeker.work()

    def _measured_original(self) -> Work:
        stage = Stage(self._original, notes=words_on(self._original))
        if self.history and self.history[0].state == "complete":
            yield from self._shop.recall(stage, self.history[0].metrics)
            return
        made = yield from self._shop.trial(0, (), stage, (), self._clock)
        if made is None:
            trial = self.history[0]
            raise RuntimeError(f"the original model cannot be measured: {trial.reason}\n\n{trial.error}")

    # What it came to

    def _outcome(self) -> str:
        if self._seeker is not None:
            return verdict(self._seeker.budget, self._seeker.findings, self.trials)
        words = sentences.outcome(
            [self.history[number] for number in (0, *self._numbers) if number < len(self.history)],
            len(self._plan),
            self.task.metric_name,
        )
        if self._found:
            words += f" {self._found} of {text.plural(len(self._plan), 'step')} were in the journal, done before."
        return words

    def _current(self) -> str:
        running = [trial for trial in self.history if trial.state == "running"]
        if not running:
            return "Between two steps"
        words = f"Working on {running[-1].params['step']}"
        metric = self.task.metric_name
        if running[-1].reports:
            words += f": {metric} {text.number(running[-1].reports[-1][metric])} after epoch {len(running[-1].reports)}"
        return words
