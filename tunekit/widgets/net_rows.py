"""The rows of a compression as those of a table, and all that is known of one of them."""

from __future__ import annotations

from collections.abc import Sequence

from tunekit.compress.measurement import BATCHES, RUNTIMES
from tunekit.compress.score import Score
from tunekit.compress.table import Row as Net
from tunekit.core import text
from tunekit.core.trial import Trial
from tunekit.widgets.filtering import Row
from tunekit.widgets.saying import error_box, facts, shown


def net_rows(nets: Sequence[Net], metric: str) -> tuple[list[str], list[bool], list[Row]]:
    """The names of the columns, whether each holds numbers, and the rows.

    Examples
    --------
    >>> names, _, rows = net_rows([Net(0, "original", "running", "accuracy")], "accuracy")
    >>> names[:3], rows[0].cells[:2], rows[0].cells[-1]
    (['row', 'step', 'accuracy'], ('0', 'original'), 'running')
    """
    names = ["row", "step", metric, "ONNX", "bundle", "MACs", "state"]
    return names, [True, False, True, True, True, True, False], [_row(net) for net in nets]


def _row(net: Net) -> Row:
    step = text.printable(net.step)
    state = "best" if net.is_best else net.state
    more = "\n".join((*net.notes, net.reason or ""))
    if net.score is None:
        return Row(net.number, (str(net.number), step, "", "", "", "", state), _values(net, state), more)
    cells = text.number(net.score.value), text.size(net.size), text.size(net.bundle), text.counted(net.macs)
    return Row(net.number, (str(net.number), step, *cells, state), _values(net, state), more)


def _values(net: Net, state: str) -> tuple[float | str | None, ...]:
    if net.score is None:
        return net.number, net.step, None, None, None, None, state
    return net.number, net.step, net.score.value, net.size, net.bundle, net.macs, state


def net_details(net: Net, trial: Trial, recipe: Sequence[str]) -> str:
    """All that is known of a row, as HTML.

    Parameters
    ----------
    net, trial
        The row, as the table has it and as the history has it.
    recipe
        All steps that led there, as they are typed.

    Examples
    --------
    >>> failed = Net(1, "Prune(0.5)", "failed", "accuracy", reason="ValueError: <b>")
    >>> "ValueError: &lt;b&gt;" in net_details(failed, Trial(1, {}, state="failed", error="ValueError: <b>"), [])
    True
    """
    is_best = ", the best" if net.is_best and net.number else ""
    parts = [f"<h4>Row {net.number}, {trial.state}{is_best}</h4>"]
    if recipe:
        parts.append(f'<pre class="tunekit-recipe">{shown("[" + ", ".join(recipe) + "]")}</pre>')
    if net.score is not None:
        parts.append(facts("Figures", _figures(net, net.score)))
        parts.append(facts("Median for one batch", _latencies(net)))
    if trial.reports and net.score is None:
        last = trial.reports[-1]
        parts.append(facts(f"After epoch {len(trial.reports)}", [(name, text.number(last[name])) for name in last]))
    if net.notes:
        parts.append(f'<ul class="tunekit-sentences">{"".join(f"<li>{shown(note)}</li>" for note in net.notes)}</ul>')
    if trial.error:
        parts.append(error_box(trial.error))
    return f'<div class="tunekit-details">{"".join(parts)}</div>'


def _figures(net: Net, score: Score) -> list[tuple[str, str]]:
    pairs = [(f"{net.metric}, 95 %", str(score))]
    if net.change is not None:
        change = net.change
        low, high = text.signed(change.low), text.signed(change.high)
        pairs.append(("against the original", f"{text.signed(change.value)} [{low}, {high}]"))
    zeros = 1 - net.nonzeros / max(1, net.parameters)
    return [
        *pairs,
        ("ONNX file", text.size(net.size)),
        ("bundle", text.size(net.bundle)),
        ("parameters", text.counted(net.parameters)),
        ("zeros among them", text.share(zeros)),
        ("MACs", text.counted(net.macs)),
    ]


def _latencies(net: Net) -> list[tuple[str, str]]:
    return [
        (f"{RUNTIMES[runtime]}, {text.plural(size, 'example')}", text.latency(net.latencies[runtime, size].median))
        for runtime in RUNTIMES
        for size in BATCHES
        if (runtime, size) in net.latencies
    ]
