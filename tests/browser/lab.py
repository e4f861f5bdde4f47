"""JupyterLab as a test drives it: open a notebook, run its cells, press its buttons, read what it shows.

Every wait has an end: a number of seconds that each method takes as `timeout`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nbformat
from nbformat import v4
from playwright.sync_api import Browser, BrowserContext, Locator, Page

from tests.browser.server import Server

Theme = Literal["light", "dark"]

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
ANSI = re.compile(r"\x1b\[[0-9;]*m")

# What a script finds: the app, and the notebook of the page. `panel` is looked up anew at each call, since a click
# into the file browser may change the current widget.
PRELUDE = """
const app = window.jupyterapp;
const panel = [...(app?.shell.widgets('main') ?? [])].find(each => each.context && each.content.widgets);
const session = panel?.sessionContext;
const cells = panel?.content.widgets ?? [];
"""


class Lab:
    """A running JupyterLab and a browser to look at it with; closes its pages when a test ends."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server = server
        self.browser = browser
        self._contexts: list[BrowserContext] = []

    def write(self, name: str, cells: Sequence[str], metadata: Mapping[str, Any] | None = None) -> Path:
        """Write a notebook of these code cells where the server serves it; open it by the same name."""
        notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata.update(metadata or {})
        path = self.server.root / name
        nbformat.write(notebook, path)
        return path

    def open(
        self,
        name: str,
        theme: Theme = "light",
        *,
        size: tuple[int, int] = (1200, 900),
        scale: float = 1,
        timeout: float = 90,
    ) -> LabPage:
        """Open a notebook in a page of its own and wait until its kernel is idle.

        The kernel is fresh, unless the same test has the notebook open already: two pages of one file share it.
        """
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, device_scale_factor=scale, color_scheme=theme
        )
        self._contexts.append(context)
        context.set_default_timeout(30_000)
        context.set_default_navigation_timeout(60_000)
        page = LabPage(context.new_page(), self.server, name)
        page.load(theme, timeout)
        return page

    def close(self) -> None:
        """Close the pages and end their kernels."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        self.server.shut_kernels_down()


class LabPage:
    """One notebook in one browser page.

    `page` is Playwright's own page, for whatever is not offered here.
    """

    _number = itertools.count(1)

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page = page
        self.server = server
        self.name = name
        self.complaints: list[str] = []  # what the page's own scripts failed with
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    # -- the page ---------------------------------------------------------------------------------------------------

    def load(self, theme: Theme = "light", timeout: float = 90) -> None:
        """Go to the notebook in a workspace of its own, so that no layout of an earlier page comes back."""
        address = f"lab/workspaces/test-{next(self._number)}/tree/{self.name}"
        self.page.goto(f"{self.server.url}{address}?token={self.server.token}")
        self._ready(timeout)
        self.wait_idle(timeout)
        self.command("apputils:change-theme", theme=THEMES[theme])
        self.page.wait_for_function(f"document.body.dataset.jpThemeName === {THEMES[theme]!r}")
        self._ask("app.shell.collapseLeft()")

    def reload(self, timeout: float = 90) -> None:
        """Reload the page, as a reader does; the kernel goes on, and may be busy still."""
        self.page.reload()
        self._ready(timeout)

    def _ready(self, timeout: float) -> None:
        self._until("return !!panel?.context.isReady && !!session?.isReady && cells.length > 0", timeout)

    def command(self, name: str, timeout: float = 30, /, **args: Any) -> Any:
        """Execute one of JupyterLab's own commands and return what it returns, if that is plain."""
        script = """
            const value = await app.commands.execute(arg.name, arg.args);
            try { return JSON.parse(JSON.stringify(value ?? null)); } catch { return null; }
        """
        return self._ask(script, {"name": name, "args": args}, timeout)

    def button(self, name: str | re.Pattern[str]) -> Locator:
        """The button of that name in an output; its accessible name, as a screen reader says it."""
        return self.outputs.get_by_role("button", name=name, exact=isinstance(name, str))

    @property
    def outputs(self) -> Locator:
        """All that the cells show."""
        return self.page.locator(".jp-Notebook .jp-Cell-outputArea")

    # -- running ----------------------------------------------------------------------------------------------------

    def run_all(self, *, wait: bool = True, timeout: float = 300, check: bool = True) -> None:
        """Run every cell; with `wait=False` only start to: go on with `wait`."""
        self._run("notebook:run-all-cells", wait, timeout, check)

    def run_cell(self, which: int | str, *, wait: bool = True, timeout: float = 120, check: bool = True) -> None:
        """Run one code cell, named as in `cell`."""
        index = self.cell(which).index
        self._ask(
            "panel.content.deselectAll(); panel.content.activeCellIndex = arg; panel.content.mode = 'command';", index
        )
        self._run("notebook:run-cell", wait, timeout, check)

    def _run(self, command: str, wait: bool, timeout: float, check: bool) -> None:
        # The command's promise holds until the last cell has ended. It is kept, not awaited: a page is free meanwhile.
        script = """
            window.tunekitRuns = (window.tunekitRuns ?? 0) + 1;
            const end = () => { window.tunekitRuns -= 1; };
            app.commands.execute(arg).then(end, end);
        """
        self._ask(script, command)
        if wait:
            self.wait(timeout, check=check)

    def wait(self, timeout: float = 300, *, check: bool = True) -> None:
        """Wait until all cells that were started have ended; a cell that failed is an error unless `check=False`."""
        self._until("return !window.tunekitRuns", timeout)
        self.wait_idle(timeout)
        if check:
            errors = self.errors()
            assert not errors, f"{self.name} fails:\n" + "\n\n".join(errors)

    def wait_idle(self, timeout: float = 60) -> None:
        """Wait until the kernel is idle."""
        self._until("return session?.session?.kernel?.status === 'idle'", timeout)

    def interrupt(self) -> None:
        """Press the kernel's own ■."""
        self._ask("await session.session.kernel.interrupt()")

    def restart_kernel(self, timeout: float = 60) -> None:
        """Restart the kernel without asking, and wait until it is idle. The outputs stay."""
        self._ask("await session.session.kernel.restart()", timeout=timeout)
        self.wait_idle(timeout)

    def delay_subshells(self, seconds: float) -> None:
        """Let what runs beside a busy cell be opened late, as it is where the machine is slow."""
        script = """
            const kernel = session.session.kernel;
            const open = kernel.requestCreateSubshell.bind(kernel);
            kernel.requestCreateSubshell = (...args) => ({
                done: new Promise((go) => setTimeout(go, 1000 * arg)).then(() => open(...args).done),
            });
        """
        self._ask(script, seconds)

    def shut_kernel_down(self) -> None:
        """End the kernel; the page stays, as for a reader who opens a saved notebook."""
        self._ask("await session.shutdown()")

    def kernel(self, expression: str, timeout: float = 30) -> str:
        """What an expression is worth in the page's kernel, as its repr; the notebook is left as it is."""
        script = """
            const answer = session.session.kernel.requestExecute(
                {code: '', silent: true, user_expressions: {value: arg}});
            const value = (await answer.done).content.user_expressions.value;
            if (value.status !== 'ok') throw new Error(`${value.ename}: ${value.evalue}`);
            return value.data['text/plain'];
        """
        return str(self._ask(script, expression, timeout))

    # -- reading ----------------------------------------------------------------------------------------------------

    def cell(self, which: int | str) -> Cell:
        """A code cell: by its place among the code cells (-1 is the last), or by a piece of its source."""
        codes: list[tuple[int, str]] = self._ask(
            "return cells.map((each, i) => [i, each.model.type, each.model.sharedModel.getSource()])"
            ".filter(each => each[1] === 'code').map(each => [each[0], each[2]])"
        )
        if isinstance(which, int):
            return Cell(self, codes[which][0])
        found = [index for index, source in codes if which in source]
        assert len(found) == 1, (
            f"{len(found)} code cells of {self.name} hold {which!r}: name it by a piece that one has"
        )
        return Cell(self, found[0])

    def errors(self) -> list[str]:
        """The traceback of each cell that failed."""
        tracebacks: list[list[str]] = self._ask(
            "return cells.flatMap(each => each.model.sharedModel.outputs ?? [])"
            ".filter(each => each.output_type === 'error').map(each => each.traceback)"
        )
        return [ANSI.sub("", "\n".join(lines)) for lines in tracebacks]

    def save(self, timeout: float = 30) -> nbformat.NotebookNode:
        """Save the notebook and read the file back."""
        self._ask("await panel.context.save()", timeout=timeout)
        saved: nbformat.NotebookNode = nbformat.read(self.server.root / self.name, as_version=4)
        return saved

    def screenshot(self, path: Path) -> Path:
        """Take a picture of the page."""
        self.page.screenshot(path=path)
        return path

    # -- scripts ----------------------------------------------------------------------------------------------------

    def _ask(self, script: str, arg: Any = None, timeout: float = 30) -> Any:
        """Run a script in the page; one that does not come back is an error, where Playwright would wait for ever."""
        race = """async ([arg, seconds]) => {
            const late = new Promise((_, no) =>
                setTimeout(() => no(new Error(`no answer within ${seconds} s`)), seconds * 1000));
            return await Promise.race([late, (async () => { PRELUDE SCRIPT })()]);
        }"""
        return self.page.evaluate(race.replace("PRELUDE", PRELUDE).replace("SCRIPT", script), [arg, timeout])

    def _until(self, script: str, timeout: float) -> None:
        self.page.wait_for_function(f"() => {{ {PRELUDE} {script} }}", timeout=timeout * 1000)


