"""A budget finds its own recipe: the net that is handed over keeps it, or words say what is missing."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

from tests.compress.nets import build, by_hand, digits, facts, state, tiny
from tunekit.compress import racing
from tunekit.compress.budget import Budget
from tunekit.compress.compression import Compression
from tunekit.compress.findings import Findings
from tunekit.compress.fine_tune import FineTune
from tunekit.compress.fitting import Cut, Finder, Fitted, worth_training
from tunekit.compress.limits import METRICS, Limits, limits_of
from tunekit.compress.measure import measure
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.shapes import Shape
from tunekit.compress.stage import Stage
from tunekit.compress.verdict import verdict
from tunekit.core.events import Progressed
from tunekit.core.trial import Trial

# Nets that learned something, so that a drop means something.
EPOCHS = 12


@functools.cache
def trained(name: str) -> nn.Module:
    lab = Compression(build(name), digits())
    lab.start([FineTune(EPOCHS, learning_rate=3e-3)]).wait()
    return lab[1].model()


class Found(NamedTuple):
    """A lab after its search, and what was said."""

    lab: Compression
    words: str
    limits: Limits

    @property
    def figures(self) -> Mapping[str, float]:
        return self.lab.trials[self.lab.best_number or 0].metrics


@functools.cache
def found(name: str, budget: Budget) -> Found:
    model = trained(name)
    before = state(model)
    lab = Compression(model, digits())
    words = repr(lab.start(budget=budget).wait())
    assert state(model) == before, "the caller's model was changed"
    return Found(lab, words, limits_of(budget, "accuracy", lab.trials[0].metrics))


@pytest.fixture(autouse=True)
def _few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few epochs: what is looked for here is what is done with them."""
    for name, epochs in (("_SHORT", 1), ("_MIDDLE", 1), ("_LONG", 4)):
        monkeypatch.setattr(racing, name, epochs)


HALF = Budget(size=1 / 2, macs=1 / 2, drop=0.2)


@pytest.mark.parametrize(
    ("name", "budget"),
    [
        ("conv", HALF),
        ("conv", Budget(size=1 / 4, drop=0.1)),
        ("conv", Budget(memory=1 / 2, drop=0.1)),
        ("mlp", Budget(size=1 / 3, macs="3 k", drop=0.1)),
        ("gru", Budget(size=1 / 2, drop=0.1)),
        ("mlp", Budget(bundle=1 / 8, drop=0.1)),
        ("conv", Budget(bundle=1 / 3, size=1 / 2, drop=0.2)),
    ],
    ids=str,
)
def test_the_best_keeps_the_budget_or_is_none(name: str, budget: Budget) -> None:
    lab, words, limits = found(name, budget)
    if "No row keeps" in words:
        assert not any(limits.hold(trial.metrics) for trial in lab.trials)
        assert "is missed" in words or "allowed" in words
        return
    best = found(name, budget).figures
    assert words.startswith(f"Row {lab.best_number} keeps {budget!r}")
    assert limits.hold(best)
    assert best["accuracy"] == max(trial.metrics["accuracy"] for trial in lab.trials if limits.hold(trial.metrics))


def test_what_can_be_had_is_had_and_the_file_is_as_small_as_its_row_says(tmp_path: Path) -> None:
    lab, words, _ = found("conv", HALF)
    assert f"keeps {HALF!r}" in words
    assert found("conv", HALF).figures["macs"] <= 0.5 * lab.trials[0].metrics["macs"]
    lab.best.export(tmp_path / "net.onnx")
    assert (tmp_path / "net.onnx").stat().st_size <= 0.5 * lab.trials[0].metrics["size"]


def test_what_is_much_smaller_than_another_net_that_fits_is_not_trained() -> None:
    def fitted(parameters: int, operations: int) -> Fitted:
        cut = Cut((), Stage(nn.Identity()), parameters, operations)
        return Fitted(cut, Shape((), {}, "float"), b"", cut)

    dwarf, wide, deep = fitted(10, 100), fitted(30, 300), fitted(4, 200)
    assert worth_training([dwarf, wide, deep]) == [wide, deep]


