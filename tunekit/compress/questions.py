"""What one may ask about a model without making rows: what layers may lose, whether a recipe holds, which is best."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress.randomness import own_stream
from tunekit.compress.repeating import Repeats, repeated_with
from tunekit.compress.rows import Rows
from tunekit.compress.searched import parameters_of
from tunekit.compress.sensitivity import Granularity, Sensitivity, sensitivity_of
from tunekit.compress.trying import FIGURES, Trying
from tunekit.core import seeds, text
from tunekit.core.job import Work
from tunekit.search.goals import Bounds, Names, read_goal
from tunekit.search.space import Space
from tunekit.search.study import Study

if TYPE_CHECKING:
    from tunekit.compress.recipe import Step


class Questions(Rows):
    """A job with rows that can be asked about its model; an answer makes no row."""

    _is_aside = False  # whether what runs, or ran last, makes no rows

    def sensitivity(
        self, amounts: Sequence[float] = (0.3, 0.5, 0.7, 0.9), granularity: Granularity = "weights"
    ) -> Sensitivity:
        """Measure what each layer by itself may lose without any training, on about 500 training examples.

        Parameters
        ----------
        amounts
            Shares of a layer, above 0 and below 1.
        granularity
            What goes, the smallest first: ``"weights"`` or the ``"channels"`` that a layer writes.

        Returns
        -------
        Sensitivity
            A table; its ``recipe(drop=0.01)`` takes from each layer what that one may lose. ``plot("sensitivity")``
            draws it.

        Raises
        ------
        ValueError
            If an amount or the granularity is not known, or the model has no layer to prune.
        """
        before = self._sensitivity
        self.start_sensitivity(amounts, granularity).wait()
        if self._sensitivity is None or self._sensitivity is before:
            raise RuntimeError("stopped before all layers were measured: run sensitivity again")
        return self._sensitivity

    def start_sensitivity(
        self, amounts: Sequence[float] = (0.3, 0.5, 0.7, 0.9), granularity: Granularity = "weights"
    ) -> Questions:
        """Begin what `sensitivity` does and return at once; in the end it is the `last_sensitivity`."""
        self._check_over()

        def work() -> Work:
            measuring = sensitivity_of(self._original, self.task, amounts, granularity)
            self._sensitivity = yield from own_stream(measuring, self.seed)

        self._is_aside = True
        self._launch(work(), show=False)
        return self

    def confirm(self, repeats: int = 3) -> Repeats:
        """Run the recipe of the best row again with other seeds: the best of many scores is too good on average.

        It waits. The repeats are no rows; what was done before a stop is kept.

        Parameters
        ----------
        repeats
            How often, 1 or more.

        Raises
        ------
        ValueError
            If the count is below 1.
        RuntimeError
            If nothing has been run, or the best row is the original.
        """
        if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 1:
            raise ValueError(f"the number of repeats is a whole number from 1: got {repeats!r}")
        self._check_over()
        number = self.best_number
        if not number:
            raise RuntimeError("a recipe is repeated once there is a best row that is not the original: run one first")
        self[number]  # one whose net is not there says why
        steps, done = self._shop.made[number].recipe, list[dict[str, float]]()
        others = [seeds.trial_seed(self.seed, 1000 + place) for place in range(repeats)]
        self._aside(repeated_with(self._original, self.task, steps, others, self._shop.sample, done))
        metric, limits = self.task.metric_name, self.limits
        return Repeats(
            number,
            metric,
            self.history[number].metrics[metric],
            tuple(figures[metric] for figures in done),
            tuple(figures["size"] for figures in done),
            None if limits is None else limits.floor,
        )

    def _aside(self, work: Work) -> None:
        """Do something that makes no rows, and wait for it."""
        self._is_aside = True
        self._launch(work, show=False)
        self.wait()

    def search(
        self,
        recipe: Sequence[Step],
        trials: int,
        *,
        maximize: Names = None,
        minimize: Names = None,
        constraints: Mapping[str, Bounds] | None = None,
        sampler: Any = "bayes",
        early_stopping: Any = None,
        journal: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> Study:
        """Search the fields of a recipe in an ordinary study, and wait for it with its live panel.

        Parameters
        ----------
        recipe
            Steps with parameters in place of values: ``[Prune(Float(0.3, 0.95)), FineTune(Int(1, 5)), Quantize()]``.
        trials
            How many settings to try, 1 or more.
        maximize, minimize, constraints
            As in `Study`, by the name of the task's metric, and ``"size"`` and ``"bundle"`` (bytes), ``"macs"``,
            ``"parameters"``, ``"nonzeros"``, ``"memory"`` (bytes), ``"latency"`` (seconds for one example in
            onnxruntime). None given: the metric up and the size down.
        sampler, early_stopping, journal
            As in `Study`; its seed is this compression's.
        settings
            As in `Study.run`: ``workers``, ``executor``, ``until``, ``timeout``, ...

        Returns
        -------
        Study
            It has been run. ``run(recipe, params=study.best.params)`` makes a row of one of its trials.

        Raises
        ------
        TypeError
            If the recipe is not a list of steps.
        ValueError
            If the recipe has no parameter, or a metric is not known.
        """
        space = Space(parameters_of(recipe))
        if maximize is None and minimize is None:
            maximize, minimize = self.task.metric_name, "size"
        wanted = read_goal(maximize, minimize, constraints).metrics
        known = (self.task.metric_name, *FIGURES)
        for name in wanted:
            if name not in known:
                raise ValueError(f"unknown metric {name!r}: the known ones are {text.listed(known)}")
        objective = Trying(self._original, self.task, recipe, self.seed, self._shop.sample, timed="latency" in wanted)
        study = Study(
            objective,
            space,
            maximize=maximize,
            minimize=minimize,
            constraints=constraints,
            sampler=sampler,
            early_stopping=early_stopping,
            journal=journal,
            seed=self.seed,
        )
        study.run(trials, **settings)
        return study
