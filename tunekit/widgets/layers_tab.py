"""The tab of the layers: what each one costs and may lose, and what would come of an amount."""

from __future__ import annotations

from typing import Any

from tunekit.compress.exporter import Exporter
from tunekit.compress.layer_costs import LayerCost, layer_costs
from tunekit.compress.layers import weights_by_layer
from tunekit.compress.pruning.prune import Prune
from tunekit.compress.questions import Questions
from tunekit.compress.sensitivity import Granularity, LayerSensitivity, Sensitivity
from tunekit.compress.thinned import Bytes, thinned_bytes
from tunekit.core import text
from tunekit.plots.sensitivity import draw_sensitivity, sensitivity_data
from tunekit.plots.theme import new_figure
from tunekit.search.parameters import Float
from tunekit.search.space import Space
from tunekit.widgets.controls import Controls
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.filtering import Row
from tunekit.widgets.latest import Latest
from tunekit.widgets.picture import Picture
from tunekit.widgets.progress_tab import is_at_rest
from tunekit.widgets.saying import button, paragraph
from tunekit.widgets.table import Table

_AMOUNT = "amount"
_MOST = 0.95
# What a layer may cost where the table says how much of it may go.
_LITTLE = 0.01


class LayersTab(Tab):
    """A table of the layers, the curve of one, and amounts for each of them, which make a recipe."""

    title = "Layers"
    job: Questions

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        self._names = list(weights_by_layer(self.job._original))
        self._amounts = dict.fromkeys(self._names, 0.0)
        self._costs: dict[str, LayerCost] = {}
        self._what = ipywidgets.Dropdown(options=["weights", "channels"], description="Taking away")
        self._what.observe(lambda _: explorer.wake(), "value")
        self._measure = button("Measure", "Measure what each layer by itself may lose, without training", self._begin)
        self._stop = button("Stop", "End the measurement; what was measured before stays", self._end)
        bar = ipywidgets.HBox([self._what, self._measure, self._stop])
        bar.add_class("tunekit-row")
        self._status = ipywidgets.HTML()
        self._table = Table("layer", explorer.wake, ("layer", False))
        self._slider = Controls(Space({_AMOUNT: Float(0.0, _MOST, step=0.01)}), explorer.wake)
        self._answer, self._taken = ipywidgets.HTML(), ipywidgets.HTML()
        self._curve = Picture()
        self._recipe = ipywidgets.Textarea(description="Recipe", rows=3)
        self._offer = button("Write the recipe", "Write the amounts of all layers as a recipe to copy", self._write)
        # sliders and recipe are for the layer that was chosen, and there is none at first
        self._of_one = ipywidgets.VBox(
            [self._slider, self._answer, self._taken, self._curve, self._offer, self._recipe]
        )
        self._of_one.layout.display = "none"
        self._all = ipywidgets.VBox([bar, self._status, self._table, self._of_one])
        self._export = Exporter()
        self._bytes = Latest(self._count, explorer.wake)
        self._is_measuring = False
        self._taken_over: int | None = None

    @property
    def widget(self) -> Any:
        """The buttons, the table, and what is known of the layer that was chosen."""
        return self._all

    def refresh(self) -> None:
        """Show the layers as far as they are known, and the chosen one at its amount."""
        rests = is_at_rest(self.job)
        if not self._costs and rests and 0 in self.job._shop.made:
            self._costs = {cost.name: cost for cost in layer_costs(self.job, 0)}
        found = self.job.last_sensitivity
        self._show_status(found)
        self._table.show(*self._rows(found))
        number = self._table.chosen
        if not 0 <= number < len(self._names):
            return
        name = self._names[number]
        if self._taken_over != number:
            self._taken_over = number
            self._slider.take({_AMOUNT: self._amounts[name]})
            self._of_one.layout.display = None
        amount = self._slider.settings[_AMOUNT]
        self._amounts[name] = amount
        layer = None if found is None else next((one for one in found.layers if one.name == name), None)
        self._answer.value = paragraph(expected(name, amount, found, layer), is_news=True)
        self._taken.value = paragraph(self._said_of_bytes(name, amount, rests))
        if layer is not None:
            self._curve.paint((id(found), name, amount), lambda: self._draw(name, amount), in_a_hurry=rests)
        else:
            self._curve.clear()

    def close(self) -> None:
        """End a measurement that was begun here, and wait for what is being counted."""
        if self._is_measuring:
            self.job.stop()
        self._bytes.close()

    # What is shown

    def _show_status(self, found: Sensitivity | None) -> None:
        is_over = self.job.is_over
        if self._is_measuring and is_over:
            self._is_measuring = False
            self.job.wait()  # it is over: only what it failed with is told, above
        self._measure.disabled = not is_over
        self._stop.disabled = not self._is_measuring
        if self._is_measuring:
            status = self.job.status()
            words = f"{status.words} {100 * status.fraction:.0f} % done."
        elif not is_over:
            words = "A run is going on: layers are measured when it has ended."
        elif found is None:
            words = "What each layer may lose is not measured yet."
        else:
            words = f"Measured: what goes with so much of one layer's {found.granularity}. {found.sentence()}"
        self._status.value = paragraph(words, is_news=True)

    def _rows(self, found: Sensitivity | None) -> tuple[list[str], list[bool], list[Row]]:
        known = {} if found is None else {layer.name: layer for layer in found.layers}
        goes = f"costs {_LITTLE:g} at"
        rows = []
        for number, name in enumerate(self._names):
            cost, layer = self._costs.get(name), known.get(name)
            most = None if layer is None else layer.most(_LITTLE)
            values = name, *((None, None) if cost is None else (cost.bytes, cost.macs)), most, self._amounts[name]
            cells = (
                text.printable(name or "the model"),
                "" if cost is None else text.size(cost.bytes),
                "" if cost is None else text.counted(cost.macs),
                "" if most is None else f"{100 * most:.0f} %",
                f"{100 * self._amounts[name]:.0f} %",
            )
            rows.append(Row(number, cells, values))
        return ["layer", "ONNX", "MACs", goes, _AMOUNT], [False, True, True, True, True], rows

    def _said_of_bytes(self, name: str, amount: float, rests: bool) -> str:
        if not self._costs:
            return "The bytes are known once the original is measured: run a recipe."
        if self._what.value == "channels":
            own = self._costs.get(name)
            held = "" if own is None else f" Its own part of the file is {text.size(own.bytes)}."
            return f"With its channels a layer loses that share of its own bytes, and of those of the next one.{held}"
        if not rests:
            return "The bytes are counted when the run has ended."
        found = self._bytes.ask((name, amount), in_a_hurry=True)
        if found is None:
            return text.sentence(self._bytes.trouble) or "The bytes are being counted."
        whole, less, (of, share) = found
        return (
            f"With {100 * share:.0f} % of {of} at zero and nothing else done, the bundle takes "
            f"{text.size(less.bundle)}, before {text.size(whole.bundle)}; the ONNX file stays at "
            f"{text.size(less.file)}: zeros are stored there, too."
        )

    def _draw(self, name: str, amount: float) -> tuple[Any, str]:
        data = sensitivity_data(self.job.last_sensitivity, name)
        figure, (axes,) = new_figure()
        draw_sensitivity(axes, data)
        axes.plot([100 * amount] * 2, axes.get_ylim(), color=axes.spines["left"].get_edgecolor(), linewidth=0.8)
        return figure, f"{data.title}. At {100 * amount:.0f} % there is a line."

    # On threads of their own, or wherever a press arrives

    def _count(self) -> tuple[Bytes, Bytes, tuple[str, float]]:
        name = self._names[self._table.chosen]
        amount = self._amounts[name]
        whole = thinned_bytes(self.job, {}, self._export)
        return whole, thinned_bytes(self.job, {name: amount}, self._export), (name, amount)

    def _begin(self) -> None:
        granularity: Granularity = self._what.value

        def begin() -> None:
            self.job.start_sensitivity(granularity=granularity)
            self._is_measuring = True

        self.explorer.act(begin)

    def _end(self) -> None:
        if self._is_measuring:
            self.job.stop()
        self.explorer.wake()

    def _write(self) -> None:
        self._recipe.value = recipe_of(self._amounts)
        self.explorer.wake()