def test_of_blocks_that_differ_the_same_are_left_out_where_a_net_is_measured_and_where_it_is_trained() -> None:
    class Block(nn.Module):
        def __init__(self, channels: int, height: float) -> None:
            super().__init__()
            self.conv, self.height = nn.Conv2d(channels, channels, 3, padding=1), height

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(x + self.height * self.conv(x))

    torch.manual_seed(1)
    # the last one does nothing, but is too large a part where little is to go
    net = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), Block(8, 1.0), Block(8, 1.0)),
        *(nn.Conv2d(8, 24, 3, stride=2, padding=1), nn.ReLU(), Block(24, 0.0)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 10)),
    )
    lab = Compression(net, digits())
    result = lab.start(budget=Budget(macs=0.5))
    while lab.state != "over" and not (lab._seeker and lab._seeker.findings.fitting):
        time.sleep(0.01)
    lab.stop()
    result.wait()
    assert lab._seeker is not None
    shapes = [shape for shape in lab._seeker.findings.fitting if "blocks" in repr(shape.steps)]
    assert shapes
    for shape in shapes:
        again = Compression(net, digits())
        again.start(list(shape.steps)).wait()
        assert again.trials[-1].metrics["macs"] == shape.figures["macs"], shape.steps


def test_all_ways_to_train_on_are_tried_on_the_best_shape() -> None:
    lab, _, _ = found("conv", HALF)
    rows = [trial.params["step"] for trial in lab.trials]
    faster = rows.index("FineTune(epochs=1, learning_rate=0.01)")
    recipe = [*lab[faster].recipe[:-1], FineTune(1, learning_rate=0.003)]
    usual = next(number for number in range(len(rows)) if lab[number].recipe == recipe)
    is_faster_better = lab.trials[faster].metrics["accuracy"] > lab.trials[usual].metrics["accuracy"]
    assert ("FineTune(epochs=1)" in rows) != is_faster_better, "a slower rate is tried where a faster one is no better"
    assert any(step.startswith("Distill(epochs=1, control=False") for step in rows), rows


def test_what_may_be_better_yet_is_trained_to_the_end_too() -> None:
    lab, words, _ = found("conv", HALF)
    ends = [lab[trial.number].recipe for trial in lab.trials if trial.params["step"].startswith("FineTune(epochs=4")]
    assert len({recipe[0] for recipe in ends}) == 2
    control = lab[int(words.partition("from scratch (row ")[2].partition(")")[0])].recipe
    assert control[0] == lab.best.recipe[0], "the net from scratch has the shape of the one that is handed over"


def test_where_the_cut_costs_most_of_the_score_several_shapes_recover_before_one_is_chosen() -> None:
    lab, _, limits = found("conv", Budget(macs=1 / 16, drop=0.02))
    recipes = [lab[trial.number].recipe for trial in lab.trials]
    first = [recipe for recipe in recipes if len(recipe) == 1 and isinstance(recipe[0], Prune) and recipe[0].epochs]
    assert not any(limits.score_holds(lab.trials[recipes.index(recipe)].metrics) for recipe in first)
    recovered = [recipe for recipe in recipes if recipe[1:] == [FineTune(8, learning_rate=0.01)]]
    assert len(recovered) > 1


def test_a_search_says_what_single_layers_may_lose() -> None:
    lab, _, _ = found("conv", HALF)
    assert lab.last_sensitivity is not None
    assert lab.last_sensitivity.sentence() in str(lab.explain())


def test_a_bundle_gets_small_by_zeros_and_shared_values(tmp_path: Path) -> None:
    budget = Budget(bundle=1 / 8, drop=0.1)
    lab, words, _ = found("mlp", budget)
    path = tmp_path / "net.tunekit"
    lab.best.save(path)
    assert path.stat().st_size <= budget.figure("bundle", lab.trials[0].metrics["bundle"]), words
    assert {type(step).__name__ for step in lab.best.recipe} >= {"Prune", "Share"}


