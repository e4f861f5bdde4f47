"""A table on the page: sorted, filtered and turned by the kernel, a page at a time, so that it never is too long."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from tunekit.core import text
from tunekit.widgets.filtering import Row, filtered, in_order, misread
from tunekit.widgets.page import PageWidget, script

_HERE = Path(__file__).parent

# So many rows are one page: what fits on a screen beside its picture.
PAGE = 25


class Table(PageWidget):
    """Rows that a person sorts by a click on a header, filters by typing, and chooses from.

    Parameters
    ----------
    name
        What the rows are, in one word, such as ``"trial"``.
    changed
        Called when a person has asked for something else, perhaps on another thread: it should only set a flag, upon
        which `show` is called.
    sort
        The column that it is sorted by at first, and whether downwards.
    """

    _esm = script("table")
    _css = _HERE / "table.css"

    name = traitlets.Unicode("").tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rows: traitlets.List[Any] = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
    words = traitlets.Unicode("").tag(sync=True)
    has_before = traitlets.Bool(False).tag(sync=True)
    has_after = traitlets.Bool(False).tag(sync=True)
    wanted = traitlets.Unicode("").tag(sync=True)

    def __init__(self, name: str, changed: Callable[[], None], sort: tuple[str, bool]) -> None:
        super().__init__(name=name)
        self._changed = changed
        self._sort = sort
        self._page = 0
        self.on_msg(self._receive)
        self.observe(self._turn_back, "wanted")

    def show(self, names: Sequence[str], numeric: Sequence[bool], rows: Sequence[Row]) -> None:
        """Show the page that is wanted of these rows.

        Parameters
        ----------
        names, numeric
            Of each column: its name, and whether its values are numbers.
        rows
            All rows, in any order.
        """
        column, descending = self._sort
        found = filtered(rows, names, self.wanted)
        if column in names:
            found = in_order(found, list(names).index(column), descending)
        last = max(0, (len(found) - 1) // PAGE)
        page = min(self._page, last)
        shown = found[page * PAGE : (page + 1) * PAGE]
        way = "descending" if descending else "ascending"
        with self.hold_sync():
            self.columns = [
                {"name": name, "numeric": is_numeric, "sort": way if name == column else "none"}
                for name, is_numeric in zip(names, numeric, strict=True)
            ]
            self.rows = [{"number": row.number, "cells": list(row.cells)} for row in shown]
            counted = self._how_many(len(rows), len(found), page * PAGE, len(shown))
            mistyped = "" if found else misread(rows, names, self.wanted)
            self.words = f"{counted}. {mistyped}" if mistyped else counted
            self.has_before, self.has_after = page > 0, page < last

    def _how_many(self, everything: int, found: int, before: int, shown: int) -> str:
        if not everything:
            return f"No {self.name} yet"
        of = text.plural(everything, self.name) if found == everything else f"{found:,} of {everything:,} {self.name}s"
        return f"{before + 1:,} to {before + shown:,} of {of}" if shown < found else of

    def _turn_back(self, _change: Any) -> None:
        self._page = 0
        self._changed()

    def _receive(self, _widget: Any, content: Any, _buffers: Any) -> None:
        match content:
            case {"sort": str(name)}:
                column, descending = self._sort
                self._sort, self._page = (name, not descending if name == column else False), 0
            case {"turn": 1 | -1 as pages}:
                self._page = max(0, self._page + pages)
            case {"choose": int(number)}:
                self.chosen = number
            case _:
                return
        self._changed()
