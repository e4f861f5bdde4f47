"""A recipe as what a study tries: settings in, live scores on the way, the figures of the net that came out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tunekit.compress.limits import METRICS
from tunekit.compress.searched import filled
from tunekit.compress.stage import Stage
from tunekit.compress.workshop import Workshop
from tunekit.core.events import Event, TrialEnded, TrialMeasured, TrialReported

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.inputs import Inputs
    from tunekit.compress.recipe import Step
    from tunekit.compress.task import Task

Metrics = dict[str, float]
# What every net is measured by, beside its score; "latency" is that of one example in onnxruntime.
FIGURES = ("size", "bundle", "macs", "parameters", "nonzeros", "memory", "latency")


class Trying:
    """An objective: runs a recipe whose open fields are the settings, on one net.

    It goes to other processes with the net and the data.

    Parameters
    ----------
    model
        A network of our own. It stays as it is.
    task
        Its data, loss and metric.
    recipe
        Steps, some of them open.
    seed, sample
        As in `Workshop`.
    timed
        Whether each net is timed, beside the original.
    """

    def __init__(
        self, model: Module, task: Task, recipe: Sequence[Step], seed: int, sample: Inputs, *, timed: bool
    ) -> None:
        self._model, self._task, self._recipe, self._seed, self._sample = model, task, list(recipe), seed, sample
        self._timed = timed
        self._shop: Workshop | None = None
        self.__name__ = "recipe"

    def __getstate__(self) -> dict[str, Any]:
        """All but the workshop, which each process builds for itself."""
        return {**vars(self), "_shop": None}

    def __call__(self, **params: Any) -> Generator[Metrics, None, Metrics]:
        """Run it once: yields the score after each epoch, and returns all figures of the net."""
        steps = filled(self._recipe, params)
        if self._shop is None:
            self._shop = Workshop(self._task, self._seed, self._sample)
            yield from measured_steps(self._shop, self._model, [], timed=False)
        return (yield from measured_steps(self._shop, self._model, steps, timed=self._timed))


def measured_steps(
    shop: Workshop, model: Module, steps: Sequence[Step], *, timed: bool
) -> Generator[Metrics, None, Metrics]:
    """Do steps on a model, one after the other; the rows that this makes in the workshop are taken out again.

    Parameters
    ----------
    shop
        Where the original is, or will be, row 0.
    model
        The original.
    steps
        What to do; none: the original itself is measured.
    timed
        Whether the last net is timed beside the original: its ``"latency"``.

    Yields
    ------
    dict
        The score after each epoch.

    Returns
    -------
    dict
        The figures of the net after the last step.

    Raises
    ------
    RuntimeError
        If a step fails.
    """
    metrics: Metrics = {}
    made = shop.made.get(0)
    if made is None:
        made, metrics = yield from _one(shop, 0, (), Stage(model), ())
    number = 0
    try:
        for number, step in enumerate(steps, start=1):
            before = made
            made, metrics = yield from _one(shop, number, (step,), before.stage, (*before.recipe, step))
            shop.forget(number - 1)
        if timed:
            metrics |= _timed(shop, number)
    finally:
        shop.forget(*range(1, len(steps) + 1))
    return metrics


def _one(
    shop: Workshop, number: int, steps: Sequence[Step], stage: Stage, recipe: tuple[Step, ...]
) -> Generator[Metrics, None, tuple[Any, Metrics]]:
    metric = shop.task.metric_name
    metrics: Metrics = {}
    work = shop.trial(number, steps, stage, recipe, lambda: 0.0)
    while True:
        try:
            event: Event = next(work)
        except StopIteration as end:
            return end.value, metrics
        if isinstance(event, TrialReported):
            yield {metric: event.metrics[metric]}
        elif isinstance(event, TrialEnded) and event.state == "failed":
            said = ", ".join(map(repr, steps)) or "the net as it is"
            raise RuntimeError(f"{said}: {(event.error or '').strip().splitlines()[-1]}")
        elif isinstance(event, TrialEnded):
            metrics = dict(event.metrics)


def _timed(shop: Workshop, number: int) -> Mapping[str, float]:
    found: dict[int, Mapping[str, float]] = {
        event.number: event.metrics for event in shop.time_rows(sorted({0, number})) if isinstance(event, TrialMeasured)
    }
    return {**found[number], "latency": found[number][METRICS["latency"]]}