def test_the_same_shape_is_trained_from_scratch_beside_it() -> None:
    lab, words, _ = found("conv", HALF)
    fresh = [trial for trial in lab.trials if "fresh=True" in trial.params["step"]]
    assert len(fresh) == 1
    assert f"from scratch (row {fresh[0].number})" in words
    *before, control = lab[fresh[0].number].recipe
    assert isinstance(control, FineTune)
    assert control.epochs == sum(getattr(step, "epochs", 0) for step in before)
    assert control.learning_rate == getattr(before[-1], "learning_rate", None)
    assert [trial.metrics["macs"] for trial in lab.trials].count(fresh[0].metrics["macs"]) > 1


def test_a_net_within_the_budget_is_returned_as_it_is() -> None:
    budget = Budget(size=1, drop=0)
    lab, words, _ = found("mlp", budget)
    assert words == f"The original is within {budget!r} already: nothing was done to it."
    assert (lab.best_number, len(lab.trials)) == (0, 1)


def test_int8_alone_is_tried_first_and_is_enough() -> None:
    lab, _, _ = found("mlp", Budget(size=1 / 2, drop=0.05))
    assert [trial.params["step"] for trial in lab.trials] == ["original", "Quantize()"]
    assert lab.best_number == 1


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (
            Budget(size="40 B", drop=0.1),
            ["No row keeps", "No way to cut the net makes it that small", "of the 40 B allowed"],
        ),
        (
            Budget(macs=1 / 16, drop=0.02),
            ["No row keeps", "The drop is missed", "would be met", "Within the drop, row"],
        ),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_said_with_how_near_it_came(budget: Budget, said: list[str]) -> None:
    lab, words, _ = found("conv", budget)
    assert [one for one in said if one not in words] == []
    assert lab.best.metrics["accuracy"] >= lab.trials[0].metrics["accuracy_low"]


@pytest.mark.parametrize("budget", [Budget(size="40 B", drop=0.1), Budget(macs=1 / 16, drop=0.02)], ids=str)
def test_what_cannot_be_had_is_come_near_to(budget: Budget) -> None:
    """Looser budgets are tried, until what keeps the drop and what does not are close to one another."""
    lab, words, limits = found("conv", budget)

    def times(trial: Trial) -> float:
        return max(limits.ratios(trial.metrics).values())

    complete = [trial for trial in lab.trials if trial.state == "complete"]
    nearest = min((trial for trial in complete if limits.score_holds(trial.metrics)), key=times)
    lost = [times(trial) for trial in complete if not limits.score_holds(trial.metrics)]
    assert f"Within the drop, row {nearest.number} costs least: " in words
    assert times(nearest) < 2 * max(one for one in lost if one < times(nearest))


def test_what_a_smaller_net_would_lose_is_said() -> None:
    name = METRICS["latency"]
    figures = [(0.9, 100.0, 40e-6), (0.905, 30.0, 38e-6), (0.7, 9.0, 8e-6), (0.8, 9.0, 8.2e-6), (0.895, 20.0, 20e-6)]
    rows = [
        Trial(number, {}, state="complete", metrics={"accuracy": accuracy, "size": size, name: seconds})
        for number, (accuracy, size, seconds) in enumerate(figures)
    ]
    limits = Limits("accuracy", 0.89, {"latency": 5e-6})
    words = verdict(Budget(latency=1 / 8), Findings(limits=limits), rows)
    assert "Within the drop, row 4 costs least: latency 40.0 µs → 20.0 µs (2.0x faster)" in words
    assert "drop=0.1 would buy row 3: latency 40.0 µs → 8.20 µs (4.9x faster); accuracy 0.900 → 0.800" in words


def test_hardly_anything_is_left_before_a_size_cannot_be_had() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 2000), nn.ReLU(), nn.Linear(2000, 4))
    lab = Compression(model, tiny())
    words = repr(lab.start(budget=Budget(size="100 B", drop=0.1)).wait())
    assert "No way to cut the net makes it that small" in words
    assert lab._seeker is not None
    widths = [next(iter(shape.steps)) for shape in lab._seeker.findings.others if shape.steps]
    assert any(isinstance(step, Prune) and step.amount > 0.995 for step in widths)


