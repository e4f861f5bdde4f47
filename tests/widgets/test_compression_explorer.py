"""The explorer of a compression without a browser: what its tabs say, that nothing becomes markup, and what is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ipywidgets.widgets import widget as widgets
from torch import nn
from torch.nn.functional import cross_entropy

import tunekit as tk
from tests.compress.nets import tiny
from tests.widgets.test_explorer import until
from tunekit.compress import workshop
from tunekit.compress.score import Score
from tunekit.compress.table import Row as Net
from tunekit.core import text
from tunekit.core.trial import Trial
from tunekit.widgets.explorer import Explorer
from tunekit.widgets.export_tab import ExportTab
from tunekit.widgets.layers_tab import LayersTab
from tunekit.widgets.net_rows import net_details, net_rows
from tunekit.widgets.rows_tab import RowsTab
from tunekit.widgets.tabs import tabs_of
from tunekit.widgets.trade_off_tab import TradeOffTab

EVIL = "<img src=x onerror=alert(1)>"
TITLES = ["Progress", "Rows", "Layers", "Trade-off", "Export"]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4))


def fails(model: nn.Module, task: tk.Task, epochs: int) -> Iterator[None]:
    yield
    raise OSError(EVIL)


@pytest.fixture(scope="module")
def lab() -> Iterator[tk.Compression]:
    """Three rows that went well, and one that failed."""
    patch = pytest.MonkeyPatch()
    patch.setattr(workshop, "_SECONDS_A_CELL", 0.002)
    x = torch.randn(64, 16, generator=torch.Generator().manual_seed(1))
    data = x, x[:, :4].argmax(1)
    lab = tk.Compression(net(), tk.Task(data, data, loss=cross_entropy, fit=fails))
    lab.run([tk.Prune(0.5), tk.Quantize("weights")])
    lab.run([tk.FineTune(1)])
    yield lab
    patch.undo()


@pytest.fixture
def explorer(lab: tk.Compression) -> Iterator[Explorer]:
    explorer = Explorer(lab, tabs_of(lab))
    yield explorer
    if not explorer.is_closed:
        explorer.close()


def tab(explorer: Explorer, kind: type[Any]) -> Any:
    place, found = next((place, one) for place, one in enumerate(explorer._tabs) if isinstance(one, kind))
    explorer._book.selected_index = place
    return found


def test_its_tabs_are_those_of_a_compression(explorer: Explorer) -> None:
    assert list(explorer._book.titles) == TITLES


def test_the_rows_are_listed_and_a_failed_one_says_why_without_markup(explorer: Explorer) -> None:
    rows = tab(explorer, RowsTab)
    until(lambda: len(rows._table.rows) == 4)
    assert rows._table.rows[3]["cells"][-1] == "failed"
    rows._table._handle_custom_msg({"choose": 3}, [])
    until(lambda: "Row 3, failed" in rows._details.value)
    assert "OSError: &lt;img" in rows._details.value
    assert EVIL not in rows._details.value
    rows._table._handle_custom_msg({"choose": 2}, [])
    until(lambda: "Row 2, complete" in rows._details.value)
    assert "[Prune(0.5), Quantize(&#x27;weights&#x27;)]" in rows._details.value
    assert "weights in int8" in rows._details.value


def test_what_is_the_users_is_escaped_wherever_it_stands() -> None:
    whole = Net(1, EVIL, "complete", EVIL, 900, 9, 9, 9, Score(0.5, 0.4, 0.6, 9), 800, notes=(EVIL,), reason=EVIL)
    trial = Trial(1, {}, state="complete", error=EVIL)
    assert "<img" not in net_details(whole, trial, [EVIL])
    names, numeric, rows = net_rows([whole, Net(2, EVIL, "failed", EVIL, reason=EVIL)], EVIL)
    assert len(names) == len(numeric) == len(rows[0].cells) == len(rows[1].values)


def test_layers_are_measured_in_the_background_and_one_says_what_an_amount_costs() -> None:
    lab = tk.Compression(net(), tiny())
    lab.run([tk.Prune(0.5)])
    explorer = Explorer(lab, tabs_of(lab))
    try:
        layers = tab(explorer, LayersTab)
        until(lambda: "not measured yet" in layers._status.value)
        layers._table._handle_custom_msg({"choose": 0}, [])
        until(lambda: "at 0 %: what that costs is not measured yet" in layers._answer.value)
        layers._measure.click()
        until(lambda: "Measured: " in layers._status.value, 60)
        assert lab.last_sensitivity is not None
        assert lab.last_sensitivity.granularity == "weights"
        layers._slider._handle_custom_msg({"turn": 0, "to": 40}, [])
        until(lambda: "Without 40 % of the weights of Layer 0" in layers._answer.value)
        assert "between two amounts that were measured" in layers._answer.value
        until(lambda: "With 40 % of 0 at zero" in layers._taken.value, 60)
        assert f"the ONNX file stays at {text.size(lab.trials[0].metrics['size'])}" in layers._taken.value
        layers._offer.click()
        assert layers._recipe.value == "[Prune(0.4, layers=('0',))]"
        until(lambda: layers._curve.alt.startswith("Layer 0 may lose"))
        layers._what.value = "channels"
        until(lambda: "With its channels" in layers._taken.value)
    finally:
        explorer.close()
    assert lab.is_over


def test_closing_ends_a_measurement_that_was_begun_there(explorer: Explorer, lab: tk.Compression) -> None:
    layers = tab(explorer, LayersTab)
    layers._measure.click()
    until(lambda: layers._is_measuring or lab.last_sensitivity is not None)
    explorer.close()
    until(lambda: lab.is_over)


def test_the_best_row_is_told_in_words(explorer: Explorer, lab: tk.Compression) -> None:
    trade_off = tab(explorer, TradeOffTab)
    until(lambda: trade_off._picture.picture)
    assert "ONNX file" in trade_off._words.value
    assert f"row {lab.best_number}" in trade_off._words.value or "original is the best" in trade_off._words.value
    assert trade_off._budget.value == ""


def test_a_row_is_written_in_each_form_and_trouble_is_told(
    explorer: Explorer, lab: tk.Compression, tmp_path: Path
) -> None:
    export = tab(explorer, ExportTab)
    until(lambda: len(export._row.options) == 3)
    export._row.value = 2
    export._path.value = str(tmp_path / "net.tunekit")
    export._write.click()
    until(lambda: "Row 2 is in" in export._words.value)
    assert f"{(tmp_path / 'net.tunekit').stat().st_size:,} bytes" in export._words.value
    assert tk.load(tmp_path / "net.tunekit").metrics["size"] == lab.trials[2].metrics["size"]
    export._form.value = ".onnx"
    assert export._path.value.endswith("net.onnx")
    export._write.click()
    until(lambda: "net.onnx: " in export._words.value)
    assert (tmp_path / "net.onnx").stat().st_size == lab.trials[2].metrics["size"]
    export._path.value = str(tmp_path / EVIL / "net.onnx")
    export._write.click()
    until(lambda: "a folder that exists" in export._words.value)
    assert "<img" not in export._words.value
    export._path.value = "net.txt"
    export._write.click()
    until(lambda: "ends in .onnx" in export._words.value)


def test_closed_it_leaves_no_widget_and_no_thread(lab: tk.Compression) -> None:
    before = set(widgets._instances)
    explorer = Explorer(lab, tabs_of(lab))
    for place in range(len(TITLES)):
        explorer._book.selected_index = place
    explorer.close()
    until(lambda: set(widgets._instances) <= before)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("tunekit-")]
