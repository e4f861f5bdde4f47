"""A saved notebook without its kernel: as an HTML page, and where there is nothing but plain text."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode, v4

from tests.house.tree import ROOT

EVIL = "<img src=x onerror=alert(1)>"

# Whatever a person may name, or an error may say, is markup here.
CELLS = [
    f"""
import torch, tunekit as tk
EVIL = {EVIL!r}

def objective(**settings):
    if settings["act"] == EVIL:
        raise ValueError(f"{{EVIL}} is no activation")
    return settings[EVIL]

space = {{EVIL: tk.Float(0, 1), "act": tk.Choice("relu", EVIL)}}
study = tk.Study(objective, space, sampler="random", maximize=EVIL, seed=0)
study.run(8)""",
    "study",
    "study.best",
    "explorer = study.explore()",
    "explorer.close()",
    """
def fails(model, task, epochs):
    yield
    raise OSError(EVIL)

torch.manual_seed(0)
x = torch.randn(60, 4)
data = x, x.argmax(1)
net = torch.nn.Sequential(torch.nn.Linear(4, 4))
lab = tk.Compression(net, tk.Task(data, data, loss=torch.nn.functional.cross_entropy, fit=fails))
lab.run([tk.Prune(0.5), tk.FineTune(1)])""",
    "lab",
    "lab.sensitivity()",
    """
comparison = tk.compare({EVIL: net, "other": lab[1]}, data, labels=[EVIL, "b", "c", "d"], latency=False)
comparison""",
    "comparison.disagreements",
    "view = comparison.live()\nview",
    "view.close()",
]


class Page(HTMLParser):
    """The elements of a page, each with its attributes, and its words."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def pictures(self) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.elements if tag == "img"]


def exported(notebook: NotebookNode, template: str = "lab") -> Page:
    return Page(HTMLExporter(template_name=template, exclude_input=True).from_notebook_node(notebook)[0])  # type: ignore[no-untyped-call]


def shown(notebook: NotebookNode) -> Iterator[dict[str, str]]:
    for cell in notebook.cells:
        yield from (output.data for output in cell.get("outputs", []) if "data" in output)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS])
    resources = {"metadata": {"path": str(tmp_path_factory.mktemp("hostile"))}}
    return NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()


def test_what_is_the_users_is_no_markup_in_an_html_page(hostile: NotebookNode) -> None:
    page = exported(hostile)
    assert not [each for each in page.elements if "onerror" in each[1] or each[1].get("src") == "x"]
    assert page.words.count(EVIL) > 5
    assert f"OSError: {EVIL}" in page.words


@pytest.mark.parametrize("template", ["lab", "classic"])
def test_an_html_page_shows_each_picture_at_its_size(hostile: NotebookNode, template: str) -> None:
    pictures = exported(hostile, template).pictures()
    assert len(pictures) == 5  # the run, the study, its explorer, the compression, the answers side by side
    assert all(picture["src"].startswith("data:image/png;base64,") for picture in pictures)
    assert all(int(picture["width"]) <= 640 for picture in pictures)


def test_a_page_that_takes_words_for_a_picture_gets_them(hostile: NotebookNode) -> None:
    run, study, explorer, smaller, answers = (each["alt"] for each in exported(hostile, "classic").pictures())
    assert run == study == explorer
    assert run.startswith(f"Best {EVIL} 0.")
    assert "file size against accuracy" in smaller
    assert "They differ" in answers or "All answer" in answers


def test_plain_text_says_what_each_value_is(hostile: NotebookNode) -> None:
    plain = [data["text/plain"] for data in shown(hostile)]
    assert not [words for words in plain if "object at 0x" in words or not words.strip()]
    told = "\n".join(plain)
    for words in ("8 trials: ", f"Best {EVIL} 0.", "Prune(0.5)", "FineTune(epochs=1)", "failed", "Live: "):
        assert words in told, words


def test_the_saved_quickstart_is_a_page_that_needs_no_widgets() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "quickstart.ipynb", as_version=4)
    page = exported(notebook)
    assert [picture["width"] for picture in page.pictures()] == ["640", "640"]
    assert sum("tunekit-table" in attributes.get("class", "").split() for _, attributes in page.elements) == 1
    assert "14 trials, all complete. Best accuracy" in page.words
    assert "3 steps: " in page.words
    assert "A Jupyter widget could not be displayed" not in page.words
    assert not any("widget" in kind for data in shown(notebook) for kind in data)