def test_what_was_timed_on_a_busy_machine_is_cut_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes with the weights' bytes; on a busy machine the best of what is timed side by side first is too slow."""
    beside_weights, side_by_side = 2000, []

    def timed(
        self: Finder, forms: Mapping[str, bytes], seconds: float
    ) -> Generator[Progressed, None, dict[str, float]]:
        yield Progressed("Timing")
        whole = self._original[METRICS["latency"]]
        second = whole / (len(self._file) - beside_weights)
        times = {form: second * (len(file) - beside_weights) for form, file in forms.items()}
        if len(forms) > 1 and "0" in forms:
            side_by_side.append(len(forms))
            if len(side_by_side) == 1:
                slower = 1.2 * whole / 8 / min(times.values())
                return {form: slower * time for form, time in times.items()}
        return times

    monkeypatch.setattr(Finder, "_timed", timed)
    lab = Compression(trained("conv"), digits())
    result = lab.start(budget=Budget(latency=1 / 8, drop=0.3))
    while lab.state != "over" and len(lab.trials) < 3:  # what is trained after that makes no difference
        time.sleep(0.01)
    lab.stop()
    result.wait()
    assert lab._seeker is not None
    findings = lab._seeker.findings
    assert findings.sought is not None
    assert len(side_by_side) == 2
    assert findings.fitting
    assert all(findings.sought.costs_hold(shape.figures) for shape in findings.fitting)


def test_a_latency_is_judged_by_the_limit_of_its_moment() -> None:
    name = METRICS["latency"]
    rows = [Trial(0, {}, state="complete", metrics={"accuracy": 0.9, "size": 10.0, name: 40e-6})]
    shape = Shape((), {"size": 3.0, "macs": 1.0, "memory": 1.0, name: 8e-6}, "static")
    # in the end the machine has become twice as slow, and so the limit twice as high
    sought, limits = (Limits("accuracy", 0.88, {"latency": most}) for most in (5e-6, 10e-6))
    found = Findings(limits=limits, sought=sought, others=(shape,))
    words = verdict(Budget(latency=1 / 4), found, rows)
    assert "at the nearest, latency 8.00 µs, 1.60x of the 5.00 µs allowed." in words


def test_what_nearly_keeps_the_budget_is_trained_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, epochs in (("_SHORT", 1), ("_MIDDLE", 1), ("_LONG", 3)):
        monkeypatch.setattr(racing, name, epochs)
    monkeypatch.setattr(Limits, "hold", lambda self, figures: False)  # as if it missed the score by a hair
    lab = Compression(trained("mlp"), digits())
    lab.start(budget=Budget(size=1 / 3, drop=0.1)).wait()
    ends = [[getattr(step, "epochs", 0) for step in made.recipe[-2:]] for made in lab._shop.made.values()]
    assert [3, 3] in ends
    assert max(sum(getattr(step, "epochs", 0) == 3 for step in made.recipe) for made in lab._shop.made.values()) == 2


def test_the_same_seed_finds_the_same() -> None:
    lab, words, _ = found("conv", HALF)
    again = Compression(trained("conv"), digits())
    assert repr(again.start(budget=HALF).wait()) == words
    first, second = ([(trial.params, facts(trial.metrics)) for trial in one.trials] for one in (lab, again))
    assert first == second


def test_its_recipe_can_be_run_again_without_the_budget() -> None:
    lab, _, _ = found("conv", HALF)
    again = Compression(trained("conv"), digits())
    again.start(lab.best.recipe).wait()
    assert again.trials[-1].metrics["macs"] == found("conv", HALF).figures["macs"]


