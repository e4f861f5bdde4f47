"""Choosing among several forms of the same network: measured, not believed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tunekit.compress import latency as latencies
from tunekit.compress.inputs import repeated
from tunekit.compress.onnx_file import open_runner
from tunekit.core import text
from tunekit.core.events import Event, Progressed

if TYPE_CHECKING:
    from tunekit.compress.quantization.int8 import Int8
    from tunekit.compress.score import Score
    from tunekit.compress.stage import Context

# Files that differ by less than this share are called equally small.
_SAME_SIZE = 0.1
# Times differ where one is twice the other, and by more than a few calls of the system take: what decides has to be far
# above what a busy machine makes of the clock, so that the same recipe ends in the same file each time.
_SAME_SPEED = 2.0
_SAME_SECONDS = 50e-6
# Of two forms about equally small the other one is taken where it is so much faster with one of the batches, and not
# slower with any.
_FASTER, _NOT_SLOWER = 1.5, 1.1
_BATCHES = (1, 32)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a network.

    Parameters
    ----------
    mode
        What it is called.
    made
        Its file, and how many layers are in it.
    """

    mode: str
    made: Int8


@dataclass(frozen=True, slots=True)
class _Judged:
    form: Form
    value: float
    change: Score
    times: tuple[float, ...]


def choose(forms: Sequence[Form], context: Context) -> Generator[Event, None, tuple[Form, str]]:
    """Choose the smallest form that is neither detectably worse than the first one nor much slower.

    Much slower is twice as slow, and by more than 50 microseconds, with one example and with 32. Among forms about
    equally small that one wins which is half as fast again with either, and no slower with the other.

    Parameters
    ----------
    forms
        The first one is the float file, which wins where nothing else holds. Among those equally small and fast the
        earlier one wins.

    Returns
    -------
    (form, sentence)
        What was chosen, and why in words without the clock's figures.
    """
    x = context.task.validation.head(max(_BATCHES))
    runners = [open_runner(form.made.file) for form in forms]
    answers = []
    for form, run in zip(forms, runners, strict=True):
        yield Progressed(f"Scoring the {form.mode} form")
        answers.append((yield from context.answers(run)))
    batches = {size: repeated(x, size) for size in _BATCHES}
    calls = {(place, size): run.call_on(batch) for place, run in enumerate(runners) for size, batch in batches.items()}
    times = yield from latencies.told(latencies.compare(calls, 0.05), "Timing all forms in turn")
    judged = [
        _Judged(
            form,
            context.task.value(answers[place]),
            context.task.change(answers[0], answers[place]),
            tuple(times[place, size].median for size in _BATCHES),
        )
        for place, form in enumerate(forms)
    ]
    return _best(judged, context.task.metric_name)


def _best(judged: Sequence[_Judged], metric: str) -> tuple[Form, str]:
    whole = judged[0]
    worse = [one for one in judged[1:] if one.change.high < 0]
    slower = [one for one in judged[1:] if one not in worse and _is_slower(one, whole)]
    larger = [one for one in judged[1:] if one not in (*worse, *slower) and _size(one) > 0.98 * _size(whole)]
    left = [one for one in judged[1:] if one not in (*worse, *slower, *larger)]
    tried = "; ".join(
        f"{one.form.mode} {text.size(_size(one))}, {metric} {text.number(one.value)}"
        + (", detectably worse" if one in worse else ", much slower" if one in slower else "")
        for one in judged
    )
    if not left:
        return whole.form, f"tried {tried}: float is kept, as nothing else is smaller and neither worse nor much slower"
    smallest = min(_size(one) for one in left)
    near = [one for one in left if _size(one) <= (1 + _SAME_SIZE) * smallest]
    best = near[0]
    for one in near[1:]:
        if _is_faster(one, best):
            best = one
    return best.form, f"tried {tried}: {best.form.mode} is kept"


def _is_slower(one: _Judged, other: _Judged) -> bool:
    """At every batch size, and by more than a busy machine makes up."""
    return all(mine > _SAME_SPEED * its + _SAME_SECONDS for mine, its in zip(one.times, other.times, strict=True))


def _is_faster(one: _Judged, other: _Judged) -> bool:
    """At one of the batch sizes, by more than a busy machine makes up, and at none slower."""
    pairs = list(zip(one.times, other.times, strict=True))
    is_as_fast = all(mine < _NOT_SLOWER * its for mine, its in pairs)
    return is_as_fast and any(_FASTER * mine + _SAME_SECONDS < its for mine, its in pairs)


def _size(one: _Judged) -> int:
    return len(one.form.made.file)
