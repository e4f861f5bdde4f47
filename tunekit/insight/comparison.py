"""Models side by side on the same examples: what each is worth, what it costs, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tunekit.compress import latency as latencies
from tunekit.compress.inputs import repeated
from tunekit.compress.measurement import BATCHES
from tunekit.compress.score import of_hits
from tunekit.compress.task import Task
from tunekit.core import seeds, text, upstairs
from tunekit.insight import comparison_table as table
from tunekit.insight.answering import FIRST, Reply, answer_all, ask_all
from tunekit.insight.calibration import calibration, probabilities
from tunekit.insight.comparison_table import Row
from tunekit.insight.contestants import entered
from tunekit.insight.disagreements import Disagreements, disagreements
from tunekit.insight.examples import Examples, Kind, examples_of

if TYPE_CHECKING:
    from tunekit.compress.inputs import Inputs
    from tunekit.compress.latency import Latency
    from tunekit.insight.answering import Answered
    from tunekit.insight.contestants import Contestant

_SECONDS_A_CELL = 0.15
# So many disagreements, the most contrary ones, stay at hand with their inputs.
_KEPT = 100


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """What `compare` found; nothing in it changes any more.

    Parameters
    ----------
    metric, where
        The score's name, and what the examples are called.
    rows
        One for each model, in the caller's order.
    examples
        Those that can be shown and asked again: the most contrary disagreements and the first ones.
    contestants
        The models.
    targets
        The numbers of the true classes of the examples at hand, by their places in the data; empty without classes.
    differ
        Where they do not answer the same; None where the outputs are not classes.
    """

    metric: str
    where: str
    rows: tuple[Row, ...]
    examples: Examples
    contestants: tuple[Contestant, ...]
    targets: Mapping[int, int]
    differ: Disagreements | None

    @property
    def disagreements(self) -> Disagreements:
        """The examples on which at least two models differ, the most contrary first.

        Raises
        ------
        ValueError
            If the outputs are not classes.
        """
        return self._classes("disagreements are answers that name different classes")

    @property
    def names(self) -> tuple[str, ...]:
        """The models'."""
        return tuple(row.name for row in self.rows)

    def ask(self, raw: Any) -> tuple[Reply, ...]:
        """What each model answers to something new.

        Parameters
        ----------
        raw
            What ``prepare`` takes: a sentence, a picture, a sound. Without ``prepare`` a picture of shape (height,
            width) or (height, width, 3), from 0, black, to 1, white; or, where the data are waveforms, one of shape
            (samples,), -1 to 1: of a longer one the loudest stretch is asked, a shorter one ends in silence.

        Raises
        ------
        ValueError
            If the outputs are not classes, or there is no ``prepare`` and the data are neither pictures nor
            waveforms.
        """
        self._classes("a new input is answered with probabilities of classes")
        return ask_all(self.contestants, self.examples.prepared(raw))

    def ask_example(self, index: int) -> tuple[Reply, ...]:
        """What each model answers to one of the examples at hand, by its place in the data.

        Raises
        ------
        IndexError
            If it is not at hand.
        ValueError
            If the outputs are not classes.
        """
        self._classes("an example is answered with probabilities of classes")
        return ask_all(self.contestants, self.examples.input(index))

    def plot(self, name: str = "calibration") -> Any:
        """Draw one of the pictures, by name: ``"calibration"``, ``"disagreements"``.

        Raises
        ------
        ValueError
            If there is no picture of that name (the error lists the known ones), or the outputs are not classes.
        """
        return upstairs.ask("plot_comparison")(name, self)

    def live(self) -> Any:
        """Return a view for a notebook that asks all models at once what a person draws, types, records or chooses.

        As the last value of a cell it shows itself. Its ``close()`` leaves a picture of the last answers in its place,
        for the saved notebook.

        Raises
        ------
        ValueError
            If the outputs are not classes.
        """
        self._classes("the live view shows probabilities of classes")
        return upstairs.ask("live_comparison")(self)

    def _classes(self, rule: str) -> Disagreements:
        if self.differ is None:
            raise ValueError(
                f"{rule}: here the outputs are not (examples, classes), or the targets no integers (examples,)"
            )
        return self.differ

    def __repr__(self) -> str:
        """The table without the clock's columns."""
        return table.as_text(self.rows, self.metric, clock=False)

    def __str__(self) -> str:
        """The whole table, and what it says in words."""
        return "\n".join([table.as_text(self.rows, self.metric, clock=True), "", *self._facts(), *self._timed()])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: it reads well without a kernel."""
        page = table.as_html(self.rows, self.metric, self._facts(), self._timed())
        return {"text/plain": repr(self), "text/html": page}

    def _facts(self) -> list[str]:
        return table.facts_of(self.rows, self.metric, self.where, self.differ)

    def _timed(self) -> list[str]:
        return table.timed_of(self.rows)


def compare(
    models: Mapping[str, Any],
    data: Any,
    *,
    labels: Sequence[str] | None = None,
    kind: Kind | None = None,
    raw: Sequence[Any] | None = None,
    prepare: Callable[[Any], Any] | None = None,
    rate: int | None = None,
    latency: bool = True,
) -> Comparison:
    """Put models side by side: their scores, calibration, agreement, files and speed, and the examples they differ on.

    Parameters
    ----------
    models
        Two or more by name, the one to compare against first. A module is copied and answers in PyTorch; a row of a
        `Compression`, or what `load` returns, in onnxruntime; any other callable is called with a batch. The outputs
        of a classifier are logits or probabilities, shape (batch, classes).
    data
        A `Task`, of which the validation split is used and the test split is not; or a Dataset, a DataLoader or a pair
        (x, y) that accuracy is measured on.
    labels
        The names of the classes; None: their numbers.
    kind
        What the examples are to a person: ``"image"``, ``"text"``, ``"sound"``. None: strings in ``raw`` are text and
        waveforms sound; inputs of shape (1 or 3, height, width) are images.
    raw
        What a person knows each example by, in the order of the data: sentences, pictures of shape (height, width) or
        (height, width, 3), waveforms of shape (samples,). None: the inputs themselves are shown where they are images.
    prepare
        A function from what is typed (a string), drawn (an array like a raw picture, 0 to 1) or recorded (shape
        (samples,), -1 to 1, at most as long as the longest raw waveform) to the input of one example, without the batch
        axis. None: what is drawn is taken to the range of the data, and what is recorded to their length, where they
        are waveforms.
    rate
        For sounds: samples a second, in which what is recorded comes, too.
    latency
        Whether to time the models in turn, about 0.15 s for each and each batch size, 1 and 32.

    Raises
    ------
    TypeError
        If the models are no mapping, a name is no string, or a model cannot be called.
    ValueError
        If there are fewer than two models, one fails on the data, or they know different numbers of classes; if there
        are more or fewer labels than classes, or ``kind``, ``raw`` or ``rate`` do not fit the data.

    Examples
    --------
    >>> import torch
    >>> x, y = torch.eye(4), torch.tensor([0, 1, 2, 0])
    >>> compare({"sure": lambda x: 5 * x, "shy": lambda x: x.roll(1) + 2 * x}, (x, y), latency=False)
    model  runs in              accuracy              change  same answer  calibration error  file, kB
    sure   Python   0.750 [0.301, 0.954]                   –            –              0.230         –
    shy    Python   0.750 [0.301, 0.954]  0 [-0.427, +0.427]      100.0 %              0.420         –
    """
    task = data if isinstance(data, Task) else _task_of(data)
    where = "validation examples" if data is task else "examples"
    contestants = entered(models, task.device)
    with seeds.seeded(0):
        found = answer_all(contestants, task.validation)
        shares = [probabilities(one.outputs) for one in found.answers] if found.has_classes else []
        times = _times(contestants, task.validation.head(max(BATCHES))) if latency else {}
    differ = None
    if found.has_classes:
        names = tuple(one.name for one in contestants)
        known = _labels(labels, shares[0].shape[1])
        differ = disagreements(names, known, shares, found.targets.numpy())
    rows = tuple(
        Row(
            contestant.name,
            contestant.runtime,
            task.score(answers),
            task.change(found.answers[0], answers) if place else None,
            of_hits(shares[place].argmax(1) == shares[0].argmax(1)) if place and shares else None,
            calibration(shares[place], found.targets.numpy()) if shares else None,
            contestant.file_bytes,
            {size: times[place, size] for size in BATCHES} if times else {},
        )
        for place, (contestant, answers) in enumerate(zip(contestants, found.answers, strict=True))
    )
    examples = examples_of(_at_hand(found, differ), len(found.targets), kind, raw, prepare, rate)
    targets = {index: int(found.targets[index]) for index in examples.inputs} if differ is not None else {}
    return Comparison(task.metric_name, where, rows, examples, contestants, targets, differ)


def _task_of(data: Any) -> Task:
    from torch.nn.functional import cross_entropy

    return Task(data, data, loss=cross_entropy)


def _labels(labels: Sequence[str] | None, classes: int) -> tuple[str, ...]:
    if labels is None:
        return tuple(map(str, range(classes)))
    if isinstance(labels, str) or len(labels) != classes:
        raise ValueError(f"each class has a label: the models know {classes} classes, and labels has {len(labels)}")
    return tuple(text.printable(str(label)) for label in labels)


def _times(contestants: Sequence[Contestant], x: Inputs) -> dict[tuple[int, int], Latency]:
    """How long a batch takes, by the model's place and the batch size: all in turn, in one run."""
    calls = {
        (place, size): contestant.call_on(repeated(x, size))
        for size in BATCHES
        for place, contestant in enumerate(contestants)
    }
    return latencies.finish(latencies.compare(calls, _SECONDS_A_CELL))


def _at_hand(found: Answered, differ: Disagreements | None) -> dict[int, Inputs]:
    most = set() if differ is None else {one.index for one in differ[:_KEPT]}
    return {index: x for index, x in found.inputs.items() if index < FIRST or index in most}