class Block(nn.Module):
    """Gives back what it was given, a little changed."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(32, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x + self.inner(x))


def test_each_row_is_what_its_recipe_gives_step_by_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), Block(), Block(), Block(), nn.Dropout(0.2), nn.Linear(32, 4))
    lab = Compression(model, tiny(), seed=5)
    lab.start([FineTune(6, learning_rate=1e-2)]).wait()
    lab = Compression(lab[1].model(), tiny(), seed=5)
    lab.start(budget=Budget(macs=1 / 3, drop=0.3)).wait()
    chained = [trial for trial in lab.trials if "blocks" in trial.params["step"] and "channels" in trial.params["step"]]
    assert chained, "two steps in one row"
    for trial in chained:
        again = Compression(lab[0].model(), tiny(), seed=5)
        again.start(lab[trial.number].recipe).wait()
        assert facts(again.trials[-1].metrics) == facts(trial.metrics)


def test_a_search_is_stopped_and_keeps_what_it_has() -> None:
    lab = Compression(trained("conv"), digits())
    lab.start(budget=Budget(macs=1 / 4, drop=0.05))
    deadline = time.monotonic() + 60
    while len(lab.trials) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "made" in lab.status().words
    lab.stop()
    words = repr(lab.wait())
    assert words.startswith("Stopped: what is finished is kept; run it again to go on.")
    lab.sensitivity((0.5,))
    assert repr(lab.explain()).startswith(words), "what goes on aside does not change what the search came to"
    complete = [trial.number for trial in lab.trials if trial.state == "complete"]
    assert complete
    assert lab[complete[-1]].metrics


def test_a_search_that_was_stopped_goes_on_where_it_was() -> None:
    undisturbed, _, _ = found("conv", HALF)
    lab = Compression(trained("conv"), digits())
    lab.start(budget=HALF)
    deadline = time.monotonic() + 60
    while not any("Prune" in trial.params["step"] for trial in lab.trials) and time.monotonic() < deadline:
        time.sleep(0.01)
    lab.stop()
    assert "Stopped" in repr(lab.wait())
    kept = [trial.params["step"] for trial in lab.trials if trial.state == "complete"]
    lab.start(budget=HALF).wait()
    steps = [trial.params["step"] for trial in lab.trials if trial.state == "complete"]
    assert steps == [trial.params["step"] for trial in undisturbed.trials]
    assert steps[: len(kept)] == kept
    assert lab.best.recipe == undisturbed.best.recipe


def test_a_search_that_has_ended_has_nothing_left_to_do() -> None:
    undisturbed, words, _ = found("conv", HALF)
    lab = Compression(trained("conv"), digits())
    lab.start(budget=HALF).wait()
    assert repr(lab.start(budget=HALF).wait()) == words
    assert len(lab.trials) == len(undisturbed.trials)


def test_a_search_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(racing, "_LONG", 100_000)
    lab = Compression(trained("conv"), digits())
    words = repr(lab.start(budget=Budget(macs=1 / 4, drop=0.0, time=0.001)).wait())
    assert "The time was over before the search was." in words


def test_a_net_that_needs_too_much_memory_is_a_row_that_failed() -> None:
    def fit(model: nn.Module, task: Any, epochs: int) -> Any:
        yield
        raise MemoryError("cannot allocate 9 GB")

    lab = Compression(trained("conv"), digits(fit=fit))
    words = repr(lab.start(budget=Budget(size=1 / 2, macs=1 / 2, drop=0.3)).wait())
    failed = [trial for trial in lab.trials if trial.state == "failed"]
    assert words.startswith("No row keeps")
    assert f" failed, row {failed[-1].number} with MemoryError: cannot allocate 9 GB." in words
    assert lab[lab.best_number or 0].metrics


def test_what_was_better_before_it_was_trained_on_is_kept() -> None:
    def fit(model: nn.Module, task: Any, epochs: int) -> Iterator[None]:
        yield from by_hand()(model, task, epochs)
        if epochs > 1:  # what is trained for long is lost
            for parameter in model.parameters():
                parameter.data.zero_()

    lab = Compression(trained("conv"), digits(fit=fit))
    words = repr(lab.start(budget=HALF).wait())
    assert words.startswith(f"Row {lab.best_number} keeps {HALF!r}")
    trained_for = [[getattr(step, "epochs", 0) for step in lab[row].recipe] for row in range(len(lab.trials))]
    assert max(trained_for[lab.best_number or 0]) == 1
    control = next(trial.number for trial in lab.trials if "fresh=True" in trial.params["step"])
    assert trained_for[control][-1] == max(sum(epochs) for epochs in trained_for[:control])


def test_a_task_with_its_own_loop_is_fine_tuned_and_not_taught() -> None:
    lab = Compression(trained("mlp"), digits(fit=by_hand()))
    lab.start(budget=Budget(macs=1 / 2, drop=0.3)).wait()
    assert [trial.state for trial in lab.trials] == ["complete"] * len(lab.trials)
    assert any("FineTune" in trial.params["step"] for trial in lab.trials)
    assert not any("Distill" in trial.params["step"] for trial in lab.trials)


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: Budget(), ValueError, ["at least one of 'size', 'bundle', 'macs', 'latency', 'memory'", "got none"]),
        (lambda: Budget(drop=0.01), ValueError, ["at least one of", "write Budget(size=1/10)"]),
        (lambda: Budget(size=10), ValueError, ["share of the original's", "got 10", "write 1/10"]),
        (lambda: Budget(size=100), ValueError, ["got 100", "for a figure '100 kB'"]),
        (lambda: Budget(macs=0), ValueError, ["above 0", "got 0"]),
        (lambda: Budget(latency=float("nan")), ValueError, ["share", "got nan"]),
        (lambda: Budget(size="small"), ValueError, ["such as '100 kB'", "'small'", "'MB'"]),
        (lambda: Budget(latency="2 kB"), ValueError, ["such as '2 ms'", "'2 kB'", "'ms'"]),
        (lambda: Budget(size=True), TypeError, ["is a number or a figure", "True"]),
        (lambda: Budget(size=0.1, drop=-1), ValueError, ["finite number from 0", "got -1", "write 0.01"]),
        (lambda: Budget(size=0.1, drop="1 point"), TypeError, ["drop is a number", "'1 point'"]),  # type: ignore[arg-type]
        (lambda: Budget(size=0.1, time=0), ValueError, ["above 0", "got 0"]),
        (lambda: Budget(size=0.1, time="soon"), ValueError, ["such as '10 min'", "'soon'"]),
    ],
)
def test_a_wrong_budget(make: Callable[[], Budget], kind: type[Exception], words: list[str]) -> None:
    with pytest.raises(kind) as error:
        make()
    assert [word for word in words if word not in str(error.value)] == []


@pytest.mark.parametrize(
    ("written", "name", "figure"),
    [
        ("100 kB", "size", 1e5),
        ("1.5MB", "size", 1.5e6),
        ("2 ms", "latency", 2e-3),
        ("80 µs", "latency", 8e-5),
        ("3 M", "macs", 3e6),
        ("1200", "macs", 1200.0),
        (0.25, "memory", 250.0),
    ],
)
def test_figures_are_read_with_their_units(written: Any, name: str, figure: float) -> None:
    assert Budget(**{name: written}).figure(name, 1000.0) == pytest.approx(figure)


def test_what_contradicts_the_run() -> None:
    lab = Compression(nn.Linear(16, 4), tiny())
    with pytest.raises(ValueError, match="a budget finds the recipe by itself"):
        lab.run([Prune(0.5)], budget=Budget(size=0.5))
    with pytest.raises(TypeError, match=r"a budget is a Budget"):
        lab.run(budget={"size": 0.1})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"drop is a part of the score.*for one point of accuracy write 0.01"):
        lab.run(budget=Budget(size=0.5, drop=1))


def test_the_limits_are_those_that_measure_gives() -> None:
    model, task = trained("conv"), digits()
    figures = measure(model, task).metrics | {"memory": 1000.0, "bundle": 500.0}
    limits = limits_of(Budget(size=0.5, bundle=0.5, macs=0.5, latency=0.5, memory=0.5), "accuracy", figures)
    assert limits.ratios(figures) == dict.fromkeys(METRICS, pytest.approx(2.0))
