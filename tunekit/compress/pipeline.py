"""One search over both: a trial trains a net with its hyperparameters and then compresses it."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tunekit.compress import bundle_file, settings
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.inputs import fitted, named
from tunekit.compress.randomness import own_stream
from tunekit.compress.row_files import digest_of
from tunekit.compress.searched import filled, parameters_of
from tunekit.compress.settings import has_open, is_open
from tunekit.compress.stage import Stage
from tunekit.compress.trying import Metrics, measured_steps
from tunekit.compress.workshop import Workshop
from tunekit.core import seeds, text
from tunekit.core.events import TrialReported
from tunekit.search.space import Space

if TYPE_CHECKING:
    from torch.nn import Module

    from tunekit.compress.recipe import Step
    from tunekit.compress.task import Task
    from tunekit.search.study import Study

# Writing, scoring and measuring a net are never for nothing: of a trial, at least so much.
_LEAST_SHARE = 0.1


def pipeline(
    build: Callable[..., Module],
    task: Task,
    space: Mapping[str, Any] | None = None,
    *,
    recipe: Sequence[Step] = (),
    epochs: Any = 10,
    learning_rate: Any = 1e-3,
    latency: bool = False,
    seed: int = 0,
    cache: str | os.PathLike[str] | None = None,
    keep: int = 32,
) -> Pipeline:
    """Make an objective that trains a net with its hyperparameters and compresses it.

    Parameters
    ----------
    build
        A function of hyperparameters that returns a net with its first weights, such as ``build(width, depth)``.
    task
        The data, loss and metric; its ``fit`` trains where there is one.
    space
        The parameters of ``build``, by name.
    recipe
        Steps that follow the training; their fields may be parameters: ``Prune(Float(0.3, 0.9))``.
    epochs
        Of the training, a whole number from 0, or a parameter; 0 where ``build`` returns a trained net.
    learning_rate
        Adam's at the start, above 0, or a parameter.
    latency
        Whether each net is timed: then it has the metric ``"latency"``, in seconds.
    seed
        What building, training and compressing are seeded with, the same in each trial.
    cache
        A folder for trained nets: where only the recipe differs, a net is not trained again. A net is known again by
        its layers and first weights, how it is trained, and the first examples. None: a folder of this process.
    keep
        How many trained nets stay there, 1 or more; those that were not used for the longest time go first.

    Returns
    -------
    Pipeline
        The objective; its ``space`` has the parameters of ``build``, ``epochs``, ``learning_rate`` and the recipe. It
        keeps what is trained (`Space.keeping`): a Bayesian search goes on with a net where that promises as much.

    Raises
    ------
    TypeError
        If something is of the wrong type, or ``build`` does not take what is in the space.
    ValueError
        If nothing is left to search, or two parameters have one name.

    Examples
    --------
    >>> import torch
    >>> from tunekit.compress.pruning.prune import Prune
    >>> from tunekit.compress.task import Task
    >>> from tunekit.search.parameters import Float, Int
    >>> data = torch.eye(4), torch.arange(4)
    >>> task = Task(data, data, loss=torch.nn.functional.cross_entropy)
    >>> def build(width):
    ...     return torch.nn.Sequential(torch.nn.Linear(4, width), torch.nn.ReLU(), torch.nn.Linear(width, 4))
    >>> trained = pipeline(build, task, {"width": Int(4, 32)}, recipe=[Prune(Float(0.1, 0.5))], epochs=2)
    >>> trained.space.names
    ('width', 'prune_amount')
    """
    return Pipeline(build, task, space or {}, list(recipe), epochs, learning_rate, latency, seed, cache, keep)


class Pipeline:
    """An objective that trains a net and compresses it: see `pipeline`.

    The score of the net before it was compressed, and the size of its file, are among the metrics:
    ``original_accuracy`` (with the metric's own name) and ``original_size``.
    """

    def __init__(
        self,
        build: Callable[..., Module],
        task: Task,
        space: Mapping[str, Any],
        recipe: list[Step],
        epochs: Any,
        learning_rate: Any,
        latency: bool,
        seed: int,
        cache: str | os.PathLike[str] | None,
        keep: int,
    ) -> None:
        if not callable(build):
            raise TypeError(f"build is a function that returns a net: got {text.value(build)}")
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise ValueError(f"a cache keeps a whole number of nets from 1: got keep={keep!r}")
        self._build, self._task, self._recipe, self._seed = build, task, recipe, seed
        self._epochs, self._rate, self._timed, self._keep = epochs, learning_rate, latency, keep
        self._own = None if cache is not None else tempfile.TemporaryDirectory(prefix="tunekit-nets-")
        self._folder = Path(cache if cache is not None else self._own.name)  # type: ignore[union-attr]
        self._names = tuple(space)
        self.__name__ = f"{getattr(build, '__name__', 'build')} and recipe"
        everything: dict[str, Any] = dict(space)
        for name, value, check in (
            ("epochs", epochs, settings.check_epochs),
            ("learning_rate", learning_rate, settings.check_learning_rate),
        ):
            if is_open(value):
                everything[name] = value
            else:
                check(value)
        if any(has_open(step) for step in recipe):
            for name, parameter in parameters_of(recipe).items():
                if name in everything:
                    raise ValueError(f"every parameter has its own name: {name!r} is one of the recipe's; rename yours")
                everything[name] = parameter
        if not everything:
            raise ValueError(
                "a search has something to look for: give pipeline(build, task, {'width': Int(8, 64)}), or a recipe "
                "with a parameter in it"
            )
        self.space = Space(everything)
        trained = [name for name in (*self._names, "epochs", "learning_rate") if name in everything]
        if trained and len(trained) < len(everything):
            self.space = self.space.keeping(*trained, share=_share_of_compressing(recipe, epochs))
        _check_takes(build, self._names)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the folder stays this one's."""
        return {**vars(self), "_own": None}

    def __call__(self, **params: Any) -> Generator[Metrics, None, Metrics]:
        """Train a net and compress it: yields the score after each epoch."""
        metric = self._task.metric_name
        built = {name: params[name] for name in self._names if name in params}
        network = yield from self._trained(built, params.get("epochs", self._epochs), params)
        shop = self._shop(network)
        steps = filled(self._recipe, params)
        start = yield from measured_steps(shop, network, [], timed=self._timed and not steps)
        end = (yield from measured_steps(shop, network, steps, timed=self._timed)) if steps else start
        return {**end, f"original_{metric}": start[metric], "original_size": start["size"]}

    def model(self, params: Mapping[str, Any]) -> Module:
        """Return the net of these settings, trained and not compressed, for a `Compression` of its own.

        Parameters
        ----------
        params
            The settings of a trial, such as ``study.front[0].params``.
        """
        built = {name: params[name] for name in self._names if name in params}
        work = self._trained(built, params.get("epochs", self._epochs), params)
        while True:
            try:
                next(work)
            except StopIteration as end:
                network: Module = end.value
                return network

    def best_nets(self, study: Study, count: int = 3) -> list[Module]:
        """Return the nets that scored best before they were compressed, such as for ``Distill(teacher=...)``.

        Trials that differ only in what compressed them had one net: it counts once, so there may be fewer. A net whose
        weights are no longer in the folder is trained again.

        Parameters
        ----------
        study
            A study of this objective, or one that was resumed with it.
        count
            How many at most, 1 or more.

        Returns
        -------
        list of Module
            As `model` makes them, the best first; of equals the earlier.

        Raises
        ------
        ValueError
            If the count is not a whole number from 1, or no trial of this objective is complete.
        """
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"the best nets are a whole number of them, from 1: got count={count!r}")
        score = f"original_{self._task.metric_name}"
        trials = [trial for trial in study.history.complete if score in trial.metrics]
        if not trials:
            raise ValueError(
                f"the best nets are those of the trials that have the metric {score!r}, as this objective's have: "
                f"{len(study.history.complete)} of {text.plural(len(study.trials), 'trial')} are complete, and none "
                "has it; run a study of this objective first"
            )
        trained = (*self._names, "epochs", "learning_rate")
        best: dict[str, Mapping[str, Any]] = {}
        for trial in sorted(trials, key=lambda trial: -trial.metrics[score]):
            best.setdefault(repr([trial.params.get(name) for name in trained]), trial.params)
        return [self.model(params) for params in list(best.values())[:count]]

    def recipe(self, params: Mapping[str, Any]) -> list[Step]:
        """Return the recipe with the settings of a trial filled in."""
        return filled(self._recipe, params)

    def _trained(
        self, built: Mapping[str, Any], epochs: int, params: Mapping[str, Any]
    ) -> Generator[Metrics, None, Module]:
        """Build a net and train it, or take its weights from the folder."""
        from safetensors.torch import load_file, save

        from tunekit.compress.measure import on_device

        rate = params.get("learning_rate", self._rate)
        with seeds.seeded(self._seed):
            network = on_device(_checked_net(self._build(**built), self._build), self._task)
        if not epochs:
            return network.eval()
        place = self._folder / f"{self._key(network, epochs, rate)}.safetensors"
        if place.exists():
            network.load_state_dict(load_file(place))
            place.touch()
            return network.eval()
        network = yield from self._epochs_of(network, epochs, rate)
        weights = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
        with suppress(OSError):  # a disk that takes it not costs another training, not this trial
            self._folder.mkdir(parents=True, exist_ok=True)
            bundle_file.replace(place, save(weights))
            self._tidy()
        return network.eval()

    def _key(self, network: Module, epochs: int, rate: float) -> str:
        """What a trained net depends on: its layers and first weights, the data, the loss and the training."""
        task = self._task
        with seeds.seeded(self._seed):  # a split may shuffle, or change its examples at random
            x, y = next(iter(task.train.chunks()))
        asked = (repr(network), epochs, rate, self._seed, text.value(task.loss), text.value(task.fit), repr(task.train))
        words = repr((*asked, task.train.steps, task.train.batch_size))
        return digest_of([*network.state_dict().items(), *named(x).items(), ("", y)], words)

    def _epochs_of(self, network: Module, count: int, rate: float) -> Generator[Metrics, None, Module]:
        metric, stage = self._task.metric_name, Stage(network)
        context = self._shop(network).context(0, stage, lambda: 0.0, self._seed)
        training = own_stream(FineTune(count, learning_rate=rate).apply(stage, context), self._seed)
        while True:
            try:
                event = next(training)
            except StopIteration as end:
                trained: Stage = end.value
                return trained.network
            if isinstance(event, TrialReported):
                yield {metric: event.metrics[metric]}

    def _shop(self, network: Module) -> Workshop:
        with seeds.seeded(0):
            sample = fitted(self._task.validation.head(32), network)
        return Workshop(self._task, self._seed, sample)

    def _tidy(self) -> None:
        """Take away the nets that were not used for the longest time."""
        places = sorted(self._folder.glob("*.safetensors"), key=lambda place: place.stat().st_mtime)
        for place in places[: -self._keep]:
            place.unlink(missing_ok=True)


def _share_of_compressing(recipe: Sequence[Step], epochs: Any) -> float:
    """What a trial costs whose net is trained, about: the epochs of its recipe as a share of all epochs."""
    later = sum(_middle(getattr(step, "epochs", 0)) for step in recipe)
    return max(_LEAST_SHARE, later / (later + _middle(epochs) or 1))


def _middle(epochs: Any) -> int:
    return int(epochs.from_unit(0.5) if is_open(epochs) else epochs)


def _checked_net(network: Any, build: Callable[..., Any]) -> Module:
    from torch.nn import Module

    if not isinstance(network, Module):
        raise TypeError(f"build returns a torch.nn.Module: {text.value(build)} returned a {type(network).__name__}")
    return network


def _check_takes(build: Callable[..., Any], names: Sequence[str]) -> None:
    try:
        inspect.signature(build).bind(**dict.fromkeys(names))
    except ValueError:  # some builtins have no signature: then the first trial tells
        return
    except TypeError as error:
        raise TypeError(
            f"build is called with the parameters of the space, {text.listed(names)}, and {text.value(build)} does not "
            f"fit them: {error}"
        ) from error