@dataclass(frozen=True)
class Cell:
    """One code cell of a page, as it is at the moment of asking."""

    notebook: LabPage
    index: int

    @property
    def locator(self) -> Locator:
        """The cell on the page; its buttons and pictures are found in it."""
        return self.notebook.page.locator(".jp-Notebook .jp-Cell").nth(self.index)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Its outputs as the notebook's file would hold them."""
        found: list[dict[str, Any]] = self.notebook._ask("return cells[arg].model.toJSON().outputs", self.index)
        return found

    @property
    def execution_count(self) -> int | None:
        """The number in its brackets; None before it has run."""
        count: int | None = self.notebook._ask("return cells[arg].model.executionCount", self.index)
        return count

    @property
    def text(self) -> str:
        """What it shows as words: what was printed, the value's text, the error."""
        return "".join(_words(output) for output in self.outputs)

    def run(self, *, wait: bool = True, timeout: float = 120, check: bool = True) -> None:
        """Run it."""
        position = self.notebook._ask(
            "return cells.slice(0, arg).filter(each => each.model.type === 'code').length", self.index
        )
        self.notebook.run_cell(position, wait=wait, timeout=timeout, check=check)

    def button(self, name: str) -> Locator:
        """The button of that name in its output."""
        return self.locator.locator(".jp-Cell-outputArea").get_by_role("button", name=name, exact=True)

    def screenshot(self, path: Path) -> Path:
        """Take a picture of it, with all that it shows."""
        self.locator.scroll_into_view_if_needed()
        self.locator.screenshot(path=path)
        return path


def _words(output: Mapping[str, Any]) -> str:
    def joined(text: str | list[str]) -> str:
        return text if isinstance(text, str) else "".join(text)

    match output["output_type"]:
        case "stream":
            return joined(output["text"])
        case "error":
            return ANSI.sub("", "\n".join(output["traceback"]))
        case _:
            return joined(output["data"].get("text/plain", ""))