def expected(name: str, amount: float, found: Sensitivity | None, layer: LayerSensitivity | None) -> str:
    """Say what the score would be with so much of one layer gone.

    Examples
    --------
    >>> expected("fc1", 0.5, None, None)
    'fc1 at 50 %: what that costs is not measured yet.'
    """
    name = f"Layer {name}" if name.isdigit() else name
    if found is None or layer is None:
        return f"{name} at {100 * amount:.0f} %: what that costs is not measured yet."
    change = layer.at(amount)
    what = f"{100 * amount:.0f} % of the {found.granularity} of {name}"
    if change is None:
        return f"{what}: at most {100 * layer.amounts[-1]:.0f} % was measured."
    how = "measured" if amount in (0.0, *layer.amounts) else "between two amounts that were measured"
    low, high = text.signed(change.low), text.signed(change.high)
    return (
        f"Without {what}: {found.metric} {text.signed(change.value)} [{low}, {high}], before any training, on "
        f"{text.plural(found.count, 'training example')}; {how}."
    )


def recipe_of(amounts: dict[str, float]) -> str:
    """Write amounts of layers as a recipe, as it is typed.

    Examples
    --------
    >>> recipe_of({"fc1": 0.5, "fc2": 0.0})
    "[Prune(0.5, layers=('fc1',))]"
    >>> recipe_of({"fc1": 0.0})
    'No layer has an amount yet.'
    """
    steps = [Prune(round(amount, 3), layers=(name,)) for name, amount in amounts.items() if amount > 0]
    return f"[{', '.join(map(repr, steps))}]" if steps else "No layer has an amount yet."
