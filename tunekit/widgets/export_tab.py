"""The tab that writes a row to a file."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunekit.compress import table
from tunekit.compress.rows import Rows
from tunekit.core import text
from tunekit.widgets.explorer import Explorer, Tab
from tunekit.widgets.latest import Latest
from tunekit.widgets.saying import button, paragraph

# What the menu calls each form, and how its file ends.
_FORMS = {"bundle, for tunekit": ".tunekit", "ONNX": ".onnx"}
_FOR_PHONES = {"ExecuTorch": ".pte"}


class ExportTab(Tab):
    """A row, a form and a path; what was written is said in words."""

    title = "Export"
    job: Rows

    def __init__(self, explorer: Explorer) -> None:
        import ipywidgets

        super().__init__(explorer)
        forms = _FORMS | (_FOR_PHONES if find_spec("executorch") is not None else {})
        self._row = ipywidgets.Dropdown(options=[("none yet", -1)], description="Row")
        self._form = ipywidgets.Dropdown(options=list(forms.items()), description="Format")
        self._path = ipywidgets.Text(value="model.tunekit", description="Path", continuous_update=False)
        self._form.observe(self._rename, "value")
        self._write = button("Write", "Write the row to that path; a file of that name is replaced", self._pressed)
        self._words = ipywidgets.HTML()
        self._options: list[tuple[str, int]] = []
        self._written = Latest(self._write_it, explorer.wake)
        self._wish: tuple[int, str] | None = None
        self._wishes = 0
        self._all = ipywidgets.VBox([self._row, self._form, self._path, self._write, self._words])
        self._all.add_class("tunekit-form")

    @property
    def widget(self) -> Any:
        """The menus, the path, the button and what it did."""
        return self._all

    def refresh(self) -> None:
        """Offer the rows that there are, write what is wished, and say what came of it."""
        options = self._known()
        if options != self._options:
            chosen, self._options = self._row.value, options
            self._row.options = options or [("none yet", -1)]
            numbers = [number for _, number in options]
            best = self.job.best_number
            self._row.value = chosen if chosen in numbers else best if best in numbers else (numbers or [-1])[0]
        done = self._written.ask(self._wishes, in_a_hurry=True) if self._wishes else None
        self._write.disabled = not options or self._written.is_busy
        if self._wishes:
            said = done or text.sentence(self._written.trouble)
            self._words.value = paragraph("Writing." if self._written.is_busy else said or "", is_news=True)

    def close(self) -> None:
        """Wait for what is being written."""
        self._written.close()

    def _known(self) -> list[tuple[str, int]]:
        there = {trial.number for trial in self.job.history.complete} & set(self.job._shop.made)
        return [
            (text.printable(f"{net.number}: {net.step}{' (best)' if net.is_best else ''}"), net.number)
            for net in table.rows(self.job)
            if net.number in there
        ]

    # On whatever thread a press arrives

    def _pressed(self) -> None:
        self._wish = self._row.value, self._path.value
        self._wishes += 1
        self.explorer.wake()

    def _rename(self, change: Any) -> None:
        """Let the path end as the form wants it, as long as it ends like a form."""
        path = self._path.value
        for ending in (*_FORMS.values(), *_FOR_PHONES.values()):
            if path.endswith(ending):
                self._path.value = path.removesuffix(ending) + change["new"]
                return

    # On a thread of its own

    def _write_it(self) -> str:
        assert self._wish is not None
        row, given = self._wish
        path = Path(given.strip()).expanduser()
        if not given.strip():
            raise ValueError("A file has a name: write a path such as model.onnx.")
        ending = self._form.value
        if path.suffix != ending:
            raise ValueError(f"The path of this format ends in {ending}: got {given!r}.")
        model = self.job[row]
        if ending == ".tunekit":
            model.save(path)
        else:
            model.export(path)
        size = path.stat().st_size
        how = f'; tk.load("{path}") reads it' if ending == ".tunekit" else ""
        return f"Row {row} is in {path}: {text.plural(size, 'byte')}{how}."
