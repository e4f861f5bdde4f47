"""What the pictures of a compression show: of small real ones, from before any run to after a search for a budget."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import tunekit as tk
from tests.compress.nets import build, digits, tiny
from tests.plots.test_plots import OF_NETS
from tunekit.compress import fitting, workshop
from tunekit.compress.changed import Changed
from tunekit.compress.choice import best_of
from tunekit.compress.layer_costs import layer_costs
from tunekit.compress.layer_weights import layer_weights
from tunekit.compress.limits import Limits
from tunekit.compress.score import Score
from tunekit.compress.sensitivity import LayerSensitivity, Sensitivity
from tunekit.core.events import TrialEnded, TrialStarted
from tunekit.core.goal import Aim, Goal
from tunekit.core.history import History
from tunekit.plots import confusion, layers, plot, theme, trade_off, weights
from tunekit.plots.image import png
from tunekit.plots.sensitivity import draw_sensitivity, sensitivity_data

OF_ROWS = ("confusion", "layers", "weights")
CLASSES = ["ant", "$\\frac{$<b>bee</b>", "cat", "dog"]


class Named(torch.utils.data.TensorDataset):
    """Points whose classes have names."""

    classes = CLASSES


def points() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 16, generator=generator)
    return x, x[:, :4].argmax(1)


def net(depth: int = 1) -> nn.Module:
    torch.manual_seed(0)
    middle = [part for _ in range(depth) for part in (nn.Linear(24, 24), nn.ReLU())]
    return nn.Sequential(nn.Linear(16, 24), nn.ReLU(), *middle, nn.Linear(24, 4))


def fails(model: nn.Module, task: tk.Task, epochs: int) -> Iterator[None]:
    yield
    raise OSError("no <b>disk</b>")


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(workshop, "_SECONDS_A_CELL", 0.002)
    patch.setattr(fitting, "_SECONDS", 0.01)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def lab() -> tk.Compression:
    """The original, a few rows that went well, and at the end one that failed."""
    lab = tk.Compression(net(), tk.Task(points(), Named(*points()), loss=cross_entropy, fit=fails))
    lab.run([tk.Prune(0.5), tk.Share(3), tk.Quantize("weights")])
    lab.run([tk.Prune(0.5, granularity="channels")])
    lab.run([tk.FineTune(1)])
    assert lab.trials[-1].state == "failed"
    return lab


@pytest.fixture(scope="module")
def fresh() -> tk.Compression:
    return tk.Compression(net(), tiny())


def title(figure: Figure) -> str:
    return figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize("name", OF_NETS)
class TestEveryPlotOfNets:
    def test_before_any_run_it_says_that_nothing_is_measured(self, name: str, fresh: tk.Compression) -> None:
        assert "measured yet" in title(plot(name, fresh))

    def test_it_is_the_same_small_transparent_picture_each_time(self, name: str, lab: tk.Compression) -> None:
        from PIL import Image

        image = png(plot(name, lab), final=True)
        pixels = Image.open(io.BytesIO(image.data)).convert("RGBA")
        assert pixels.size == (2 * image.width, 2 * image.height)
        assert np.asarray(pixels)[0, 0, 3] == 0
        assert len(image.data) < 40_000
        assert png(plot(name, lab), final=True).data == image.data

    def test_of_a_study_it_says_which_jobs_it_is_for(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"plot '{name}' is for a Compression.*got one for a Study"):
            plot(name, tk.Study(lambda x: x, {"x": (0.0, 1.0)}))

    def test_an_unknown_setting_lists_the_known_ones(self, name: str, lab: tk.Compression) -> None:
        with pytest.raises(ValueError, match="unknown setting 'rwo' of the plot"):
            lab.plot(name, rwo=1)


@pytest.mark.parametrize("name", OF_ROWS)
def test_a_row_that_is_not_there_or_failed_says_so(name: str, lab: tk.Compression) -> None:
    with pytest.raises(IndexError, match="numbered from 0 to 5"):
        lab.plot(name, row=99)
    with pytest.raises(ValueError, match="row 5 is failed"):
        lab.plot(name, row=5)


def test_the_costs_of_the_layers_are_the_rows_whole_figures(lab: tk.Compression) -> None:
    for trial in lab.history.complete:
        costs = layer_costs(lab, trial.number)
        assert sum(cost.bytes for cost in costs) == trial.metrics["size"]
        assert sum(cost.macs for cost in costs) == trial.metrics["macs"]


@pytest.mark.parametrize("name", ["conv", "lstm"])
def test_so_they_are_with_norms_that_the_file_folds_and_with_recurrent_layers(name: str) -> None:
    lab = tk.Compression(build(name), digits())
    lab.run([tk.Prune(0.5), tk.Quantize("dynamic")])
    lab.run([tk.Quantize("static")])
    known = {cost.name for cost in layer_costs(lab, 0)}
    for trial in lab.history.complete:
        costs = layer_costs(lab, trial.number)
        assert {cost.name for cost in costs} == known
        assert sum(cost.bytes for cost in costs) == trial.metrics["size"]
        assert sum(cost.macs for cost in costs) == trial.metrics["macs"]
    # what the file holds in whole numbers stands for the network's own weights, up to half a step of 255
    for pruned, stored in zip(layer_weights(lab, 1), layer_weights(lab, 2), strict=True):
        assert stored.distinct <= 2 * 256
        np.testing.assert_allclose(
            np.sort(stored.values), np.sort(pruned.values), atol=1.1 * np.abs(pruned.values).max() / 127
        )


def test_the_layers_show_what_each_had_and_has(lab: tk.Compression) -> None:
    data = layers.layers_data(lab, row=4)
    assert [bar.name for bar in data.bars] == ["0", "2", "4", "outside of layers"]
    was, now = data.bars[1].macs
    assert was == 24 * 24
    assert now is not None
    assert now < was
    assert re.fullmatch(r"layer 2: \d\d % of bytes, now \d\d %", data.title)
    assert layers.layers_data(lab, row=1).macs_title.endswith("of MACs, as before")
    assert layers.layers_data(lab, row=0).row is None


def test_a_split_layer_counts_as_the_one_that_it_was_made_of() -> None:
    lab = tk.Compression(net(), tiny())
    lab.run([tk.Factorise(0.5)])
    assert {cost.name for cost in layer_costs(lab, 1)} > {"2.0", "2.1"}
    assert [bar.name for bar in layers.layers_data(lab, row=1).bars] == ["0", "2", "4", "outside of layers"]


def test_of_many_layers_the_small_ones_are_summed_up() -> None:
    lab = tk.Compression(net(depth=24), tiny())
    lab.run([tk.Prune(0.5)])
    data = layers.layers_data(lab)
    assert len(data.bars) == 14
    assert data.bars[-2].name == "14 other layers"
    assert sum(bar.bytes[0] or 0 for bar in data.bars) == lab.trials[0].metrics["size"]
    lab.sensitivity(amounts=[0.9], granularity="channels")
    axes = lab.plot("sensitivity").axes[0]
    assert len(axes.lines) == 26
    assert "channels" in axes.get_xlabel()


def test_the_weights_are_told_by_zeros_and_values(lab: tk.Compression) -> None:
    shared = weights.weights_data(lab, row=2)
    assert shared.title == "50 % of 1.06 k weights are zero; 24 values, before 1,056"
    assert shared.after is not None
    assert len(shared.after.values) == 21
    assert sum(share for _, share in shared.after.values) + shared.after.zeros == pytest.approx(1)
    one = weights.weights_data(lab, row=1, layer="2")
    assert one.title.startswith("layer 2: ")
    with pytest.raises(ValueError, match="unknown layer 'fc': those with weights are '0', '2', '4'"):
        lab.plot("weights", layer="fc")


def answered(before: list[int], after: list[int], right: list[int], classes: int = 4) -> Changed:
    names = tuple(CLASSES) if classes == 4 else tuple(map(str, range(classes)))
    return Changed(np.array(before), np.array(after), np.array(right), names)


def test_changed_answers_are_counted_and_named() -> None:
    data = confusion.data_of(answered([0, 0, 0, 1, 2, 3], [0, 2, 2, 1, 0, 1], [0, 0, 2, 1, 0, 2]))
    assert data.title == "4 of 6 answers changed, most between ant and cat"
    assert data.words == "1 got wrong, 2 got right, 1 wrong before and after"
    assert data.kept == (1, 1, 0, 0)
    assert [(cell.before, cell.after, cell.count) for cell in data.cells] == [(0, 2, 2), (2, 0, 1), (3, 1, 1)]
    none = confusion.data_of(answered([0, 1], [0, 1], [0, 1]))
    assert none.title == "Not one of 2 answers changed"


def test_of_many_classes_those_with_the_most_changes_are_shown() -> None:
    before = list(range(40))
    data = confusion.data_of(answered(before, [(one + 1) % 40 for one in before], before, classes=40))
    assert len(data.classes) == 12
    assert data.changed == 40


def test_the_classes_have_the_names_that_the_data_give_them(lab: tk.Compression) -> None:
    data = confusion.confusion_data(lab, row=4)
    assert list(data.classes) == CLASSES
    figure = lab.plot("confusion", row=4)
    png(figure)
    assert "$" in figure.axes[0].get_yticklabels()[1].get_text()


def test_the_answers_of_a_regression_are_no_classes() -> None:
    x, _ = points()
    lab = tk.Compression(
        net(), tk.Task((x, x[:, :4]), (x, x[:, :4]), loss=mse_loss, metric=lambda a, b: -float(mse_loss(a, b)))
    )
    lab.run([tk.Prune(0.5)])
    with pytest.raises(ValueError, match="class by class"):
        lab.plot("confusion")


def rows(*sizes: float, scores: tuple[float, ...] = (), steps: tuple[str, ...] = ()) -> History:
    history = History(Goal(Aim("accuracy")))
    for number, size in enumerate(sizes):
        score = scores[number] if scores else 0.9
        history.apply(TrialStarted(number, {"step": steps[number] if steps else f"Prune({number})"}))
        figures = {"size": size, "accuracy": score, "accuracy_low": score - 0.02, "accuracy_high": score + 0.02}
        history.apply(TrialEnded(number, "complete", figures, 0.0))
    return history


@pytest.mark.parametrize("sizes", [(0.0,), (0.0, 0.0), (1000.0, 0.0)])
def test_a_file_of_no_bytes_divides_nothing(sizes: tuple[float, ...]) -> None:
    data = trade_off.trade_off_data(rows(*sizes))
    assert data.smallest is not None
    _, (axes,) = theme.new_figure()
    trade_off.draw_trade_off(axes, data)
    if len(sizes) == 2 and sizes[0]:
        assert data.title == "1.00 kB → 0 B; accuracy 0.900 → 0.900"


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ((102_000.0, 7000.0, 8500.0, 20_000.0), ["Distill", "Prune", "Quantize", "original"]),
        ((102_000.0, 50_000.0, 20_000.0), ["Prune", "Quantize", "original"]),
        ((102_000.0, 101_000.0, 100_000.0), ["Quantize", "original"]),
        ((102_000.0, 102_000.0, 102_000.0), ["original, Prune, Quantize"]),
        ((102_000.0, 900.0, 12_000.0), ["Prune", "Quantize", "original"]),
    ],
)
def test_no_name_lies_on_another(sizes: tuple[float, ...], named: list[str]) -> None:
    history = rows(*sizes, steps=("original", "Prune(0.5)", "Quantize()", "Distill(4)"))
    for width in (640, 300):
        figure, (axes,) = theme.new_figure(width=width)
        trade_off.draw_trade_off(axes, trade_off.trade_off_data(history))
        figure.canvas.draw()
        boxes = [written.get_window_extent() for written in axes.texts]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
        if width == 640:
            assert sorted(written.get_text() for written in axes.texts) == named


def test_small_files_beside_a_large_one_do_not_stand_on_one_another() -> None:
    _, (axes,) = theme.new_figure()
    limits = Limits("accuracy", 0.85, {"size": 2000.0})
    trade_off.draw_trade_off(axes, trade_off.trade_off_data(rows(400_000.0, 4000.0, 16_000.0), limits))
    points = [line for line in axes.lines if line.get_marker() == "o"]
    places = [float(np.asarray(line.get_xdata()).item()) for line in points]
    left, right = axes.get_xlim()
    assert [round((place - left) / (right - left), 2) for place in places] == [0.95, 0.17, 0.40]
    marks = [words.get_text() for words in axes.get_xticklabels()]
    assert marks[:1] == ["2"]
    assert len(marks) > 2
    assert axes.get_xlabel() == "file, kB"


def test_no_interval_of_another_net_goes_through_a_name() -> None:
    scores, steps = (0.937, 0.952, 0.952), ("original", "Prune(0.5)", "Quantize()")
    _, (axes, _) = theme.new_figure(2)
    trade_off.draw_trade_off(axes, trade_off.trade_off_data(rows(7375.0, 6810.0, 4870.0, scores=scores, steps=steps)))
    intervals = [line.get_window_extent() for line in axes.lines if line.get_marker() != "o"]
    names = [written.get_window_extent().padded(-2) for written in axes.texts]
    assert (len(intervals), len(names)) == (3, 3)
    assert not any(name.overlaps(interval) for name in names for interval in intervals)


def test_the_best_lies_above_what_is_as_small_and_as_good() -> None:
    _, (axes,) = theme.new_figure()
    trade_off.draw_trade_off(axes, trade_off.trade_off_data(rows(1000.0, 400.0, 400.0), best=1))
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert max(points, key=lambda line: line.get_zorder()).get_color() == theme.ACCENT


@pytest.mark.parametrize(
    ("sizes", "scores", "title"),
    [
        ((1000.0, 400.0), (0.9, 0.91), "2.5x smaller; accuracy 0.900 → 0.910"),
        ((1000.0, 400.0, 300.0), (0.9, 0.7, 0.6), "Smaller costs: accuracy 0.900 → 0.700"),
        ((1000.0, 1000.0), (0.1, 0.9), "accuracy 0.100 → 0.900; no smaller file yet"),
        ((1000.0, 1100.0), (0.9, 0.9), "No smaller file yet"),
    ],
)
def test_the_title_says_what_being_smaller_costs(
    sizes: tuple[float, ...], scores: tuple[float, ...], title: str
) -> None:
    history = rows(*sizes, scores=scores)
    best = best_of(history, "accuracy")
    assert best is not None
    assert trade_off.trade_off_data(history, best=best.number).title == title


def test_the_budget_is_drawn_in() -> None:
    limits = Limits("accuracy", 0.85, {"size": 500.0})
    data = trade_off.trade_off_data(rows(1000.0, 400.0), limits, best=1)
    assert data.title == "Within the budget: 2.5x smaller; accuracy 0.900 → 0.900"
    _, (axes,) = theme.new_figure()
    trade_off.draw_trade_off(axes, data)
    assert {"at least 0.850", "at most 500 B"} <= {words.get_text() for words in axes.texts}
    assert trade_off.trade_off_data(rows(1000.0, 700.0), limits, best=1).title == "No row is within the budget"


def test_the_least_score_is_written_where_no_interval_goes_through_it() -> None:
    limits = Limits("accuracy", 0.895, {"size": 400.0})
    _, (axes, _) = theme.new_figure(2)
    trade_off.draw_trade_off(axes, trade_off.trade_off_data(rows(1000.0, 560.0, 520.0, 400.0), limits))
    (said,) = (words.get_window_extent() for words in axes.texts if words.get_text() == "at least 0.895")
    intervals = [line for line in axes.lines if line.get_marker() != "o" and line.get_linestyle() == "-"]
    assert len(intervals) == 4
    assert not any(said.overlaps(line.get_window_extent()) for line in intervals)


def test_after_a_search_for_a_budget_the_picture_has_it() -> None:
    lab = tk.Compression(net(), tiny())
    lab.run(budget=tk.Budget(size=0.9, drop=0.2))
    assert lab.limits is not None
    assert title(lab.plot()).startswith("Within the budget: ")


def test_the_most_fragile_of_many_layers_stands_out() -> None:
    def layer(name: str, last: float) -> LayerSensitivity:
        return LayerSensitivity(
            name, (0.5, 0.9), (Score(-0.01, -0.02, 0.0, 9), Score(last, last - 0.05, last + 0.05, 9))
        )

    many = tuple(layer(f"encoder.layers.{place}.linear", -place / 60) for place in range(30))
    found = Sensitivity("accuracy", "weights", 500, many)
    _, (axes,) = theme.new_figure()
    draw_sensitivity(axes, sensitivity_data(found))
    assert len(axes.lines) == 30
    colored = [line for line in axes.lines if line.get_color() == theme.WARNING]
    assert len(colored) == 1
    (name,) = axes.texts
    assert name.get_text() == "encoder.layers.29.linear"
    assert name.get_window_extent().x1 <= axes.figure.bbox.x1
